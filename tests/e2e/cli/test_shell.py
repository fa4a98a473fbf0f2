#!/usr/bin/env python3
"""`thaw shell`: a person at a terminal, a script at a pipe; and `thaw run` at a Linux prompt."""
import json
import os
import pty
import select
import subprocess
import termios
import unittest

from harness import FAIL, MACHINES, THAW, TIMEOUT, USAGE, CliTest, main

CTRL_A = b"\x01"


class Terminal:
    """`thaw shell` at a pseudo-terminal."""

    def __init__(self, test, *arguments):
        self.test = test
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen([THAW, *arguments], stdin=slave, stdout=slave,
                                        stderr=slave, env=test.environment)
        self.seen = b""
        test.addCleanup(self.close)

    def expect(self, text):
        """Everything up to and with `text`; fails when nothing comes for a minute."""
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], 60)
            self.test.assertTrue(ready, f"no {text!r} after {self.seen[-400:]!r}")
            self.seen += os.read(self.master, 4096)
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def type(self, keys):
        os.write(self.master, keys)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Shell(CliTest):
    def setUp(self):
        super().setUp()
        self.boot()

    def test_types_at_the_prompt_and_quits(self):
        terminal = Terminal(self, "shell", "teach")
        terminal.expect(b"Ctrl-A h for help")
        terminal.type(b"harts\r")
        terminal.expect(b"1 harts tick")
        terminal.type(CTRL_A + b"q")
        self.assertEqual(terminal.process.wait(60), 0)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before, "left raw")

    def test_freezes_and_goes_back(self):
        terminal = Terminal(self, "shell", "teach")
        terminal.type(b"write 3 first\r")
        terminal.expect(b"$ ")
        terminal.type(CTRL_A + b"f")
        terminal.expect(b"frozen: teach-1")
        terminal.type(b"write 3 second\r")
        terminal.expect(b"second")
        terminal.expect(b"$ ")
        terminal.type(CTRL_A + b"u")
        terminal.expect(b"back at the last frozen moment")
        terminal.type(b"read 3\r")
        terminal.expect(b"\nfirst")
        terminal.type(CTRL_A + b"q")
        self.assertEqual(terminal.process.wait(60), 0)
        self.assertEqual(self.thaw("ls", "--names").split(), ["teach", "teach-1"])
        self.sound()

    def test_help_is_shown(self):
        terminal = Terminal(self, "shell", "teach")
        terminal.expect(b"for help")
        terminal.type(CTRL_A + b"h")
        terminal.expect(b"Ctrl-A u: undo")
        terminal.type(CTRL_A + b"q")
        self.assertEqual(terminal.process.wait(60), 0)

    def test_ends_when_the_machine_does(self):
        terminal = Terminal(self, "shell", "teach")
        terminal.type(b"halt\r")
        terminal.expect(b"powered off")
        self.assertEqual(terminal.process.wait(60), 0)

    def test_takes_a_script_from_a_pipe(self):
        told = self.thaw("shell", "teach", input=b"harts\nwrite 1 x\n")
        self.assertIn("1 harts tick", told)

    def test_json_is_alone_on_standard_output(self):
        done = self.call("shell", "teach", "--json", input=b"harts\n\x01f")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout), {"frozen": ["teach-1"]})
        self.assertIn(b"1 harts tick", done.stderr)

    def test_the_checkpoint_never_changes(self):
        before = self.json("show", "teach")
        self.thaw("shell", "teach", input=b"write 1 x\n")
        self.assertEqual(self.json("show", "teach"), before)
        self.sound()


@unittest.skipUnless(os.environ.get("THAW_GUEST_KERNEL"), "no Linux guest: see deploy/guest")
class Linux(CliTest):
    @classmethod
    def setUpClass(cls):
        cls.place = subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE,
                                   check=True).stdout.decode().strip()
        subprocess.run([THAW, "boot", str(MACHINES / "linux1.yaml"), "-n", "linux", "--store",
                        cls.place], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        subprocess.run(["rm", "-rf", cls.place], check=True)

    def setUp(self):
        super().setUp()
        self.environment["THAW_STORE"] = self.place

    def test_a_command_has_its_output_and_status(self):
        self.assertIn("riscv64", self.thaw("run", "linux", "--", "uname", "-m"))
        ran = self.json("run", "linux", "--", "echo hello; exit 3", status=FAIL)
        self.assertEqual((ran["verdict"], ran["exit_status"]), ("fail", 3))
        self.assertIn("hello", ran["output"])

    def test_a_command_that_never_ends_is_a_timeout(self):
        ran = self.json("run", "linux", "--instructions", "50000000", "--",
                        "while :; do :; done", status=TIMEOUT)
        self.assertEqual((ran["verdict"], ran["instructions"]), ("timeout", 50000000))

    def test_one_run_never_sees_another(self):
        self.thaw("run", "linux", "--", "touch /tmp/mark")
        self.thaw("run", "linux", "--", "test ! -e /tmp/mark")

    def test_a_frozen_test_is_thawed_again(self):
        self.thaw("run", "linux", "--freeze", "marked", "--", "touch /tmp/mark")
        self.thaw("run", "marked", "--", "test -e /tmp/mark")
        self.thaw("rm", "marked")

    def test_a_wrong_prompt_is_refused(self):
        self.refused(USAGE, "run", "linux", "--prompt", "(", "--", "true", says="prompt")

    def test_a_person_sits_at_the_prompt(self):
        terminal = Terminal(self, "shell", "linux")
        terminal.type(b"echo $((6*7))\r")
        terminal.expect(b"\n42\r")
        terminal.type(b"read x; echo $x | hexdump -C\r")
        terminal.expect(b"hexdump -C\r")
        terminal.type(CTRL_A + b"aend\r")
        terminal.expect(b" 01 65 6e 64 0a")
        terminal.type(CTRL_A + b"q")
        self.assertEqual(terminal.process.wait(60), 0)


if __name__ == "__main__":
    main()
