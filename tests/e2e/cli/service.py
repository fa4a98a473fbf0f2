"""service.py: a coordinator and an agent as processes of their own, in a folder of the test."""
import pathlib
import signal
import subprocess
import time

import harness
from harness import FAILS_WITH_7, LOOPS, PASSES, THAW

GUARD = 300  # seconds; nothing here takes more than a few


class ServiceTest(harness.CliTest):
    def setUp(self):
        super().setUp()
        self.file("pass.elf", PASSES)
        self.file("fail.elf", FAILS_WITH_7)
        self.file("loop.elf", LOOPS)
        self.state = self.folder / "state"
        self.environment.update(THAW_COORDINATOR=f"unix:{self.folder}/api",
                                THAW_TOKEN_FILE=str(self.state / "admin.token"))
        self.coordinator = self.agent = None
        self.addCleanup(self.end)

    def end(self):
        for process in (self.agent, self.coordinator):
            if process is not None:
                process.kill()
                process.wait()

    def process(self, name, *arguments):
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen([THAW, *map(str, arguments)], env=self.environment,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def until(self, what, holds):
        end = time.monotonic() + GUARD
        while not (value := holds()):
            self.assertLess(time.monotonic(), end, f"it did not come to this: {what}")
            time.sleep(0.02)
        return value

    def start(self, *arguments, state=None):
        """The coordinator serves when this returns."""
        state = pathlib.Path(state or self.state)
        self.environment["THAW_TOKEN_FILE"] = str(state / "admin.token")
        config = self.file("coordinator.yaml", "agents: {beat: 200 ms, lease: 3 s}\n")
        self.coordinator = self.process(
            "coordinator", "coordinator", "--config", config, "--state", state,
            "--store", self.store, "--http", f"unix:{self.folder}/api",
            "--agents", f"ipc://{self.folder}/agents", *arguments)

        def serves():
            said = (self.folder / "coordinator.log").read_text()
            self.assertIsNone(self.coordinator.poll(), said)
            return self.call("agents").returncode == 0
        self.until("the coordinator serves", serves)

    def kill(self):
        self.coordinator.kill()
        self.coordinator.wait()

    def stop(self):
        self.coordinator.send_signal(signal.SIGTERM)
        self.assertEqual(self.coordinator.wait(timeout=GUARD), 0)

    def join(self, name="rack"):
        """One agent that shares the coordinator's store."""
        invitation = self.folder / f"{name}.invitation"
        if not invitation.exists():
            invitation.write_text(self.thaw("agents", "--invite", name))
        self.agent = self.process(name, "agent", "--state", self.folder / name, "--store",
                                  self.folder / name / "store", "--enrol", invitation,
                                  "--slots", "2", "--unconfined")

    def jobs(self, *tests, workflow="{rerun: 0 %}", suite="bare"):
        lines = "".join(f"  - {test}\n" for test in tests)
        return self.file(f"{suite}.yaml",
                         f"suite: {suite}\nworkflow: {workflow}\ntests:\n{lines}")

    def run_of(self, path, *arguments):
        """Submits and waits: the run's number."""
        run = self.json("submit", path, *arguments)["run"]
        self.finished(run)
        return run

    def finished(self, run):
        done = self.call("watch", "--json", run)
        self.assertIn(done.returncode, (harness.PASS, harness.FAIL, harness.TIMEOUT),
                      done.stderr.decode())
