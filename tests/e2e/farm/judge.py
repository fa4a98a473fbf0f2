"""judge.py: a run whose every outcome is known, and whether it came out so: what the coordinator
tells, what its store holds, and what its database has written down."""
import collections
import sqlite3

import rig
from harness import FAILS_WITH_7, GUESTS, LOOPS, MACHINES, PASSES

LETTER = "".join(f"line {number} of what every job brings back\n" for number in range(90))
RESULT, LOST, RELEASED, RESTARTED, FORGOTTEN = range(1, 6)  # coordinator/queue: attempt_ending
DONE = 5
INFRA = 3  # jobs/verdict.h

# One kind of job each: its lines in the file, its share of 50, its verdict and exit status, what
# its console must say. The checkpoint is booted by the farm, once.
Kind = collections.namedtuple("Kind", "name lines share verdict status says")
KINDS = (
    Kind("passes", "elf: pass.elf", 6, "pass", 0, None),
    Kind("fails", "elf: fail.elf", 6, "fail", 7, None),
    Kind("loops", "elf: loop.elf, limits: {instructions: 40M}", 8, "timeout", None, None),
    Kind("says", "checkpoint: answer, command: 'say it is ${seed}', payload: [letter.txt], "
         "artifacts: {paths: [letter.txt]}, stdout: 'it is ${seed}'", 14, "pass", 0,
         "\nit is {seed}"),
    Kind("refuses", "checkpoint: answer, command: 'exit 3 not ${seed}'", 6, "fail", 3,
         "eval 'exit 3 not {seed}'"),
    Kind("spins", "checkpoint: answer, command: spin, limits: {instructions: 30M}", 10, "timeout",
         None, "eval 'spin'"),
)


def write_jobs(folder, count=500, retries=10):
    """The job file; returns its path. Infra retries are many: what dies is killed on purpose."""
    for name, contents in (("pass.elf", PASSES), ("fail.elf", FAILS_WITH_7), ("loop.elf", LOOPS),
                           ("letter.txt", LETTER.encode())):
        (folder / name).write_bytes(contents)
    machine = (MACHINES / "answer.yaml").read_text().replace("${THAW_GUESTS}", str(GUESTS))
    (folder / "answer.yaml").write_text(machine)
    lines = ["suite: chaos", "checkpoints:", "  answer: {tag: answer, machine: answer.yaml}",
             f"defaults: {{retry: {{infra: {retries}}}}}", "tests:"]
    for part in range(count // 50):  # all kinds at all times
        for kind in KINDS:
            lines.append(f"  - {{name: {kind.name} {part}, {kind.lines}, parallel: {{matrix: "
                         f"[{{seed: {part * 50 + 1}..{part * 50 + kind.share}}}]}}}}")
    path = folder / "jobs.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def expected(count=500):
    """What each job must come to, by its name: its kind and its seed."""
    return {f"{kind.name} {part} [seed={part * 50 + seed}]": (kind, part * 50 + seed)
            for part in range(count // 50) for kind in KINDS for seed in range(1, kind.share + 1)}


class Judge:
    """Looks at one run of a farm; `test` is told what is wrong."""

    def __init__(self, test, run, count=500):
        self.test, self.farm, self.run, self.count = test, test.farm, run, count

    def told(self):
        """All jobs of the run, as the API tells them, page by page."""
        jobs, after = [], 0
        while after is not None:
            page = self.farm.get(f"runs/{self.run}/jobs?limit=200&after={after}")
            jobs += page["jobs"]
            after = page.get("next")
        return jobs

    def blob(self, digest):
        return rig.until(f"blob {digest}", lambda: self.farm.ask(f"store/blobs/{digest}"))

    def check_job(self, job, kind, seed):
        say, name = self.test.assertEqual, job["name"]
        say(job["state"], "done", name)
        say(job["verdict"], kind.verdict, f"{name}: {job['reason']}")
        say(job["exit_status"], kind.status, name)
        say(job["cached"], False, name)
        if kind.says is None:
            say((job["console"], job["console_size"]), (None, 0), name)
        else:
            console = self.blob(job["console"])
            say(len(console), job["console_size"], name)
            text = console.decode().replace("\r", "")
            self.test.assertIn(kind.says.format(seed=seed), text, name)
        if kind.name == "says":
            say([(entry["name"], entry["size"]) for entry in job["artifacts"]],
                [("letter.txt", len(LETTER))], name)
            say(self.blob(job["artifacts"][0]["hash"]).decode(), LETTER, name)
        else:
            say(job["artifacts"], [], name)

    def check_told(self):
        """Each job is told once, with its own outcome; equal work came to equal ends."""
        wanted = expected(self.count)
        everything = self.told()
        jobs = [job for job in everything if job["kind"] == "test"]
        self.test.assertEqual(sorted(job["name"] for job in jobs), sorted(wanted))
        work = collections.defaultdict(set)
        for job in jobs:
            kind, seed = wanted[job["name"]]
            self.check_job(job, kind, seed)
            if "${seed}" not in kind.lines:  # which is more or less to type
                work[kind.name].add((job["instructions"], job["virtual_ns"]))
        for name, different in work.items():
            self.test.assertEqual(len(different), 1, f"{name}: {different}")
        counts = self.farm.get(f"runs/{self.run}")["counts"]
        told = collections.Counter(job["verdict"] for job in everything)
        self.test.assertEqual({name: counts[name] for name in told}, dict(told))
        self.test.assertEqual(counts["done"], self.count + 1)  # the boot is a job, too

    # ---- the database, when the coordinator has ended ----

    def check_attempts(self, job, attempts, clocks):
        """Attempts are numbered without a hole; each has ended, one of them with the result."""
        what = f"job {job['id']}: {[tuple(attempt) for attempt in attempts]}"
        say = self.test.assertEqual
        say([attempt["number"] for attempt in attempts], list(range(1, job["attempts"] + 1)), what)
        for attempt in attempts:
            self.test.assertIn(attempt["ending"], range(RESULT, FORGOTTEN + 1), what)
        final = attempts[-1]
        say((final["ending"], final["lease"]), (RESULT, job["result"]), what)
        for attempt in attempts[:-1]:  # a result before the last is the host's failure
            if attempt["ending"] == RESULT:
                say(attempt["verdict"], INFRA, what)
            else:
                say(attempt["verdict"], None, what)
        for before, after in zip(attempts, attempts[1:]):
            self.test.assertLess(before["lease"], after["lease"], what)
            if clocks:
                self.test.assertLessEqual(before["ended_ms"], after["started_ms"], what)

    def check_database(self, clocks=True):
        """`clocks`: the coordinator's was not set back, so times are in order."""
        path = self.farm.folder / "state" / "queue.sqlite"
        with sqlite3.connect(path) as database:
            database.row_factory = sqlite3.Row
            ask = lambda text, *values: database.execute(text, values).fetchall()  # noqa: E731
            self.test.assertEqual([tuple(row) for row in ask("PRAGMA integrity_check")], [("ok",)])
            jobs = ask("SELECT * FROM job WHERE run = ?", self.run)
            by_job = collections.defaultdict(list)
            for attempt in ask("SELECT * FROM attempt ORDER BY job, number"):
                by_job[attempt["job"]].append(attempt)
            self.test.assertEqual(len(jobs), self.count + 1)  # and the boot
            for job in jobs:
                self.test.assertEqual(job["state"], DONE)
                self.check_attempts(job, by_job.pop(job["id"], []), clocks)
            self.test.assertEqual(dict(by_job), {}, "attempts of no job")
            history = ask("SELECT job, verdict, count(*) AS times FROM history GROUP BY test, run")
            verdicts = {job["id"]: job["verdict"] for job in jobs}
            self.test.assertEqual({row["job"]: row["verdict"] for row in history}, verdicts)
            boots = ask("SELECT checkpoint FROM boot")
            self.test.assertEqual(len(boots), 1)
            self.test.assertIsNotNone(boots[0]["checkpoint"])

    def check_end(self, clocks=True):
        """The run is over: all of the above, and all processes end as they should."""
        self.check_told()
        statuses = self.farm.end_all()
        self.test.assertEqual(set(statuses.values()), {0}, statuses)
        rig.until("no process is left", lambda: not self.farm.marked())
        self.check_database(clocks)
        for part in [self.farm.coordinator, *self.farm.agents]:
            self.test.assertNotIn("CHECK", part.said())
            self.test.assertNotIn("AddressSanitizer", part.said())
