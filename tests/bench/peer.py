"""QEMU as the peer: the same kernel, initramfs and workloads, by its console and monitor."""
import os
import shlex
import shutil
import socket
import subprocess
import time

from console import Console

PROMPT = "~ # "
# Workers are as nice as this; on a busy machine what is held against them must be, too.
LIKE_WORKERS = ["nice", "-n", str(10 - os.nice(0))]


class Peer:
    def __init__(self, guest, folder, core, binary="qemu-system-riscv64"):
        self.guest, self.folder, self.core, self.binary = guest, folder, core, binary
        self.snapshot = None  # see save_snapshot

    def version(self):
        text = subprocess.run([self.binary, "--version"], capture_output=True, text=True,
                              check=True).stdout
        return text.split("version ")[1].split()[0]

    def command(self, *more):
        guest = self.guest
        return [self.binary, "-machine", "virt", "-bios", guest["firmware"],
                "-kernel", guest["kernel"], "-initrd", guest["initrd"],
                "-append", "console=ttyS0", "-nographic", "-m", "512M", *more]

    def boot(self, *more):
        """(console at the prompt, processor seconds until there)"""
        console = Console(self.command(*more), self.core)
        console.expect(PROMPT)
        return console, console.cpu_s()

    def speed(self, names, rounds):
        """{"boot": s, name: s}: the least processor time in the deterministic mode, and each
        workload's line."""
        best, lines = {}, {}
        for _ in range(rounds):
            console, boot_s = self.boot("-icount", "shift=0,sleep=off")
            best["boot"] = min(boot_s, best.get("boot", boot_s))
            for name in names:
                before = console.cpu_s()
                console.send(f"workloads {name}\n")
                console.expect(f"workloads {name}")
                text = console.expect(PROMPT)
                spent = console.cpu_s() - before
                best[name] = min(spent, best.get(name, spent))
                lines[name] = next(line for line in text.splitlines()
                                   if line.startswith(name + " ")).strip()
            console.stop()
        return best, lines

    def monitor(self, console_path):
        link = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                link.connect(console_path)
                break
            except OSError:
                time.sleep(0.02)
        link.settimeout(120)
        self.until(link)
        return link

    @staticmethod
    def until(link):
        text = b""
        while not text.endswith(b"(qemu) "):
            text += link.recv(4096)
        return text.decode(errors="replace")

    def tell(self, link, line):
        link.sendall(line.encode() + b"\n")
        return self.until(link)

    def answer_ms(self, command, wake=None):
        """Process start to the guest's answer on its console, wall clock."""
        start = time.monotonic()
        console = Console(command, self.core)
        if wake:
            wake()
        console.send("echo ans''wer\n")
        console.expect("answer")
        spent = (time.monotonic() - start) * 1000
        console.stop()
        return spent

    def restores(self, rounds):
        """{"loadvm": [ms], "template": [ms], "stream": bytes through zstd -1}"""
        path = {name: os.path.join(self.folder, name)
                for name in ("mon", "disk", "ram", "state", "stream")}
        for name in path.values():
            if os.path.exists(name):
                os.remove(name)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path["disk"], "1G"], check=True)
        memory = f"memory-backend-file,id=ram,size=512M,mem-path={path['ram']},share="
        # QEMU 7.2 forgets stimecmp in its checkpoints and the guest hangs; without Sstc the
        # firmware keeps the timer.
        board = ["-machine", "virt,memory-backend=ram", "-cpu", "rv64,sstc=false"]
        drive = ["-drive", f"if=none,format=qcow2,file={path['disk']}"]
        watch = ["-monitor", f"unix:{path['mon']},server=on,wait=off"]
        console, _ = self.boot(*board, "-object", memory + "on", *drive, *watch)
        time.sleep(1)
        link = self.monitor(path["mon"])
        self.tell(link, "savevm booted")
        self.tell(link, "stop")
        self.tell(link, f"migrate \"exec:zstd -1 -q -c > {path['stream']}\"")
        self.tell(link, "cont")
        self.tell(link, "stop")
        self.tell(link, "migrate_set_capability x-ignore-shared on")
        self.tell(link, f"migrate \"exec:cat > {path['state']}\"")
        link.close()
        console.stop()
        plain = ["-object", "memory-backend-ram,id=ram,size=512M"]
        loadvm = [self.answer_ms(self.command(*board, *plain, *drive, "-loadvm", "booted"))
                  for _ in range(rounds)]
        template = []
        for _ in range(rounds):
            os.remove(path["mon"])
            template.append(self.answer_ms(
                self.command(*board, "-object", memory + "off", *watch, "-incoming", "defer"),
                lambda: self.take_template(path)))
        return {"loadvm": loadvm, "template": template, "stream": os.path.getsize(path["stream"])}

    def save_snapshot(self):
        """A booted snapshot in a qcow2 file for each of two at a time; the board's options."""
        disk = os.path.join(self.folder, "snapshot.qcow2")
        watch = os.path.join(self.folder, "snapshot.monitor")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1G"], check=True)
        board = ["-cpu", "rv64,sstc=false"]  # see restores()
        drive = ["-drive", f"if=none,format=qcow2,file={disk}"]
        console, _ = self.boot(*board, *drive, "-monitor", f"unix:{watch},server=on,wait=off")
        time.sleep(1)
        link = self.monitor(watch)
        self.tell(link, "savevm booted")
        link.close()
        console.stop()
        for slot in (0, 1):
            shutil.copyfile(disk, f"{disk}.{slot}")
        return [*board, "-drive", f"if=none,format=qcow2,cache=unsafe,file={disk}.$SLOT"]

    def snapshot_rate(self, command, says, count):
        """(tests a second, two at a time; processor seconds of one): each loads the snapshot, runs
        the command, is checked, and powers off."""
        if self.snapshot is None:
            self.snapshot = self.save_snapshot()
        words = " ".join(word if "$SLOT" in word else shlex.quote(word)
                         for word in self.command(*self.snapshot, "-loadvm", "booted"))
        script = os.path.join(self.folder, "one-test")
        with open(script, "w") as file:
            file.write(f"printf '%s && echo %s\\npoweroff -f\\n' '{command}' \"$1\" | {words} | "
                       f"tr -d '\\r' | grep -A1 '^{says}$' | grep -qx \"$1\" || exit 255\n")
        numbers = "\n".join(map(str, range(count)))
        before, start = os.times(), time.monotonic()
        subprocess.run([*LIKE_WORKERS, "xargs", "-P2", "--process-slot-var=SLOT", "-n1", "sh",
                        script], check=True, input=numbers, text=True, stderr=subprocess.DEVNULL)
        seconds, after = time.monotonic() - start, os.times()
        spent = after.children_user + after.children_system
        spent -= before.children_user + before.children_system
        return count / seconds, spent / count

    def take_template(self, path):
        link = self.monitor(path["mon"])
        self.tell(link, "migrate_set_capability x-ignore-shared on")
        self.tell(link, f"migrate_incoming \"exec:cat {path['state']}\"")
        # What arrives on the console before the state has is lost with the UART it replaces.
        while "inmigrate" in self.tell(link, "info status"):
            pass
        self.tell(link, "cont")
        link.close()
