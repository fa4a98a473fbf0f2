#!/usr/bin/env python3
"""test_stops.py: agents that are stopped (SIGSTOP) and continued, for less and for more than a
lease, whole or only their loop; a coordinator and a gateway that hang for a while."""
import os
import signal
import time

import judge
import rig

COUNT = 500
DEEDS = 80 if rig.ALL else 9


class Stops(rig.Chaos):
    def signal(self, pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # a worker that ended

    def hang(self, pids, whether_over):
        """Stopped until that is so."""
        self.signal(pids, signal.SIGSTOP)
        whether_over()
        self.signal(pids, signal.SIGCONT)

    def away(self, agent):
        """Until the coordinator has given up on an agent."""
        def gone():
            listed = self.farm.get("agents")["agents"]
            return [one for one in listed
                    if one["name"] == agent.name and one["state"] == "away" and not one["leases"]]

        rig.until(f"{agent.name} is away", gone)

    def for_a_while(self):
        time.sleep(self.chance.uniform(0.1, 4))  # a lease is 3 s

    def family(self, agent):
        return [agent.process.pid, *(pid for pid, _ in agent.below())]

    def stop_an_agent_until_it_is_given_up(self):
        agent = self.chance.choice(self.farm.agents)
        self.hang(self.family(agent), lambda: self.away(agent))

    def stop_an_agent_for_a_while(self):
        self.hang(self.family(self.chance.choice(self.farm.agents)), self.for_a_while)

    def stop_one_process_of_an_agent(self):
        family = self.family(self.chance.choice(self.farm.agents))
        self.hang([self.chance.choice(family)], self.for_a_while)

    def stop_the_coordinator(self):
        self.hang([self.farm.coordinator.process.pid], self.for_a_while)

    def stop_the_gateway(self):
        self.hang([pid for pid, _ in self.farm.coordinator.below()], self.for_a_while)

    def test_whatever_hangs_goes_on(self):
        self.farm.start(agents=3)
        run = self.farm.submit(judge.write_jobs(self.farm.folder, COUNT))
        deeds = [self.stop_an_agent_until_it_is_given_up, self.stop_an_agent_for_a_while,
                 self.stop_one_process_of_an_agent, self.stop_the_coordinator,
                 self.stop_the_gateway]
        self.follow(run, self.plan(deeds, DEEDS, 0, COUNT - 20))
        judge.Judge(self, run, COUNT).check_end()


if __name__ == "__main__":
    rig.main()
