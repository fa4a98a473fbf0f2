#!/usr/bin/env python3
"""The `thaw` command as people use it: real processes, a bare-metal guest, a store of its own.

    tests/e2e/command.py THAW GUESTS      the program, and the folder with bare/stress-forever.elf
"""
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

THAW, GUESTS = sys.argv[1:3]
GUARD = 120  # seconds that no step may take: a guard against hangs, never a measurement

MACHINE = f"""machine: stress
harts: {{harts}}
memory: 16 MiB
elf: {GUESTS}/bare/stress-forever.elf
devices:
  - blk: {{{{name: disk0, size: 1 MiB}}}}
freeze: {{{{instructions: {{at}}}}}}
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="thaw-command-")
        self.store = os.path.join(self.folder.name, "store")

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def thaw(self, *arguments, store=None, status=0, text=None):
        done = subprocess.run(
            [THAW, *arguments], env={**os.environ, "THAW_STORE": store or self.store},
            capture_output=True, text=True, timeout=GUARD, input=text, errors="replace")
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.thaw(*arguments, "--json", **options).stdout)

    def machine(self, name="machine.yaml", harts=1, at=200000, extra=""):
        with open(self.path(name), "w") as file:
            file.write(MACHINE.format(harts=harts, at=at) + extra)
        return self.path(name)

    def boot(self, tag="booted", **options):
        return self.json("boot", self.machine(**options), "-n", tag)

    def refused(self, *arguments, status=2, says=()):
        done = self.thaw(*arguments, status=status)
        lines = [line for line in done.stderr.splitlines() if line.startswith("thaw")]
        self.assertTrue(lines, done.stderr)
        for words in says:
            self.assertIn(words, done.stderr)
        self.assertEqual(done.stdout, "")


class Usage(Case):
    COMMANDS = ("boot run shell ls show diff tag rm gc fsck attrs export import jobs "
                "completion").split()

    def test_every_command_helps_with_an_example(self):
        listed = self.thaw("--help").stdout
        for command in self.COMMANDS:
            self.assertIn(f"\n  {command} ", listed)
            text = self.thaw(command, "--help").stdout
            self.assertIn("Example:", text)
            self.assertIn(f"thaw {command}", text)

    def test_wrong_commands_flags_and_arguments_are_usage_errors(self):
        self.refused("bot", says=['did you mean "boot"'])
        self.refused("ls", "--frob", says=["--frob"])
        self.refused("run", says=["takes a checkpoint"])
        self.refused("tag", "one", says=["a checkpoint and a name"])
        self.refused("run", "x", "--instructions", "many", "--", "true", says=["whole number"])
        self.refused("run", "nosuch", "--", "true", says=["nosuch", "no tag"])
        self.refused("attrs", "nosuch", says=["nosuch"])

    def test_completion_knows_every_command(self):
        script = self.thaw("completion", "bash").stdout
        for command in self.COMMANDS:
            self.assertIn(command, script)
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=GUARD)

    def test_attrs_is_the_reference(self):
        self.assertIn("stimecmp", self.thaw("attrs", "riscv-hart").stdout)
        names = {entry["schema"] for entry in self.json("attrs")}
        self.assertTrue({"riscv-hart", "ns16550", "virtio-blk", "thaw-machine"} <= names)


class Checkpoints(Case):
    def test_equal_boots_have_equal_ids(self):
        first, second = self.boot("one"), self.boot("two")
        self.assertEqual(first["checkpoint"], second["checkpoint"])
        self.assertEqual(first["instructions"], 200000)
        other = self.boot("three", at=200001)
        self.assertNotEqual(first["state_id"], other["state_id"])

    def test_ls_tag_show_diff_rm_gc(self):
        first = self.boot("one")
        self.boot("two", at=2000000)
        listed = {entry["checkpoint"]: entry for entry in self.json("ls")}
        self.assertEqual(listed[first["checkpoint"]]["tags"], ["one"])
        self.assertIn("one", self.thaw("ls").stdout)
        self.thaw("tag", first["checkpoint"][:10], "again")
        self.assertEqual(self.thaw("ls", "--names").stdout.split(), ["again", "one", "two"])
        shown = self.json("show", "one")
        self.assertEqual(shown["checkpoint"], first["checkpoint"])
        harts = [entry for entry in shown["objects"] if entry["schema"] == "riscv-hart"]
        self.assertEqual(harts[0]["attributes"]["instructions"], 200000)
        self.assertIn("pc", self.thaw("show", "one", "board0.hart0").stdout)
        self.refused("show", "one", "board0.nosuch", says=["board0.nosuch"])
        self.assertIn("equal", self.thaw("diff", "one", "again").stdout)
        different = self.json("diff", "one", "two", status=1)
        self.assertFalse(different["equal"])
        self.assertIn(("board0.hart0", "instructions"),
                      {(entry["object"], entry["attribute"]) for entry in different["attributes"]})
        self.assertTrue(different["pages"])
        self.refused("rm", first["checkpoint"], status=3, says=["tag"])
        self.thaw("rm", "one", "again")
        kept = self.json("gc")
        self.assertEqual((kept["checkpoints_kept"], kept["checkpoints_removed"]), (1, 1))
        self.refused("show", "one", says=["one"])
        self.assertTrue(self.json("fsck")["sound"])

    def test_a_bundle_carries_all_of_it(self):
        first = self.boot("one")
        bundle, again = self.path("one.thaw"), self.path("again.thaw")
        self.thaw("export", "one", bundle)
        other = self.path("other")
        imported = self.json("import", bundle, "-n", "moved", store=other)
        self.assertEqual(imported["checkpoint"], first["checkpoint"])
        self.thaw("export", "moved", again, store=other)
        with open(bundle, "rb") as a, open(again, "rb") as b:
            self.assertEqual(a.read(), b.read())
        with open(bundle, "rb") as file:
            content = file.read()
        for damaged in (content[:-1], content[:100], content[:5000] + b"!" + content[5001:], b""):
            with open(again, "wb") as file:
                file.write(damaged)
            self.refused("import", again, status=self.thaw_status("import", again), says=[again])
        self.assertTrue(self.json("fsck", store=other)["sound"])

    def thaw_status(self, *arguments):
        """Damaged input is 2 or 3, never a crash."""
        done = subprocess.run([THAW, *arguments], capture_output=True, timeout=GUARD,
                              env={**os.environ, "THAW_STORE": self.path("victim")})
        self.assertIn(done.returncode, (2, 3))
        return done.returncode


class Damage(Case):
    def test_a_flipped_bit_in_a_pack_is_found_and_named(self):
        self.boot("one")
        packs = os.path.join(self.store, "packs")
        pack = [name for name in os.listdir(packs) if name.endswith(".pack")][0]
        with open(os.path.join(packs, pack), "r+b") as file:
            file.seek(1000)
            byte = file.read(1)
            file.seek(1000)
            file.write(bytes([byte[0] ^ 4]))
        found = self.json("fsck", status=1)
        self.assertFalse(found["sound"])
        self.assertIn("one", " ".join(entry["text"] for entry in found["findings"]))

    def test_machine_files_are_judged_with_line_and_suggestion(self):
        file = self.machine(extra="hart: 2\n")
        done = self.thaw("boot", file, status=2)
        self.assertIn("did you mean `harts`", done.stderr)
        self.assertIn("^", done.stderr)
        self.refused("boot", self.path("none.yaml"), says=["none.yaml"])
        for elf, words in ((self.path("missing.elf"), "missing.elf"), (sys.executable, "x86-64"),
                           (__file__, "neither an ELF file")):
            with open(self.path("bad.yaml"), "w") as out:
                out.write(f"machine: bad\nmemory: 16 MiB\nelf: {elf}\n"
                          "freeze: {instructions: 10}\n")
            self.refused("boot", self.path("bad.yaml"), says=[words])

    def test_killed_at_any_moment_the_store_stays_sound(self):
        file = self.machine(at=3000000)
        for delay in range(12):
            child = subprocess.Popen([THAW, "boot", file, "-n", f"tag{delay}"],
                                     env={**os.environ, "THAW_STORE": self.store},
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                child.wait(timeout=0.002 * delay * delay)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
            child.wait(timeout=GUARD)
            self.assertTrue(self.json("fsck")["sound"])
        self.thaw("boot", file, "-n", "whole")
        self.thaw("gc")
        self.assertTrue(self.json("fsck")["sound"])

    def test_a_full_disk_and_missing_rights_are_one_sentence(self):
        if os.geteuid() == 0:
            small = self.path("small")
            os.mkdir(small)
            mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "none", small]
            if subprocess.run(mount).returncode:
                self.skipTest("no tmpfs can be mounted here")
            try:
                store = os.path.join(small, "s")
                self.thaw("boot", self.machine(), "-n", "x", store=store, status=3)
            finally:
                subprocess.run(["umount", small], check=True)
        self.thaw("ls", store="/proc/thaw", status=2)

    def test_two_writers_at_once(self):
        files = [self.machine(f"m{i}.yaml", at=100000 + i) for i in range(4)]
        children = [subprocess.Popen([THAW, "boot", file, "-n", f"t{i}"], stdout=subprocess.DEVNULL,
                                     env={**os.environ, "THAW_STORE": self.store})
                    for i, file in enumerate(files)]
        for child in children:
            self.assertEqual(child.wait(timeout=GUARD), 0)
        self.assertEqual(len(self.json("ls")), 4)
        self.assertTrue(self.json("fsck")["sound"])


class Running(Case):
    def test_a_program_on_a_fresh_board(self):
        done = self.thaw("run", "--elf", f"{GUESTS}/bare/stress.elf", status=0)
        self.assertIn("sum", done.stdout)
        value = self.json("run", "--elf", f"{GUESTS}/bare/stress.elf", "--harts", "3")
        self.assertEqual(value["verdict"], "pass")
        again = self.json("run", "--elf", f"{GUESTS}/bare/stress.elf", "--harts", "3")
        self.assertEqual(value["state_id"], again["state_id"])
        self.assertEqual(value["instructions"], again["instructions"])

    def test_a_limit_in_instructions_is_a_timeout(self):
        value = self.json("run", "--elf", f"{GUESTS}/bare/stress-forever.elf",
                          "--instructions", "100000", status=4)
        self.assertEqual(value["verdict"], "timeout")

    def test_a_shell_freezes_and_undoes(self):
        self.boot("one")
        child, master = pty.fork()
        if child == 0:
            os.environ["THAW_STORE"] = self.store
            os.execv(THAW, [THAW, "shell", "one"])
        seen = self.expect(master, b"thawed")
        os.write(master, b"\x01f")
        seen += self.expect(master, b"frozen: one-1")
        os.write(master, b"\x01u")
        seen += self.expect(master, b"back at the last frozen moment")
        os.write(master, b"\x01q")
        _, status = os.waitpid(child, 0)
        self.assertEqual(status, 0, seen)
        self.assertIn("one-1", self.thaw("ls", "--names").stdout)

    def expect(self, master, words):
        seen, end = b"", time.monotonic() + GUARD
        while words not in seen:
            self.assertLess(time.monotonic(), end, seen)
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 4096)
        return seen


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
