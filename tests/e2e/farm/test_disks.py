#!/usr/bin/env python3
"""test_disks.py: disks that are full for a while: the coordinator's database, its store, an agent's
state (where results wait to be delivered), an agent's store. Each is a small tmpfs, filled to the
last byte or almost, and given room again."""
import os
import time

import judge
import rig

COUNT = 500
DEEDS = 60 if rig.ALL else 10
COORDINATOR_MIB, AGENT_MIB = 48, 96  # an agent claims nothing with less than 64 MiB


class Disk:
    """A file system of its own on a folder."""

    def __init__(self, folder, mebibytes):
        self.folder, self.filler = folder, folder / "filler"
        folder.mkdir(parents=True, exist_ok=True)
        rig.quiet("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder))

    def room(self):
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def fill(self, left):
        """Until not more than so many bytes are left, whoever else takes and frees some."""
        with open(self.filler, "wb", buffering=0) as filler:
            try:
                while self.room() > left:
                    filler.write(bytes(min(self.room() - left, 1 << 20)))
            except OSError:
                pass  # not a byte is left

    def free(self):
        self.filler.unlink(missing_ok=True)

    def gone(self):
        rig.quiet("umount", "--lazy", str(self.folder))


class Disks(rig.Chaos):
    def setUp(self):
        super().setUp()
        self.database = self.disk("state", COORDINATOR_MIB)
        self.store = self.disk("state/store", COORDINATOR_MIB)
        self.states, self.stores = [], []
        for number in (1, 2, 3):
            self.states.append(self.disk(f"rack{number}", AGENT_MIB))
            self.stores.append(self.disk(f"rack{number}/store", AGENT_MIB))

    def disk(self, name, mebibytes):
        disk = Disk(self.farm.folder / name, mebibytes)
        self.farm.at_close.append(disk.gone)
        return disk

    def full(self, disk):
        disk.fill(self.chance.choice([0, 0, 0, 4096, 20000, 200000]))
        time.sleep(self.chance.uniform(0.1, 4))
        disk.free()

    def full_database(self):
        self.full(self.database)

    def full_store(self):
        self.full(self.store)

    def full_agent_state(self):
        self.full(self.chance.choice(self.states))

    def full_agent_store(self):
        self.full(self.chance.choice(self.stores))

    def test_full_disks_lose_nothing(self):
        self.farm.start(agents=3)
        run = self.farm.submit(judge.write_jobs(self.farm.folder, COUNT))
        deeds = [self.full_database, self.full_store, self.full_agent_state, self.full_agent_store]
        self.follow(run, self.plan(deeds, DEEDS, 0, COUNT - 20))
        judge.Judge(self, run, COUNT).check_end()

    def full_until(self, disk, part, says):
        """Until somebody has met it, and has said so; others may get on with their work."""
        before = part.said().count(says)
        disk.fill(0)
        rig.until(f"{part.name} says: {says}", lambda: part.said().count(says) > before)
        disk.free()

    def test_each_full_disk_is_met_and_got_over(self):
        self.farm.start(agents=1)
        agent, count = self.farm.agents[0], 150
        run = self.farm.submit(judge.write_jobs(self.farm.folder, count))
        for disk, part, says in ((self.store, agent, "a log is sent later"),
                                 (self.database, self.farm.coordinator, "commit: "),
                                 (self.states[0], agent, "nothing is claimed"),
                                 (self.stores[0], agent, "No space left on device")):
            self.full_until(disk, part, says)
        self.farm.wait_over(run)
        judge.Judge(self, run, count).check_end()

    def test_a_submission_to_a_full_disk_is_refused_and_leaves_nothing(self):
        self.farm.start(agents=1)
        jobs = judge.write_jobs(self.farm.folder, 50)
        for disk in (self.store, self.database):  # what its jobs need goes there first
            disk.fill(0)
            with self.assertRaisesRegex(AssertionError, "thaw submit: .*(full|space)"):
                self.farm.submit(jobs)
            disk.free()
            self.assertEqual(self.farm.get("runs?limit=9")["runs"], [])
        run = self.farm.submit(jobs)
        self.farm.wait_over(run)
        judge.Judge(self, run, 50).check_end()


if __name__ == "__main__":
    rig.main()
