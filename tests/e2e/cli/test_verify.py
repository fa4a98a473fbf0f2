#!/usr/bin/env python3
"""`thaw verify`: unlike hosts agree, planted faults are found and pinned to their instruction, and
bad hosts are told from bad simulators.

Builds beside this one (build/clang, build/s390x, …) take part where THAW_VERIFY_HOSTS names them,
joined by commas; "all" is all of them.
"""
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree

import harness
from harness import BUILD, FAIL, INFRA, MACHINES, PASS, THAW, USAGE, CliTest

BUILT = pathlib.Path(os.environ.get("THAW_BUILD", BUILD))
INSTRUCTIONS = 40_000_000

# A host that is none. ARGV[1] says how: it speaks the protocol as far as that takes.
FAKE = r'''
import os, struct, sys

def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for code, size in (24, 1), (25, 2), (26, 4), (27, 8):
        if value < 1 << 8 * size:
            return bytes([major << 5 | code]) + value.to_bytes(size, "big")

def frame(number, verb, kind, values, text=b"", data=b""):
    body = head(4, 6) + head(0, number) + head(0, verb) + head(0, kind) + head(4, len(values))
    body += b"".join(head(0, value) for value in values)
    body += head(3, len(text)) + text + head(2, len(data)) + data
    return b"thaw" + struct.pack("<I", len(body)) + body

def read():
    head = sys.stdin.buffer.read(8)
    if len(head) < 8:
        sys.exit(0)
    return sys.stdin.buffer.read(struct.unpack("<I", head[4:])[0])

def say(data):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()

how, bits, number = sys.argv[1], 64, 0
while True:
    request = read()
    number += 1
    verb = request[2] if request[1] < 24 else request[3]
    if how == "garbage":
        say(b"Segmentation fault, or so\n")
    elif how == "huge":
        say(b"thaw\xff\xff\xff\x7f")
    elif how == "other-number":
        say(frame(number + 7, verb, 0, [1, 64, 0], b"Linux fake"))
    elif how == "48-bits":
        say(frame(number, verb, 0, [1, 48, 0], b"Linux pdp"))
    elif how == "newer":
        say(frame(number, verb, 2, [], b"this build speaks version 9 of verify's protocol"))
    elif verb == 0:
        say(frame(number, verb, 0, [1, 64, 0], b"Linux fake", b"9.9"))
    elif how == "dies":
        sys.stderr.write("out of order\n")
        os._exit(5)
    elif how == "killed":
        os.kill(os.getpid(), 9)
    elif verb == 4:
        say(frame(number, verb, 0, [1], b""))
    elif verb == 3:
        say(frame(number, verb, 0, [1000000, 0, 0, 0, 1, 1, 1], b"", bytes(64)))
    else:
        say(frame(number, verb, 0, []))
'''


class Verify(CliTest):
    def setUp(self):
        super().setUp()
        self.boot("stress", "stress3")

    def hosts(self, **commands):
        return [word for name, command in commands.items()
                for word in ("--host", f"{name}={command}")]

    def verify(self, *arguments, status=PASS, instructions=INSTRUCTIONS, checkpoint="stress"):
        return self.json("verify", checkpoint, "--instructions", instructions, *arguments,
                         status=status)

    def planted(self, fault, build=BUILT):
        """The command that starts that build with this fault, as this host runs it."""
        programs = sorted((build / "planted").glob(f"planted_{fault}*"))
        emulator = build / "emulator"
        if not programs:
            self.skipTest("no faults are planted under sanitizers")
        program = programs[0]
        return f"{emulator.read_text().strip()} {program}" if emulator.exists() else program

    def test_two_hosts_agree_and_the_state_is_the_one_that_a_run_ends_in(self):
        report = self.verify(*self.hosts(a=THAW, b=THAW))
        self.assertTrue(report["passed"])
        self.assertEqual([cell["verdict"] for cell in report["matrix"]], ["pass", "pass"])
        self.assertEqual([cell["marks"] for cell in report["matrix"]], [20, 20])
        self.assertEqual(report["instructions"], INSTRUCTIONS)
        longer = self.verify(*self.hosts(a=THAW), "--every", "3M")
        self.assertEqual(longer["state_id"], report["state_id"])
        self.assertIn("64 bits, ", report["hosts"][0]["description"])

    def test_matrix_and_ring_end_where_the_machine_ends_that_never_left_home(self):
        plain = self.verify(*self.hosts(a=THAW))
        report = self.verify(*self.hosts(a=THAW, b=THAW, c=THAW), "--matrix")
        pairs = {(cell["freezer"], cell["thawer"]): cell["verdict"] for cell in report["matrix"]}
        names = "abc"
        self.assertEqual(pairs, {(a, b): "pass" for a in (None, *names) for b in names})
        self.assertEqual(report["state_id"], plain["state_id"])
        ring = self.verify(*self.hosts(a=THAW, b=THAW), "--ring")
        self.assertEqual([(cell["freezer"], cell["thawer"], cell["ring"])
                          for cell in ring["matrix"]], [(None, "a", True), ("a", "b", True)])
        self.assertTrue(ring["passed"])
        self.assertEqual([cell["instructions"] for cell in ring["matrix"]],
                         [INSTRUCTIONS // 2 + 1] * 2)
        stayed = self.verify(*self.hosts(a=THAW), instructions=2 * (INSTRUCTIONS // 2 + 1))
        self.assertEqual(ring["state_id"], stayed["state_id"])
        self.assertEqual(ring["instructions"], stayed["instructions"])

    def test_builds_beside_this_one_agree(self):
        names = os.environ.get("THAW_VERIFY_HOSTS")
        if not names:
            self.skipTest("THAW_VERIFY_HOSTS names no builds")
        report = self.verify("--local", names, "--matrix", "--ring")
        self.assertTrue(report["passed"], report)

    def test_local_finds_builds_with_their_emulators(self):
        builds = self.folder / "John's builds"
        for name in "one", "two", "empty":
            (builds / name).mkdir(parents=True)
        for name in "one", "two":
            shutil.copy2(THAW, builds / name / "thaw")
        (builds / "two" / "emulator").write_text("env 'A=b c'\n")
        if (BUILT / "emulator").exists():
            self.skipTest("a program under an emulator does not see where it is")
        program = builds / "one" / "thaw"
        report = self.verify_with(program, "--local", "all")
        self.assertEqual([host["name"] for host in report["hosts"]], ["one", "two"])
        report = self.verify_with(program)
        self.assertEqual(len(report["hosts"]), 2)
        report = self.verify_with(program, "--local", "two")
        self.assertEqual([host["name"] for host in report["hosts"]], ["two"])
        report = self.verify(*self.hosts(quoted=f'"{program}"'), instructions=1_000_000)
        self.assertEqual([host["name"] for host in report["hosts"]], ["quoted"])

    def verify_with(self, program, *arguments):
        was, harness.THAW = harness.THAW, str(program)
        try:
            return self.verify(*arguments, instructions=1_000_000)
        finally:
            harness.THAW = was

    def differs_at(self, instruction, fault):
        """Whether hosts differ after so many instructions, each run in one piece."""
        count = instruction - 1_000_000
        report = self.json("verify", "stress", "--instructions", count, "--every", count,
                           *self.hosts(good=THAW, bad=self.planted(fault)),
                           status=None)
        return not report["passed"]

    def json(self, *arguments, status=PASS, **options):
        if status is not None:
            return super().json(*arguments, status=status, **options)
        done = self.call(*arguments[:1], "--json", *arguments[1:], **options)
        return harness.json.loads(done.stdout)

    def pinned(self, fault, build=BUILT):
        bad = self.planted(fault, build)
        report = self.verify(*self.hosts(good=THAW, bad=bad, fine=THAW), status=FAIL)
        self.assertFalse(report["passed"])
        verdicts = {cell["thawer"]: cell["verdict"] for cell in report["matrix"]}
        self.assertEqual(verdicts, {"good": "pass", "bad": "divergence", "fine": "pass"})
        found = report["divergence"]
        self.assertTrue(found["pinned"], found["text"])
        self.assertEqual(found["hosts"], ["good", "bad"])
        self.assertTrue(self.differs_at(found["instruction"], fault))
        self.assertFalse(self.differs_at(found["instruction"] - 1, fault))
        return found

    def test_a_rounding_slip_is_pinned_to_its_multiplication(self):
        found = self.pinned("rounding")
        self.assertRegex(found["disassembly"], r"^fmul\.d f")
        self.assertRegex(found["attribute"]["name"], r"^f\[\d+\]$")
        good, bad = (int(value, 16) for value in found["attribute"]["after"])
        self.assertEqual(good ^ bad, 1)
        destination = re.match(r"f\[(\d+)\]", found["attribute"]["name"]).group(1)
        self.assertEqual(int(found["bits"], 16) >> 7 & 31, int(destination))
        before = {row["name"]: row["before"] for row in found["registers"]}
        self.assertEqual(before["pc"], found["pc"])
        self.assertIsNone(found["page"])

    def test_a_truncation_is_pinned_to_its_conversion(self):
        found = self.pinned("truncation")
        self.assertRegex(found["disassembly"], r"^fcvt\.l\.d ")
        self.assertRegex(found["attribute"]["name"], r"^x\[\d+\]$")

    def test_swapped_bytes_are_pinned_even_where_only_a_warm_tlb_swaps_them(self):
        found = self.pinned("order")
        self.assertIsNone(found["attribute"])
        self.assertEqual(found["page"]["image"], "board0.ram.bytes")
        good, bad = found["page"]["bytes"]
        self.assertEqual(bytes.fromhex(good)[:4], bytes.fromhex(bad)[3::-1])
        self.assertLess(found["base"], found["agreed"])

    def test_a_fault_is_found_in_matrix_and_ring_too(self):
        hosts = self.hosts(good=THAW, bad=self.planted("truncation"))
        report = self.verify(*hosts, "--matrix", status=FAIL)
        cells = {(cell["freezer"], cell["thawer"]): cell["verdict"] for cell in report["matrix"]}
        self.assertEqual(cells, {(None, "good"): "pass", (None, "bad"): "divergence",
                                 ("good", "good"): "pass", ("good", "bad"): "divergence"})
        report = self.verify(*hosts, "--ring", status=FAIL)
        self.assertEqual([cell["verdict"] for cell in report["matrix"]], ["pass", "divergence"])
        self.assertTrue(report["divergence"]["pinned"])

    def test_a_fault_of_any_kind_of_host_is_pinned(self):
        names = os.environ.get("THAW_VERIFY_HOSTS")
        if not names:
            self.skipTest("THAW_VERIFY_HOSTS names no builds")
        for fault in "rounding", "truncation", "order":
            here = self.pinned(fault)
            for name in names.split(","):
                with self.subTest(fault=fault, host=name):
                    there = self.pinned(fault, BUILT.parent / name)
                    self.assertEqual(there, here)

    def test_the_report_for_people_names_instruction_registers_and_page(self):
        text = self.thaw("verify", "stress", "--instructions", INSTRUCTIONS, status=FAIL,
                         *self.hosts(good=THAW, bad=self.planted("rounding")))
        self.assertRegex(text, r"DIVERGENCE of good and bad: instruction \d+, fmul\.d ")
        self.assertRegex(text, r"board0\.hart\d\.f\[\d+\] +0x\w+ +0x\w+ +0x\w+ +<- differs")
        text = self.thaw("verify", "stress", "--instructions", INSTRUCTIONS, status=FAIL,
                         *self.hosts(good=THAW, bad=self.planted("order")))
        self.assertIn("board0.ram.bytes, page at 0x", text)

    def test_junit_has_a_testcase_for_each_cell(self):
        path = self.folder / "junit.xml"
        self.verify(*self.hosts(good=THAW, bad=self.planted("rounding"), gone="/nonexistent"),
                    "--junit", path, status=FAIL)
        suite = xml.etree.ElementTree.parse(path).getroot()
        cases = {case.get("name"): [child.tag for child in case if child.tag != "properties"]
                 for case in suite.iter("testcase")}
        self.assertEqual(len(cases), 3)
        self.assertNotIn("failure", cases["frozen by (checkpoint), thawed by good"])
        self.assertIn("failure", cases["frozen by (checkpoint), thawed by bad"])
        self.assertIn("error", cases["frozen by (checkpoint), thawed by gone"])

    def test_a_job_files_checkpoints_are_verified_one_after_the_other(self):
        self.boot("teach", "teach1")
        path = self.file("jobs.yaml", "checkpoint: stress\n"
                         "checkpoints: {t: teach}\n"
                         "tests:\n"
                         "  - {name: a, command: x}\n  - {name: b, command: y, checkpoint: t}\n"
                         "  - {name: c, command: z}\n")
        junit = self.folder / "report.xml"
        report = super().json("verify", "--jobs", path, "--instructions", "2M", "--junit", junit,
                              *self.hosts(a=THAW, b=THAW))
        self.assertTrue(report["passed"])
        self.assertEqual([one["checkpoint"] for one in report["checkpoints"]], ["stress", "teach"])
        self.assertTrue(junit.exists() and (self.folder / "report-2.xml").exists())
        bad = self.file("bad.yaml", "tests: [{name: a, elf: x}]\n")
        self.refused(USAGE, "verify", "--jobs", bad, *self.hosts(a=THAW),
                     says="no test starts from a checkpoint")

    def test_what_is_typed_reaches_every_host_alike(self):
        self.boot("teach", "teach1")
        hosts = self.hosts(a=THAW, b=THAW)
        silent = self.verify(*hosts, checkpoint="teach", instructions=5_000_000)
        typed = self.json("verify", "teach", "--instructions", "5M", *hosts, "--", "echo", "hello")
        self.assertTrue(silent["passed"] and typed["passed"])
        self.assertNotEqual(silent["state_id"], typed["state_id"])

    # ---- bad hosts ----

    def failed(self, says, *more, **commands):
        report = self.verify(*self.hosts(good=THAW, **commands), *more, status=INFRA)
        cells = {cell["thawer"]: cell for cell in report["matrix"]}
        self.assertEqual(cells["good"]["verdict"], "pass")
        for name in commands:
            self.assertEqual(cells[name]["verdict"], "infra")
            self.assertIn(says, cells[name]["reason"])
        self.assertIsNone(report["divergence"])

    def test_hosts_that_are_none_fail_alone_and_say_how(self):
        fake = "python3 " + self.file("fake.py", FAKE)
        for how, says in (("garbage", "it speaks nonsense"), ("huge", "over the maximum"),
                          ("other-number", "an answer to what it was not asked"),
                          ("48-bits", "a host of unknown kind: 48 bits"),
                          ("newer", "version 9 of verify's protocol"),
                          ("dies", "ended with status 5, asked to open: out of order"),
                          ("killed", "died of signal 9")):
            with self.subTest(how):
                self.failed(says, bad=f"{fake} {how}")
        self.failed("cannot start /nonexistent", bad="/nonexistent")
        self.failed("a quote that is not closed", bad="'/usr/bin/thaw")
        self.failed("ended with status", bad="/bin/true")

    def test_a_host_that_claims_another_state_is_a_divergence(self):
        fake = "python3 " + self.file("fake.py", FAKE)
        report = self.verify(*self.hosts(good=THAW, fine=THAW, bad=fake + " lies"), status=FAIL)
        bad = report["matrix"][2]
        self.assertEqual(bad["verdict"], "divergence")
        self.assertIn("it thawed into state 0000000000000000", bad["reason"])

    def test_a_host_without_the_memory_is_refused_with_both_figures(self):
        small = f"prlimit --as=150000000 {THAW}"
        if (BUILT / "emulator").exists() or \
                subprocess.run([*small.split(), "--version"], capture_output=True,
                               check=False).returncode != 0:
            self.skipTest("an emulator or a sanitizer needs address space of its own")
        self.failed("the machine needs 130 MiB of address space, and this host has 79 MiB",
                    small=small)

    def test_a_checkpoint_with_one_byte_altered_is_refused_by_every_host(self):
        packs = [path for path in (self.store / "packs").rglob("*") if path.is_file()]
        self.assertTrue(packs)
        for path in packs:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.chmod(0o600)
            path.write_bytes(data)
        shutil.rmtree(self.store / "cache", ignore_errors=True)
        report = self.verify(*self.hosts(a=THAW, b=THAW), status=INFRA)
        for cell in report["matrix"]:
            self.assertEqual(cell["verdict"], "infra")
            self.assertRegex(cell["reason"], "pack|chunk|hash|damaged|corrupt")

    # ---- bad input ----

    def test_wrong_usage_is_told(self):
        for arguments, says in (
                ((), "takes a checkpoint"),
                (("stress", "--host", "x"), "NAME=COMMAND"),
                (("stress", "--host", "a/b=x"), "is no name for a host"),
                (("stress", "--host", "home=x"), "is no name for a host"),
                (("stress", "--host", "a=x", "--host", "a=y"), "two hosts are called"),
                (("stress", "--local", "no-such-build"), "there is no build of thaw in"),
                (("stress", "--instructions", "some"), "such as 200M"),
                (("stress", "--every", "0"), "such as 200M")):
            with self.subTest(arguments):
                self.refused(USAGE, "verify", *arguments, says=says)

    def test_nothing_is_left_behind(self):
        work = self.folder / "work"
        work.mkdir()
        self.verify(*self.hosts(a=THAW, b="/nonexistent"), "--work", work, "--matrix", "--ring",
                    status=INFRA)
        self.assertEqual(list(work.iterdir()), [])
        self.sound()


if __name__ == "__main__":
    harness.main()
