#!/usr/bin/env python3
"""test_verify.py: jobs that verify: two agents that go through the same states pass; one whose
simulator has a fault planted in it is a divergence. Agents of unlike hosts: test_unlike_agents.py.
"""
import json
import os
import pathlib
import unittest

import rig

BUILT = pathlib.Path(rig.THAW).resolve().parent
GUESTS = pathlib.Path(os.environ.get("THAW_GUESTS", BUILT / "guests"))
JOBS = """suite: verify
workflow: {{cache: false}}
tests:
  - name: stress
    elf: {guests}/bare/stress.elf
    verify: {{every: 500k}}
    limits: {{instructions: 200M, wall: {wall}}}
    parallel: {{matrix: [{{host: [{hosts}]}}]}}
"""


class Verify(unittest.TestCase):
    def setUp(self):
        self.farm = rig.Farm()
        self.addCleanup(self.farm.close)
        self.farm.start(agents=0)
        self.farm.add_agent("good", options=["--unconfined", "--tags", "good"]).start()
        self.farm.add_agent("fine", options=["--unconfined", "--tags", "fine"]).start()

    def verify(self, *hosts, wall="300 s"):
        """Verdict and state id by host."""
        path = self.farm.folder / "jobs.yaml"
        path.write_text(JOBS.format(guests=GUESTS, hosts=", ".join(hosts), wall=wall))
        run = self.farm.submit(path)
        self.farm.wait_over(run)
        told = json.loads(self.farm.thaw("results", "--json", run, statuses=(0, 1, 4)))
        self.jobs = told["jobs"]
        return {job["agent"]: (job["verdict"], job["state_id"]) for job in self.jobs}

    def test_agents_that_agree_pass_night_after_night(self):
        first, second = self.verify("good", "fine"), self.verify("good", "fine")
        self.assertEqual([verdict for verdict, _ in first.values()], ["pass", "pass"], first)
        self.assertEqual(len({*first.values(), *second.values()}), 1)

    def test_an_agent_a_hundred_times_slower_agrees(self):
        library = os.environ.get("THAW_CLOCK_LIBRARY")
        if not library:
            self.skipTest("THAW_CLOCK_LIBRARY names no library that makes clocks fast")
        # Every reading of its workers' clock takes a second: the job is longer than its guard.
        slow = f"env LD_PRELOAD={library} THAW_CLOCK_STEP=1000"
        self.farm.add_agent("slow", options=["--unconfined", "--tags", "slow", "--sim-wrapper",
                                             slow]).start()
        found = self.verify("good", "slow", wall="2 s")
        took = {job["agent"]: job["wall_ms"] for job in self.jobs}
        self.assertGreater(took["slow"], 2000)
        self.assertEqual({verdict for verdict, _ in found.values()}, {"pass"}, found)
        self.assertEqual(len({state for _, state in found.values()}), 1, found)

    def test_a_kind_of_host_that_nobody_is_waits_and_is_told(self):
        path = self.farm.folder / "jobs.yaml"
        path.write_text(JOBS.format(guests=GUESTS, hosts="good, pdp10", wall="300 s"))
        run = self.farm.submit(path)
        self.farm.wait_done(run, 1)
        self.assertEqual(self.farm.get(f"runs/{run}")["unserved"],
                         [{"host": "pdp10", "memory_mib": 0, "jobs": 1}])
        watch = rig.Part(self.farm, "watch", ["watch", run])
        watch.start()
        rig.until("the watch tells", lambda: "asked for is pdp10" in watch.said())
        self.farm.add_agent("late", options=["--unconfined", "--tags", "pdp10"]).start()
        self.assertEqual(watch.process.wait(timeout=rig.GUARD), 0, watch.said())
        self.assertEqual(self.farm.get(f"runs/{run}")["unserved"], [])

    def test_an_agent_with_a_fault_is_a_divergence(self):
        planted = BUILT / "planted" / "planted_farm"
        if not planted.exists():
            self.skipTest("no faults are planted under sanitizers")
        wrapper = self.farm.folder / "wrapper"
        wrapper.write_text(f'#!/bin/sh\nshift\nexec {planted} "$@"\n')
        wrapper.chmod(0o755)
        self.assertEqual({verdict for verdict, _ in self.verify("good", "fine").values()}, {"pass"})
        self.farm.add_agent("bad", options=["--unconfined", "--tags", "bad", "--sim-wrapper",
                                            wrapper]).start()
        found = self.verify("good", "fine", "bad")
        self.assertEqual({agent: verdict for agent, (verdict, _) in found.items()},
                         {"good": "pass", "fine": "pass", "bad": "divergence"})


if __name__ == "__main__":
    rig.main()
