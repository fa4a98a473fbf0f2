#!/usr/bin/env python3
"""test_openapi.py: the coordinator's HTTP API is what coordinator/openapi.yaml says: routes, who
may use them, the shape of each answer; and /metrics is what Prometheus reads."""
import functools
import http.client
import json
import pathlib
import re
import socket
import subprocess
import unittest

import jsonschema
import yaml

import harness
from service import GUARD, ServiceTest

FILE = pathlib.Path(harness.HERE).parents[2] / "coordinator" / "openapi.yaml"
FARM = pathlib.Path(harness.THAW).parent / "thaw-farm"
METHODS = ("GET", "PUT", "POST", "DELETE")
ROLES = ("read", "submit", "agent", "admin")
# Streams have no end; what a query must have.
ENDLESS = "/api/v1/events"
QUERIES = {"/api/v1/history": "?suite=bare&name=good"}
NOBODY = {"run": "999999", "job": "999999", "name": "nobody", "id": 64 * "0"}


@functools.cache
def document():
    return yaml.safe_load(FILE.read_text())


def resolve(value):
    """With what it refers to in its place, and `nullable` as JSON Schema says it."""
    if isinstance(value, list):
        return [resolve(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return resolve(functools.reduce(lambda at, key: at[key],
                                        value["$ref"].removeprefix("#/").split("/"), document()))
    result = {key: resolve(item) for key, item in value.items()}
    if result.pop("nullable", False) is True:
        result["type"] = [result["type"], "null"]
    return result


def operations():
    """(method, path) to the operation, with its path's parameters."""
    found = {}
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method.lower() in item:
                operation = resolve(item[method.lower()])
                operation["parameters"] = (resolve(item.get("parameters", []))
                                           + operation.get("parameters", []))
                found[method, path] = operation
    return found


def served():
    """(method, path) to (roles, query parameters), as the server has them."""
    routes = {}
    for line in subprocess.run([FARM, "routes"], stdout=subprocess.PIPE, check=True,
                               timeout=GUARD).stdout.decode().splitlines():
        method, path, roles, query = line.split(" ", 3)
        routes[method, path] = (set(roles.split(",")) - {"-"}, set(query.split()))
    return routes


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=GUARD)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(GUARD)
        self.sock.connect(self.path)


class File(unittest.TestCase):
    def test_its_schemas_are_schemas_and_every_object_is_closed(self):
        def closed(value, where):
            if isinstance(value, dict):
                if value.get("type") == "object" and "/requestBody" not in where:
                    self.assertIn("additionalProperties", value, where)
                    extra = set(value.get("required", [])) ^ set(value.get("properties", {}))
                    if where.endswith("/Run") or where.endswith("/Job"):
                        self.assertEqual(extra, set(), where)
                for key, item in value.items():
                    closed(item, f"{where}/{key}")
            elif isinstance(value, list):
                for item in value:
                    closed(item, where)
        closed(document(), "")
        for name, schema in document()["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft7Validator.check_schema(resolve(schema))

    def test_it_has_the_servers_routes_and_no_others(self):
        self.assertEqual(set(operations()), set(served()))

    def test_it_has_the_servers_parameters(self):
        for (method, path), (_, query) in served().items():
            with self.subTest(f"{method} {path}"):
                parameters = operations()[method, path]["parameters"]
                self.assertEqual({one["name"] for one in parameters if one["in"] == "query"}, query)
                self.assertEqual({one["name"] for one in parameters if one["in"] == "path"},
                                 set(re.findall(r"{(\w+)}", path)))

    def test_it_has_the_servers_roles(self):
        for route, (roles, _) in served().items():
            with self.subTest(" ".join(route)):
                self.assertEqual(set(operations()[route]["x-role"]), roles)


class Service(ServiceTest):
    def setUp(self):
        super().setUp()
        self.begin()
        self.admin = (self.state / "admin.token").read_text().strip()

    def begin(self):
        self.start()

    def ask(self, method, path, token=None, body=None, status_only=False):
        """(status, headers, body)"""
        connection = UnixConnection(self.folder / "api")
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            if body is not None:
                body = json.dumps(body)
                headers["Content-Type"] = "application/json"
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, b"" if status_only else answer.read()
        finally:
            connection.close()

    def fits(self, method, path, status, headers, body):
        """The answer is one that the file has for the operation."""
        responses = operations()[method, path]["responses"]
        response = responses.get(str(status), responses["default"])
        if str(status) not in responses:
            self.assertGreaterEqual(status, 400, f"{method} {path}")
        kind = headers.get("Content-Type", "").split(";")[0]
        if "content" not in response:
            self.assertEqual(body, b"")
            return
        self.assertIn(kind, response["content"], f"{method} {path} {status}")
        schema = response["content"][kind]["schema"]
        if kind == "application/json":
            jsonschema.validate(json.loads(body), schema, jsonschema.Draft7Validator)
        elif kind == "application/x-ndjson":
            lines = body.decode().splitlines()
            self.assertNotEqual(lines, [])
            for line in lines:
                jsonschema.validate(json.loads(line), schema, jsonschema.Draft7Validator)

    def good(self, method, path, url=None, token=None, body=None):
        """It succeeds, as the file says: the body, parsed if it is JSON."""
        status, headers, said = self.ask(method, url or path, token or self.admin, body)
        self.assertLess(status, 300, f"{method} {url or path}: {said}")
        self.fits(method, path, status, headers, said)
        is_json = headers.get("Content-Type", "").startswith("application/json")
        return json.loads(said) if is_json else said.decode()

    def fill(self, path, **values):
        return re.sub(r"{(\w+)}", lambda found: str({**NOBODY, **values}[found[1]]), path)

    def a_run(self):
        return self.run_of(self.jobs("{name: good, elf: pass.elf}", "{name: bad, elf: fail.elf}"))


class Answers(Service):
    def test_every_get_of_the_file_answers_as_the_file_says(self):
        self.join()
        first, second = self.a_run(), self.a_run()
        self.thaw("submit", "--schedule", self.jobs(
            "{name: good, elf: pass.elf}", suite="nightly",
            workflow="{schedule: {cron: '30 2 * * *'}}"))
        self.good("PUT", "/api/v1/baselines/{name}", "/api/v1/baselines/gold", body={"run": first})
        self.good("POST", "/api/v1/tokens", body={"name": "t", "role": "read", "ttl_s": 60})
        self.good("POST", "/api/v1/enrolments", body={"name": "other"})
        jobs = self.good("GET", "/api/v1/runs/{run}/jobs", f"/api/v1/runs/{first}/jobs")["jobs"]
        self.assertEqual(len(jobs), 2)
        asked = 0
        for method, path in operations():
            if method != "GET" or path == ENDLESS or "/store/" in path and "{" in path:
                continue
            with self.subTest(path):
                url = self.fill(path, run=second, job=jobs[0]["id"]) + QUERIES.get(path, "")
                self.good("GET", path, url)
                asked += 1
        self.assertGreater(asked, 12)
        for report in ("jsonl", "junit", "tap"):
            self.good("GET", "/api/v1/runs/{run}/results",
                      f"/api/v1/runs/{first}/results?format={report}")
        compare = "/api/v1/runs/{run}/compare"
        told = self.good("GET", compare, f"/api/v1/runs/{second}/compare?against=gold")
        self.assertEqual([one["name"] for one in told["still_failing"]], ["bad"])
        page = self.good("GET", "/api/v1/runs/{run}/jobs", f"/api/v1/runs/{first}/jobs?limit=1")
        self.assertEqual(page["next"], page["jobs"][0]["id"])
        for path in ("/api/v1/agents", "/api/v1/schedules", "/api/v1/baselines", "/api/v1/tokens",
                     "/api/v1/runs"):
            self.assertNotEqual(list(self.good("GET", path).values()), [[]], path)

    def test_the_file_itself_is_served(self):
        status, headers, said = self.ask("GET", "/api/v1/openapi.yaml")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/yaml"))
        self.assertEqual(said, FILE.read_bytes())

    def test_events_are_as_the_file_says(self):
        schema = operations()["GET", ENDLESS]["responses"]["200"]["content"]["text/event-stream"]
        connection = UnixConnection(self.folder / "api")
        self.addCleanup(connection.close)
        connection.request("GET", ENDLESS, None, {"Authorization": f"Bearer {self.admin}"})
        answer = connection.getresponse()
        self.join()
        self.a_run()
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        kinds = set()
        while not {"run", "job", "agent"} <= kinds:
            line = answer.readline().decode()
            self.assertNotEqual(line, "", "the stream ended")
            if line.startswith("data: "):
                event = json.loads(line[6:])
                jsonschema.validate(event, schema["schema"], jsonschema.Draft7Validator)
                kinds.add(event["kind"])

    def test_a_submission_of_all_that_the_file_has_is_taken(self):
        def sample(schema, name=""):
            if "enum" in schema:
                return schema["enum"][0]
            if schema["type"] == "object":
                return {key: sample(value, key) for key, value in schema["properties"].items()
                        if key not in ("command", "secret", "boot", "needs")} \
                    if "properties" in schema else {"key": "text"}
            if schema["type"] == "array":
                return [sample(schema["items"])]
            if schema["type"] == "string":
                return 64 * "1" if "pattern" in schema and "0-9a-f" in schema["pattern"] else \
                    "http://localhost:1/" if name == "url" else "text"
            return schema["type"] == "boolean" or 1
        schema = resolve(document()["components"]["schemas"]["Submission"])
        submission = sample(schema)
        submission["options"].pop("baseline")
        jsonschema.validate(submission, schema, jsonschema.Draft7Validator)
        self.good("POST", "/api/v1/runs", body=submission)
        submission["jobs"][0]["colour"] = "red"
        status, headers, said = self.ask("POST", "/api/v1/runs", self.admin, submission)
        self.assertEqual(status, 400)
        self.fits("POST", "/api/v1/runs", status, headers, said)

    def test_the_stores_gets_answer_as_the_file_says(self):
        self.boot()
        place = "/api/v1/store"
        tag, = self.good("GET", "/api/v1/tags")["tags"]
        self.assertEqual(self.good("GET", f"{place}/tags")["tags"][0]["name"], tag["name"])
        told = self.good("GET", f"{place}/checkpoints/{{id}}",
                         f"{place}/checkpoints/{tag['checkpoint']}")
        self.assertEqual(told["checkpoint"], tag["checkpoint"])
        self.assertNotEqual(told["packs"], [])
        for kind, name in (("packs", told["packs"][0]["name"]), ("manifests", tag["checkpoint"])):
            path = f"{place}/{kind}/{{name}}"
            status, headers, said = self.ask("GET", self.fill(path, name=name), self.admin)
            self.assertEqual(status, 200, said)
            self.fits("GET", path, status, headers, said)
        status, headers, said = self.ask("GET", f"{place}/blobs/{64 * '0'}", self.admin)
        self.assertEqual(status, 404)
        self.fits("GET", f"{place}/blobs/{{name}}", status, headers, said)

    def test_what_changes_something_answers_as_the_file_says(self):
        job = {"name": "it", "spec": 64 * "1"}
        runs = "/api/v1/runs/{run}"
        told = self.good("POST", "/api/v1/runs", body={"name": "r", "open": True, "jobs": [job]})
        this = self.fill(runs, run=told["run"])
        more = {"jobs": [{**job, "name": "other"}]}
        for action, body in (("jobs", more), ("close", {}), ("pause", {}), ("resume", {}),
                             ("cancel", {"reason": "enough"})):
            if action == "cancel":
                listed = self.good("GET", runs + "/jobs", f"{this}/jobs")
                self.good("POST", "/api/v1/jobs/{job}/cancel",
                          f"/api/v1/jobs/{listed['jobs'][0]['id']}/cancel", body={})
            self.good("POST", f"{runs}/{action}", f"{this}/{action}", body=body)
        schedule = {"cron": "30 2 * * *", "submission": {"name": "n", "jobs": [job]}}
        path = "/api/v1/schedules/{name}"
        self.good("PUT", path, self.fill(path), body=schedule)
        for action in ("pause", "resume"):
            self.good("POST", f"{path}/{action}", self.fill(path) + f"/{action}", body={})
        self.good("DELETE", path, self.fill(path))
        path = "/api/v1/baselines/{name}"
        self.good("PUT", path, self.fill(path), body={"run": told["run"]})
        self.good("DELETE", path, self.fill(path))

    def test_other_methods_are_refused(self):
        paths = {}
        for method, path in operations():
            paths.setdefault(path, set()).add(method)
        for path, methods in paths.items():
            for method in set(METHODS) - methods:
                with self.subTest(f"{method} {path}"):
                    status, headers, said = self.ask(method, self.fill(path), self.admin)
                    self.assertEqual(status, 405, said)
                    allowed = set(headers["Allow"].split(", ")) - {"HEAD"}
                    self.assertEqual(allowed, methods)
        status, headers, said = self.ask("GET", "/api/v1/nothing", self.admin)
        self.assertEqual(status, 404)

    def test_errors_are_as_the_file_says(self):
        for method, path in operations():
            if "{" not in path or "/store/" in path:
                continue
            with self.subTest(f"{method} {path}"):
                status, headers, said = self.ask(method, self.fill(path), self.admin)
                self.assertIn(status, (400, 404), said)
                self.fits(method, path, status, headers, said)


class Roles(Service):
    def tokens(self):
        return {role: self.good("POST", "/api/v1/tokens",
                                body={"name": f"a {role}", "role": role})["token"]
                for role in ROLES}

    def test_each_role_may_what_the_file_says_and_nothing_else(self):
        tokens = self.tokens()
        for (method, path), operation in operations().items():
            for role in ROLES:
                with self.subTest(f"{role}: {method} {path}"):
                    status = self.ask(method, self.fill(path), tokens[role], status_only=True)[0]
                    roles = operation["x-role"]
                    if role in roles or not roles:
                        self.assertNotIn(status, (401, 403, 405))
                    else:
                        self.assertEqual(status, 403)

    def test_without_a_token_there_is_only_what_the_file_opens(self):
        for (method, path), operation in operations().items():
            for token in (None, 43 * "x"):
                with self.subTest(f"{method} {path}"):
                    status, headers, said = self.ask(method, self.fill(path), token)
                    if operation["x-role"]:
                        # Many wrong ones in a row are too many.
                        self.assertIn(status, (401,) if token is None else (401, 429))
                        self.fits(method, path, status, headers, said)
                    else:
                        self.assertEqual(status, 200)

    def test_a_role_that_is_taken_away_is_gone(self):
        token = self.tokens()["submit"]
        self.good("GET", "/api/v1/runs", token=token)
        self.good("DELETE", "/api/v1/tokens/{name}", "/api/v1/tokens/a%20submit")
        self.assertEqual(self.ask("GET", "/api/v1/runs", token)[0], 401)


class Open(Service):
    def begin(self):
        self.start("--open")

    def test_an_open_service_takes_its_own_host_as_admin(self):
        for method, path in operations():
            with self.subTest(f"{method} {path}"):
                status = self.ask(method, self.fill(path), status_only=True)[0]
                self.assertNotIn(status, (401, 403, 405))


NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
VALUE = re.compile(r"[0-9]+(\.[0-9]+)?|\+Inf|NaN")


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found and found[1] not in labels, text
        labels[found[1]] = found[2]
        at = found.end()
        assert at == len(text) or text[at] == ",", text
        at += at < len(text)
    return labels


def family_of(name, types):
    """The metric that a sample belongs to."""
    if name in types:
        assert types[name] != "histogram", f"{name} has no part's name"
        return name
    base = re.sub("_(bucket|sum|count)$", "", name)
    assert types.get(base) == "histogram", f"{name} has no TYPE before it"
    return base


def parse_metrics(text):
    """{(name, labels): value} and the types, of the text format; strict."""
    assert text.endswith("\n")
    helps, types, samples, closed, current = {}, {}, {}, set(), None
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            what, name, rest = line[2:].split(" ", 2)
            assert what in ("HELP", "TYPE") and re.fullmatch(NAME, name) and rest, line
            table = helps if what == "HELP" else types
            assert name not in table, f"twice: {line}"
            assert what == "HELP" or (rest in ("counter", "gauge", "histogram") and name in helps)
            table[name] = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found and VALUE.fullmatch(found[3]), line
        family = family_of(found[1], types)
        if family != current:
            assert family not in closed, f"{family} comes in pieces"
            closed.add(family)
            current = family
        key = (found[1], frozenset(parse_labels(found[2] or "").items()))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(found[3])
    assert set(helps) == set(types) == closed, "a metric without samples"
    return samples, types


class Metrics(Service):
    def metrics(self):
        status, headers, said = self.ask("GET", "/metrics", self.admin)
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse_metrics(said.decode())

    def test_the_text_is_what_prometheus_reads(self):
        samples, types = self.metrics()
        self.assertGreater(len(types), 40)
        for name, kind in types.items():
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertTrue(name.startswith("thaw_"), name)
            if kind != "histogram":
                continue
            buckets = sorted((float(dict(labels)["le"]), value)
                             for (one, labels), value in samples.items() if one == name + "_bucket")
            counts = [value for _, value in buckets]
            self.assertEqual(counts, sorted(counts), name)
            self.assertEqual(buckets[-1], (float("inf"), samples[name + "_count", frozenset()]))
            self.assertIn((name + "_sum", frozenset()), samples)

    def test_counters_move_with_a_run_and_never_back(self):
        before, types = self.metrics()
        self.join()
        self.a_run()
        # The gateway, a process of its own, tells its figures from time to time.
        asked = ("thaw_gateway_requests_total", frozenset())
        self.until("the gateway's figures have come", lambda: self.metrics()[0][asked] > 0)
        after, _ = self.metrics()

        def moved(name, **labels):
            key = (f"thaw_{name}", frozenset(labels.items()))
            return after[key] - before.get(key, 0)
        self.assertEqual(moved("jobs_submitted_total"), 2)
        self.assertEqual(moved("leases_granted_total"), 2)
        self.assertEqual(moved("results_recorded_total"), 2)
        self.assertEqual(moved("verdicts_total", verdict="pass"), 1)
        self.assertEqual(moved("verdicts_total", verdict="fail"), 1)
        self.assertEqual(moved("agents"), 1)
        self.assertEqual(moved("agents_online"), 1)
        for name in ("commits_total", "http_requests_total", "http_in_bytes_total",
                     "http_out_bytes_total", "gateway_requests_total", "bracket_seconds_count",
                     "claim_seconds_count"):
            self.assertGreater(moved(name), 0, name)
        self.assertEqual(moved("http_failed_total"), 0)
        for name, labels in before:
            if types.get(name) == "counter":
                self.assertGreaterEqual(after[name, labels], before[name, labels], name)


if __name__ == "__main__":
    harness.main()
