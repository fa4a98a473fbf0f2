#!/usr/bin/env python3
"""Manual pages and the completion script: there, whole, and installed."""
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import COMMANDS, THAW, CliTest, main

BUILD = pathlib.Path(os.environ.get("THAW_BUILD", pathlib.Path(THAW).parent))
PAGES = BUILD / "man" / "man1"
SECTIONS = ["NAME", "SYNOPSIS", "EXAMPLE", '"EXIT STATUS"', "ENVIRONMENT", '"SEE ALSO"']


@unittest.skipUnless(shutil.which("help2man"), "no help2man")
class Manuals(CliTest):
    def test_every_command_has_a_page_with_all_sections(self):
        self.assertEqual(sorted(path.name for path in PAGES.iterdir()),
                         sorted(["thaw.1", *(f"thaw-{command}.1" for command in COMMANDS)]))
        for path in PAGES.iterdir():
            page = path.read_text()
            for section in SECTIONS:
                self.assertIn(f"\n.SH {section}\n", page, path)
            self.assertRegex(page, rf"\n{path.stem} \\- \w", path)
            example = page.split("\n.SH EXAMPLE\n")[1].split("\n.SH ")[0]
            self.assertRegex(example, r"\n +thaw " + (path.stem[5:] or r"\w"), path)

    @unittest.skipUnless(shutil.which("man"), "no man")
    def test_pages_are_set_without_a_warning(self):
        for path in PAGES.iterdir():
            done = subprocess.run(["man", "--warnings", "-l", str(path)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=True,
                                  env={**os.environ, "LC_ALL": "C", "MANWIDTH": "80"})
            self.assertEqual(done.stderr, b"", path)
            self.assertIn(b"EXIT STATUS", done.stdout)

    def test_installed_with_the_program(self):
        place = self.folder / "usr"
        subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(place)], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(len(list((place / "share/man/man1").iterdir())), len(COMMANDS) + 1)
        script = place / "share/bash-completion/completions/thaw"
        self.assertEqual(script.read_text(), self.thaw("completion", "bash"))
        done = subprocess.run([str(place / "bin/thaw"), "--version"], check=True,
                              stdout=subprocess.PIPE)
        self.assertTrue(done.stdout.startswith(b"thaw "))


if __name__ == "__main__":
    main()
