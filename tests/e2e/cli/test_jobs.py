#!/usr/bin/env python3
"""`thaw jobs`: a job file before anything runs."""
import unittest

from harness import FAIL, HERE, MACHINES, USAGE, CliTest, main

EXAMPLES = HERE.parents[2] / "jobs" / "examples"
MACHINE = "machine: small\nfirmware: fw\njob_disk: true\nfreeze: {instructions: 100}\n"
NIGHT = """\
suite: night
checkpoints:
  small: {tag: small-booted, machine: small.yaml}
defaults: {checkpoint: small}
tests:
  - name: many
    command: echo ${seed}
    tags: [quick]
    host: [arm64]
    parallel: {matrix: [{harts: [1, 3], seed: 1..3}]}
  - {name: last, command: x, needs: [many], payload: fw}
  - name: flaky
    command: x
    quarantine: {owner: ann, reason: late, until: 2020-01-31}
"""


class Jobs(CliTest):
    def night(self, text=NIGHT, machine=MACHINE):
        self.file("fw", b"firmware")
        self.file("small.yaml", machine.encode())
        return self.file("night.yaml", text.encode())

    def test_a_good_file_is_counted(self):
        path = self.night()
        done = self.call("jobs", "check", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"3 tests, 11 jobs, 3 of them boots; no mistakes, 1 warning\n", done.stdout)
        self.assertIn(b"night.yaml:12: warning: the quarantine of `flaky` ended on 2020-01-31; "
                      b"its owner is ann\n", done.stderr)
        value = self.json("jobs", "check", path)
        self.assertEqual((value["valid"], value["tests"], value["jobs"], value["boots"],
                          value["warnings"]), (True, 3, 11, 3, 1))

    def test_all_mistakes_are_shown_at_once(self):
        path = self.night(NIGHT.replace("quick", "[").replace("tags", "tgas").replace("[[]", "[x]")
                          .replace("owner: ann, ", "").replace("payload: fw", "payload: gone"),
                          MACHINE.replace("firmware", "fimware"))
        done = self.call("jobs", "check", path)
        self.assertEqual(done.returncode, USAGE)
        self.assertEqual(done.stdout, b"")
        for part in (b"night.yaml:8:5: unknown key `tgas`; did you mean `tags`?\n"
                     b"    8 |     tgas: [x]\n"
                     b"      |     ^~~~\n",
                     b"night.yaml:14:17: `owner:` is missing",
                     b"small.yaml:2:1: unknown key `fimware`; did you mean `firmware`?",
                     b"night.yaml has "):
            self.assertIn(part, done.stderr)
        value = self.json("jobs", "check", path, status=USAGE)
        self.assertFalse(value["valid"])
        self.assertGreaterEqual(value["mistakes"], 3)

    def test_missing_files_and_enormous_matrices_are_mistakes(self):
        path = self.night(NIGHT.replace("payload: fw", "payload: gone"))
        self.refused(USAGE, "jobs", "check", path, says="there is no file")
        path = self.night(NIGHT.replace("1..3", "1..9999, A: 1..9999"))
        self.refused(USAGE, "jobs", "check", path, says="199960004 jobs")
        self.refused(USAGE, "jobs", "expand", path, says="the limit is 100000")

    def test_expansion_is_a_table_that_lines_up(self):
        lines = self.thaw("jobs", "expand", self.night()).splitlines()
        self.assertEqual(lines[-1], "8 tests and 3 boots")
        self.assertEqual(lines[1].split()[:3], ["boot", "boot", "small"])
        columns = [lines[0].index(title) for title in ("job", "from", "host", "tags")]
        for line in lines[1:-2]:
            for column in columns:
                self.assertEqual(line.ljust(column)[column - 2:column], "  ", line)
                self.assertNotEqual(line.ljust(column + 1)[column - 3:column], "   x", line)
        self.assertIn("many [harts=3, seed=2]", "\n".join(lines))
        self.assertIn("boot small [harts=3]", "\n".join(lines))

    def test_expansion_as_json(self):
        path = self.night()
        value = self.json("jobs", "expand", path)
        self.assertEqual((value["suite"], value["tests"], value["boots"]), ("night", 8, 3))
        jobs = {job["name"]: job for job in value["jobs"]}
        self.assertEqual(jobs["boot small [harts=3]"]["tag"], "small-booted-harts-3")
        one = jobs["many [harts=3, seed=2]"]
        self.assertEqual(one["parameters"], {"harts": "3", "seed": "2"})
        self.assertEqual(one["boot"], "boot small [harts=3]")
        self.assertEqual((one["host"], one["tags"]), (["arm64"], ["quick"]))
        self.assertEqual(len(jobs["last"]["needs"]), 6)
        self.assertEqual(jobs["flaky"]["quarantine"]["owner"], "ann")
        self.assertNotIn("spec", one)

    def test_with_v_keys_are_shown_and_change_with_the_inputs(self):
        path = self.night()

        def keys():
            value = self.json("jobs", "-v", "expand", path)
            return {job["name"]: job for job in value["jobs"]}

        first = keys()
        self.assertEqual(first["many [harts=1, seed=1]"]["boot_key"],
                         first["boot small [harts=1]"]["spec"])
        self.assertEqual(first, keys())
        self.file("fw", b"another")
        second = keys()
        self.assertNotEqual(first["boot small"]["spec"], second["boot small"]["spec"])
        self.assertEqual(first["flaky"]["spec"], second["flaky"]["spec"])
        self.assertNotEqual(first["last"]["spec"], second["last"]["spec"])

    def test_jobs_are_selected_with_what_they_need(self):
        path = self.night()

        def names(*selectors):
            jobs = self.json("jobs", "expand", path, *selectors)["jobs"]
            return [job["name"] for job in jobs if job["kind"] == "test"]

        self.assertEqual(names("*seed=2]"), ["many [harts=1, seed=2]", "many [harts=3, seed=2]"])
        self.assertEqual(len(names("@quick")), 6)
        self.assertEqual(len(names("last")), 7)
        self.refused(USAGE, "jobs", "expand", path, "nosuch*", says="no test is selected")

    def test_wrong_arguments_are_usage_errors(self):
        path = self.night()
        for arguments in ([], ["check"], ["expand"], ["chek", path], ["check", path, path]):
            done = self.call("jobs", *arguments)
            self.assertEqual((done.returncode, done.stdout), (USAGE, b""), arguments)
            self.assertIn(b"thaw jobs: ", done.stderr)
        self.refused(USAGE, "jobs", "check", self.folder / "gone.yaml", says="gone.yaml")

    def test_the_nightly_example_is_nightly_sized(self):
        self.environment.update(dict.fromkeys(
            ("THAW_GUEST_FIRMWARE", "THAW_GUEST_KERNEL", "THAW_GUEST_INITRD"), "x"))
        value = self.json("jobs", "expand", EXAMPLES / "nightly.yaml")
        self.assertGreaterEqual(value["tests"], 200)
        self.assertEqual(value["boots"], 2)

TEACH = """\
checkpoints: {teach: {tag: teach, machine: machine.yaml}}
defaults: {checkpoint: teach, limits: {instructions: 1G, wall: 120 s}}
variables: {WORD: sector}
tests:
  - name: harts
    steps: [{send_line: harts}, {expect: '\\n${harts} harts tick'}]
    parallel: {matrix: [{harts: [1, 2], seed: [5, 6]}]}
  - name: words
    steps:
      - send_line: write 7 ${WORD}
      - expect: '\\$ $'
      - send_line: read 7
      - expect: '\\n${WORD}'
    parallel: {matrix: [{WORD: [one, two]}]}
"""


class Running(CliTest):
    """`thaw run --jobs` runs what `thaw jobs expand` lists, one after the other."""

    def teach(self, text=TEACH):
        self.file("machine.yaml", (MACHINES / "teach1.yaml").read_text())
        return self.file("jobs.yaml", text)

    def test_matrices_are_run_from_a_boot_for_each_machine(self):
        ran = self.json("run", "--jobs", self.teach())
        self.assertEqual({job["name"]: job["verdict"] for job in ran["jobs"]},
                         {**{f"harts [harts={harts}, seed={seed}]": "pass"
                             for harts in (1, 2) for seed in (5, 6)},
                          "words [WORD=one]": "pass", "words [WORD=two]": "pass"})
        self.assertEqual(sorted(self.thaw("ls", "--names").split()),
                         ["teach", "teach-harts-1", "teach-harts-2"])
        self.assertNotEqual(ran["jobs"][0]["checkpoint"], ran["jobs"][2]["checkpoint"])
        chosen = self.json("run", "--jobs", self.teach(), "--select", "words*")
        self.assertEqual(len(chosen["jobs"]), 2)

    def test_a_machine_is_booted_again_when_an_input_has_changed_and_only_then(self):
        def checkpoint():
            return self.json("run", "--jobs", path, "--select", "*one]")["jobs"][0]["checkpoint"]

        path = self.teach()
        first = checkpoint()
        machine = self.folder / "machine.yaml"
        machine.write_text("# a comment\n" + machine.read_text())
        self.assertEqual(checkpoint(), first)
        machine.write_text(machine.read_text().replace("64 MiB", "96 MiB"))
        second = checkpoint()
        self.assertNotEqual(second, first)
        self.assertEqual(checkpoint(), second)
        # what was booted once can be thawed when its inputs are gone
        machine.unlink()
        self.assertEqual(checkpoint(), second)

    def test_a_test_in_quarantine_does_not_gate(self):
        text = TEACH + "  - name: flaky\n" \
            "    steps: [{send_line: harts}, {expect_not: tick, for: 50M}]\n"
        self.json("run", "--jobs", self.teach(text), "--select", "flaky", status=FAIL)
        path = self.teach(text + "    quarantine: {owner: ann, reason: r, until: 2030-01-01}\n")
        self.assertIn("1 in quarantine (1 failed)",
                      self.thaw("run", "--jobs", path, "--select", "flaky"))


if __name__ == "__main__":
    main()
