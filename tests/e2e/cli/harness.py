"""harness.py: runs the `thaw` command as people do, each test in a store of its own.

THAW is the program; THAW_GUESTS the folder of guest programs; THAW_GUEST_* the Linux guest, if any.
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
MACHINES = HERE.parent / "machines"
SUITES = HERE.parent / "suites"
BUILD = HERE.parents[2] / "build" / "release"
THAW = os.environ.setdefault("THAW", str(BUILD / "thaw"))
GUESTS = pathlib.Path(os.environ.setdefault("THAW_GUESTS", str(BUILD / "guests")))
COMMANDS = ("boot run shell ls show diff tag rm gc fsck attrs export import farm jobs "
            "coordinator agent submit watch results schedules baseline history cancel agents "
            "verify completion").split()
FARM_COMMANDS = COMMANDS[COMMANDS.index("farm"):COMMANDS.index("verify")]
if "THAW_BUILD" in os.environ and not pathlib.Path(os.environ["THAW_BUILD"], "thaw-farm").exists():
    COMMANDS = [command for command in COMMANDS if command not in FARM_COMMANDS]  # built without

PASS, FAIL, USAGE, INFRA, TIMEOUT = range(5)


def elf(words, machine=243, memory_bytes=None, bits=2):
    """An ELF file of one segment at the start of memory: enough to run a few instructions."""
    code = b"".join(struct.pack("<I", word) for word in words)
    base = 0x80000000
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", bits, 1, 1, 0, 2, machine, 1, base, 64,
                       0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 120, base, base, len(code),
                          memory_bytes or len(code), 8)
    return head + segment + code


LUI, ADDI, STORE_WORD, JUMP = 0x37, 0x13, 0x2023, 0x6F
T0, T1 = 5, 6


def finisher(value):
    """A program that stores `value` (below 2^31, bit 11 clear) to the test finisher and waits."""
    return elf([LUI | T0 << 7 | 0x100 << 12, LUI | T1 << 7 | (value >> 12) << 12,
                ADDI | T1 << 7 | T1 << 15 | (value & 0xFFF) << 20,
                STORE_WORD | T0 << 15 | T1 << 20, JUMP])


PASSES, FAILS_WITH_7, LOOPS = finisher(0x5555), finisher(7 << 16 | 0x3333), elf([JUMP])


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="thaw-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.store = self.folder / "store"
        self.environment = {**os.environ, "THAW_STORE": str(self.store), "LC_ALL": "C",
                            "THAW_HARTS": "1", "HOME": str(self.folder)}

    def file(self, name, contents):
        path = self.folder / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return str(path)

    def call(self, *arguments, **options):
        options = {"env": self.environment, "stdin": subprocess.DEVNULL, "timeout": 300, **options}
        if "input" in options:
            del options["stdin"]
        return subprocess.run([THAW, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, **options)

    def thaw(self, *arguments, status=PASS, **options):
        """The command's standard output, if it ends with `status`."""
        done = self.call(*arguments, **options)
        text = f"thaw {' '.join(map(str, arguments))}\n{done.stdout.decode(errors='replace')}\n" \
               f"{done.stderr.decode(errors='replace')}"
        self.assertEqual(done.returncode, status, text)
        self.assertNotIn("CHECK", done.stderr.decode(errors="replace"), text)
        return done.stdout.decode(errors="replace")

    def json(self, *arguments, **options):
        """What --json prints: one value, or this raises."""
        return json.loads(self.thaw(*arguments[:1], "--json", *arguments[1:], **options))

    def refused(self, status, *arguments, says, **options):
        """The command ends with `status`, prints nothing, and says in one sentence what is wrong.
        """
        done = self.call(*arguments, **options)
        said = done.stderr.decode(errors="replace")
        text = f"thaw {' '.join(map(str, arguments))}\n{said}"
        self.assertEqual(done.returncode, status, text)
        self.assertEqual(done.stdout, b"", text)
        own = [line for line in said.splitlines() if line.startswith("thaw")]
        self.assertEqual(len(own), 1, "one sentence, not this:\n" + text)
        for word in (says,) if isinstance(says, str) else says:
            self.assertIn(word, said, text)
        return said

    def boot(self, name="teach", machine="teach1"):
        return self.json("boot", MACHINES / f"{machine}.yaml", "-n", name)

    def sound(self):
        self.assertTrue(self.json("fsck")["sound"])


def main():
    unittest.main(verbosity=2)
