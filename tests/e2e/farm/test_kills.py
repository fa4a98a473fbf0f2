#!/usr/bin/env python3
"""test_kills.py: kill -9 of agents, workers, gateway and coordinator at random moments of a run of
500 jobs; each agent and the coordinator are started again, as a service manager would."""
import os
import signal
import unittest

import judge
import rig

COUNT = 500
KILLS = 200 if rig.ALL else 14


class Kills(rig.Chaos):
    def kill_agent(self):
        self.chance.choice(self.farm.agents).restart()

    def kill_process_of_an_agent(self):
        """A worker, a template, the spawner, the keeper or what starts them."""
        agent = self.chance.choice(self.farm.agents)
        below = agent.below()
        if below:
            agent.may_end = True  # it says why, and ends, if it was the nursery
            self.kill(self.chance.choice(below)[0])

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended just before

    def kill_coordinator(self):
        self.farm.coordinator.restart()

    def kill_gateway(self):
        for pid, _ in self.farm.coordinator.below():
            self.kill(pid)

    def campaign(self, deeds):
        self.farm.start(agents=3)
        run = self.farm.submit(judge.write_jobs(self.farm.folder, COUNT))
        self.follow(run, self.plan(deeds, KILLS, 0, COUNT - 20))
        judge.Judge(self, run, COUNT).check_end()

    def test_agents_and_their_processes_are_killed(self):
        self.campaign([self.kill_agent, self.kill_process_of_an_agent])

    def test_the_coordinator_and_its_gateway_are_killed(self):
        self.campaign([self.kill_coordinator, self.kill_gateway])

    @unittest.skipUnless(rig.ALL, "a longer campaign: THAW_TEST_ALL=1")
    def test_everything_is_killed(self):
        self.campaign([self.kill_agent, self.kill_process_of_an_agent, self.kill_coordinator,
                       self.kill_gateway])


if __name__ == "__main__":
    rig.main()
