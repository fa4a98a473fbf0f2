#!/usr/bin/env python3
"""The README's tours, run word for word: each "$ " line as it stands there, in one shell, in a
folder that looks like a clone; what the README shows must be what comes out, numbers apart.

`thaw shell` is left out: it needs a person at a terminal (test_shell.py is one)."""
import os
import pathlib
import re
import signal
import subprocess
import unittest

from harness import CliTest, main

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("THAW_BUILD", ROOT / "build" / "release"))
GUARD = 300  # seconds; a tour takes ten
MARK = "=== done ==="

# The order matters: ids before numbers, numbers with their units before others.
SHAPES = [(r"\b[0-9a-f]{16}\b", "ID"), (r"\b0x[0-9a-f]+\b", "HEX"),
          (r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?", "DATE"),
          (r"\d[\d.]*( ?(us|ms|s|min|K|M|G|B|KiB|MiB|GiB)\b)?", "N"),
          (r"N( N)+", "N"), (r"N\+deb\d*N?", "N"), (r"Linux thaw \S+ .*", "UNAME"), (r"\s+", " ")]


def shape(line):
    """The line without what differs from one run to the next."""
    for pattern, name in SHAPES:
        line = re.sub(pattern, name, line)
    return line.strip()


class Step:
    def __init__(self, command):
        self.command = command
        self.shown = []

    def __repr__(self):
        return self.command.splitlines()[0]

    def status(self):
        """1 where two machines differ and where a test is shown to fail; else 0."""
        fails = any(line.startswith("fail ") for line in self.shown)
        return 1 if fails or self.command.startswith("thaw diff ") else 0


def steps_of(text, title):
    """The commands of a chapter, each with the lines that the README shows below it."""
    chapter = text.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    steps = []
    for block in re.findall(r"\n```\n(.*?)\n```\n", chapter, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line[2:]))
            elif line.startswith("> "):
                steps[-1].command += "\n" + line[2:]
            elif line.strip():
                steps[-1].shown.append(line)
    return [step for step in steps if not step.command.startswith("thaw shell")]


class Tours(CliTest):
    def setUp(self):
        super().setUp()
        self.clone = self.folder / "clone"
        (self.clone / "build").mkdir(parents=True)
        (self.clone / "build" / "release").symlink_to(BUILD)
        for name in ("deploy", "jobs"):
            (self.clone / name).symlink_to(ROOT / name)
        # The cache of the guest's packages is the user's, whatever home this test has.
        self.environment.setdefault("THAW_CACHE", os.path.expanduser("~/.cache/thaw"))
        self.environment["THAW_GUESTS"] = str(BUILD / "guests")

    def run_steps(self, steps):
        """What each command printed, by its place."""
        script = "".join(f"{step.command}\ntest $? -eq {step.status()} || exit\necho '{MARK}'\n"
                         for step in steps)
        log = self.folder / "log"
        with open(log, "wb") as out:
            shell = subprocess.Popen(["bash", "-c", script], cwd=self.clone, env=self.environment,
                                     stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, start_new_session=True)
            try:
                status = shell.wait(GUARD)
            except subprocess.TimeoutExpired:
                status = "none: it did not end"
            finally:
                try:
                    os.killpg(shell.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                shell.wait()
        text = log.read_text(errors="replace")
        self.assertEqual(status, 0, text + self.farm_logs())
        return text.split(f"{MARK}\n")[:-1]

    def farm_logs(self):
        return "".join(f"\n{path.name}:\n{path.read_text(errors='replace')}"
                       for path in sorted(self.clone.glob("farm/*.log")))

    def check(self, steps, outputs):
        self.assertEqual(len(steps), len(outputs))
        for step, output in zip(steps, outputs):
            printed = [shape(line) for line in output.splitlines()]
            for line in step.shown:
                if line.strip() != "…":
                    self.assertIn(shape(line), printed,
                                  f"{step}: the README shows:\n{line}\nit printed:\n{output}")

    def test_both_tours_print_what_the_readme_shows(self):
        text = (ROOT / "README.md").read_text()
        first, second = steps_of(text, "A first tour"), steps_of(text, "A second tour")
        self.assertGreater(len(first), 8)
        self.assertGreater(len(second), 8)
        outputs = self.run_steps(first + second)
        self.check(first + second, outputs)

    def test_a_line_that_the_program_does_not_print_is_found(self):
        step = Step("echo 18 tests: 18 pass")
        step.shown = ["18 tests: 17 pass; more"]
        with self.assertRaises(AssertionError):
            self.check([step], ["18 tests: 18 pass\n"])
        step.shown = ["3 tests: 1 pass"]
        self.check([step], ["18 tests: 18 pass\n"])


if __name__ == "__main__":
    if "THAW_GUEST_KERNEL" not in os.environ:
        raise SystemExit("no guest: run deploy/guest first")
    main()
