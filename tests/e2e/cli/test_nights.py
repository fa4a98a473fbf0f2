#!/usr/bin/env python3
"""test_nights.py: runs that start by themselves, and runs held against others, with a coordinator
and an agent as processes."""
import contextlib
import sqlite3

import harness
from harness import FAILS_WITH_7, PASSES, USAGE
from service import ServiceTest

DAY_S = 86400
SCHEDULE = "{{rerun: 0 %, schedule: {{cron: '30 2 * * *', time_zone: Europe/Berlin, missed: {}}}}}"


class Schedules(ServiceTest):
    def nightly(self, missed="run", suite="nightly"):
        return self.jobs("{name: good, elf: pass.elf}", workflow=SCHEDULE.format(missed),
                         suite=suite)

    def schedules(self):
        return {schedule["name"]: schedule for schedule in self.json("schedules")["schedules"]}

    def runs(self):
        """Numbers, of those that there are."""
        return [run for run in range(1, 5)
                if self.call("results", "--json", run).returncode != USAGE]

    def a_day_passes(self):
        """While the coordinator is down: for it, today is as good as tomorrow would be."""
        self.stop()
        with contextlib.closing(sqlite3.connect(self.state / "queue.sqlite")) as database:
            database.execute("UPDATE schedule SET next_s = next_s - ?", (DAY_S,))
            database.commit()
        self.start()

    def test_a_schedule_is_registered_and_listed_and_nothing_runs(self):
        self.start()
        said = self.thaw("submit", "--schedule", self.nightly())
        self.assertRegex(said, r'^schedule nightly: 1 jobs at "30 2 \* \* \*" \(Europe/Berlin\), '
                               r"next at \d{4}-\d\d-\d\d 02:30\n$")
        table = self.thaw("schedules").splitlines()
        self.assertEqual(table[0].split(), ["schedule", "cron", "time", "zone", "missed", "next",
                                            "last", "run", "error"])
        self.assertRegex(table[1], r"^nightly +30 2 \* \* \* +Europe/Berlin +run +"
                                   r"\d{4}-\d\d-\d\d 02:30 +none$")
        self.assertEqual(self.runs(), [])
        # The same name again: replaced. Another name: another schedule.
        told = self.json("submit", "--schedule", self.nightly("skip"))
        self.assertEqual((told["schedule"], told["jobs"]), ("nightly", 1))
        self.thaw("submit", "--schedule", "--name", "a name/with: signs", self.nightly())
        found = self.schedules()
        self.assertEqual(set(found), {"nightly", "a name/with: signs"})
        self.assertEqual(found["nightly"]["missed"], "skip")
        self.assertEqual(found["nightly"]["next_s"], told["next_s"])
        self.thaw("schedules", "--remove", "a name/with: signs")
        self.assertEqual(set(self.schedules()), {"nightly"})

    def test_a_missed_start_is_caught_up_once(self):
        self.start()
        self.join()
        self.thaw("submit", "--schedule", self.nightly())
        self.thaw("submit", "--schedule", self.nightly("skip", suite="skipped"))
        self.a_day_passes()
        self.until("the run has started", lambda: self.runs() == [1])
        self.finished(1)
        results = self.json("results", 1, status=harness.PASS)
        self.assertEqual(results["name"], "nightly")
        self.assertEqual([job["verdict"] for job in results["jobs"]], ["pass"])
        found = self.schedules()
        self.assertEqual(found["nightly"]["last_run"], 1)
        self.assertGreater(found["nightly"]["next_s"], found["nightly"]["last_s"])
        self.assertEqual(found["skipped"]["last_run"], 0)
        self.stop()
        self.start()
        self.assertEqual(self.schedules()["nightly"]["last_run"], 1)
        self.a_day_passes()  # back, this time: that start has been
        self.until("the time has come",
                   lambda: self.schedules()["nightly"]["next_s"] >= found["nightly"]["next_s"])
        self.assertEqual(self.runs(), [1])

    def test_a_paused_schedule_starts_nothing(self):
        self.start()
        self.thaw("submit", "--schedule", self.nightly())
        self.assertIn("paused", self.thaw("schedules", "--pause", "nightly"))
        self.a_day_passes()
        self.assertEqual(self.schedules()["nightly"]["last_run"], 0)
        self.thaw("schedules", "--resume", "nightly")  # what came in between was not missed
        self.assertEqual(self.schedules()["nightly"]["last_run"], 0)
        self.assertEqual(self.runs(), [])

    def test_wrong_schedules_are_refused(self):
        self.start()
        plain = self.jobs("{name: good, elf: pass.elf}")
        self.refused(USAGE, "submit", "--schedule", plain, says="workflow: schedule:")
        self.refused(USAGE, "submit", "--schedule", "--watch", plain, says="--watch")
        self.refused(USAGE, "schedules", "--pause", "a", "--resume", "a", says="one change")
        self.refused(USAGE, "schedules", "nightly", says="too much")
        self.refused(USAGE, "schedules", "--remove", "nightly", says="nightly")
        self.assertEqual(self.schedules(), {})


class Comparisons(ServiceTest):
    def setUp(self):
        super().setUp()
        self.start()
        self.join()

    def program(self, name, contents):
        self.file(f"{name}.elf", contents)
        return f"{{name: {name}, elf: {name}.elf}}"

    def suite(self, **programs):
        return self.jobs(*(self.program(name, contents) for name, contents in programs.items()))

    def against(self, what, run, status):
        """The lines below the table: what differs."""
        said = self.thaw("results", run, "--against", what, status=status)
        return said[said.rindex(f"run {run} "):].splitlines()

    def test_runs_are_held_against_the_one_before_a_number_and_a_baseline(self):
        one = self.run_of(self.suite(a=PASSES, b=FAILS_WITH_7, c=PASSES))
        self.assertEqual(self.against("previous", one, harness.FAIL),
                         ["run 1 is the first of its name: there is none to hold it against"])
        self.assertIn("release", self.thaw("baseline", "release", one))
        two = self.run_of(self.suite(a=FAILS_WITH_7, b=PASSES, d=PASSES))
        self.assertEqual(
            [" ".join(line.split()) for line in self.against("previous", two, harness.FAIL)],
            ["run 2 against run 1: 1 newly failing, 1 fixed, 1 added, 1 gone",
             "newly failing a fail, was pass", "fixed b pass, was fail", "added d pass",
             "gone c was pass"])
        three = self.run_of(self.suite(a=FAILS_WITH_7, b=PASSES, d=PASSES))
        self.assertEqual(
            [" ".join(line.split()) for line in self.against("previous", three, harness.FAIL)],
            ["run 3 against run 2: 1 still failing", "still failing a fail, since run 2"])
        self.assertIn("1 newly failing", self.against("release", three, harness.FAIL)[0])
        self.assertIn("run 3 against run 1", self.against("1", three, harness.FAIL)[0])
        four = self.run_of(self.suite(a=PASSES, b=PASSES, d=PASSES))
        five = self.run_of(self.suite(a=PASSES, b=PASSES, d=PASSES))
        self.assertEqual(self.against("previous", five, harness.PASS),
                         [f"run {five} against run {four}: no difference"])
        told = self.json("results", two, "--against", "previous", status=harness.FAIL)
        self.assertEqual((told["run"], told["against"]), (2, 1))
        self.assertEqual([test["name"] for test in told["newly_failing"]], ["a"])
        self.assertEqual(told["still_failing"], [])

    def test_a_test_has_a_history(self):
        self.run_of(self.suite(a=PASSES))
        self.run_of(self.suite(a=FAILS_WITH_7))
        self.run_of(self.suite(a=FAILS_WITH_7))
        lines = [line.split() for line in self.thaw("history", "bare", "a").splitlines()]
        self.assertEqual(lines[0][:2], ["run", "ended"])
        self.assertEqual([(line[0], line[3]) for line in lines[1:]],
                         [("3", "fail"), ("2", "fail"), ("1", "pass")])
        self.assertEqual(lines[1][-3:], ["known", "from", "before"])
        told = self.json("history", "bare", "a", "--limit", "2")
        self.assertEqual([(entry["run"], entry["verdict"], entry["cached"])
                          for entry in told["history"]], [(3, "fail", True), (2, "fail", False)])
        self.refused(USAGE, "history", "bare", "b", says="no run had a test b")
        self.refused(USAGE, "history", "bare", says="which test")
        self.refused(USAGE, "history", "bare", "a", "--limit", "many", says="many")

    def test_baselines_are_set_moved_listed_and_removed(self):
        one, two = self.run_of(self.suite(a=PASSES)), self.run_of(self.suite(a=FAILS_WITH_7))
        self.thaw("baseline", "release", one)
        self.thaw("baseline", "beta", "latest")
        listed = [line.split() for line in self.thaw("baseline").splitlines()]
        self.assertEqual(listed, [["baseline", "run"], ["beta", str(two)], ["release", str(one)]])
        self.assertEqual([line.split() for line in self.thaw("baseline", "beta").splitlines()][1:],
                         [["beta", str(two)]])
        self.thaw("baseline", "release", two)
        told = self.json("baseline", "--remove", "beta")
        self.assertEqual(told, {"baselines": [{"name": "release", "run": two}]})
        self.refused(USAGE, "baseline", "beta", says="no baseline is named beta")
        self.refused(USAGE, "baseline", "--remove", "beta", says="beta")
        self.refused(USAGE, "baseline", "release", "17", says="17")
        self.refused(USAGE, "baseline", "123", one, says="number")
        self.refused(USAGE, "results", "--against", "beta", says="beta")
        self.refused(USAGE, "results", "--against", "release", "--tap", "-", says="standard output")


if __name__ == "__main__":
    harness.main()
