#!/usr/bin/env python3
"""Killed at any moment, many at once, a full disk, no rights: the store stays sound."""
import ctypes
import os
import random
import shutil
import signal
import subprocess
import unittest

from harness import GUESTS, INFRA, MACHINES, PASS, THAW, USAGE, CliTest, main

PTRACE_TRACEME, PTRACE_SYSCALL = 0, 24
NOBODY = 65534
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def kill_at(environment, arguments, stop):
    """Runs the command and kills it at stop number `stop` of its main thread: stops are before and
    after each system call. Returns how many there were: fewer if the command ended by itself."""
    # The leak checker traces its own process, which nobody can who is traced.
    environment = {**environment, "ASAN_OPTIONS": "detect_leaks=0"}
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        libc.ptrace(PTRACE_TRACEME, 0, None, None)
        os.execve(THAW, [THAW, *map(str, arguments)], environment)
    _, status = os.waitpid(child, 0)
    stops = 0
    while os.WIFSTOPPED(status):
        if stops == stop:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return stops
        stops += 1
        pending = os.WSTOPSIG(status)
        if libc.ptrace(PTRACE_SYSCALL, child, None, pending if pending != signal.SIGTRAP else None):
            raise OSError(ctypes.get_errno(), "ptrace")
        _, status = os.waitpid(child, 0)
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != 0:
        raise AssertionError(f"{arguments} ended with {status:#x}")
    return stops


class Killed(CliTest):
    """Each case prepares a store once; every kill has a copy of it."""

    def killed_everywhere(self, arguments, check, count=60):
        """Kills the command at `count` moments spread over its run; then fsck, and a retry."""
        self.store.mkdir(exist_ok=True)
        kept = self.folder / "kept"
        shutil.copytree(self.store, kept)
        total = kill_at(self.environment, arguments, -1)
        self.assertGreater(total, 100)
        chance = random.Random(total)
        for stop in sorted(chance.sample(range(total), min(count, total))):
            shutil.rmtree(self.store)
            shutil.copytree(kept, self.store)
            kill_at(self.environment, arguments, stop)
            with self.subTest(stop=stop, of=total):
                self.assertTrue(self.json("fsck")["sound"])
                self.thaw(*arguments)
                self.sound()
                check()
        self.thaw("gc")
        self.assertEqual(list((self.store / "tmp").iterdir()), [], "left behind")
        self.sound()

    def test_boot_killed_anywhere(self):
        expected = self.boot()["checkpoint"]
        shutil.rmtree(self.store)

        def check():
            self.assertEqual(self.json("ls")[0]["checkpoint"], expected)

        self.killed_everywhere(["boot", MACHINES / "teach1.yaml", "-n", "teach"], check)

    def test_gc_killed_anywhere(self):
        self.boot("keep", "teach1")
        self.boot("go", "teach3")
        self.boot("stay", "stress1")
        bundle, again = self.folder / "keep.thaw", self.folder / "again.thaw"
        self.thaw("export", "keep", bundle)
        self.thaw("rm", "go")

        def check():
            self.assertEqual(sorted(self.thaw("ls", "--names").split()), ["keep", "stay"])
            self.thaw("export", "keep", again)
            self.assertEqual(bundle.read_bytes(), again.read_bytes())

        self.killed_everywhere(["gc"], check)

    def test_import_killed_anywhere(self):
        self.boot("teach")
        bundle, again = self.folder / "teach.thaw", self.folder / "again.thaw"
        self.thaw("export", "teach", bundle)
        shutil.rmtree(self.store)

        def check():
            self.thaw("export", "came", again)
            self.assertEqual(bundle.read_bytes(), again.read_bytes())

        self.killed_everywhere(["import", bundle, "-n", "came"], check)

    def test_export_killed_anywhere_leaves_no_half_file(self):
        self.boot("teach")
        whole, out = self.folder / "whole.thaw", self.folder / "out.thaw"
        self.thaw("export", "teach", whole)
        total = kill_at(self.environment, ["export", "teach", out], -1)
        for stop in range(0, total, max(1, total // 40)):
            out.unlink(missing_ok=True)
            kill_at(self.environment, ["export", "teach", out], stop)
            if out.exists():
                self.assertEqual(out.read_bytes(), whole.read_bytes(), stop)
        self.sound()


class ManyAtOnce(CliTest):
    def start(self, *arguments):
        return subprocess.Popen([THAW, *map(str, arguments)], env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def finish(self, children):
        for child in children:
            _, said = child.communicate(timeout=300)
            self.assertEqual(child.returncode, PASS, (child.args, said))

    def test_freezes_gc_and_reads_at_once(self):
        ids = {}
        for machine in ("teach1", "teach3", "stress1", "stress3"):
            ids[machine] = self.boot("x", machine)["checkpoint"]
        shutil.rmtree(self.store)
        for _ in range(3):
            children = [self.start("boot", MACHINES / f"{machine}.yaml", "-n", f"{machine}-{i}")
                        for machine in ids for i in range(2)]
            children += [self.start("gc"), self.start("ls"), self.start("fsck"), self.start("gc")]
            self.finish(children)
            self.sound()
        tags = {entry["checkpoint"]: sorted(entry["tags"]) for entry in self.json("ls")}
        self.assertEqual(tags, {checkpoint: [f"{machine}-0", f"{machine}-1"]
                                for machine, checkpoint in ids.items()})
        for machine in ids:
            self.thaw("export", f"{machine}-1", self.folder / f"{machine}.thaw")

    def test_one_tag_by_many_is_one_of_them(self):
        children = [self.start("boot", MACHINES / f"{machine}.yaml", "-n", "one")
                    for machine in ("teach1", "teach3", "stress1")]
        self.finish(children)
        self.assertEqual(self.thaw("ls", "--names"), "one\n")
        self.thaw("export", "one", self.folder / "one.thaw")
        self.sound()


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk and become somebody else")
class Host(CliTest):
    def mount(self, size):
        small = self.folder / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "thaw", small],
                                 stderr=subprocess.DEVNULL, check=False)
        if mounted.returncode != 0:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=False)
        return small

    def resize(self, small, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", small], check=True)

    def test_a_full_disk_fails_the_freeze_and_nothing_else(self):
        small = self.mount("16k")
        self.environment["THAW_STORE"] = str(small / "store")
        refused = 0
        for pages in range(1, 20):
            self.resize(small, f"{4 * pages}k")
            done = self.call("boot", MACHINES / "stress1.yaml", "-n", "stress")
            self.assertIn(done.returncode, (PASS, INFRA), done.stderr)
            if done.returncode == INFRA:
                refused += 1
                said = [line for line in done.stderr.splitlines() if b" warning: " not in line]
                self.assertEqual(len(said), 1, done.stderr)
                self.assertIn(b"No space left", said[0])
                self.assertEqual(done.stdout, b"")
        self.assertGreater(refused, 2)
        self.resize(small, "64m")
        self.boot("stress", "stress1")
        self.sound()

    def test_a_full_disk_fails_the_export_and_leaves_nothing(self):
        small = self.mount("4k")
        self.boot("stress", "stress1")
        out = small / "out.thaw"
        self.refused(INFRA, "export", "stress", out, says="No space left")
        self.assertEqual(list(small.iterdir()), [])
        with open(small / "filler", "wb") as filler:
            filler.write(bytes(4096))
        self.refused(INFRA, "run", "--jobs", self.suite(), "--junit", small / "junit.xml",
                     says="junit.xml")
        self.assertEqual([path.name for path in small.iterdir()], ["filler"])

    def suite(self):
        return self.file("suite.yaml", "suite: s\ntests:\n  - name: stress\n"
                                       f"    elf: {GUESTS}/bare/stress.elf\n")

    def as_nobody(self, *arguments):
        """As somebody without rights. The program is copied to where everybody may run it."""
        self.folder.chmod(0o755)
        program = self.folder / "thaw"
        if not program.exists():
            shutil.copy(THAW, program)
        return subprocess.run([program, *map(str, arguments)], env=self.environment, user=NOBODY,
                              group=NOBODY, extra_groups=[], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")

    def test_a_store_without_rights_to_write_can_be_read(self):
        self.boot()
        for command in (["ls"], ["show", "teach"], ["fsck"], ["diff", "teach", "teach"],
                        ["ls", "--names"]):
            done = self.as_nobody(*command)
            self.assertEqual(done.returncode, PASS, (command, done.stderr))
        for command in (["tag", "teach", "mine"], ["rm", "teach"], ["gc"]):
            done = self.as_nobody(*command)
            self.assertEqual(done.returncode, INFRA, (command, done.stderr))
            self.assertIn(b"Permission denied", done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertEqual(self.thaw("ls", "--names"), "teach\n")
        self.sound()

    def test_a_store_without_rights_to_read_is_one_sentence(self):
        self.boot()
        self.store.chmod(0o700)
        for command in (["ls"], ["show", "teach"], ["gc"], ["fsck"], ["import", THAW]):
            done = self.as_nobody(*command)
            self.assertEqual(done.returncode, INFRA, (command, done.stderr))
            self.assertIn(b"Permission denied", done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)

    def test_a_store_that_cannot_be_made(self):
        done = self.as_nobody("ls", "--store", self.folder / "new")
        self.assertEqual(done.returncode, INFRA)
        self.assertIn(b"Permission denied", done.stderr)
        self.refused(USAGE, "ls", "--store", "/proc/thaw", says="/proc/thaw")


if __name__ == "__main__":
    main()
