#!/usr/bin/env python3
"""Rules in a running server: the API's parameters, restarts, reloads, and telling Alertmanagers, made
up ones and a real one."""
import http.server
import json
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse

import pharos_test as pt


class Alertmanager:
    """Takes posts; `posts` by the first part of the path."""

    def __init__(self, case, status=200, delay=0):
        outer = self
        self.posts, self.headers, self.status = {}, {}, status

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.path.split("/")[1]
                outer.posts.setdefault(key, []).append((self.path, json.loads(body)))
                outer.headers[key] = dict(self.headers)
                time.sleep(delay)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        case.addCleanup(lambda: (self.server.shutdown(), thread.join(), self.server.server_close()))

    def alerts(self, key):
        return [a for _, body in self.posts.get(key, []) for a in body]


def alerting(port, prefix, more=""):
    return f"""
alerting:
  alert_relabel_configs:
  - {{source_labels: [alertname], regex: Pending, action: drop}}
  - {{action: labeldrop, regex: gone}}
  alertmanagers:
  - path_prefix: /{prefix}/
    static_configs: [{{targets: ['127.0.0.1:{port}', 'away:1']}}]
    relabel_configs: [{{source_labels: [__address__], regex: 'away.*', action: drop}}]
{more}"""


def groups(url, **params):
    answer = pt.request(f"{url}/api/v1/rules?" + urllib.parse.urlencode(params, doseq=True))
    assert answer.status == 200, answer.text
    return answer.json()["data"]["groups"]


def state(url, name):
    return [r["state"] for g in groups(url) for r in g["rules"] if r["name"] == name][0]


class Selecting(pt.Case):
    def setUp(self):
        super().setUp()
        self.file("a.yml", """
groups:
- name: one
  labels: {team: x}
  rules:
  - {alert: A, expr: vector(1), labels: {severity: page}}
  - {record: r, expr: vector(1)}
- name: two
  rules:
  - {record: s, expr: vector(1)}
""")
        self.file("b.yml", "groups: [{name: one, interval: 200ms, rules: [{alert: B, expr: vector(1)}]}]\n")
        self.pharos = self.server(config=self.file("pharos.yml", "rule_files: ['*.yml.not', a.yml, b.yml]\n"))

    def names(self, **params):
        return [[r["name"] for r in g["rules"]]
                for g in groups(self.pharos.prometheus_url, **params)]

    def test_parameters(self):
        self.assertEqual(self.names(), [["A", "r"], ["s"], ["B"]])
        self.assertEqual(self.names(type="alert"), [["A"], ["B"]])
        self.assertEqual(self.names(type="record"), [["r"], ["s"]])
        self.assertEqual(self.names(**{"rule_name[]": ["r", "B"]}), [["r"], ["B"]])
        self.assertEqual(self.names(**{"rule_group[]": "two"}), [["s"]])
        self.assertEqual(self.names(**{"file[]": str(self.work / "b.yml")}), [["B"]])
        self.assertEqual(self.names(**{"match[]": '{severity="page"}'}), [["A"]])
        self.assertEqual(self.names(**{"match[]": ['{team="x"}', '{severity="none"}']}), [["A", "r"]])
        pt.wait_for("B to fire", lambda: state(self.pharos.prometheus_url, "B") == "firing")
        self.assertEqual([r["alerts"] for g in groups(self.pharos.prometheus_url, exclude_alerts="true")
                          for r in g["rules"] if r["name"] == "B"], [[]])

    def test_pages(self):
        seen, token = [], None
        for _ in range(3):
            params = {"group_limit": 1, **({"group_next_token": token} if token else {})}
            data = self.pharos.prom("rules", params).json()["data"]
            seen += [g["name"] for g in data["groups"]]
            token = data.get("groupNextToken")
        self.assertEqual(seen, ["one", "two", "one"])
        self.assertIsNone(token)

    def test_errors(self):
        for params, words in (
                ({"type": "x"}, 'invalid parameter "type": not supported value "x"'),
                ({"group_limit": "0"}, "group_limit needs to be greater than 0"),
                ({"group_limit": "x"}, "group_limit needs to be a valid number"),
                ({"group_next_token": "x"}, "group_limit needs to be present"),
                ({"group_limit": "1", "group_next_token": "x"},
                 "invalid group_next_token 'x'. were rule groups changed?"),
                ({"exclude_alerts": "x"}, "error converting exclude_alerts"),
                ({"match[]": "{"}, 'invalid parameter "match[]": 1:2: parse error')):
            answer = self.pharos.prom("rules", params)
            self.assertEqual(answer.status, 400, params)
            self.assertIn(words, answer.json()["error"])


class Restart(pt.Case):
    RULES = """
groups:
- name: g
  interval: 200ms
  rules:
  - {alert: Waits, expr: m > 0, for: 1h}
  - {alert: Soon, expr: m > 0, for: 2s}
"""

    def active_at(self, server, name="Waits"):
        for g in groups(server.prometheus_url):
            for r in g["rules"]:
                if r["name"] == name and r["alerts"]:
                    return r["alerts"][0]["activeAt"]
        return None

    def test_waiting_goes_on(self):
        config = self.file("pharos.yml", "rule_files: [rules.yml]\n")
        self.file("rules.yml", self.RULES)
        sets = ["rules.for_grace_period=10s"]
        server = self.server(*sets, config=config)
        now = int(time.time() * 1000)
        server.write([({"__name__": "m"}, [(now, 1.0)])])
        before = pt.wait_for("the alert", lambda: self.active_at(server))
        pt.wait_for("its state in the store", lambda: len(server.query("ALERTS_FOR_STATE")) == 2)
        started = float(server.query('ALERTS_FOR_STATE{alertname="Waits"}')[0]["value"][1])
        last = max(float(t) for t, _ in server.query('ALERTS_FOR_STATE{alertname="Waits"}[1m]')[0]["values"])
        server.kill()
        time.sleep(2)
        server = self.server(*sets, config=config)
        # The time spent waiting counts, the outage does not: the restored start moves by as much.
        pt.wait_for("its state to be restored", lambda: server.query(
            f'timestamp(ALERTS_FOR_STATE{{alertname="Waits"}}) > {last + 1.5}'))
        restored = pt.wait_for("the restored start", lambda: [
            float(r["value"][1]) for r in server.query('ALERTS_FOR_STATE{alertname="Waits"}')])[0]
        self.assertGreaterEqual(restored, started)
        self.assertLess(restored, started + 30)
        self.assertEqual(state(server.prometheus_url, "Waits"), "pending")
        moved = self.active_at(server)
        self.assertGreaterEqual(moved[:19], before[:19])
        rules = [r for g in groups(server.prometheus_url) for r in g["rules"]]
        self.assertEqual([r["health"] for r in rules], ["ok", "ok"])

    def test_firing_stays_firing(self):
        config = self.file("pharos.yml", "rule_files: [rules.yml]\n")
        self.file("rules.yml", self.RULES.replace("for: 1h", "for: 2s"))
        sets = ["rules.for_grace_period=1s"]
        server = self.server(*sets, config=config)
        server.write([({"__name__": "m"}, [(int(time.time() * 1000), 1.0)])])
        pt.wait_for("the alert to fire", lambda: state(server.prometheus_url, "Waits") == "firing")
        before = self.active_at(server)
        pt.wait_for("its state in the store", lambda: server.query('ALERTS{alertstate="firing"}'))
        self.assertEqual(server.stop(signal.SIGTERM), 0)
        server = self.server(*sets, config=config)
        pt.wait_for("the alert to fire again",
                    lambda: state(server.prometheus_url, "Waits") == "firing")
        pt.wait_for("its start to be restored",
                    lambda: (self.active_at(server) or "")[:19] == before[:19])


class Reload(pt.Case):
    def test_state_is_kept_and_series_end(self):
        config = self.file("pharos.yml", "rule_files: [rules.yml]\nrules: {for_grace_period: 0s}\n")

        def write(extra, name="stays"):
            self.file("rules.yml", f"""
groups:
- name: {name}
  interval: 200ms
  rules:
  - {{alert: A, expr: vector(1), for: 1h}}
  - {{record: kept, expr: vector(1)}}
{extra}
""")
        write("  - {record: leaves, expr: vector(1)}\n- name: other\n  interval: 200ms\n  rules: [{record: ends, expr: vector(1)}]")
        # One worker: what waits for it must not be waited for.
        server = self.server("threads.workers=1", config=config)

        def active_at():
            return [a["activeAt"] for g in groups(server.prometheus_url) for r in g["rules"]
                    for a in r.get("alerts", [])]
        before = pt.wait_for("the alert", active_at)
        for name in ("kept", "leaves", "ends"):
            pt.wait_for(name, lambda: server.query(name))
        # A bad file changes nothing.
        self.file("rules.yml", "groups: [{name: x, rules: [{record: a, expr: 'sum('}]}]")
        answer = server.post("/-/reload")
        self.assertEqual(answer.status, 500)
        self.assertIn('group "x", rule 1, "a": could not parse expression: 1:5: parse error',
                      answer.text)
        self.assertEqual(len(groups(server.prometheus_url)), 2)
        write("  - {record: comes, expr: vector(1)}")
        self.assertEqual(server.post("/-/reload").status, 200)
        pt.wait_for("the new rule", lambda: server.query("comes"))
        self.assertEqual(active_at(), before)
        pt.wait_for("the removed rule's series to end", lambda: not server.query("leaves"))
        pt.wait_for("the removed group's series to end", lambda: not server.query("ends"))
        self.assertTrue(server.query("kept"))
        write("", name="renamed")
        self.assertEqual(server.post("/-/reload").status, 200)
        pt.wait_for("the new name", lambda: [g["name"] for g in groups(server.prometheus_url)] == ["renamed"])
        pt.wait_for("its alert", active_at)
        self.assertGreater(server.metric("pharos_rule_evaluations_total"), 0)
        self.assertEqual(server.metric("pharos_rule_groups"), 1)


class RealAlertmanager(pt.Case):
    def test_alerts_arrive_and_end(self):
        program = shutil.which("prometheus-alertmanager")
        if not program:
            self.skipTest("prometheus-alertmanager is not installed")
        port = pt.free_port()
        config = self.file("alertmanager.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n")
        log = open(self.work / "alertmanager.log", "w")
        process = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.path={self.work / 'am'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
            stdout=log, stderr=log)
        self.addCleanup(lambda: (process.kill(), process.wait(), log.close()))
        url = f"http://127.0.0.1:{port}"

        def ready():
            assert process.poll() is None, (self.work / "alertmanager.log").read_text()
            try:
                return pt.request(url + "/-/ready").status == 200
            except OSError:
                return False
        pt.wait_for("the Alertmanager", ready)
        self.file("rules.yml", """
groups:
- name: g
  interval: 200ms
  rules:
  - {alert: High, expr: m > 1, labels: {severity: page}, annotations: {summary: 'is {{ $value }}'}}
""")
        server = self.server(config=self.file("pharos.yml", f"""
rule_files: [rules.yml]
rules: {{resend_delay: 1s}}
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]}}
"""))
        def alerts():
            return pt.request(url + "/api/v2/alerts").json()
        server.write([({"__name__": "m", "job": "a"}, [(int(time.time() * 1000), 2.5)])])
        got = pt.wait_for("the alert", alerts)[0]
        self.assertEqual(got["labels"], {"alertname": "High", "job": "a", "severity": "page"})
        self.assertEqual(got["annotations"], {"summary": "is 2.5"})
        self.assertEqual(got["status"]["state"], "active")
        self.assertIn("/graph?g0.expr=m+%3E+1&g0.tab=1", got["generatorURL"])
        server.write([({"__name__": "m", "job": "a"}, [(int(time.time() * 1000), 0.5)])])
        pt.wait_for("the alert to end", lambda: not alerts())
        self.assertEqual(server.metric("pharos_notifications_errors_total"), 0)


class Telling(pt.Case):
    RULES = "groups: [{name: g, interval: 200ms, rules: [{alert: A, expr: vector(1)}]}]\n"

    def test_files_and_credentials(self):
        manager = Alertmanager(self)
        self.file("rules.yml", self.RULES)
        targets = self.file("targets.json", json.dumps([{"targets": [f"127.0.0.1:{manager.port}"]}]))
        config = self.file("prometheus.yml", f"""
global: {{external_labels: {{site: lab}}}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - path_prefix: basic
    basic_auth: {{username: u, password: secret}}
    file_sd_configs: [{{files: [targets.json]}}]
  - path_prefix: bearer
    authorization: {{credentials: token}}
    static_configs: [{{targets: ['127.0.0.1:{manager.port}']}}]
    alert_relabel_configs: [{{target_label: only, replacement: here}}]
""")
        server = self.server(f"prometheus.config_file={config}", "rules.resend_delay=1s",
                             "rules.external_url=https://pharos.example/x")
        pt.wait_for("both to be told", lambda: {"basic", "bearer"} <= set(manager.posts))
        self.assertEqual(manager.headers["basic"]["Authorization"], "Basic dTpzZWNyZXQ=")
        self.assertEqual(manager.headers["bearer"]["Authorization"], "Bearer token")
        self.assertEqual(manager.alerts("basic")[0]["labels"], {"alertname": "A", "site": "lab"})
        self.assertEqual(manager.alerts("bearer")[0]["labels"],
                         {"alertname": "A", "site": "lab", "only": "here"})
        self.assertEqual(manager.alerts("basic")[0]["generatorURL"],
                         "https://pharos.example/x/graph?g0.expr=vector%281%29&g0.tab=1")
        # A changed file is seen; a bad one changes nothing.
        targets.write_text("[")
        pt.wait_for("the alert to be told again", lambda: len(manager.alerts("basic")) > 2)
        self.assertEqual(server.metric("pharos_notifications_errors_total"), 0)

    def test_nobody_takes_them(self):
        manager = Alertmanager(self, status=500)
        self.file("rules.yml", self.RULES)
        config = self.file("pharos.yml", "rule_files: [rules.yml]\nrules: {resend_delay: 1s}\n"
                           + alerting(manager.port, "x"))
        server = self.server(config=config)
        pt.wait_for("a post to be refused",
                    lambda: server.metric("pharos_notifications_dropped_total", "not_taken"))
        self.assertIn("alerts were not taken", server.log())
        summary = server.get("/api/pharos/v1/alerts").json()
        self.assertEqual([summary[k] for k in ("rules", "recording", "failing", "firing", "pending")],
                         [1, 0, 0, 1, 0])
        used, dropped = summary["alertmanagers"]
        self.assertEqual((used["state"], used["error"]), ("refusing", "answered 500"))
        self.assertGreater(used["answered_ms"], 0)
        self.assertNotIn("taken_ms", used)
        self.assertEqual((dropped["state"], dropped["url"]), ("dropped", "http://away:1/x/api/v2/alerts"))
        manager.status = 200
        taken = len(manager.alerts("x"))
        pt.wait_for("the alert to be told again", lambda: len(manager.alerts("x")) > taken)
        used = pt.wait_for("it to be said", lambda: next(
            (m for m in server.get("/api/pharos/v1/alerts").json()["alertmanagers"] if m["state"] == "taking"), None))
        self.assertNotIn("error", used)
        self.assertGreater(used["taken_ms"], 0)
        self.assertEqual(server.stop(), 0)

    def test_the_queue_is_bounded(self):
        manager = Alertmanager(self, delay=0.5)
        self.file("rules.yml", "groups: [{name: g, interval: 200ms, rules: [{alert: A, expr: m}]}]\n")
        config = self.file("pharos.yml", "rule_files: [rules.yml]\n"
                           "rules: {resend_delay: 0s, notification_queue: 50}\n"
                           + alerting(manager.port, "x"))
        server = self.server(config=config)
        now = int(time.time() * 1000)
        server.write([({"__name__": "m", "i": str(i)}, [(now, 1.0)]) for i in range(300)])
        pt.wait_for("some to give way",
                    lambda: server.metric("pharos_notifications_dropped_total", "queue_full"))
        self.assertLessEqual(server.metric("pharos_notifications_queue_length"), 50 + 256)
        # The newest of each turn are told, in order.
        pt.wait_for("the last alert", lambda: any(a["labels"].get("i") == "299"
                                                  for a in manager.alerts("x")))
        group = f'rule_group="{self.work}/rules.yml;g"'
        self.assertEqual(server.metric("pharos_rule_group_rules", group), 1)
        self.assertAlmostEqual(server.metric("pharos_rule_group_interval_seconds", group), 0.2)
        pt.wait_for("its samples", lambda: server.metric(
            "pharos_rule_group_last_evaluation_samples", group) == 600)
        self.assertEqual(server.stop(), 0)

    def test_bad_configurations(self):
        section = "alerting: {alertmanagers: [{static_configs: [{targets: ['a:1']}]}]}\n"
        both = self.file("pharos.yml", section + f"prometheus: {{config_file: {self.file('p.yml', section)}}}\n")
        got = pt.run("check", both)
        self.assertEqual(got.returncode, 1)
        self.assertIn("p.yml:1:11: Alertmanagers come from alerting here or in", got.stderr)
        for text, words in (
                ("alerting: {alertmanager: []}", 'did you mean "alertmanagers"?'),
                ("alerting: {alertmanagers: [{scheme: ftp}]}", "scheme is http or https"),
                ("alerting: {alertmanagers: [{api_version: v3}]}", "to be one of [v2] but got v3"),
                ("alerting: {alertmanagers: [{static_config: []}]}", "unknown key"),
                ("rule_files: ['a*/b.yml']", "invalid rule file path"),
                ("rule_files: x", "rule_files is a list of paths")):
            config = self.file("pharos.yml", text + "\n")
            for args in (("check", config), ("serve", "-c", config, "--set", "doors.all=off",
                                             "--data", self.work / "d")):
                got = pt.run(*args)
                self.assertEqual(got.returncode, 1, (text, got.stderr))
                self.assertIn(words, got.stderr)
                self.assertIn("pharos.yml:1:", got.stderr)


if __name__ == "__main__":
    pt.main()
