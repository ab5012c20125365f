#!/usr/bin/env python3
"""Rules over log lines: from files and given over Loki's ruler API, recorded as series, alerted, kept
over restarts, apart by tenant; and Mimir's API for PromQL's."""
import json
import time
import urllib.parse

import pharos_test as pt
from test_rules import Alertmanager, alerting

GROUP = """
name: {name}
interval: 200ms
rules:
- record: {record}
  expr: sum by (level) (count_over_time({{app="shop"}} | json [5m]))
"""


def push(server, tenant=None, app="shop", level="error", count=3):
    now = time.time_ns()
    body = {"streams": [{"stream": {"app": app}, "values": [
        [str(now - i * 1000000), json.dumps({"level": level, "msg": f"line {i}"})] for i in range(count)]}]}
    headers = {"Content-Type": "application/json"}
    if tenant:
        headers["X-Scope-OrgID"] = tenant
    answer = pt.request(server.url + "/loki/api/v1/push", "POST", json.dumps(body).encode(), headers)
    assert answer.status == 204, answer.text


def send(server, path, method="GET", body=None, headers=None):
    return pt.request(server.url + path, method, body.encode() if body else None, headers or {})


def value(server, name, tenant=None):
    answer = pt.request(server.url + "/prometheus/api/v1/query?" + urllib.parse.urlencode({"query": name}), "GET",
                        None, {"X-Scope-OrgID": tenant} if tenant else {})
    assert answer.status == 200, answer.text
    result = answer.json()["data"]["result"]
    return {r["metric"].get("level"): r["value"][1] for r in result} or None


class LogRules(pt.Case):
    def test_files(self):
        manager = Alertmanager(self)
        self.file("logs.yml", """
groups:
- name: shop
  interval: 200ms
  rules:
  - record: shop:lines
    expr: sum by (level) (count_over_time({app="shop"} | json [5m]))
    labels: {source: logs}
  - alert: Errors
    expr: sum by (level) (count_over_time({app="shop"} | json | level="error" [5m])) > 2
    labels: {severity: page}
    annotations:
      text: '{{ $value }} lines of {{ $labels.level }}; all: {{ query "sum(count_over_time({app=\\"shop\\"}[5m]))" | first | value }}'
""")
        config = self.file("pharos.yml", "log_rule_files: [logs.yml]\n" + alerting(manager.port, "am"))
        check = pt.run("check", str(config))
        self.assertEqual(check.returncode, 0, check.stderr)
        server = self.server(config=config)
        push(server, level="info", count=2)
        push(server)  # the last one: the alert is told as soon as it is seen
        pt.wait_for("the recorded series", lambda: value(server, 'shop:lines{source="logs"}') == {"error": "3", "info": "2"})
        alert = pt.wait_for("the alert", lambda: manager.alerts("am"))[0]
        self.assertEqual(alert["labels"]["alertname"], "Errors")
        self.assertEqual(alert["annotations"]["text"], "3 lines of error; all: 5")
        self.assertIn("/logs?expr=%28sum+by", alert["generatorURL"])
        # Each door shows the rules of its own language.
        shown = send(server, "/loki/prometheus/api/v1/rules").json()["data"]["groups"]
        self.assertEqual([[r["name"] for r in g["rules"]] for g in shown], [["shop:lines", "Errors"]])
        self.assertEqual([r["health"] for r in shown[0]["rules"]], ["ok", "ok"])
        self.assertEqual([a["state"] for a in send(server, "/loki/prometheus/api/v1/alerts").json()["data"]["alerts"]],
                         ["firing"])
        self.assertEqual(send(server, "/prometheus/api/v1/rules").json()["data"]["groups"], [])
        self.assertEqual(send(server, "/prometheus/api/v1/alerts").json()["data"]["alerts"], [])

    def test_check_says_what_is_wrong(self):
        bad = self.file("bad.yml", "groups:\n- name: g\n  rules:\n  - record: r\n    expr: '{app=\"shop\"}'\n")
        check = pt.run("check", "log-rules", str(bad))
        self.assertEqual(check.returncode, 1)
        self.assertIn("the expression gives log lines; a rule needs numbers", check.stderr)
        config = self.file("pharos.yml", "log_rule_files: [bad.yml]\n")
        self.assertEqual(pt.run("check", str(config)).returncode, 1)

    def test_ruler_api(self):
        server = self.server()
        base = "/loki/api/v1/rules"
        self.assertEqual(send(server, base).status, 404)
        self.assertIn("no rule groups found", send(server, base).text)
        push(server)
        push(server, tenant="other", count=1)
        answer = send(server, base + "/team%20a%2Fb", "POST", GROUP.format(name="one", record="lines:one"))
        self.assertEqual((answer.status, answer.json()["status"]), (202, "success"))
        self.assertEqual(send(server, base + "/x", "POST", GROUP.format(name="two", record="lines:two")).status, 202)
        self.assertEqual(send(server, base + "/x", "POST", GROUP.format(name="one", record="lines:one"),
                              {"X-Scope-OrgID": "other"}).status, 202)
        pt.wait_for("the series of both tenants", lambda: value(server, "lines:one") == {"error": "3"} and
                    value(server, "lines:one", "other") == {"error": "1"})
        listed = send(server, base).text
        self.assertIn('"team a/b":', listed)
        self.assertIn("lines:two", listed)
        self.assertNotIn("lines:two", send(server, base + "/team%20a%2Fb").text)
        self.assertTrue(send(server, base + "/team%20a%2Fb/one").text.startswith("name: one"))
        self.assertEqual(send(server, base + "/team%20a%2Fb/none").status, 404)
        files = [g["file"] for g in send(server, "/loki/prometheus/api/v1/rules").json()["data"]["groups"]]
        self.assertEqual(files, ["team a/b", "x"])

        server.stop()
        server.start()
        push(server, level="warn", count=4)
        pt.wait_for("rules after the restart", lambda: (value(server, "lines:one") or {}).get("warn") == "4")
        self.assertEqual(send(server, base + "/team%20a%2Fb/one", "DELETE").status, 202)
        self.assertEqual(send(server, base + "/team%20a%2Fb/one", "DELETE").status, 404)
        self.assertEqual(send(server, base + "/x", "DELETE").status, 202)
        self.assertEqual(send(server, base).status, 404)
        pt.wait_for("the series to end", lambda: value(server, "lines:one") is None)
        self.assertIsNotNone(value(server, "lines:one", "other"))

    def test_refused(self):
        server = self.server()
        base = "/loki/api/v1/rules"
        for body, words in (("name: [", "the body is no YAML"),
                            ("- a", "a rule group is a YAML map with name and rules"),
                            (GROUP.format(name="g", record="r").replace("count_over_time", "count_over"),
                             "could not parse expression"),
                            (GROUP.format(name="''", record="r"), "Groupname must not be empty")):
            answer = send(server, base + "/ns", "POST", body)
            self.assertEqual(answer.status, 400, answer.text)
            self.assertIn(words, answer.text)
        answer = send(server, base + "/" + "n" * 81, "POST", GROUP.format(name="g", record="r"))
        self.assertIn("a namespace has 1 to 80 bytes", answer.text)
        answer = send(server, base + "/ns", "POST", GROUP.format(name="g", record="r"),
                      {"Origin": "http://evil.example"})
        self.assertEqual(answer.status, 403)
        self.assertEqual(send(server, base).status, 404)
        small = self.server("limits.rules.namespace=1KiB", data=self.work / "small")
        answers = [send(small, base + "/ns", "POST", GROUP.format(name=f"g{i}", record="r")) for i in range(12)]
        self.assertEqual((answers[0].status, answers[-1].status), (202, 400))
        self.assertIn("limits.rules.namespace (1024)", answers[-1].text)

    def test_promql_groups(self):
        server = self.server()
        base = "/prometheus/config/v1/rules"
        group = "name: g\ninterval: 200ms\nrules:\n- record: seven\n  expr: vector(7)\n"
        self.assertEqual(send(server, base + "/ns", "POST", group).status, 202)
        pt.wait_for("the series", lambda: value(server, "seven") == {None: "7"})
        self.assertIn("vector(7)", send(server, base + "/ns/g").text)
        self.assertEqual(send(server, "/loki/api/v1/rules").status, 404)
        self.assertEqual(send(server, base + "/ns/g", "DELETE").status, 202)
        self.assertEqual(send(server, base).status, 404)


if __name__ == "__main__":
    pt.main()
