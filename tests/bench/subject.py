"""Thaw, by its command, on the machine of jobs/examples/debian.yaml."""
import json
import os
import re
import subprocess
import time

from console import Console


class Subject:
    def __init__(self, root, program, guest, folder, core):
        self.root, self.program, self.core = root, program, core
        self.store = os.path.join(folder, "store")
        self.environment = dict(os.environ, THAW_STORE=self.store)
        for key, value in guest.items():
            self.environment["THAW_GUEST_" + key.upper()] = value

    def call(self, *arguments):
        """(JSON, processor seconds, wall milliseconds of the whole process)"""
        start = time.monotonic()
        child = subprocess.Popen(
            ["taskset", "-c", str(self.core), self.program, *arguments, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        out = child.stdout.read()
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall_ms = (time.monotonic() - start) * 1000
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        child.stderr.close()
        if child.returncode != 0:
            said = errors.decode(errors="replace")[-500:]
            raise RuntimeError(f"thaw {' '.join(arguments)}: {said}")
        return json.loads(out), usage.ru_utime + usage.ru_stime, wall_ms

    def run(self, command, *options):
        # --json comes before the command, which takes all that follows.
        start = time.monotonic()
        child = subprocess.Popen(
            ["taskset", "-c", str(self.core), self.program, "run", "--json", *options, "booted",
             "--", command],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        out = child.stdout.read()
        _, _, usage = os.wait4(child.pid, 0)
        wall_ms = (time.monotonic() - start) * 1000
        child.returncode = 0
        child.stdout.close()
        answer = json.loads(out)
        if answer.get("verdict") != "pass":
            raise RuntimeError(f"thaw run: {command}: {answer}")
        return answer, usage.ru_utime + usage.ru_stime, wall_ms

    def speed(self, names, rounds):
        best, lines, counts = {}, {}, {}
        for _ in range(rounds):
            subprocess.run(["rm", "-rf", self.store], check=True)
            machine = os.path.join(self.root, "jobs/examples/debian.yaml")
            answer, spent, _ = self.call("boot", machine, "-n", "booted")
            best["boot"] = min(spent, best.get("boot", spent))
            counts["boot"] = answer["instructions"]
            for name in names:
                # The thaw is not part of the workload: its own row says what it costs.
                idle = min(self.run(":")[1] for _ in range(2))
                answer, spent, _ = self.run(f"workloads {name}")
                spent -= idle
                best[name] = min(spent, best.get(name, spent))
                lines[name] = answer["output"].strip()
                counts[name] = answer["instructions"]
        return best, lines, counts

    def text_run(self, command, *options):
        """{what: ms} as `thaw run` prints it, and of the whole process. Without --json, which
        asks for the state's id at the end as well."""
        start = time.monotonic()
        words = ["taskset", "-c", str(self.core), self.program, "run", "-q", *options, "booted",
                 "--", command]
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True, env=self.environment)
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        times = {"whole": (time.monotonic() - start) * 1000,
                 "processor": (usage.ru_utime + usage.ru_stime) * 1000}
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stderr.close()
        if child.returncode != 0:
            raise RuntimeError(f"thaw run: {command}: {errors[-500:]}")
        for what in ("thaw", "test", "freeze"):
            found = re.search(what + r" ([0-9.]+) ms", errors)
            if found:
                times[what] = float(found[1])
        times["instructions"] = float(re.search(r"([0-9.]+) M instructions", errors)[1]) * 1e6
        return times

    def thaws(self, rounds):
        """[times] of a test that does nothing"""
        return [self.text_run(":") for _ in range(rounds + 1)][1:]

    def freeze_ms(self, rounds):
        """What freezing costs after a test that dirtied 2,000 pages with random bytes."""
        command = "dd if=/dev/urandom of=/dev/shm/x bs=64k count=125 2>/dev/null"
        names = [f"dirty{i}" for i in range(rounds)]
        return [self.text_run(command, "--freeze", name)["freeze"] for name in names]

    def stored_bytes(self):
        total = 0
        for where, _, files in os.walk(self.store):
            if os.path.basename(where) != "images" and "cache" not in where:
                total += sum(os.path.getsize(os.path.join(where, file)) for file in files)
        return total

    def sizes(self, count):
        """(bytes of the booted checkpoint alone, of it and `count` more after as many different
        light tests)"""
        subprocess.run(["rm", "-rf", self.store], check=True)
        self.call("boot", os.path.join(self.root, "jobs/examples/debian.yaml"), "-n", "booted")
        first = self.stored_bytes()
        tests = ["ls -lR /bin >/tmp/a", "seq 1 5000 | md5sum", "ps", "echo a >/tmp/b; cat /tmp/b",
                 "dmesg | tail", "free", "mount", "cat /proc/interrupts", "sleep 1",
                 "awk 'BEGIN { for (i = 0; i < 9999; i++) s += i; print s }'"]
        for i in range(count):
            self.run(f"echo {i}; {tests[i % len(tests)]}", "--freeze", f"light{i}")
        return first, self.stored_bytes()

    def idle_kib(self):
        """Private resident memory of a process that holds the thawed, idle machine."""
        os.environ["THAW_STORE"] = self.store
        console = Console([self.program, "shell", "booted"], self.core)
        console.send("echo id''le\n")
        console.expect("idle")
        time.sleep(1)
        kib = console.memory_kib("Private_Dirty") + console.memory_kib("Private_Clean")
        console.stop()
        return kib
