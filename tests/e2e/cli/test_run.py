#!/usr/bin/env python3
"""`thaw run` at a prompt and with suites: verdicts, exit statuses, reports, results, what is kept.

The guest answers commands as a shell would: see tests/guests/bare/answer.c."""
import xml.etree.ElementTree as tree

from harness import (FAIL, GUESTS, INFRA, JUMP, LOOPS, LUI, PASS, STORE_WORD, T0, TIMEOUT, USAGE,
                     CliTest, elf, main)

SUITE = """suite: answers
checkpoint: answer
limits: {instructions: 2M}
tests:
"""
BOARD = f"""machine: m
memory: 16 MiB
elf: {GUESTS}/bare/answer.elf
"""


class Commands(CliTest):
    def setUp(self):
        super().setUp()
        self.checkpoint = self.boot("answer", "answer")["checkpoint"]

    def run_command(self, *command, status=PASS, **options):
        return self.json("run", "answer", *options.get("flags", ()), "--", *command, status=status)

    def test_the_exit_status_is_the_guests(self):
        for command, status, verdict, number in (("exit 0", PASS, "pass", 0),
                                                 ("exit 3", FAIL, "fail", 3),
                                                 ("panic", FAIL, "fail", -1)):
            ran = self.run_command(command, status=status)
            self.assertEqual((ran["verdict"], ran["exit_status"]), (verdict, number), command)
        late = self.run_command("spin", status=TIMEOUT, flags=("--instructions", 5000))
        self.assertEqual((late["verdict"], late["instructions"]), ("timeout", 5000))

    def test_what_is_printed_is_the_commands_output_alone(self):
        self.assertEqual(self.thaw("run", "answer", "--", "say", "good", "morning"),
                         "good morning\n")
        self.assertEqual(self.thaw("run", "-q", "answer", "--", "say", "good morning"), "")
        self.assertEqual(self.run_command("say hello")["output"], "hello\n")
        self.assertEqual(self.run_command("exit 0")["output"], "")

    def test_json_tells_where_it_started_and_how_long_it_took(self):
        ran = self.run_command("exit 0")
        self.assertEqual(ran["checkpoint"], self.checkpoint)
        self.assertEqual(ran["virtual_ns"], ran["instructions"])  # one hart at 1 GHz
        self.assertGreater(ran["wall_ms"], 0)
        self.assertNotIn("freeze_ms", ran)
        bare = self.json("run", "--elf", f"{GUESTS}/bare/stress.elf")
        self.assertIsNone(bare["checkpoint"])

    def test_an_id_knows_as_much_as_its_tag(self):
        named, bare = (self.json("run", name, "--", "exit 0")
                       for name in ("answer", self.checkpoint[:12]))
        for key in ("verdict", "state_id", "instructions", "console"):
            self.assertEqual(named[key], bare[key])
        self.assertTrue(named["console"].startswith("echo @"), "a prompt was waited for")

    def test_a_checkpoint_that_is_not_at_its_prompt_gets_an_enter_first(self):
        machine = self.file("m.yaml", BOARD + "prompt: '\\$ $'\n"
                                              "freeze: {console: 'answer: ready'}\n")
        self.thaw("boot", machine, "-n", "early")
        ran = self.json("run", "early", "--", "say hello")
        self.assertEqual((ran["verdict"], ran["output"]), ("pass", "hello\n"))
        self.assertRegex(ran["console"], r"^\r?\n\$ \r?\n\$ echo @")

    def test_a_frozen_test_is_a_child_that_goes_on(self):
        first = self.run_command("say hello", flags=("--freeze", "child"))
        self.assertGreater(first["freeze_ms"], 0)
        listed = {entry["tags"][0]: entry for entry in self.json("ls")}
        self.assertEqual(listed["child"]["parent"], self.checkpoint)
        self.assertIsNone(listed["answer"]["parent"])
        self.assertEqual(listed["child"]["state_id"], first["state_id"])
        ran = self.json("run", "child", "--", "say hello again")
        self.assertEqual((ran["verdict"], ran["output"]), ("pass", "hello again\n"))
        self.file("one.txt", "first file\n")  # its disks are known, too
        suite = self.file("suite.yaml", "suite: s\ncheckpoint: child\ntests:\n"
                                        "  - {name: disk, command: disk, payload: [one.txt]}\n")
        self.assertEqual(self.json("run", "--jobs", suite)["jobs"][0]["output"], "one.txt\n")

    def test_a_seed_reaches_every_entropy_device_differently(self):
        outputs = [self.run_command("random", flags=("--seed", seed))["output"]
                   for seed in (1, 1, 2)]
        self.assertEqual(outputs[0], outputs[1])
        self.assertNotEqual(outputs[0], outputs[2])
        self.run_command("exit 0", flags=("--seed", 1, "--freeze", "seeded"))
        rngs = [entry["attributes"]["key"] for entry in self.json("show", "seeded")["objects"]
                if entry["schema"] == "virtio-rng"]
        self.assertEqual(len(rngs), 2)
        self.assertNotEqual(rngs[0], rngs[1])


class Suites(CliTest):
    def setUp(self):
        super().setUp()
        self.boot("answer", "answer")

    def suite(self, *tests, head=SUITE):
        return self.file("suite.yaml", head + "".join(f"  - {{{test}}}\n" for test in tests))

    def run_suite(self, *tests, status=PASS, flags=()):
        ran = self.json("run", "--jobs", self.suite(*tests), *flags, status=status)
        return ran, {job["name"]: job for job in ran["jobs"]}

    def test_the_loudest_verdict_is_the_exit_status(self):
        good, bad = "name: good, command: exit 0", "name: bad, command: exit 1"
        late, lost = "name: late, command: spin", "name: lost, checkpoint: none, command: x"
        skipped = "name: skipped, command: x, skip: no time"
        for tests, status, verdict in (((good,), PASS, "pass"), ((good, skipped), PASS, "pass"),
                                       ((good, lost), INFRA, "infra"),
                                       ((lost, late), TIMEOUT, "timeout"),
                                       ((late, bad, lost), FAIL, "fail")):
            ran, jobs = self.run_suite(*tests, status=status)
            self.assertEqual(ran["verdict"], verdict, tests)
            self.assertEqual(len(jobs), len(tests))
            self.assertEqual(sum(ran["counts"].values()), len(tests))

    def test_both_reports_say_the_same(self):
        junit, tap = self.folder / "junit.xml", self.folder / "report.tap"
        _, jobs = self.run_suite("name: good, command: exit 0", "name: bad, command: panic",
                                 "name: skipped, command: x, skip: no time",
                                 "name: lost, checkpoint: none, command: x", status=FAIL,
                                 flags=("--junit", junit, "--tap", tap))
        cases = {case.get("name"): [child.tag for child in case]
                 for case in tree.parse(junit).getroot().iter("testcase")}
        self.assertNotIn("failure", cases["good"])
        for name, tag in (("bad", "failure"), ("skipped", "skipped"), ("lost", "error")):
            self.assertIn(tag, cases[name])
        text = tap.read_text()
        self.assertTrue(text.startswith("TAP version 14\n1..4\n"), text)
        for line in ("ok 1 - good", "not ok 2 - bad", "ok 3 - skipped # SKIP", "not ok 4 - lost"):
            self.assertIn("\n" + line, text)
        self.assertNotIn("<", text.split("1..4")[0])
        self.assertIn("Kernel panic - not syncing", str(jobs["bad"]["signature"]))
        self.assertIsNone(jobs["good"]["signature"])

    def test_results_come_to_a_folder_of_the_tests_own(self):
        self.file("one.txt", "first file\n")
        out = self.folder / "out"
        payload = "payload: [one.txt], results: [one.txt]"
        _, jobs = self.run_suite(f"name: good, command: exit 0, {payload}",
                                 f"name: bad, command: exit 1, {payload}",
                                 "name: none, command: say kept elsewhere, results: [one.txt]",
                                 status=FAIL, flags=("--results", out))
        for name in ("good", "bad"):
            self.assertEqual((out / name / "one.txt").read_text(), "first file\n")
        self.assertEqual([jobs[name]["verdict"] for name in ("good", "bad", "none")],
                         ["pass", "fail", "infra"])
        self.assertIn("results", jobs["none"]["reason"])

    def test_without_a_folder_no_results_are_kept(self):
        self.file("one.txt", "first file\n")
        self.run_suite("name: good, command: exit 0, payload: [one.txt], results: [one.txt]")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["one.txt", "store", "suite.yaml"])

    def test_what_must_fail_is_counted_as_it_should_be(self):
        must = "expect_failure: true, reason: a known bug"
        ran, jobs = self.run_suite(f"name: fails, command: exit 1, {must}")
        self.assertEqual((ran["verdict"], jobs["fails"]["verdict"]), ("pass", "pass"))
        _, jobs = self.run_suite(f"name: passes, command: exit 0, {must}", status=FAIL)
        self.assertIn("a known bug", jobs["passes"]["reason"])

    def test_a_suite_that_boots_says_what_thawing_saved(self):
        machine = self.file("m.yaml", BOARD + "prompt: '\\$ $'\n"  # a boot of some milliseconds
                                              "freeze: {console: '\\$ $', settle: 50M}\n")
        head = f"suite: s\nmachine: {machine}\ncheckpoint: booted\ntests:\n"
        suite = self.suite("name: one, command: exit 0", "name: two, command: exit 0", head=head)
        for _ in range(2):  # booted now, and found in the store then
            ran = self.json("run", "--jobs", suite)
            self.assertEqual(ran["verdict"], "pass")
            self.assertGreater(ran["boot_ms_saved"], 0)
        self.assertEqual(sorted(self.thaw("ls", "--names").split()), ["answer", "booted"])


class Boots(CliTest):
    """What a machine file says is what is built, and where it is frozen."""

    def frozen(self, text, name="x"):
        return self.json("boot", self.file("m.yaml", BOARD + text), "-n", name)

    def config(self, name, schema, path=None):
        for entry in self.json("show", name)["objects"]:
            if entry["schema"] == schema and path in (None, entry["path"]):
                return entry["config"]
        return self.fail(f"{name} has no {schema}")

    def test_settle_runs_on_from_where_the_pattern_came(self):
        at = self.frozen("freeze: {console: 'ready'}\n")["instructions"]
        for settle in (12345, 2000000):  # more than `within`, too, which is for the pattern
            later = self.frozen("freeze: {console: 'ready', within: 1M, "
                                f"settle: {settle}}}\n")["instructions"]
            self.assertEqual(later - at, settle)

    def test_the_first_freeze_point_that_comes_true_counts(self):
        at = self.frozen("freeze: {console: 'ready'}\n")["instructions"]
        both = "freeze: {{console: 'ready', instructions: {}}}\n"
        self.assertEqual(self.frozen(both.format(100))["instructions"], 100)
        self.assertEqual(self.frozen(both.format(100000))["instructions"], at)

    def test_the_magic_word_freezes_if_asked(self):
        program = "machine: m\nmemory: 1 MiB\nelf: " + self.file("magic.elf", magic()) + "\n"
        machine = self.file("m.yaml", program + "freeze: {magic: true, within: 1M}\n")
        booted = self.json("boot", machine, "-n", "x")
        self.assertLess(booted["instructions"], 100)
        self.refused(TIMEOUT, "boot", self.file("m.yaml", program + "freeze: {console: never, "
                                                "within: 1M}\n"), says="after 1000000 instr")

    def test_a_freeze_point_that_does_not_come_is_none(self):
        program = "machine: m\nmemory: 1 MiB\nelf: {}\nfreeze: {{{}}}\n"
        loops, sleeps = self.file("loops.elf", LOOPS), self.file("sleeps.elf", elf([WAIT, JUMP]))
        for name, point, status in ((loops, "magic: true, within: 1M", TIMEOUT),
                                    (loops, "instructions: 5000, within: 4000", TIMEOUT),
                                    (sleeps, "magic: true", USAGE),
                                    (sleeps, "instructions: 1M", USAGE),
                                    (sleeps, "console: never", TIMEOUT)):
            machine = self.file("m.yaml", program.format(name, point))
            self.refused(status, "boot", machine, says="the freeze point was not reached")
        self.assertEqual(self.thaw("ls", "--names"), "")

    def test_the_boards_settings_are_the_files(self):
        self.frozen("rtc: 2031-05-06T07:08:09Z\nseed: 42\nquantum: 77\ndevices:\n"
                    "  - blk: {name: fixed, size: 64 KiB, read_only: true}\n"
                    "  - blk: {name: free, size: 32 KiB}\nfreeze: {instructions: 10}\n")
        machine = self.config("x", "thaw-machine")
        self.assertEqual((machine["seed"], machine["quantum"]), (42, 77))
        self.assertEqual(self.config("x", "goldfish-rtc")["start_ns"], 1935817689000000000)
        fixed = self.config("x", "virtio-blk", "board0.fixed")
        free = self.config("x", "virtio-blk", "board0.free")
        self.assertEqual((fixed["read_only"], fixed["capacity"]), (True, 65536))
        self.assertEqual((free["read_only"], free["capacity"]), (False, 32768))

    def test_a_disks_first_content_is_frozen_with_it(self):
        content = b"x" * 70000 + bytes(200000) + b"the end\n"
        self.file("disk.img", content)
        self.frozen("prompt: '\\$ $'\ndevices:\n  - blk: {name: disk, file: disk.img}\n")
        self.assertEqual(self.json("run", "x", "--", "disk")["output"], "x" * 511 + "\n")
        self.file("disk.img", content[:-2] + b"!\n")
        self.frozen("prompt: '\\$ $'\ndevices:\n  - blk: {name: disk, file: disk.img}\n", "y")
        differ = self.json("diff", "x", "y", status=FAIL)
        self.assertEqual(differ["attributes"], [])
        self.assertEqual({page["image"] for page in differ["pages"]}, {"board0.disk.disk"})


WAIT = 0x10500073  # wfi


def magic():
    """A program that stores to the magic word at 0x102000, and waits."""
    return elf([LUI | T0 << 7 | 0x102 << 12, STORE_WORD | T0 << 15 | T0 << 20, JUMP])


if __name__ == "__main__":
    main()
