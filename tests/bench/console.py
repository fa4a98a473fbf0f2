"""A process whose standard input and output are a guest's console."""
import os
import select
import subprocess
import time


class Console:
    def __init__(self, command, core):
        self.process = subprocess.Popen(["taskset", "-c", str(core), *command],
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.pending = b""

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def expect(self, text, timeout_s=300):
        """Everything up to and including `text`."""
        wanted, end = text.encode(), time.monotonic() + timeout_s
        while wanted not in self.pending:
            left = max(0, end - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], left)
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                tail = self.pending[-500:].decode(errors="replace")
                raise RuntimeError(f"console: no {text!r}; it ends: {tail}")
            self.pending += data
        at = self.pending.index(wanted) + len(wanted)
        seen, self.pending = self.pending[:at], self.pending[at:]
        return seen.decode(errors="replace")

    def cpu_s(self):
        """Processor time of all its threads so far: what other load changes least."""
        total = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def memory_kib(self, key):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(key + ":"))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
