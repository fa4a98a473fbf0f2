#!/usr/bin/env python3
"""test_results.py: what a run left, brought back from a coordinator: logs, artifacts, results."""
import json
import os
import pathlib
import subprocess
import time
import unittest

import harness
from harness import FAILS_WITH_7, INFRA, PASSES, THAW, USAGE

GUARD = 120  # seconds; nothing here takes more than a few


class Coordinator(harness.CliTest):
    """A coordinator on Unix sockets, one agent, and a run of it."""

    def setUp(self):
        super().setUp()
        self.environment["THAW_COORDINATOR"] = f"unix:{self.folder}/api"
        self.start("coordinator", "--state", self.folder / "state", "--open", "--http",
                   f"unix:{self.folder}/api", "--agents", f"ipc://{self.folder}/agents")
        self.until(lambda: (self.folder / "api").exists())
        invitation = self.folder / "invitation"
        invitation.write_text(self.thaw("agents", "--invite", "one"))
        self.start("agent", "--state", self.folder / "agent", "--enrol", invitation, "--slots", "1")

    def start(self, *arguments):
        log = open(self.folder / f"{arguments[0]}.log", "wb")
        process = subprocess.Popen([THAW, *map(str, arguments)], env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.addCleanup(self.end, process)

    def end(self, process):
        process.terminate()
        process.wait(GUARD)

    def until(self, holds):
        end = time.monotonic() + GUARD
        while not holds():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def run_jobs(self, *tests):
        self.file("pass.elf", PASSES)
        self.file("fail.elf", FAILS_WITH_7)
        path = self.file("jobs.yaml", "suite: bare\ntests:\n" +
                         "".join(f"  - {test}\n" for test in tests))
        self.call("submit", path, "--watch")


class Results(Coordinator):
    def test_everything_is_saved_under_safe_names(self):
        self.run_jobs("{name: 'evil\\: <a>', elf: pass.elf}", "{name: 'a?', elf: fail.elf}",
                      "{name: 'a*', elf: fail.elf}")
        place = self.folder / "saved"
        self.call("results", "--save", place)
        self.assertEqual(sorted(path.name for path in place.iterdir()),
                         ["a_", "a_~2", "evil__ _a_"])
        for path in place.iterdir():
            self.assertIn("result.json", [file.name for file in path.iterdir()])
        names = {json.loads((path / "result.json").read_text())["name"] for path in place.iterdir()}
        self.assertEqual(names, {"evil\\: <a>", "a?", "a*"})

    def test_a_folder_that_is_there_is_not_written_into(self):
        self.run_jobs("{name: it, elf: pass.elf}")
        place = self.folder / "saved"
        place.mkdir()
        self.refused(INFRA, "results", "--save", place, says=str(place))
        self.assertEqual(list(place.iterdir()), [])

    def test_a_name_that_is_nearly_right_is_suggested(self):
        self.run_jobs("{name: first, elf: pass.elf}")
        self.refused(USAGE, "results", "--log", "frist", says='did you mean "first"?')

    @unittest.skipUnless("THAW_GUEST_KERNEL" in os.environ, "no guest: run deploy/guest")
    def test_a_log_comes_back_byte_for_byte(self):
        examples = pathlib.Path(harness.HERE).parents[2] / "jobs" / "examples"
        path = self.file("linux.yaml", f"suite: linux\ncheckpoint: debian\nmachine: "
                         f"{examples}/debian.yaml\ntests:\n"
                         "  - {name: says, command: 'printf \"a\\tb\\033[1mc\\n\"'}\n")
        self.call("submit", path, "--watch")
        done = self.call("results", "--log", "says")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"a\tb\x1b[1mc\r\n", done.stdout)
        self.call("results", "--save", self.folder / "saved")
        self.assertEqual((self.folder / "saved" / "says" / "console.log").read_bytes(), done.stdout)


if __name__ == "__main__":
    harness.main()
