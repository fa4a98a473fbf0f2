#!/usr/bin/env python3
"""test_unlike_agents.py: agents of unlike hosts in one farm: native, of 32 bits, of the other byte
order; each is a real process, under its emulator where it must be, that enrols by invitation.

THAW_VERIFY_HOSTS names the builds beside this one (i386,s390x,armhf); those without a farm are
passed over. jobs/examples/verify.yaml is run as it is where all the hosts that it asks for are
built and deploy/guest has fetched a kernel."""
import json
import os
import pathlib
import unittest

import rig
from harness import USAGE

ROOT = rig.HERE.parents[2]
BUILT = pathlib.Path(rig.THAW).resolve().parent
GUESTS = pathlib.Path(os.environ.get("THAW_GUESTS", BUILT / "guests"))
EXAMPLES = ROOT / "jobs" / "examples"
NATIVE = os.uname().machine
# What an agent of each build says of itself: arch, word length, whether its byte order is big.
KINDS = {"i386": ("i386", 32, False), "armhf": ("armhf", 32, False),
         "s390x": ("s390x", 64, True), "arm64": ("aarch64", 64, False)}
GUARD = 900  # seconds, for a run across emulated hosts: the example takes one minute

STRESS = """suite: unlike
workflow: {{cache: false}}
defaults:
  verify: {{every: 500k}}
  limits: {{instructions: 200M, wall: 300 s}}
  parallel: {{matrix: [{{host: [{hosts}]}}]}}
tests:
  - {{name: stress, elf: {guests}/bare/stress.elf}}
"""


def built_hosts():
    """The builds that THAW_VERIFY_HOSTS names and that have a farm."""
    return [name for name in os.environ.get("THAW_VERIFY_HOSTS", "").split(",")
            if name in KINDS and (BUILT.parent / name / "thaw-farm").exists()]


def program_of(host, program="thaw"):
    """A build's program as something that can be executed, and whether an emulator does."""
    emulated = BUILT.parent / host / "emulated" / program
    if emulated.exists():
        return emulated, True
    return BUILT.parent / host / ("planted" if program != "thaw" else ".") / program, False


class Unlike(unittest.TestCase):
    def setUp(self):
        self.hosts = built_hosts()
        if not self.hosts:
            self.skipTest("THAW_VERIFY_HOSTS names no builds with a farm")
        self.farm = rig.Farm()
        self.addCleanup(self.farm.close)
        self.addCleanup(self.show_logs)
        self.farm.start(agents=0)

    def show_logs(self):
        if not self._outcome.success:
            print(self.farm.logs(), flush=True)

    def add(self, host, name=None, program="thaw", options=None):
        """An agent of that build. Under an emulator some walls cannot be had: it is told so."""
        path, emulated = program_of(host, program)
        if options is None:
            options = ["--unconfined"] if emulated else []
        # What is started is this program, not the one that the rig would.
        within = ["sh", "-c", f'shift; exec {path} "$@"', "sh"]
        agent = self.farm.add_agent(name or host, options=options, within=within)
        agent.start()
        return agent

    def add_native(self):
        self.farm.add_agent(NATIVE, options=[]).start()

    def kinds(self):
        """What a job asks for to run on each of them."""
        return [NATIVE, *(KINDS[host][0] for host in self.hosts)]

    def emulated(self):
        """Builds that run under an emulator here."""
        return [host for host in self.hosts if program_of(host)[1]]

    def write(self, text, hosts):
        path = self.farm.folder / "jobs.yaml"
        path.write_text(text.format(guests=GUESTS, hosts=", ".join(hosts)))
        return path

    def jobs(self, run):
        return self.farm.get(f"runs/{run}/jobs?limit=200")["jobs"]

    def results(self, run):
        return [job for job in self.jobs(run) if job["kind"] == "test"]

    def states(self, job):
        """(instructions, state id) of each look at that job's machine."""
        files = {artifact["name"]: artifact["hash"] for artifact in job["artifacts"]}
        text = rig.until("the list of states",
                         lambda: self.farm.ask(f"store/blobs/{files['verify.states']}"))
        return [tuple(line.split()) for line in text.decode().splitlines()]

    def check_agents(self):
        """Each agent says what it is, not what its kernel is."""
        agents = {agent["name"]: agent for agent in self.farm.get("agents")["agents"]}
        for name in self.hosts:
            agent = agents[name]
            self.assertEqual((agent["arch"], agent["word_bits"], agent["big_endian"]),
                             KINDS[name])
        self.assertEqual(agents[NATIVE]["arch"], NATIVE)

    def check_run(self, run, hosts, groups):
        """Every job passed on the kind of host that it asked for, and went the same way there."""
        jobs = self.results(run)
        self.assertEqual(len(jobs), groups * len(hosts))
        ways = {}
        for job in jobs:
            self.assertEqual(job["verdict"], "pass", job)
            asked = job["parameters"]["host"]
            self.assertEqual(job["agent_arch"], asked, job)
            ways.setdefault(job["group"], {})[asked] = (job["state_id"], *self.states(job))
        self.assertEqual(len(ways), groups)
        for group, found in ways.items():
            self.assertEqual(set(found), set(hosts), group)
            way = found[NATIVE]
            self.assertGreater(len(way), 2, group)
            for kind in hosts:
                self.assertEqual(found[kind], way, f"{group}: {kind} and {NATIVE}")

    def wait_booted(self, run):
        boots = sum(job["kind"] == "boot" for job in self.jobs(run))
        self.farm.wait_done(run, boots, GUARD)

    def run_across(self, path, groups):
        """Submits while only the native agent is there, which boots; the others come later."""
        self.add_native()
        run = self.farm.submit(path)
        self.wait_booted(run)
        for host in self.hosts:
            self.add(host)
        self.farm.wait_over(run, GUARD)
        self.check_agents()
        self.check_run(run, self.kinds(), groups)
        return run

    def test_a_program_goes_the_same_way_on_all(self):
        self.run_across(self.write(STRESS, self.kinds()), 1)

    def test_agents_say_which_walls_are_missing_and_end(self):
        # The native ones have all of them: they were started without being told to do without.
        for host in self.emulated():
            agent = self.add(host, options=[])
            agent.may_end = True
            self.assertEqual(agent.process.wait(timeout=GUARD), USAGE, agent.said())
            self.assertIn("walls around jobs are missing here: ", agent.said())
            for wall in ("network", "files", "processes"):
                self.assertIn(wall, agent.said())
            agent = self.add(host, name=f"{host} told so")
            self.farm.online(f"{host} told so")
            self.assertIn("jobs run without these walls around them: ", agent.said())

    def test_an_agent_that_dies_in_the_middle_changes_no_result(self):
        self.add_native()
        for host in self.hosts:
            self.add(host)
        victim = self.farm.agents[-1]
        hosts = self.kinds()
        run = self.farm.submit(self.write(STRESS, hosts))
        rig.until(f"{victim.name} is at work", lambda: any(
            job["state"] == "running" and job["agent"] == victim.name
            for job in self.results(run)))
        victim.kill()
        self.farm.agents.remove(victim)
        self.add(self.hosts[-1], name="spare")
        self.farm.wait_over(run, GUARD)
        self.check_run(run, hosts, 1)
        attempts = {job["agent"]: job["attempts"] for job in self.results(run)}
        self.assertNotIn(victim.name, attempts)
        self.assertGreater(attempts.pop("spare"), 1)
        self.assertEqual(set(attempts.values()), {1}, attempts)

    def test_a_fault_in_one_build_is_a_divergence_of_its_job(self):
        self.add_native()
        run = self.farm.submit(self.write(STRESS, [NATIVE]))
        self.farm.wait_over(run)
        self.check_run(run, [NATIVE], 1)
        for host in self.hosts:
            self.add(host, program="planted_farm")
        run = self.farm.submit(self.write(STRESS, self.kinds()))
        self.farm.wait_over(run, GUARD)
        found = {job["parameters"]["host"]: job for job in self.results(run)}
        self.assertEqual({kind: job["verdict"] for kind, job in found.items()},
                         {kind: "pass" if kind == NATIVE else "divergence" for kind in found})
        told = self.farm.thaw("results", run, statuses=(1,))
        ways = {kind: self.states(job) for kind, job in found.items()}
        right = ways.pop(NATIVE)
        for kind, way in ways.items():  # once apart, never together again
            same = [mine == other for mine, other in zip(right, way)]
            self.assertNotIn(True, same[same.index(False):], kind)
            self.assertEqual(way, ways[self.kinds()[-1]], "the same fault, the same way")
        for host in self.hosts:
            kind = KINDS[host][0]
            self.assertIn(f"on agent {host}, but pass with state", found[kind]["reason"])
            self.assertRegex(told, rf"divergence +stress \[host={kind}\]")

    def test_thaw_verify_takes_them_for_hosts(self):
        self.add_native()
        for host in self.hosts:
            self.add(host)
        names = [NATIVE, *self.hosts]
        self.farm.online(*names)
        self.farm.environment["THAW_GUESTS"] = str(GUESTS)
        self.farm.thaw("boot", rig.HERE.parent / "machines" / "stress3.yaml", "-n", "stress")
        report = json.loads(self.farm.thaw("verify", "--json", "stress", "--agent",
                                           ",".join(names), "--instructions", "10M"))
        self.assertTrue(report["passed"], report)
        self.assertEqual([host["name"] for host in report["hosts"]], names)
        told = {host["name"]: host["description"] for host in report["hosts"]}
        for name in self.hosts:
            _, bits, big = KINDS[name]
            self.assertIn(f"{bits} bits, {'big' if big else 'little'} endian", told[name])

    @unittest.skipUnless("THAW_GUEST_KERNEL" in os.environ, "no guest: run deploy/guest")
    def test_the_example_runs_whole(self):
        hosts = {"x86_64", "i386", "armhf", "s390x"}
        if not hosts <= set(self.kinds()):
            self.skipTest("the example is for " + ", ".join(sorted(hosts)))
        self.hosts = [host for host in self.hosts if KINDS[host][0] in hosts]
        run = self.run_across(EXAMPLES / "verify.yaml", 3)
        print(self.farm.thaw("results", run))  # the figures, in CI's log


if __name__ == "__main__":
    rig.main()
