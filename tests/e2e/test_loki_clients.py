#!/usr/bin/env python3
"""Loki's door on its own port, as applications log to it: npm's winston-loki (JSON and protobuf) and
pino-loki; and asked as people do: `pharos query --lang logql`, the multiplexed endpoint."""
import json
import time
import urllib.parse

import npm_clients
import pharos_test as pt


class Clients(pt.Case):
    def setUp(self):
        super().setUp()
        self.port = pt.free_port()
        self.pharos = self.server("telemetry.interval=1h", f"doors.loki.listen=127.0.0.1:{self.port}")
        self.url = f"http://127.0.0.1:{self.port}"

    def lines(self, query):
        """{line: labels}"""
        answer = pt.request(f"{self.url}/loki/api/v1/query_range?"
                            + urllib.parse.urlencode({"query": query}))
        self.assertEqual(answer.status, 200, answer.text)
        return {v[1]: s["stream"] for s in answer.json()["data"]["result"] for v in s["values"]}

    def test_winston(self):
        for kind in ("winston-json", "winston-proto"):
            self.assertEqual(npm_clients.node(self, "loki_client.cjs", kind, self.url), "ok")
            got = self.lines(f'{{app="shop", kind="{kind}"}}')
            self.assertEqual(len(got), 3, got)
            by_level = {labels["level"]: (line, labels) for line, labels in got.items()}
            self.assertEqual(by_level["info"][1]["part"], "main")
            self.assertTrue(by_level["info"][0].startswith("started"))
            line, labels = by_level["error"]
            self.assertEqual(labels["detected_level"], "error")
            self.assertEqual(json.loads(line[len("no stock "):])["user"], 'ä "quoted"')

    def test_pino(self):
        self.assertEqual(npm_clients.node(self, "loki_client.cjs", "pino", self.url), "ok")
        got = self.lines('{app="shop", kind="pino"}')
        messages = {json.loads(line)["msg"]: labels for line, labels in got.items()}
        self.assertEqual(set(messages), {"started", "no stock", "details"})
        self.assertEqual(messages["started"]["part"], "main")
        self.assertEqual(messages["no stock"]["level"], "error")
        self.assertEqual(messages["no stock"]["trace"], "t1")
        self.assertEqual(set(self.lines('{app="shop"} | json | order=42')),
                         {line for line in got if '"order":42' in line})

    def push(self, *lines):
        now = time.time_ns()
        body = {"streams": [{"stream": {"app": "x"},
                             "values": [[str(now - (len(lines) - i) * 10 ** 6), line]
                                        for i, line in enumerate(lines)]}]}
        answer = pt.request(self.url + "/loki/api/v1/push", method="POST",
                            body=json.dumps(body).encode(),
                            headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 204, answer.text)

    def test_command_line(self):
        self.push("a=1", "a=2", "b=1")
        ask = ("query", "--lang", "logql", "--url", self.url)
        got = pt.run(*ask, '{app="x"} |= "a="')
        self.assertEqual(got.returncode, 0, got.stderr)
        lines = got.stdout.splitlines()
        self.assertEqual(len(lines), 2, got.stdout)
        self.assertRegex(lines[0], r'^\d{4}-\d\d-\d\dT[\d:.]+Z \{app="x", detected_level="unknown", '
                                   r'service_name="x"\} a=2$')
        self.assertEqual(len(pt.run(*ask, "--limit", "1", '{app="x"}').stdout.splitlines()), 1)
        got = pt.run(*ask, 'sum by (app) (count_over_time({app="x"}[1h]))')
        self.assertEqual(got.stdout.split(), ['{app="x"}', "3"])
        got = pt.run(*ask, "{app=")
        self.assertEqual(got.returncode, 1)
        self.assertIn("parse error at line 1, col 6: syntax error: unexpected $end", got.stderr)

    def test_many_queries_in_one_request(self):
        self.push("a=1 level=info", "a=2 level=error")
        now = time.time_ns() // 10 ** 6
        queries = [
            {"id": "lines", "lang": "logql", "query": '{app="x"} | keep app', "step_ms": 1000},
            {"id": "counts", "lang": "logql", "step_ms": 1000,
             "query": 'sum by (detected_level) (count_over_time({app="x"}[1h]))'},
            {"id": "bad", "lang": "logql", "query": '{app=', "step_ms": 60000},
            {"id": "plan", "lang": "logql", "query": 'rate({app="x"} |= "a" [1m])', "explain": True,
             "step_ms": 60000}]
        answer = self.pharos.post("/api/pharos/v1/query", json.dumps(
            {"from": now - 60000, "to": now + 1000, "queries": queries}).encode(),
            headers={"Content-Type": "application/json"})
        got = {line["id"]: line for line in map(json.loads, answer.text.splitlines()) if "id" in line}
        self.assertEqual(got["lines"]["kind"], "streams")
        self.assertEqual(got["lines"]["streams"][0]["labels"], {"app": "x"})
        self.assertEqual(got["lines"]["streams"][0]["lines"], ["a=2 level=error", "a=1 level=info"])
        self.assertEqual({s["labels"]["detected_level"]: s["values"][-1]
                          for s in got["counts"]["series"]}, {"info": 1, "error": 1})
        self.assertIn("parse error", got["bad"]["error"]["message"])
        self.assertIn("LogRange rate range=1m predicates=1", got["plan"]["plan"])


if __name__ == "__main__":
    pt.main()
