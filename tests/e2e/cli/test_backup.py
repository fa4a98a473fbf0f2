#!/usr/bin/env python3
"""test_backup.py: the coordinator's database, backed up while it works, put back after it died; the
commands are those of deploy/BACKUP.md."""
import shutil

import harness
from harness import INFRA, PASSES, USAGE
from service import ServiceTest

SEEDS = 150


class Backups(ServiceTest):
    def load(self, name, count=SEEDS):
        """A run of many short tests; its number."""
        self.file(f"{name}.elf", PASSES + name.encode())
        path = self.jobs(f"{{name: it, elf: {name}.elf, "
                         f"parallel: {{matrix: [{{seed: 1..{count}}}]}}}}",
                         "{name: bad, elf: fail.elf}", suite=name)
        return self.json("submit", path, "--no-cache")["run"]

    def done(self, run):
        """What a run's jobs came to, by id: those that have a verdict."""
        results = harness.json.loads(self.call("results", "--json", run).stdout)
        return {job["id"]: (job["name"], job["verdict"], job["state_id"], job["console"],
                            job["attempts"], job["agent"])
                for job in results["jobs"] if job["verdict"]}

    def backup(self, name, state=None):
        path = self.folder / name
        told = self.json("coordinator", "--state", state or self.state, "--backup", path)
        self.assertEqual(told["bytes"], path.stat().st_size)
        return path

    def test_what_was_acknowledged_before_the_backup_is_there_after_the_disaster(self):
        self.start()
        self.join()
        finished = self.load("finished", 5)
        self.finished(finished)
        self.thaw("baseline", "release", finished)
        runs = [finished, self.load("one"), self.load("two")]
        self.until("the farm is at work", lambda: len(self.done(runs[1])) > 20)
        known = {run: self.done(run) for run in runs}
        backup = self.backup("backup.sqlite")  # under load
        shutil.copytree(self.store, self.folder / "store.copy")  # after the database
        before = sum(map(len, known.values()))
        everything = 6 + 2 * (SEEDS + 1)
        self.until("it goes on", lambda: before == everything or
                   sum(len(self.done(run)) for run in runs) > before)
        late = self.load("late", 3)
        self.kill()

        # On another machine, with what the backup holds.
        state = self.folder / "new" / "state"
        state.mkdir(parents=True)
        for name in ("keys", "admin.token"):
            shutil.copy2(self.state / name, state)
        shutil.rmtree(self.state)
        shutil.rmtree(self.store)
        (self.folder / "store.copy").rename(self.store)
        self.thaw("coordinator", "--state", state, "--restore", backup)
        self.start(state=state)
        for run in runs:
            now = self.done(run)
            self.assertEqual({job: now.get(job) for job in known[run]}, known[run])
        self.assertIn("release", self.thaw("baseline"))
        # The agent goes on with them, and every one ends as it must.
        for run in runs:
            self.finished(run)
            self.assertEqual(sorted(job[:2] for job in self.done(run).values() if job[0] == "bad"),
                             [("bad", "fail")])
            self.assertEqual({job[1] for job in self.done(run).values() if job[0] != "bad"},
                             {"pass"})
            self.assertEqual(len(self.done(run)), (5 if run == finished else SEEDS) + 1)
        # The number of a run that is lost is not given to another.
        self.assertGreater(self.load("later", 2), late + 900)

    def test_a_backup_needs_no_coordinator_and_a_restore_must_have_none(self):
        self.start()
        self.join()
        run = self.load("it", 2)
        self.finished(run)
        known = self.done(run)
        self.assertEqual(len(known), 3)
        backup = self.backup("backup.sqlite")
        self.refused(INFRA, "coordinator", "--state", self.state, "--restore", backup,
                     says="another coordinator is running")
        self.refused(INFRA, "coordinator", "--state", self.state, "--backup", backup,
                     says="there already")
        self.stop()
        second = self.backup("second.sqlite")
        said = self.thaw("coordinator", "--state", self.state, "--restore", second)
        self.assertIn("queue.sqlite: as in", said)
        self.refused(INFRA, "coordinator", "--state", self.state, "--restore", second,
                     says="queue.sqlite.before is there already")
        self.start()
        self.assertEqual(self.done(run), known)

    def test_wrong_backups_are_refused(self):
        there = self.file("there", "no database")
        self.refused(USAGE, "coordinator", "--backup", "a", "--restore", "b", says="either")
        self.refused(USAGE, "coordinator", "--state", self.state, "--backup", "a",
                     says="no such database")
        self.assertFalse(self.state.exists())
        self.refused(INFRA, "coordinator", "--state", self.state, "--restore", there,
                     says="no database")


if __name__ == "__main__":
    harness.main()
