"""rig.py: a farm of real processes whose parts are made to die, stop, starve or lose each other.

A Farm is a `thaw coordinator` and some `thaw agent`s, over TLS and sealed messages, in folders of
their own. Whatever is done to them, a run of it must end with exactly the right verdicts: judge.py
says what these are. What happens, and when, comes from one seed, which is printed; the same again:
THAW_FARM_SEED=SEED python3 test_….py Class.test. THAW_TEST_ALL=1 makes longer campaigns.

Nothing here measures time. What is waited for has a guard, GUARD, after which the farm hangs.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

from harness import THAW  # noqa: E402  (the folder of the harness comes first)

GUARD = 400  # seconds for whatever is waited for; a run takes twenty where nothing else runs
ALL = os.environ.get("THAW_TEST_ALL") == "1"
MARK = "THAW_FARM_RIG"  # in the environment of all that a rig starts: how strays are found
HTTP_PORT, AGENT_PORT = 7290, 7291
CONFIG = """state: state
http: {{listen: '{address}:{http}', certificate: server.crt, key: server.key}}
agents: {{listen: 'tcp://{address}:{agents}', beat: 200 ms, lease: 3 s}}
"""


def alone():
    """Runs the program anew in network, mount and process namespaces of its own: its addresses
    and mounts meet no others, and nothing outlives it. Where that cannot be, tests are skipped."""
    if os.environ.get("THAW_FARM_ALONE") == str(os.getppid()):
        quiet("ip", "link", "set", "lo", "up")
        return
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    # In a chroot the root is no mount that could be made private.
    for more in [], ["--propagation", "unchanged"]:
        can = shutil.which("unshare") and shutil.which("ip") and subprocess.run(
            [*command, *more, "ip", "link", "set", "lo", "up"], stderr=subprocess.PIPE, check=False)
        if can and can.returncode == 0:
            command += more
            break
    else:
        why = can.stderr.decode().strip() if can else "no unshare or no ip (package iproute2)"
        print(f"skipped: namespaces cannot be made here: {why}")
        sys.exit(77)
    # The first process of its namespace: its parent is outside, and has no number there.
    os.environ["THAW_FARM_ALONE"] = "0"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def quiet(*command):
    """Runs a tool that must not fail."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout.decode(errors='replace')}")
    return done.stdout.decode()


def until(what, holds, guard=GUARD):
    """Asks again and again whether it holds; what it says that is true is returned."""
    end = time.monotonic() + guard
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"in {guard} s it did not come to this: {what}")
        time.sleep(0.01)


def family(pid):
    """(process, name) of all that descend from a process."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                name, _, rest = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")
            except OSError:
                continue  # gone just now
            state, parent = rest.split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append((int(entry), name.partition("(")[2]))
    found, todo = [], [pid]
    while todo:
        mine = children.get(todo.pop(), [])
        found += mine
        todo += [child for child, _ in mine]
    return found


class Part:
    """One long-running process: started, killed, started again with the same command."""

    def __init__(self, farm, name, command, within=()):
        self.farm, self.name, self.command, self.within = farm, name, command, list(within)
        self.log = farm.folder / f"{name}.log"
        self.process = None
        self.may_end = False  # by itself
        self.environment = {}  # besides the farm's

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.within, THAW, *map(str, self.command)],
                                            cwd=self.farm.folder,
                                            env={**self.farm.environment, **self.environment},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.runs():
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(timeout=GUARD)

    def below(self):
        """What descends from it, by process."""
        return family(self.process.pid) if self.runs() else []

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Farm:
    """One coordinator, some agents; `close` ends all that was ever started and says what stayed."""

    def __init__(self, address="127.0.0.1", wrong_clock=None):
        """`wrong_clock`: the library that makes clocks wrong, so the certificate must bear that."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="thaw-farm-"))
        self.address = address
        self.mark = f"{os.getpid()}-{self.folder.name}"
        self.url = f"https://{address}:{HTTP_PORT}"
        plain = {name: value for name, value in os.environ.items() if name != "THAW_STORE"}
        self.environment = {
            **plain, MARK: self.mark, "LC_ALL": "C", "HOME": str(self.folder),
            "THAW_COORDINATOR": self.url,
            "THAW_CA": str(self.folder / "server.crt"),
            "THAW_TOKEN_FILE": str(self.folder / "state" / "admin.token")}
        self.make_certificate(wrong_clock)
        (self.folder / "coordinator.yaml").write_text(
            CONFIG.format(address=address, http=HTTP_PORT, agents=AGENT_PORT))
        self.trust = ssl.create_default_context(cafile=str(self.folder / "server.crt"))
        self.coordinator = Part(self, "coordinator",
                                ["coordinator", "--config", self.folder / "coordinator.yaml"])
        self.agents = []
        self.at_close = []  # called when nothing runs any more

    def make_certificate(self, wrong_clock):
        before = []
        if wrong_clock:  # valid since ten years ago
            (self.folder / "clock").write_bytes(struct.pack("=q", -3650 * 86400))
            before = ["env", f"LD_PRELOAD={wrong_clock}", f"THAW_WRONG_CLOCK={self.folder}/clock"]
        quiet(*before, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
              "ec_paramgen_curve:P-256", "-nodes", "-days", "7300", "-subj", "/CN=farm",
              "-addext", f"subjectAltName=IP:{self.address}", "-keyout",
              str(self.folder / "server.key"), "-out", str(self.folder / "server.crt"))

    def start(self, agents=3, slots=1):
        self.coordinator.start()
        self.serves()
        for number in range(1, agents + 1):
            self.add_agent(f"rack{number}", slots).start()

    def add_agent(self, name, slots=1, within=(), options=("--unconfined",)):
        """Sanitizers and emulators leave no agent all of its walls."""
        invitation = self.folder / f"{name}.invitation"
        invitation.write_text(self.thaw("agents", "--invite", name))
        state = self.folder / name
        agent = Part(self, name, ["agent", "--state", state, "--store", state / "store", "--enrol",
                                  invitation, "--slots", slots, *options], within)
        self.agents.append(agent)
        return agent

    # ---- as a client ----

    def thaw(self, *arguments, statuses=(0,)):
        done = subprocess.run([THAW, *map(str, arguments)], cwd=self.folder,
                              env={**self.environment, "THAW_STORE": str(self.folder / "store")},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=GUARD)
        if done.returncode not in statuses:
            raise AssertionError(f"thaw {' '.join(map(str, arguments))}: {done.returncode}\n"
                                 + done.stderr.decode(errors="replace")
                                 + done.stdout.decode(errors="replace"))
        return done.stdout.decode()

    def ask(self, path):
        """The bytes of a GET, or None where there is no answer now."""
        token = (self.folder / "state" / "admin.token").read_text().strip()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}",
                                         headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.trust) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code in (500, 503, 504, 507):
                return None
            raise
        except OSError:
            return None

    def get(self, path):
        """The JSON of a GET, however long the coordinator takes to be back."""
        return json.loads(until(f"an answer to {path}", lambda: self.ask(path)))

    def serves(self):
        until("the coordinator serves", lambda: (self.folder / "state" / "admin.token").exists()
              and self.ask("runs?limit=1"))

    def online(self, *names):
        """Until these agents have come."""
        until(f"{' and '.join(names)} online", lambda: set(names) <= {
            agent["name"] for agent in self.get("agents")["agents"] if agent["state"] == "online"})

    def submit(self, path):
        return json.loads(self.thaw("submit", "--json", path))["run"]

    def supervise(self):
        """Starts again what has ended by itself, as a service manager does. A farm says beforehand
        of which part that may be."""
        for part in [self.coordinator, *self.agents]:
            if part.process is not None and not part.runs():
                if not part.may_end:
                    raise AssertionError(f"{part.name} has ended: {part.process.returncode}")
                part.may_end = False
                part.start()

    def wait_done(self, run, count, guard=GUARD):
        """Until so many jobs are done, or the run is over."""
        event = 0

        def enough():
            nonlocal event
            self.supervise()
            answer = self.ask(f"runs/{run}?after_event={event}&wait_ms=500")
            if answer is None:
                return False
            answer = json.loads(answer)
            event = answer["event"]
            return answer["counts"]["done"] >= count or answer["state"] == "done"

        until(f"{count} jobs are done, or run {run} is over", enough, guard)

    def wait_over(self, run, guard=GUARD):
        self.wait_done(run, 1 << 31, guard)

    # ---- the end ----

    def marked(self):
        """What this rig started and what descends from that, wherever it was reparented to."""
        found = []
        sign = f"{MARK}={self.mark}".encode()
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                if sign in pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
            except OSError:
                pass
        return found

    def end_all(self):
        """SIGTERM for all that runs; the exit statuses by name."""
        parts = [part for part in [*self.agents, self.coordinator] if part.runs()]
        return {part.name: part.stop() for part in parts}

    def close(self):
        for part in [*self.agents, self.coordinator]:
            part.kill()
        for pid in self.marked():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for gone in reversed(self.at_close):
            gone()
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self, lines=40):
        return "\n".join(f"--- {part.name}\n" + "\n".join(part.said().splitlines()[-lines:])
                         for part in [self.coordinator, *self.agents])


class Chaos(unittest.TestCase):
    """A test with a farm, and with chances that all come from one printed seed."""

    def setUp(self):
        self.seed = int(os.environ.get("THAW_FARM_SEED") or random.SystemRandom().randrange(10**6))
        self.chance = random.Random(self.seed)
        print(f"\n{self.id()}: THAW_FARM_SEED={self.seed}", flush=True)
        self.farm = self.make_farm()
        self.addCleanup(self.farm.close)
        self.addCleanup(self.show_logs)

    def make_farm(self):
        return Farm()

    def show_logs(self):
        if not self._outcome.success:
            print(self.farm.logs(), flush=True)

    def plan(self, deeds, count, first, last):
        """So many deeds, each with the number of jobs that are done before, and how long after
        that: a moment somewhere inside whatever goes on then. Each deed has its turns."""
        moments = sorted(self.chance.randint(first, last) for _ in range(count))
        order = [deed for _ in range(-(-count // len(deeds)))
                 for deed in self.chance.sample(deeds, len(deeds))]
        plan = [(moment, deed, self.chance.uniform(0, 0.2)) for moment, deed in zip(moments, order)]
        for moment, deed, later in plan:
            print(f"  at {moment} done + {later * 1000:.0f} ms: {deed.__name__}", flush=True)
        return plan

    def follow(self, run, plan):
        """Does it all, and waits for the end of the run."""
        for moment, deed, later in plan:
            self.farm.wait_done(run, moment)
            time.sleep(later)
            deed()
        self.farm.wait_over(run)


def main():
    alone()
    unittest.main(verbosity=2)
