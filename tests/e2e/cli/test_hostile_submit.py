#!/usr/bin/env python3
"""test_hostile_submit.py: submitters who mean harm: paths, bombs, enormous matrices. Each is
refused with one sentence, and the coordinator goes on."""
import http.client
import json
import socket

import harness
from harness import USAGE
from service import GUARD, ServiceTest

DEEP = 100000


class Connection(http.client.HTTPConnection):
    """HTTP over the coordinator's Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=GUARD)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Hostile(ServiceTest):
    def setUp(self):
        super().setUp()
        self.start()
        self.join()
        self.token = (self.state / "admin.token").read_text().strip()

    def ask(self, method, path, body=None):
        """Status and JSON of the answer."""
        connection = Connection(f"{self.folder}/api")
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, text.decode(errors="replace")

    def goes_on(self):
        """An honest run passes."""
        done = self.call("submit", self.jobs("{name: it, elf: pass.elf}"), "--watch", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["verdict"], "pass")

    def refused_file(self, text, says):
        path = self.file("evil.yaml", text)
        done = self.call("submit", path)
        self.assertEqual(done.returncode, USAGE, done.stdout + done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assertIn(says, done.stderr.decode(errors="replace"))
        self.assertEqual(self.ask("GET", "/api/v1/runs")[1].count('"run"'), 0)

    def refused_request(self, method, path, body, status, says=""):
        got, text = self.ask(method, path, body)
        self.assertEqual(got, status, text[:500])
        self.assertIn(says, text)
        self.assertIn("error", json.loads(text))
        self.assertLess(len(text), 4096)


class Files(Hostile):
    def test_an_enormous_matrix_is_refused_with_its_size(self):
        self.refused_file("suite: s\ntests:\n  - {name: x, elf: pass.elf, parallel: {matrix: "
                          "[{seed: 1..1000000000}]}}\n", "1000000000")
        axes = ", ".join(f"{name}: 1..1000" for name in ("seed", "a", "b", "c"))
        self.refused_file("suite: s\ntests:\n  - {name: x, elf: pass.elf, parallel: {matrix: "
                          f"[{{{axes}}}]}}}}\n", "evil.yaml:3")
        self.goes_on()

    def test_a_yaml_bomb_is_refused(self):
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join(['*a%d' % (i - 1)] * 9)}]" for i in range(1, 12)]
        self.refused_file("\n".join(lines) + "\nsuite: s\ntests: *a11\n", "evil.yaml")
        self.refused_file("suite: s\ntests: " + "[" * DEEP + "]" * DEEP + "\n", "evil.yaml")
        self.goes_on()

    def test_numbers_that_are_too_large_are_refused(self):
        for limit in ("instructions: 99999999999999999999999999", "wall: 1e400 s"):
            self.refused_file("suite: s\ntests:\n  - {name: x, elf: pass.elf, limits: "
                              f"{{{limit}}}}}\n", "evil.yaml:3")
        self.goes_on()

    def test_needs_that_go_in_a_circle_are_refused(self):
        self.refused_file("suite: s\ntests:\n  - {name: a, elf: pass.elf, needs: [b]}\n"
                          "  - {name: b, elf: pass.elf, needs: [a]}\n", "needs")
        self.goes_on()

    def test_names_reach_a_terminal_as_text_only(self):
        path = self.jobs('{name: "\\e[2Jclear", elf: fail.elf}')
        done = self.call("submit", path, "--watch")
        self.assertNotIn(b"\x1b[2J", done.stdout + done.stderr)
        for arguments in (("results",), ("results", "--junit", "-"), ("results", "--tap", "-")):
            done = self.call(*arguments)
            self.assertNotIn(b"\x1b", done.stdout + done.stderr, arguments)


class Requests(Hostile):
    def test_paths_lead_nowhere_else(self):
        for path in ("/api/v1/store/blobs/../../../../etc/passwd",
                     "/api/v1/store/blobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                     "/api/v1/store/packs/..%00", "/api/v1/runs/../../admin.token"):
            status, text = self.ask("GET", path)
            self.assertIn(status, (400, 404), path)
            self.assertNotIn("root:", text)
        self.goes_on()

    def test_deep_and_huge_json_is_refused(self):
        self.refused_request("POST", "/api/v1/runs", "[" * DEEP + "]" * DEEP, 413,
                             says="nested 100000 deep")
        self.refused_request("POST", "/api/v1/runs", '{"name": ' + "9" * DEEP + "}", 400)
        self.refused_request("POST", "/api/v1/runs", '{"name": "\\u0000"}', 400)
        job = {"name": "x", "suite": "s", "spec": "0" * 63 + "1"}
        circle = [dict(job, name="a", needs=[1]), dict(job, name="b", needs=[0])]
        self.refused_request("POST", "/api/v1/runs", json.dumps({"name": "n", "jobs": circle}), 400)
        far = [dict(job, needs=[4000000000])]
        self.refused_request("POST", "/api/v1/runs", json.dumps({"name": "n", "jobs": far}), 400)
        self.goes_on()

    def test_bytes_that_are_not_what_they_are_named_by_are_refused(self):
        name = "ab" * 32
        for path, body in ((f"/api/v1/store/blobs/{name}", b"not that"),
                           (f"/api/v1/store/packs/{name}.pack", b"not a pack"),
                           (f"/api/v1/store/manifests/{name}", b"\xff" * 1000)):
            status, text = self.ask("PUT", path, body)
            self.assertGreaterEqual(status, 400, path)
            self.assertLess(status, 500, text)
            self.assertEqual(self.ask("GET", path)[0], 404)
        self.goes_on()

    def test_what_is_half_sent_is_not_there(self):
        connection = Connection(f"{self.folder}/api")
        connection.connect()
        name = "cd" * 32
        connection.sock.sendall(f"PUT /api/v1/store/blobs/{name} HTTP/1.1\r\nHost: x\r\n"
                                f"Authorization: Bearer {self.token}\r\n"
                                "Content-Length: 1000000\r\n\r\nhalf".encode())
        connection.close()
        self.assertEqual(self.ask("GET", f"/api/v1/store/blobs/{name}")[0], 404)
        self.goes_on()

    def test_a_webhook_must_be_http(self):
        job = {"name": "x", "suite": "s", "spec": "0" * 63 + "1"}
        for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "http//x", "x" * 100000):
            body = {"name": "n", "options": {"webhook": {"url": url}}, "jobs": [job]}
            self.refused_request("POST", "/api/v1/runs", json.dumps(body), 400, "webhook")
        self.goes_on()


if __name__ == "__main__":
    harness.main()
