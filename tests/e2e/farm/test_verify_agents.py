#!/usr/bin/env python3
"""test_verify_agents.py: `thaw verify --agent`: enrolled agents as hosts, driven by a farm's jobs;
what they do differently is pinned to the same instruction as between programs of this host."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import unittest

import rig
from harness import USAGE

BUILT = pathlib.Path(rig.THAW).resolve().parent
GUESTS = pathlib.Path(os.environ.get("THAW_GUESTS", BUILT / "guests"))
MACHINES = rig.HERE.parent / "machines"
PIECES = ("instruction", "agreed", "disassembly", "hart", "pc", "bits", "attribute", "page")


class Agents(unittest.TestCase):
    def setUp(self):
        self.farm = rig.Farm()
        self.addCleanup(self.farm.close)
        self.farm.environment["THAW_GUESTS"] = str(GUESTS)
        self.farm.start(agents=0)
        self.farm.add_agent("good", options=["--unconfined"]).start()
        self.farm.add_agent("fine", options=["--unconfined"]).start()
        self.farm.thaw("boot", MACHINES / "stress3.yaml", "-n", "stress")
        self.farm.online("good", "fine")

    def verify(self, *arguments, status=0):
        return json.loads(self.farm.thaw("verify", "--json", "stress", *arguments,
                                         statuses=(status,)))

    def test_the_programs_may_be_in_any_folder(self):
        folder = self.farm.folder / "John's programs"
        folder.mkdir()
        for name in "thaw", "thaw-farm":
            shutil.copy2(BUILT / name, folder / name)
        done = subprocess.run([folder / "thaw", "verify", "stress", "--agent", "good",
                               "--instructions", "2M"], stdin=subprocess.DEVNULL, check=False,
                              env={**self.farm.environment,
                                   "THAW_STORE": str(self.farm.folder / "store")},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def add_planted(self, fault="farm"):
        program = BUILT / "planted" / f"planted_{fault}"
        if not program.exists():
            self.skipTest("no faults are planted under sanitizers")
        wrapper = self.farm.folder / "wrapper"
        wrapper.write_text(f'#!/bin/sh\nshift\nexec {program} "$@"\n')
        wrapper.chmod(0o755)
        self.farm.add_agent("bad", options=["--unconfined", "--sim-wrapper", wrapper]).start()
        self.farm.online("bad")

    def test_agents_agree_with_each_other_and_with_a_program_here(self):
        report = self.verify("--agent", "good,fine", "--host", f"here={rig.THAW}",
                             "--instructions", "20M")
        self.assertTrue(report["passed"], report)
        self.assertEqual([host["name"] for host in report["hosts"]], ["good", "fine", "here"])
        self.assertIn("agent on ", report["hosts"][0]["description"])
        alone = self.verify("--host", f"here={rig.THAW}", "--instructions", "20M")
        self.assertEqual(report["state_id"], alone["state_id"])
        # What was typed reaches all alike: another way, the same for all.
        typed = self.verify("--agent", "good", "--host", f"here={rig.THAW}",
                            "--instructions", "20M", "--", "help")
        self.assertTrue(typed["passed"], typed)

    def test_an_agents_fault_is_pinned_as_a_programs_is(self):
        self.add_planted()
        planted = BUILT / "planted" / "planted_truncation"
        here = self.verify("--host", f"good={rig.THAW}", "--host", f"bad={planted}",
                           "--instructions", "40M", status=1)["divergence"]
        there = self.verify("--agent", "good,bad", "--instructions", "40M", status=1)
        verdicts = {cell["thawer"]: cell["verdict"] for cell in there["matrix"]}
        self.assertEqual(verdicts, {"good": "pass", "bad": "divergence"})
        there = there["divergence"]
        self.assertTrue(there["pinned"], there["text"])
        self.assertEqual({key: there[key] for key in PIECES}, {key: here[key] for key in PIECES})
        self.assertRegex(there["disassembly"], r"^fcvt\.l\.d ")
        self.assertEqual(there["registers"], here["registers"])

    def while_late_is_at_work(self, deed, status):
        """What verify says of an agent, late, to which that is done while it has a job."""
        # Its first worker waits for what nobody writes: it is in the middle for sure.
        begun, hold = self.farm.folder / "begun", self.farm.folder / "hold"
        os.mkfifo(hold)
        holder = os.open(hold, os.O_RDWR)
        self.addCleanup(os.close, holder)
        worker = self.farm.folder / "waits"
        worker.write_text(f'#!/bin/sh\n[ ! -e {begun} ] || exec "$@"\n'
                          f': >{begun}\nread line <{hold}\n')
        worker.chmod(0o755)
        late = self.farm.add_agent("late", options=["--unconfined", "--sim-wrapper", worker])
        late.start()
        self.farm.online("late")
        done = []
        verify = threading.Thread(target=lambda: done.append(self.verify(
            "--agent", "good,late", "--instructions", "2M", status=status)))
        verify.start()
        rig.until("late is at work", begun.exists)
        deed(late)
        verify.join()
        self.assertTrue(done, "thaw verify has failed: see above")
        cells = {cell["thawer"]: cell for cell in done[0]["matrix"]}
        self.assertEqual(cells["good"]["verdict"], "pass")
        return cells

    def test_an_agent_that_is_started_again_in_the_middle_spoils_nothing(self):
        def start_again(late):
            late.kill()
            rig.until("nobody is there for it", lambda: any(
                self.farm.get(f"runs/{run['run']}")["unserved"]
                for run in self.farm.get("runs?limit=5")["runs"]))
            late.start()
        cells = self.while_late_is_at_work(start_again, status=0)
        self.assertEqual(cells["late"]["verdict"], "pass")

    def test_an_agent_that_dies_in_the_middle_is_told(self):
        cells = self.while_late_is_at_work(rig.Part.kill, status=3)
        self.assertEqual(cells["late"]["verdict"], "infra")
        self.assertIn("agent late has gone", cells["late"]["reason"])

    def test_agents_that_are_not_there_are_told(self):
        report = self.verify("--agent", "good,nobody", "--instructions", "2M", status=3)
        cells = {cell["thawer"]: cell for cell in report["matrix"]}
        self.assertEqual(cells["good"]["verdict"], "pass")
        self.assertEqual(cells["nobody"]["verdict"], "infra")
        self.assertIn("no agent is called nobody", json.dumps(report))
        self.farm.agents[1].stop()
        report = self.verify("--agent", "good,fine", "--instructions", "2M", status=3)
        self.assertIn("agent fine is ", json.dumps(report))
        report = self.verify("--agent", "good", "--ring", "--instructions", "2M", status=3)
        self.assertIn("without --matrix, --ring", json.dumps(report))
        self.farm.thaw("verify", "stress", "--agent", "../x", statuses=(USAGE,))


if __name__ == "__main__":
    rig.main()
