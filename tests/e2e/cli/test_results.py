#!/usr/bin/env python3
"""test_results.py: what a run left, brought back from a coordinator: logs, artifacts, results."""
import json
import os
import pathlib
import unittest

import harness
from harness import INFRA, USAGE
from service import ServiceTest


class Results(ServiceTest):
    def setUp(self):
        super().setUp()
        self.start()
        self.join()

    def run_jobs(self, *tests):
        self.call("submit", self.jobs(*tests), "--watch")

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
