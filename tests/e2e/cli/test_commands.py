#!/usr/bin/env python3
"""Every command does what its manual says, with its exit status and its JSON."""
import os
import shutil
import subprocess
import xml.etree.ElementTree as tree

from harness import (COMMANDS, FAIL, FAILS_WITH_7, GUESTS, INFRA, LOOPS, PASSES, SUITES, TIMEOUT,
                     USAGE, CliTest, main)


class Help(CliTest):
    def test_thaw_lists_its_commands(self):
        listed = self.thaw("--help")
        for command in COMMANDS:
            self.assertRegex(listed, rf"(?m)^  {command} +\w")
        self.assertRegex(self.thaw("--version"), r"^thaw \d+\.\d+")

    def test_every_command_shows_an_example(self):
        for command in COMMANDS:
            text = self.thaw(command, "--help")
            self.assertIn("Example:\n  thaw " + command, text)
            self.assertIn("--json", text)
            self.assertIn("--store", text)

    def test_every_command_refuses_an_unknown_flag(self):
        for command in COMMANDS:
            done = self.call(command, "--frobnicate")
            self.assertEqual(done.returncode, USAGE, command)
            self.assertIn(b"--frobnicate", done.stderr)
            self.assertEqual(done.stdout, b"")

    def test_an_unknown_command_is_told_the_nearest(self):
        self.refused(USAGE, "bot", says='did you mean "boot"')
        self.refused(USAGE, "xyz", says='there is no command "xyz"')

    def test_arguments_are_counted(self):
        for arguments in (["boot"], ["run"], ["run", "x"], ["shell"], ["show"], ["diff", "a"],
                          ["tag", "a"], ["rm"], ["export", "a"], ["import"], ["ls", "x"],
                          ["gc", "x"], ["fsck", "x"], ["shell", "a", "b"], ["tag", "a", "b", "c"]):
            done = self.call(*arguments)
            self.assertEqual(done.returncode, USAGE, arguments)
            self.assertIn(f"thaw {arguments[0]}: ".encode(), done.stderr)
        self.assertFalse(self.store.exists(), "a wrong command line made a store")

    def test_completion_is_bash(self):
        script = self.thaw("completion", "bash")
        checked = subprocess.run(["bash", "-n"], input=script.encode(), check=False)
        self.assertEqual(checked.returncode, 0)
        for command in COMMANDS:
            self.assertIn(command, script)
        self.assertEqual(self.json("completion"), {"shell": "bash", "script": script})
        done = self.call("completion", "tcsh")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(b'"tcsh"', done.stderr)

    def test_completion_completes_commands_options_and_tags(self):
        self.boot("nightly")
        path = f"{self.folder}:{os.environ['PATH']}"
        (self.folder / "thaw").symlink_to(os.path.abspath(os.environ["THAW"]))

        def complete(*words):
            script = self.thaw("completion") + \
                f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n" \
                "_thaw; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
            done = subprocess.run(["bash"], input=script.encode(), stdout=subprocess.PIPE,
                                  env={**self.environment, "PATH": path}, check=True)
            return done.stdout.decode().split()

        self.assertEqual(complete("thaw", "bo"), ["boot"])
        self.assertEqual(complete("thaw", "show", "ni"), ["nightly"])
        self.assertIn("--junit", complete("thaw", "run", "--ju"))


class Checkpoints(CliTest):
    def test_boot_freezes_under_a_tag(self):
        booted = self.boot()
        self.assertEqual(booted["tag"], "teach")
        self.assertGreater(booted["instructions"], 1000)
        listed = self.json("ls")
        self.assertEqual([(entry["checkpoint"], entry["tags"]) for entry in listed],
                         [(booted["checkpoint"], ["teach"])])
        self.assertEqual(self.thaw("ls", "--names"), "teach\n")
        self.assertIn(booted["checkpoint"][:16], self.thaw("ls"))

    def test_boot_twice_makes_one_checkpoint(self):
        self.assertEqual(self.boot("one")["checkpoint"], self.boot("two")["checkpoint"])
        self.assertEqual([entry["tags"] for entry in self.json("ls")], [["one", "two"]])

    def test_boot_freezes_at_exactly_that_instruction(self):
        head = f"machine: m\nmemory: 1 MiB\nelf: {self.file('loops.elf', LOOPS)}\n"
        booted = []
        for count in (777, 778):
            machine = self.file("m.yaml", head + f"freeze: {{instructions: {count}}}\n")
            booted.append(self.json("boot", machine, "-n", f"at-{count}"))
        self.assertEqual([entry["instructions"] for entry in booted], [777, 778])
        self.assertNotEqual(booted[0]["state_id"], booted[1]["state_id"])
        harts = [entry for entry in self.json("show", "at-777")["objects"]
                 if entry["schema"] == "riscv-hart"]
        self.assertEqual(harts[0]["attributes"]["instructions"], 777)
        differ = self.json("diff", "at-777", "at-778", status=FAIL)["attributes"]
        self.assertIn(("board0.hart0", "instructions"),
                      {(entry["object"], entry["attribute"]) for entry in differ})

    def test_show_knows_every_attribute(self):
        checkpoint = self.boot()["checkpoint"]
        shown = self.json("show", "teach")
        self.assertEqual(shown["checkpoint"], checkpoint)
        paths = [entry["path"] for entry in shown["objects"]]
        self.assertIn("board0.hart0", paths)
        self.assertIn("pc", self.thaw("show", "teach", "board0.hart0"))
        self.assertEqual(self.json("show", checkpoint[:10])["state_id"], shown["state_id"])
        self.refused(USAGE, "show", "teach", "board0.nothing", says='no object "board0.nothing"')

    def test_diff_says_what_differs(self):
        self.boot()
        self.thaw("tag", "teach", "same")
        self.assertTrue(self.json("diff", "teach", "same")["equal"])
        self.assertIn("equal", self.thaw("diff", "teach", "same"))
        self.thaw("shell", "teach", input=b"write 3 hello\n\x01f\x01q")
        after = self.json("diff", "teach", "teach-1", status=FAIL)
        self.assertFalse(after["equal"])
        listed = len(after["attributes"]) + len(after["pages"])
        self.assertGreaterEqual(after["differences"], listed)
        self.assertIn("board0.hart0", {entry["object"] for entry in after["attributes"]})
        self.assertTrue(after["pages"])
        self.assertIn("page at", self.thaw("diff", "teach", "teach-1", status=FAIL))

    def test_tag_names_and_moves(self):
        checkpoint = self.boot()["checkpoint"]
        named = self.json("tag", checkpoint[:12], "nightly/base")
        self.assertEqual(named, {"tag": "nightly/base", "checkpoint": checkpoint})
        self.assertEqual(self.json("show", "nightly/base")["checkpoint"], checkpoint)
        other = self.boot("other", "teach3")["checkpoint"]
        self.thaw("tag", "other", "nightly/base")
        self.assertEqual(self.json("show", "nightly/base")["checkpoint"], other)

    def test_rm_and_gc_give_back_space(self):
        self.boot("keep")
        self.boot("go", "teach3")
        self.assertEqual(self.json("rm", "go"), {"removed": ["go"]})
        kept = self.json("show", "keep")["checkpoint"]
        self.refused(INFRA, "rm", kept, says="tag")
        would = self.json("gc", "--dry-run")
        self.assertTrue(would["dry_run"])
        self.assertEqual(self.json("gc")["checkpoints_removed"], 1)
        self.assertEqual([entry["tags"] for entry in self.json("ls")], [["keep"]])
        self.refused(USAGE, "show", "go", says="go")
        self.assertIn("kept 1 checkpoints", self.thaw("gc"))
        self.sound()

    def test_fsck_counts(self):
        self.boot()
        report = self.json("fsck")
        self.assertEqual((report["sound"], report["manifests"], report["tags"]), (True, 1, 1))
        self.assertRegex(self.thaw("fsck"), r"^sound: ")

    def test_attrs_is_the_reference(self):
        schemas = self.json("attrs")
        self.assertLessEqual({"riscv-hart", "ns16550", "virtio-blk", "thaw-machine"},
                             {entry["schema"] for entry in schemas})
        self.assertIn("mepc", self.thaw("attrs"))
        self.assertIn("stimecmp", self.thaw("attrs", "riscv-hart"))
        self.assertNotIn("stimecmp", self.thaw("attrs", "ns16550"))
        self.refused(USAGE, "attrs", "nosuch", says="nosuch")

    def test_export_and_import_keep_the_ids(self):
        checkpoint = self.boot()["checkpoint"]
        bundle = self.folder / "teach.thaw"
        exported = self.json("export", "teach", bundle)
        self.assertEqual(exported["checkpoint"], checkpoint)
        self.assertEqual(exported["file_bytes"], bundle.stat().st_size)
        other = ("--store", self.folder / "other")
        imported = self.json("import", bundle, "-n", "came", *other)
        self.assertEqual(imported["checkpoint"], checkpoint)
        self.assertEqual(self.json("ls", *other)[0]["tags"], ["came"])
        again = self.folder / "again.thaw"
        self.thaw("export", "came", again, *other)
        self.assertEqual(bundle.read_bytes(), again.read_bytes())


class Names(CliTest):
    def test_an_unknown_tag_is_told_the_nearest(self):
        self.boot("debian-booted", "teach1")
        for command in (["show", "debian-boted"], ["run", "debian-boted", "--", "x"],
                        ["shell", "debian-boted"], ["diff", "debian-boted", "debian-booted"],
                        ["tag", "debian-boted", "x"], ["rm", "debian-boted"],
                        ["export", "debian-boted", self.folder / "x.thaw"]):
            self.refused(USAGE, *command, says=("debian-boted", "did you mean debian-booted"))
        self.assertFalse((self.folder / "x.thaw").exists())

    def test_an_ambiguous_prefix_is_refused(self):
        checkpoint = self.boot()["checkpoint"]
        self.json("show", checkpoint[:4])
        folder = self.store / "manifests"
        twin = checkpoint[:8] + ("0" if checkpoint[8] != "0" else "1") + checkpoint[9:]
        shutil.copy(folder / checkpoint, folder / twin)
        self.refused(USAGE, "show", checkpoint[:8],
                     says=("begins 2 checkpoints", "give more digits"))
        self.json("show", checkpoint[:9])
        self.refused(USAGE, "show", checkpoint[:3], says="needs 4 digits or more")

    def test_bad_names_are_refused(self):
        self.boot()
        for name in ("", "../up", "a b", "x" * 300):
            done = self.call("tag", "--", "teach", name)
            self.assertEqual(done.returncode, USAGE, name)
            self.assertTrue(done.stderr.startswith(b"thaw tag: "))
        self.assertEqual(self.thaw("ls", "--names"), "teach\n")


class Running(CliTest):
    def test_a_bare_metal_program_passes_fails_or_runs_too_long(self):
        passes, fails = self.file("passes.elf", PASSES), self.file("fails.elf", FAILS_WITH_7)
        self.assertEqual(self.json("run", "--elf", passes)["verdict"], "pass")
        failed = self.json("run", "--elf", fails, status=FAIL)
        self.assertEqual((failed["verdict"], failed["exit_status"]), ("fail", 7))
        late = self.json("run", "--elf", self.file("loops.elf", LOOPS), "--instructions", 1000,
                         status=TIMEOUT)
        self.assertEqual((late["verdict"], late["instructions"]), ("timeout", 1000))

    def test_the_same_run_has_the_same_state(self):
        program = self.file("passes.elf", PASSES)
        first, second = (self.json("run", "--elf", program) for _ in range(2))
        for key in ("state_id", "instructions", "virtual_ns", "console"):
            self.assertEqual(first[key], second[key])

    def test_several_harts_run_the_same_way_each_time(self):
        program = GUESTS / "bare" / "stress.elf"
        self.assertRegex(self.thaw("run", "--elf", program), r"sum [0-9a-f]{16}")
        first, second = (self.json("run", "--elf", program, "--harts", 3) for _ in range(2))
        self.assertEqual(first["verdict"], "pass")
        for key in ("state_id", "instructions", "virtual_ns", "console"):
            self.assertEqual(first[key], second[key])

    def test_numbers_are_checked(self):
        program = self.file("passes.elf", PASSES)
        for flag in ("--instructions", "--wall", "--seed", "--harts", "--memory"):
            for value in ("ten", "-1", "", "99999999999999999999999"):
                done = self.call("run", "--elf", program, flag, value)
                self.assertEqual(done.returncode, USAGE, (flag, value))
                self.assertIn(b"takes a whole number", done.stderr)

    def test_a_board_that_cannot_be_is_refused(self):
        program = self.file("passes.elf", PASSES)
        self.refused(USAGE, "run", "--elf", program, "--harts", "4096", says="hart")
        self.refused(USAGE, "run", "--elf", program, "--memory", "999999999", says="bytes of RAM")

    def test_a_suite_passes_and_is_reported(self):
        self.boot()
        junit, tap = self.folder / "junit.xml", self.folder / "report.tap"
        ran = self.json("run", "--jobs", SUITES / "teach.yaml", "--junit", junit, "--tap", tap)
        self.assertTrue(all(job["verdict"] == "pass" for job in ran["jobs"]))
        self.assertEqual(len(list(tree.parse(junit).getroot().iter("testcase"))), len(ran["jobs"]))
        self.assertIn(f"1..{len(ran['jobs'])}", tap.read_text())
        chosen = self.json("run", "--jobs", SUITES / "teach.yaml", "--select", "ends*")
        self.assertEqual([job["name"] for job in chosen["jobs"]], ["ends the machine"])
        self.refused(USAGE, "run", "--jobs", SUITES / "teach.yaml", "--select", "nothing",
                     says="no test is selected")

    def test_a_suite_boots_what_is_missing(self):
        ran = self.json("run", "--jobs", SUITES / "teach.yaml", "--select", "ends*")
        self.assertEqual(ran["jobs"][0]["verdict"], "pass")
        self.assertEqual(self.thaw("ls", "--names"), "teach\n")

    def test_a_failing_suite_is_a_failure(self):
        self.boot()
        suite = self.file("suite.yaml", "suite: s\ncheckpoint: teach\nprompt: '\\$ $'\n"
                          "limits: {instructions: 5M}\ntests:\n"
                          "  - name: waits in vain\n"
                          "    steps: [{send_line: harts}, {expect: never}]\n"
                          "  - name: ends\n    steps: [{send_line: halt}, {halt: true}]\n")
        ran = self.json("run", "--jobs", suite, status=TIMEOUT)
        self.assertEqual([job["verdict"] for job in ran["jobs"]], ["timeout", "pass"])

    def test_a_freeze_after_a_test_is_a_child(self):
        program = self.file("loops.elf", LOOPS)
        self.json("run", "--elf", program, "--instructions", 1000, "--freeze", "later",
                  status=TIMEOUT)
        self.assertIn("later", self.thaw("ls", "--names"))
        self.sound()


if __name__ == "__main__":
    main()
