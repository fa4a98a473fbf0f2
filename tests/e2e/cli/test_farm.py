#!/usr/bin/env python3
"""test_farm.py: `thaw farm` on bare-metal programs: verdicts, reports, results of earlier runs,
agents that die."""
import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree

import harness
from harness import FAIL, FAILS_WITH_7, INFRA, LOOPS, PASS, PASSES, THAW, TIMEOUT, USAGE

GUARD = 300  # seconds; nothing here takes more than a few


class Rig(harness.CliTest):
    def setUp(self):
        super().setUp()
        self.file("pass.elf", PASSES)
        self.file("fail.elf", FAILS_WITH_7)
        self.file("loop.elf", LOOPS)

    def jobs(self, *tests, head="suite: bare\n"):
        lines = "".join(f"  - {test}\n" for test in tests)
        return self.file("jobs.yaml", head + "tests:\n" + lines)

    def farm(self, *arguments, **options):
        return self.json("farm", *arguments, **options)

    def verdicts(self, run):
        return {job["name"]: job["verdict"] for job in run["jobs"]}


class Farm(Rig):
    def test_every_test_has_its_verdict_and_the_status_is_the_loudest(self):
        path = self.jobs("{name: good, elf: pass.elf}", "{name: bad, elf: fail.elf}",
                         "{name: slow, elf: loop.elf, limits: {instructions: 1M}}")
        run = self.farm(path, "-j", "2", status=FAIL)
        self.assertEqual(self.verdicts(run), {"good": "pass", "bad": "fail", "slow": "timeout"})
        self.assertEqual(run["verdict"], "fail")
        self.assertEqual(run["counts"]["pass"], 1)
        self.assertEqual([job["exit_status"] for job in run["jobs"] if job["name"] == "bad"], [7])

    def test_what_fails_is_told_when_it_fails(self):
        path = self.jobs("{name: good, elf: pass.elf}", "{name: bad, elf: fail.elf}",
                         "{name: slow, elf: loop.elf, limits: {instructions: 1500M}}")
        done = self.call("farm", path, "-j", "1")
        self.assertEqual(done.returncode, FAIL)
        self.assertIn(b"\nfail: bad: the machine stopped: exit status 7", b"\n" + done.stderr)
        self.assertNotIn(b"good", done.stderr)

    def test_a_terminal_shows_a_bar_and_what_runs(self):
        path = self.jobs("{name: good, elf: pass.elf}",
                         "{name: slow, elf: loop.elf, limits: {instructions: 1500M}}")
        terminal, end = os.openpty()
        process = subprocess.Popen([THAW, "farm", path, "-j", "1"], env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=end)
        os.close(end)
        shown = b""
        try:
            while piece := os.read(terminal, 65536):
                shown += piece
        except OSError:
            pass  # the other end is closed
        os.close(terminal)
        self.assertEqual(process.wait(GUARD), TIMEOUT)
        self.assertRegex(shown, rb"running \[[#.]+\] [01]/2  1 running")
        self.assertRegex(shown, rb"\n\r +[\d.]+ s  local-1 +slow")
        self.assertRegex(shown, rb"\x1b\[1A\r\x1b\[J")  # and it was taken away

    def test_a_run_that_passes_ends_with_0(self):
        run = self.farm(self.jobs("{name: good, elf: pass.elf}"))
        self.assertEqual(self.verdicts(run), {"good": "pass"})

    def test_a_run_that_times_out_says_so(self):
        path = self.jobs("{name: slow, elf: loop.elf, limits: {instructions: 1M}}")
        self.farm(path, status=TIMEOUT)

    def test_what_is_known_is_not_run_again(self):
        path = self.jobs("{name: good, elf: pass.elf}", "{name: bad, elf: fail.elf}",
                         head="suite: bare\nworkflow: {rerun: 0 %}\n")
        first = self.farm(path, status=FAIL)
        second = self.farm(path, status=FAIL)
        self.assertEqual(self.verdicts(second), self.verdicts(first))
        self.assertTrue(all(not job["cached"] for job in first["jobs"]))
        self.assertTrue(all(job["cached"] for job in second["jobs"]), second)
        third = self.farm(path, "--no-cache", status=FAIL)
        self.assertTrue(all(not job["cached"] for job in third["jobs"]))

    def test_a_changed_program_is_another_test(self):
        path = self.jobs("{name: it, elf: pass.elf}")
        self.farm(path)
        self.file("pass.elf", FAILS_WITH_7)
        self.assertEqual(self.verdicts(self.farm(path, status=FAIL)), {"it": "fail"})

    def test_reports_are_written(self):
        path = self.jobs("{name: good, elf: pass.elf}", "{name: bad, elf: fail.elf}")
        junit, tap = self.folder / "junit.xml", self.folder / "out.tap"
        self.thaw("farm", path, "--junit", junit, "--tap", tap, status=FAIL)
        cases = list(xml.etree.ElementTree.parse(junit).getroot().iter("testcase"))
        self.assertEqual([case.get("name") for case in cases], ["good", "bad"])
        self.assertEqual([len(case.findall("failure")) for case in cases], [0, 1])
        self.assertIn("not ok 2", tap.read_text())

    def test_a_matrix_runs_every_combination(self):
        path = self.jobs("{name: it, elf: pass.elf, parallel: {matrix: [{seed: 1..5}]}}")
        run = self.farm(path, "-j", "3")
        self.assertEqual(len(run["jobs"]), 5)
        self.assertEqual(set(self.verdicts(run).values()), {"pass"})

    def test_only_what_is_asked_for_runs(self):
        path = self.jobs("{name: one, elf: pass.elf, tags: [quick]}", "{name: two, elf: fail.elf}")
        self.assertEqual(self.verdicts(self.farm(path, "@quick")), {"one": "pass"})
        self.assertEqual(self.verdicts(self.farm(path, "t*", status=FAIL)), {"two": "fail"})

    def test_quarantined_failures_do_not_count(self):
        quarantine = "{owner: me, reason: known, until: 2200-01-01}"
        path = self.jobs("{name: good, elf: pass.elf}",
                         f"{{name: bad, elf: fail.elf, quarantine: {quarantine}}}")
        run = self.farm(path)
        self.assertEqual(self.verdicts(run), {"good": "pass", "bad": "fail"})

    def test_what_needs_a_failure_is_not_run(self):
        path = self.jobs("{name: first, elf: fail.elf}",
                         "{name: second, elf: pass.elf, needs: [first]}")
        self.assertEqual(self.verdicts(self.farm(path, status=FAIL))["second"], "skipped")

    def test_wrong_arguments_are_refused(self):
        path = self.jobs("{name: good, elf: pass.elf}")
        self.refused(USAGE, "farm", says="job file")
        self.refused(USAGE, "farm", path, "-j", "0", says="1 to")
        self.refused(USAGE, "farm", path, "nothing-of-that-name", says="nothing-of-that-name")
        self.refused(USAGE, "farm", self.folder / "none.yaml", says="none.yaml")
        self.refused(USAGE, "farm", self.jobs("{name: it, elf: none.elf}"), says="none.elf")

    def test_nothing_is_left_running(self):
        self.farm(self.jobs("{name: good, elf: pass.elf}"))
        mine = subprocess.run(["pgrep", "-f", str(self.store)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(mine.stdout, "")


class Trouble(Rig):
    """The farm as a process of its own, with tests of half a second or so, whose parts die."""

    def start(self, count=12, instructions="400M", agents=2):
        # A test that runs into its limit is as good as any that takes a while.
        path = self.jobs(f"{{name: it, elf: loop.elf, limits: {{instructions: {instructions}}}, "
                         f"parallel: {{matrix: [{{seed: 1..{count}}}]}}}}")
        process = subprocess.Popen([THAW, "farm", "--json", path, "-j", str(agents)],
                                   env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        return process

    def part(self, process, command, name=""):
        """The process id of the farm's coordinator or of one of its agents, once it is there."""
        for _ in range(GUARD * 20):
            self.assertIsNone(process.poll(), "the farm has ended")
            children = subprocess.run(["pgrep", "-P", str(process.pid), "-af", ""],
                                      capture_output=True, text=True, check=False).stdout
            for line in children.splitlines():
                pid, _, rest = line.partition(" ")
                if f"thaw-farm {command}" in rest and name in rest:
                    return int(pid)
            time.sleep(0.05)
        self.fail(f"there is no {command}")

    def results(self, process, status):
        out, said = process.communicate(timeout=GUARD)
        self.assertEqual(process.returncode, status, said.decode(errors="replace"))
        return json.loads(out)

    def test_a_killed_agents_jobs_are_run_all_the_same(self):
        process = self.start()
        os.kill(self.part(process, "agent", "local-1"), signal.SIGKILL)
        run = self.results(process, TIMEOUT)
        self.assertEqual(set(self.verdicts(run).values()), {"timeout"})
        self.assertEqual(len(run["jobs"]), 12)

    def test_an_interrupt_cancels_what_has_not_run(self):
        process = self.start(count=200)
        self.part(process, "agent", "local-2")
        process.send_signal(signal.SIGINT)
        run = self.results(process, INFRA)
        self.assertIn("cancelled", self.verdicts(run).values())

    def test_a_killed_coordinator_is_an_error_in_words(self):
        # While it begins; while agents are invited, of which there are many; at work.
        for part, name, agents in (("coordinator", "", 2), ("agent", "local-1", 32),
                                   ("agent", "local-2", 2)):
            process = self.start(count=200, agents=agents)
            self.part(process, part, name)
            os.kill(self.part(process, "coordinator"), signal.SIGKILL)
            _, said = process.communicate(timeout=GUARD)
            self.assertEqual(process.returncode, INFRA)
            self.assertIn(b"the coordinator has ended", said)


if __name__ == "__main__":
    harness.main()
