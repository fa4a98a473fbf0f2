"""The farm's rows: real coordinators, gateways and agents, as processes of their own.

What is simulated says so: bench_agents (agents.c) are agents that run nothing, on the real wire.
"""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.request

from peer import LIKE_WORKERS

GUARD = 600  # seconds for whatever is waited for
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
COMMAND = "uname -sm"  # the short test, of Thaw and of the peer
SAYS = "Linux riscv64"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, holds, pause_s=0.01):
    end = time.monotonic() + GUARD
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"not in {GUARD} s: {what}")
        time.sleep(pause_s)


def processor_s(pid):
    """Processor time so far of a process and all that it descended into."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    total = sum(map(int, fields[11:15])) / CLOCK_TICKS  # its own, and of children waited for
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            total += sum(processor_s(child) for child in file.read().split())
    return total


class Farm:
    """A coordinator with its gateway, and agents; `with` ends them all."""

    def __init__(self, build, guest, folder):
        self.build, self.folder = build, tempfile.mkdtemp(prefix="farm-", dir=folder)
        self.thaw = os.path.join(build, "thaw")
        self.simulated = os.path.join(build, "tests/bench_agents")
        self.state = os.path.join(self.folder, "state")
        self.http = f"127.0.0.1:{free_port()}"
        self.gateway = f"tcp://127.0.0.1:{free_port()}"
        self.store = os.path.join(self.folder, "store")
        self.environment = {
            **os.environ, "THAW_STORE": self.store, "THAW_COORDINATOR": f"http://{self.http}",
            "THAW_TOKEN_FILE": os.path.join(self.state, "admin.token")}
        for key, value in guest.items():
            self.environment["THAW_GUEST_" + key.upper()] = value
        self.coordinator, self.agents = None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [*self.agents, self.coordinator]:
            if process is not None and process.poll() is None:
                process.terminate()
        for process in [*self.agents, self.coordinator]:
            if process is not None:
                process.wait()
        shutil.rmtree(self.folder)

    def start_process(self, name, *command):
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            return subprocess.Popen([self.thaw, *command], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env=self.environment)

    def said(self, name):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as log:
            return log.read()

    def start(self):
        self.coordinator = self.start_process(
            "coordinator", "coordinator", "--state", self.state, "--http", self.http, "--agents",
            self.gateway, "--store", self.store)
        until("the coordinator serves", self.serves, 0.002)

    def serves(self):
        if self.coordinator.poll() is not None:
            raise RuntimeError("coordinator: " + self.said("coordinator"))
        try:
            return self.call("GET", "runs?limit=1") is not None
        except OSError:
            return False

    def add_agents(self, count, *options):
        """Agents of one slot each on the coordinator's own store."""
        for _ in range(count):
            name = f"agent{len(self.agents)}"
            invitation = os.path.join(self.folder, name + ".invitation")
            with open(invitation, "w") as file:
                file.write(self.run("agents", "--invite", name))
            self.agents.append(self.start_process(
                name, "agent", "-v", "-v", "--state", os.path.join(self.folder, name), "--store",
                self.store, "--shared-store", "--enrol", invitation, "--slots", "1", *options))
        until("the agents are there", lambda: len(self.call("GET", "agents")["agents"])
              >= len(self.agents))

    def run(self, *arguments):
        done = subprocess.run([self.thaw, *arguments], env=self.environment, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise RuntimeError(f"thaw {' '.join(arguments)}: {done.stderr[-500:]}")
        return done.stdout

    def call(self, method, path, body=None):
        with open(os.path.join(self.state, "admin.token")) as file:
            token = file.read().strip()
        request = urllib.request.Request(
            f"http://{self.http}/api/v1/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=GUARD) as answer:
            return json.loads(answer.read())

    def post_run(self, name, jobs):
        return self.call("POST", "runs", {"name": name, "submitter": "bench", "jobs": jobs,
                                          "options": {"no_cache": True}})["run"]

    def wait_done(self, run):
        event = 0
        while True:
            told = self.call("GET", f"runs/{run}?after_event={event}&wait_ms=2000")
            event = told["event"]
            if told["state"] in ("done", "cancelled"):
                if told["counts"]["pass"] != told["jobs"]:
                    raise RuntimeError(f"run {run}: {told['counts']}")
                return

    def booted(self, root):
        """Boots the machine into the store, once for all rows."""
        machine = os.path.join(root, "jobs/examples/debian.yaml")
        self.run("boot", machine, "-n", "booted")

    def suite(self, name, count, command=COMMAND, says=SAYS):
        """A job file of so many tests from the booted checkpoint; its path."""
        path = os.path.join(self.folder, name + ".yaml")
        with open(path, "w") as file:
            file.write(f"suite: {name}\ndefaults: {{checkpoint: "
                       f"booted, limits: {{wall: 120 s}}, monitors: [linux]}}\ntests:\n")
            for i in range(count):
                file.write(f"  - name: t{i}\n    command: {command} && echo {i}\n"
                           f"    stdout: \"{says}\\n{i}\"\n")
        return path

    def submit(self, path):
        return json.loads(self.run("submit", "--json", "--no-cache", path))["run"]

    def spent_s(self):
        """Processor time of coordinator, gateway, agents and all workers so far."""
        return sum(processor_s(part.pid) for part in [self.coordinator, *self.agents])

    def timed(self, path):
        """(s, processor s) from `thaw submit` to the end of the run."""
        before, start = self.spent_s(), time.monotonic()
        self.wait_done(self.submit(path))
        return time.monotonic() - start, self.spent_s() - before

    def rows(self, text, *values):
        database = sqlite3.connect(os.path.join(self.state, "queue.sqlite"))
        try:
            return database.execute(text, values).fetchall()
        finally:
            database.close()


# ---- simulated agents ----

def empty_jobs(count, prefix):
    return [{"name": f"{prefix}-{i}", "suite": "bench", "kind": "test", "spec": f"{i + 1:064x}"}
            for i in range(count)]


def empty_jobs_rates(new_farm, rounds=3, count=16000):
    """[jobs a second], each of jobs that never ran before, then of the same ones again."""
    first, again = [], []
    with new_farm() as farm:
        subprocess.run([farm.simulated, "prepare", farm.state, "8"], check=True)
        farm.start()
        for i in range(rounds):
            for into in (first, again):
                farm.post_run("empty", empty_jobs(count, f"round{i}"))
                said = subprocess.run([farm.simulated, "jobs", farm.state, farm.gateway, "8"],
                                      capture_output=True, text=True, check=True).stdout.split()
                if int(said[0]) != count:
                    raise RuntimeError(f"{said[0]} of {count} empty jobs were recorded")
                into.append(count / float(said[1]))
    return first, again


def idle_agents(new_farm, count=2000, seconds=30):
    """(share of one core that coordinator and gateway take, beats, median ms, p99 ms)"""
    with new_farm() as farm:
        subprocess.run([farm.simulated, "prepare", farm.state, str(count)], check=True)
        farm.start()
        agents = subprocess.Popen(
            [farm.simulated, "idle", farm.state, farm.gateway, str(count), str(seconds)],
            stdout=subprocess.PIPE, text=True)
        try:
            if agents.stdout.readline().strip() != "ready":
                raise RuntimeError(f"{count} agents did not all say hello")
            before, start = processor_s(farm.coordinator.pid), time.monotonic()
            time.sleep(seconds - 2)
            share = (processor_s(farm.coordinator.pid) - before) / (time.monotonic() - start)
            beats, median, p99, _ = agents.stdout.readline().split()
            if agents.wait() != 0:
                raise RuntimeError("a beat was not answered")
        finally:
            if agents.poll() is None:
                agents.kill()
                agents.wait()
    return share, int(beats), float(median), float(p99)


# ---- real agents ----

def claim_to_start(new_farm, root, count=200):
    """[ms] from a claim's sending to the worker of its job being at its first instruction. Jobs are
    said to be long, so that each is claimed by itself."""
    with new_farm() as farm:
        farm.booted(root)
        farm.start()
        farm.add_agents(2)
        run = farm.submit(farm.suite("starts", count))
        farm.wait_done(run)
        jobs = [{"name": f"start-{i}", "suite": "starts", "kind": "test", "spec": spec.hex(),
                 "checkpoint": checkpoint.hex(), "instructions": 10 ** 12} for i, (spec, checkpoint)
                in enumerate(farm.rows("SELECT spec, checkpoint FROM job WHERE run = ?", run))]
        before = [len(farm.said(f"agent{i}")) for i in range(2)]
        farm.wait_done(farm.post_run("single", jobs))
        times = []
        for i in range(2):
            found = re.findall(r"ordered (\d+) us after the claim, began (\d+) us",
                               farm.said(f"agent{i}")[before[i]:])
            # The first claim was held until there was something to do.
            times += [(int(ordered) + int(began)) / 1000 for ordered, began in found[1:]]
    if len(times) < count * 9 // 10:
        raise RuntimeError(f"{len(times)} starts of {count} were told of")
    return times


def overhead(new_farm, root, count=200, rounds=3):
    """{what: (ms, processor ms)} of a job of one agent, and of `thaw run` of the same test in a
    loop; least of the rounds"""
    by_farm, by_loop = [], []
    with new_farm() as farm:
        farm.booted(root)
        farm.start()
        farm.add_agents(1)
        path = farm.suite("overhead", count)
        words = [*LIKE_WORKERS, farm.thaw, "run", "-q", "booted", "--", f"{COMMAND} && echo 1"]
        for _ in range(rounds):
            before, start = os.times(), time.monotonic()
            for _ in range(count):
                subprocess.run(words, env=farm.environment, check=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            seconds, after = time.monotonic() - start, os.times()
            by_loop.append((seconds, after.children_user + after.children_system
                            - before.children_user - before.children_system))
            by_farm.append(farm.timed(path))
    return tuple([min(times) / count * 1000 for times in zip(*rows)] for rows in (by_farm, by_loop))


def short_tests(new_farm, root, count=1000, rounds=2):
    """([s], [processor s]) from `thaw submit` to the end of the run, on two agents of one slot."""
    with new_farm() as farm:
        farm.booted(root)
        farm.start()
        farm.add_agents(2)
        path = farm.suite("short", count)
        return tuple(zip(*[farm.timed(path) for _ in range(rounds)]))


# ---- failures ----

def killed_coordinator(new_farm, queue_jobs=50000, rounds=3):
    """[s] from kill -9 of the coordinator, with a queue, until its successor has answered a client
    and then an agent."""
    times = []
    with new_farm() as farm:
        subprocess.run([farm.simulated, "prepare", farm.state, "1"], check=True)
        farm.start()
        farm.post_run("waiting", empty_jobs(queue_jobs, "waiting"))
        for _ in range(rounds):
            farm.coordinator.send_signal(signal.SIGKILL)
            start = time.monotonic()
            farm.coordinator.wait()
            farm.start()
            subprocess.run([farm.simulated, "hello", farm.state, farm.gateway, "1"], check=True)
            times.append(time.monotonic() - start)
    return times


def lost_agent(new_farm, root):
    """Seconds from an agent's end (all its processes are stopped for good) to its job's running
    on another."""
    with new_farm() as farm:
        farm.booted(root)
        farm.start()
        farm.add_agents(1)
        run = farm.submit(farm.suite("lost", 1, "sleep 100000; " + COMMAND))
        running = "SELECT a.number FROM attempt a JOIN job j ON j.id = a.job WHERE j.run = ?" \
                  " AND a.ending = 0"
        until("the job runs", lambda: farm.rows(running, run))
        time.sleep(1)
        farm.add_agents(1)
        stop_tree(farm.agents[0].pid)
        start = time.monotonic()
        until("it runs elsewhere", lambda: farm.rows(running, run) == [(2,)], 0.05)
        seconds = time.monotonic() - start
        farm.call("POST", f"runs/{run}/cancel", {})
        kill_tree(farm.agents[0].pid)
    return seconds


def tree(pid):
    pids = [pid]
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            for child in file.read().split():
                pids += tree(int(child))
    return pids


def stop_tree(pid):
    for process in tree(pid):
        os.kill(process, signal.SIGSTOP)


def kill_tree(pid):
    for process in tree(pid):
        os.kill(process, signal.SIGKILL)


# ---- the queue by itself ----

def bare_queue(build, folder, jobs):
    """{what: figure} as bench_queue prints them."""
    said = subprocess.run([os.path.join(build, "tests/bench_queue"), folder, str(jobs)],
                          capture_output=True, text=True, check=True).stdout
    return {line[:48].strip(): float(line[48:].split()[0]) for line in said.splitlines()}


# ---- the table ----

def spread(values, form="{:.0f}"):
    return f"{form.format(min(values))} to {form.format(max(values))}"


def print_simulated(row, new_farm, quick):
    first, again = empty_jobs_rates(new_farm, 1 if quick else 3)
    best = statistics.median(first)
    row("empty jobs dispatched and recorded, 8 agents",
        f"median {best:,.0f}/s ({spread(first)}); run again {statistics.median(again):,.0f}/s",
        "2,000/s and more", best >= 2000)
    share, beats, median, p99 = idle_agents(new_farm, 2000, 15 if quick else 30)
    row("2,000 idle agents: claims held, beats", f"{share * 100:.1f} % of a core; {beats} beats, "
        f"answered in {median:.1f}, p99 {p99:.1f} ms", "below 30 %", share < 0.3)


def print_real(row, new_farm, root, peer, quick):
    starts = claim_to_start(new_farm, root, 60 if quick else 200)
    median, p99 = statistics.median(starts), sorted(starts)[len(starts) * 99 // 100]
    row("claim to the worker's first instruction", f"median {median:.1f} ms, p99 {p99:.1f} ms",
        "10 ms, p99 100 ms", median <= 10 and p99 <= 100)
    ours, loop = overhead(new_farm, root, 50 if quick else 200, 1 if quick else 3)
    row("a job's overhead over `thaw run` in a loop",
        f"{ours[0] - loop[0]:+.1f} ms ({ours[0]:.1f}; loop {loop[0]:.1f}); of the processor "
        f"{ours[1] - loop[1]:+.1f} ms ({ours[1]:.1f}; {loop[1]:.1f})", "5 ms at most",
        ours[0] - loop[0] <= 5)
    count = 200 if quick else 1000
    # Peer, farm, peer: what else the machine does changes slowly.
    peers = [peer.snapshot_rate(COMMAND, SAYS, 20)]
    times, spent = short_tests(new_farm, root, count)
    peers.append(peer.snapshot_rate(COMMAND, SAYS, 20))
    rate, peer_rate = count / min(times), max(rate for rate, _ in peers)
    one_ms, peer_ms = min(spent) / count * 1000, min(spent for _, spent in peers) * 1000
    row(f"{count:,} short tests, 2 agents, from `thaw submit` on",
        f"{rate:.1f}/s; peer {peer_rate:.2f}/s; {rate / peer_rate:.1f}x (of the processor "
        f"{one_ms:.0f} ms each; {peer_ms:.0f}; {peer_ms / one_ms:.1f}x)",
        "5.0x and more", rate >= 5 * peer_rate)


def print_failures(row, new_farm, root):
    seconds = lost_agent(new_farm, root)
    row("a lost agent's job runs elsewhere", f"after {seconds:.1f} s", "35 s", seconds <= 35)
    times = killed_coordinator(new_farm)
    row("a killed coordinator serves again, 50,000 jobs", f"after {max(times):.2f} s (the worst of "
        f"{len(times)})", "2 s", max(times) <= 2)


def print_queue(row, build, folder, quick):
    jobs = 100000 if quick else 1000000
    figures = bare_queue(build, folder, jobs)
    share, mib = figures["of the small one's rate"], figures["memory at most"]
    row(f"queue of {jobs:,} jobs: submit, claim and record",
        f"{figures['jobs submitted']:,.0f}/s; "
        f"{figures['dispatched and recorded, of the large queue']:,.0f}/s, {share:.0f} % of the "
        f"small queue's", "80 % and more", share >= 80)
    row("its memory; restart", f"{mib:.0f} MiB; {figures['restart with the large queue']:.0f} ms",
        "1,024 MiB", mib < 1024)


def print_farm(row, peer, place, quick):
    """`row` prints one; `place`: root, build, guest, folder (on the disk to be measured)."""
    root, build, guest, folder = place

    def new_farm():
        return Farm(build, guest, folder)

    print_simulated(row, new_farm, quick)
    print_queue(row, build, folder, quick)
    print_real(row, new_farm, root, peer, quick)
    print_failures(row, new_farm, root)
