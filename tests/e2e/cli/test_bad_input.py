#!/usr/bin/env python3
"""Files that are not what they should be: one sentence, a usage error, nothing left behind."""
import os
import pathlib
import random
import shutil
import struct

from harness import (FAIL, GUESTS, INFRA, LOOPS, PASS, PASSES, SUITES, USAGE, CliTest, elf, main)

TEACH = GUESTS / "bare" / "teach.elf"
MACHINE = """machine: m
memory: 16 MiB
{kernel}
freeze: {{instructions: 1000}}
"""


class Kernels(CliTest):
    def refuse(self, key, path, says):
        machine = self.file("machine.yaml", MACHINE.format(kernel=f"{key}: {path}"))
        self.refused(USAGE, "boot", machine, "-n", "x", says=says)
        self.assertEqual(self.thaw("ls", "--names"), "")

    def test_a_file_that_is_not_there(self):
        for key in ("elf", "kernel", "firmware", "initrd"):
            keys = "" if key in ("elf", "kernel") else f"kernel: {TEACH}\n"
            machine = self.file("m.yaml", MACHINE.format(kernel=keys + f"{key}: /nowhere/image"))
            self.refused(USAGE, "boot", machine, says=("/nowhere/image", "No such file"))
        self.refused(USAGE, "run", "--elf", "/nowhere/a.elf", says="/nowhere/a.elf: No such file")
        self.refused(USAGE, "run", "--jobs", "/nowhere/s.yaml", says="/nowhere/s.yaml")
        self.refused(USAGE, "boot", "/nowhere/m.yaml", says="/nowhere/m.yaml")
        self.refused(USAGE, "import", "/nowhere/b.thaw", says="/nowhere/b.thaw")

    def test_a_folder_instead_of_a_file(self):
        self.refuse("elf", self.folder, says=str(self.folder))
        self.refused(USAGE, "boot", self.folder, says=str(self.folder))
        self.refused(USAGE, "run", "--jobs", self.folder, says=str(self.folder))
        self.refused(USAGE, "import", self.folder, says=str(self.folder))

    def test_not_for_risc_v(self):
        self.refuse("elf", self.file("arm.elf", elf([0], machine=183)), says="not a RISC-V one")
        self.refuse("kernel", self.file("x86.elf", elf([0], machine=62)), says="x86-64")
        self.refuse("elf", self.file("32.elf", elf([0], bits=1)), says="not 64-bit")

    def test_not_a_program_at_all(self):
        for contents in (b"", b"\x7fELF", b"hello, world\n" * 100, bytes(4096)):
            path = self.file("text.elf", contents)
            self.refuse("elf", path, says=path)
            self.refused(USAGE, "run", "--elf", path, says=path)

    def test_too_big_for_the_memory(self):
        self.refuse("elf", self.file("big.elf", elf([0x6F], memory_bytes=64 << 20)),
                    says=("big.elf", "give the machine more memory"))
        self.refuse("elf", self.file("huge.elf", elf([0x6F], memory_bytes=(1 << 64) - 4096)),
                    says="huge.elf")
        image = self.file("big.img", b"")
        os.truncate(image, 17 << 20)
        machine = self.file("m.yaml", MACHINE.format(kernel=f"kernel: {image}\nkernel_format: raw"))
        self.refused(USAGE, "boot", machine, says="big.img")

    def test_every_truncation_and_some_flips_of_a_program(self):
        program, chance = bytearray(PASSES), random.Random(1)
        victims = [bytes(program[:size]) for size in range(len(program))]
        for _ in range(60):
            flipped = bytearray(program)
            flipped[chance.randrange(len(program))] ^= 1 << chance.randrange(8)
            victims.append(bytes(flipped))
        for victim in victims:
            path = self.file("victim.elf", victim)
            done = self.call("run", "--elf", path, "--instructions", 1000, "--json")
            self.assertIn(done.returncode, range(5), done.stderr)
            if done.returncode in (USAGE, INFRA):
                self.assertEqual(done.stdout, b"")
                self.assertTrue(done.stderr.startswith(b"thaw run: "), done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)


class MachineFiles(CliTest):
    def refuse(self, text, *says):
        return self.refused(USAGE, "boot", self.file("m.yaml", text), says=says)

    def test_a_typo_has_line_column_caret_and_suggestion(self):
        said = self.refuse("machine: m\nmemroy: 16 MiB\nelf: x\nfreeze: {instructions: 1}\n",
                           "m.yaml:2:1", "memroy", "did you mean `memory`")
        lines = said.splitlines()
        caret = next(i for i, line in enumerate(lines) if "| ^" in line)
        self.assertEqual(lines[caret].index("^"), lines[caret - 1].index("memroy"))

    def test_values_are_judged(self):
        head = f"machine: m\nelf: {TEACH}\nfreeze: {{instructions: 1000}}\n"
        self.refuse(head + "memory: much\n", "m.yaml:4", "memory")
        self.refuse(head + "memory: 16 MiB\nharts: 99\n", "m.yaml:5", "harts")
        self.refuse(head + "memory: 16 MiB\nharts: -1\n", "m.yaml:5", "harts")
        self.refuse(head + "memory: 16 MiB\ndevices:\n  - blkk: {name: a, size: 1 MiB}\n", "blkk")
        self.refuse(head + "memory: 16 MiB\nmemory: 32 MiB\n", "memory")

    def test_a_pattern_that_is_none(self):
        self.refuse(f"machine: m\nmemory: 16 MiB\nelf: {TEACH}\nfreeze: {{console: '('}}\n",
                    "m.yaml:4")

    def test_a_variable_that_is_not_set(self):
        self.refuse("machine: m\nmemory: 16 MiB\nelf: ${THAW_NO_SUCH}\n"
                    "freeze: {instructions: 1}\n", "THAW_NO_SUCH")

    def test_not_yaml(self):
        for text in ("", "[", "a: b: c", "\0\0\0", "- 1\n- 2\n", "%YAML 9.9\n", "&a [*a]",
                     "machine: !!binary x", "\xff\xfe"):
            self.refuse(text.encode("latin-1"))

    def test_a_freeze_point_that_never_comes(self):
        machine = self.file("m.yaml", f"machine: m\nmemory: 64 MiB\nelf: {TEACH}\nfreeze:\n"
                                      "  console: 'no such prompt'\n  within: 1M\n")
        self.refused(4, "boot", machine, "-n", "x", says="no such prompt")
        self.assertEqual(self.thaw("ls", "--names"), "")

    def test_suites_are_judged_too(self):
        good = (SUITES / "teach.yaml").read_text()
        for typo, says in ((("expect:", "expct:"), "did you mean `expect`"),
                           (("limits:", "limit:"), "did you mean `limits`"),
                           (("1G", "1 gallon"), "gallon")):
            path = self.file("s.yaml", good.replace(*typo))
            said = self.refused(USAGE, "run", "--jobs", path, says=says)
            self.assertRegex(said, r"s\.yaml:\d+:\d+")


class Stores(CliTest):
    """Whatever happened to a store's files: a right result or one sentence, never a crash."""

    def setUp(self):
        super().setUp()
        self.boot()
        self.good = self.folder / "good.thaw"
        self.thaw("export", "teach", self.good)
        shutil.rmtree(self.store / "cache")
        self.kept = self.folder / "kept"
        shutil.copytree(self.store, self.kept)

    def victims(self, kind):
        return sorted(path.relative_to(self.store) for path in (self.store / kind).rglob("*")
                      if path.is_file())

    def harm(self, name, contents):
        shutil.rmtree(self.store)
        shutil.copytree(self.kept, self.store)
        (self.store / name).write_bytes(contents)

    def judge(self, what):
        """Reads all of the checkpoint, and lets the others look at the store."""
        out = self.folder / "out.thaw"
        out.unlink(missing_ok=True)
        done = self.call("export", "teach", out)
        self.assertIn(done.returncode, (PASS, USAGE, INFRA), (what, done.stderr))
        if done.returncode == PASS:
            self.assertEqual(out.read_bytes(), self.good.read_bytes(), what)
        else:
            self.assertFalse(out.exists(), what)
            said = [line for line in done.stderr.splitlines() if b" warning: " not in line]
            self.assertEqual(len(said), 1, (what, done.stderr))
            self.assertTrue(said[0].startswith(b"thaw export: "), (what, done.stderr))
        checked = self.call("fsck", "--json")
        self.assertIn(checked.returncode, (PASS, FAIL, INFRA), (what, checked.stderr))
        if checked.returncode == PASS:
            self.assertEqual(done.returncode, PASS, f"fsck is content, export is not: {what}")
        for command in (["ls", "--json"], ["show", "teach"]):
            seen = self.call(*command)
            self.assertIn(seen.returncode, range(5), (what, seen.stderr))
        return done.returncode, checked.returncode

    def flip_and_cut(self, kind, flips, seed):
        chance = random.Random(seed)
        for name in self.victims(kind):
            whole = (self.kept / name).read_bytes()
            for _ in range(flips):
                at, bit = chance.randrange(len(whole)), chance.randrange(8)
                flipped = bytearray(whole)
                flipped[at] ^= 1 << bit
                self.harm(name, bytes(flipped))
                yield f"{name} byte {at} bit {bit} flipped", self.judge((name, at, bit))
            sizes = {0, 1, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(6))}
            for size in sorted(sizes):
                self.harm(name, whole[:size])
                yield f"{name} cut to {size}", self.judge((name, size))

    def test_a_damaged_pack_is_found(self):
        for what, (_, checked) in self.flip_and_cut("packs", 30, 1):
            self.assertNotEqual(checked, PASS, what)

    def test_a_damaged_manifest_is_found(self):
        for what, (exported, checked) in self.flip_and_cut("manifests", 20, 2):
            self.assertEqual((exported, checked), (INFRA, FAIL), what)

    def test_a_damaged_tag_never_names_another_checkpoint(self):
        for _ in self.flip_and_cut("tags", 20, 3):
            pass

    def test_a_damaged_pack_heals_when_booted_again(self):
        name = self.victims("packs")[0]
        whole = bytearray((self.kept / name).read_bytes())
        whole[len(whole) // 2] ^= 0x10
        self.harm(name, bytes(whole))
        found = self.json("fsck", status=FAIL)
        self.assertFalse(found["sound"])
        self.assertIn("teach", " ".join(entry["text"] for entry in found["findings"]))
        self.thaw("fsck", "--repair", status=FAIL)
        self.boot("again")
        self.sound()
        self.assertEqual(self.judge("healed"), (PASS, PASS))

    def test_a_missing_pack_is_named(self):
        (self.store / self.victims("packs")[0]).unlink()
        found = self.json("fsck", status=FAIL)
        self.assertIn("teach", str(found["findings"]))
        self.refused(INFRA, "export", "teach", self.folder / "x.thaw", says="board0.ram")
        self.assertFalse((self.folder / "x.thaw").exists())
        self.refused(INFRA, "run", "teach", "--", "harts", says="teach")
        self.refused(INFRA, "shell", "teach", says="teach")

    def test_something_else_than_a_store(self):
        self.refused(INFRA, "ls", "--store", self.good, says=str(self.good))
        self.refused(USAGE, "ls", "--store", "ftp://host/place", says="ftp://")
        other = self.folder / "other"
        other.mkdir()
        (other / "precious").write_text("mine")
        self.call("boot", "x", "--store", other)
        self.assertEqual((other / "precious").read_text(), "mine")
        (self.store / "format").write_text("thaw store 99\n")
        done = self.call("ls")
        self.assertIn(done.returncode, (USAGE, INFRA))
        self.assertTrue(done.stderr.startswith(b"thaw ls: "), done.stderr)

    def test_a_damaged_bundle_imports_nothing(self):
        whole, chance = self.good.read_bytes(), random.Random(4)
        other = self.folder / "other"
        for i in range(60):
            flipped = bytearray(whole)
            flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            victim = bytes(flipped) if i % 2 else whole[:chance.randrange(len(whole))]
            path = self.file("victim.thaw", victim)
            done = self.call("import", path, "-n", "came", "--store", other)
            self.assertIn(done.returncode, (USAGE, INFRA), done)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertEqual(self.json("ls", "--store", other), [])
        self.assertTrue(self.json("fsck", "--store", other)["sound"])
        self.thaw("import", self.good, "--store", other)


if __name__ == "__main__":
    main()
