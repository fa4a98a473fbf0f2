#!/usr/bin/env python3
"""test_large.py: a submission of more jobs than a coordinator takes at a time goes in parts, and is
one run; of one that is refused on the way nothing goes on."""
import json

import harness
from service import ServiceTest

JOBS = 70000  # over the 65,536 of one request


class Large(ServiceTest):
    def setUp(self):
        super().setUp()
        self.start()

    def large(self, before, after, workflow="{rerun: 0 %}"):
        """A test that is skipped, `JOBS` times, between the others."""
        many = (f"{{name: many, elf: pass.elf, skip: there are many, "
                f"parallel: {{matrix: [{{seed: 1..{JOBS // 10}, ROUND: 1..10}}]}}}}")
        return self.jobs(before, many, after, workflow=workflow)

    def is_refused(self, says, *arguments):
        done = self.call("submit", *arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(says, done.stderr.decode())
        self.assertNotEqual(self.call("results", "latest").returncode, 0)

    def test_it_is_one_run_of_all_its_jobs_or_none(self):
        self.is_refused("too many for a schedule", "--schedule",
                     self.large("{name: first, elf: pass.elf}", "{name: last, elf: pass.elf}",
                                workflow="{schedule: {cron: '30 2 * * *'}}"))
        # A need of what comes last: there is no place to cut.
        self.is_refused("65536", self.large("{name: first, elf: pass.elf, needs: [last]}",
                                         "{name: last, elf: pass.elf}"))
        run = self.json("submit", self.large("{name: first, elf: pass.elf}",
                                             "{name: last, elf: pass.elf, needs: [first]}"))
        self.assertEqual(run, {"run": 1, "jobs": JOBS + 2})
        told = json.loads(self.call("results", 1, "--json").stdout)
        self.assertEqual((told["state"], told["counts"]["waiting"]), ("active", JOBS + 2))


if __name__ == "__main__":
    harness.main()
