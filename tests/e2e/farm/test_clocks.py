#!/usr/bin/env python3
"""test_clocks.py: wrong clocks. Wall clocks that are years off and jump; monotonic clocks that
begin anywhere, and lower after a restart than before, as after a reboot."""
import os
import pathlib
import re
import struct
import time

import judge
import rig
from harness import BUILD

COUNT = 500
DEEDS = 60 if rig.ALL else 10
LIBRARY = os.environ.get("THAW_CLOCK_LIBRARY", str(BUILD / "tests/e2e/libwrong_clock.so"))
HOUR, DAY = 3600, 86400
YEARS = 9 * 365 * DAY
AGENT_JUMPS = (-YEARS, -40 * DAY, -90, -1, 1, 3, 90, 30 * DAY, YEARS)
# Less than what retention would clear away for good reason.
COORDINATOR_JUMPS = (-12 * HOUR, -HOUR, -31, -4, -1, 1, 4, 31, HOUR, 12 * HOUR)


class Clock:
    """The clocks that some part of the farm sees."""

    def __init__(self, folder, name):
        self.wall, self.spaces = folder / f"{name}.clock", folder / f"{name}.time"
        self.name, self.starts = name, 0
        self.set(0)

    def set(self, seconds):
        """Wrong by so much from now on. Written in place: who reads it has mapped it."""
        with open(self.wall, "r+b" if self.wall.exists() else "wb") as out:
            out.write(struct.pack("=q", seconds))

    def environment(self):
        return {"LD_PRELOAD": LIBRARY, "THAW_WRONG_CLOCK": str(self.wall)}

    def begin(self, monotonic):
        """A command to run the next start within: its monotonic clock begins elsewhere."""
        self.starts += 1
        space = self.spaces.with_suffix(f".{self.starts}")
        space.touch()
        rig.quiet("unshare", f"--time={space}", "--fork", "--monotonic", str(monotonic),
                  "--boottime", str(monotonic), "true")
        return ["nsenter", f"--time={space}"]


class Clocks(rig.Chaos):
    def setUp(self):
        super().setUp()
        self.clocks = {}
        mounted = self.farm.folder / "times"  # for files that name time namespaces
        mounted.mkdir()
        rig.quiet("mount", "-t", "tmpfs", "tmpfs", str(mounted))
        rig.quiet("mount", "--make-private", str(mounted))
        self.farm.at_close.append(lambda: rig.quiet("umount", "--lazy", "-R", str(mounted)))
        with open("/proc/uptime", encoding="ascii") as uptime:
            self.uptime = int(float(uptime.read().split()[0]))

    def make_farm(self):
        return rig.Farm(wrong_clock=LIBRARY)

    def clock_of(self, part):
        if part.name not in self.clocks:
            self.clocks[part.name] = Clock(self.farm.folder / "times", part.name)
            part.environment = self.clocks[part.name].environment()
        return self.clocks[part.name]

    def begin(self, part):
        """Starts it with a monotonic clock of its own: just booted, as it is, or up for years."""
        begins = self.chance.choice([60 - self.uptime, 0, 1000, YEARS])
        part.within = self.clock_of(part).begin(begins)
        part.restart()
        # Once nsenter has become the program itself.
        offsets = pathlib.Path(f"/proc/{part.process.pid}/timens_offsets")
        rig.until("another monotonic clock", lambda: re.search(
            rf"^monotonic +{begins} ", offsets.read_text(), re.MULTILINE))

    def set_an_agents_clock(self):
        self.clock_of(self.chance.choice(self.farm.agents)).set(self.chance.choice(AGENT_JUMPS))

    def set_the_coordinators_clock(self):
        self.clock_of(self.farm.coordinator).set(self.chance.choice(COORDINATOR_JUMPS))

    def reboot_an_agent(self):
        self.begin(self.chance.choice(self.farm.agents))

    def reboot_the_coordinator(self):
        self.begin(self.farm.coordinator)

    def test_wrong_clocks_change_no_verdict(self):
        self.begin(self.farm.coordinator)
        self.farm.serves()
        for number in (1, 2, 3):
            agent = self.farm.add_agent(f"rack{number}")
            self.clock_of(agent).set(self.chance.choice(AGENT_JUMPS))
            self.begin(agent)
        self.clock_of(self.farm.coordinator).set(HOUR)
        run = self.farm.submit(judge.write_jobs(self.farm.folder, COUNT))
        created = self.farm.get(f"runs/{run}")["created_s"]
        self.assertGreater(created, time.time() + HOUR // 2, "the clock is not wrong at all")
        deeds = [self.set_an_agents_clock, self.set_the_coordinators_clock, self.reboot_an_agent,
                 self.reboot_the_coordinator]
        self.follow(run, self.plan(deeds, DEEDS, 0, COUNT - 20))
        judge.Judge(self, run, COUNT).check_end(clocks=False)


if __name__ == "__main__":
    rig.main()
