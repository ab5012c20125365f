#!/usr/bin/env python3
"""Recording and alerting rules beside a real Prometheus with the same files and the same data, and
what an Alertmanager gets to see."""
import http.server
import json
import shutil
import signal
import threading
import time
import urllib.parse

import pharos_test as pt
import prometheus_peer

# What the annotations of one alert show: the functions of templates.
TEMPLATES = {
    "humanize": "{{ humanize 1234567.0 }} {{ humanize 0.00123 }} {{ humanize 0.0 }} {{ humanize -1500.0 }}",
    "humanize1024": "{{ humanize1024 1048576.0 }} {{ humanize1024 1.0 }} {{ humanize1024 100000.0 }}",
    "duration": "{{ humanizeDuration 0.0 }} {{ humanizeDuration 899.99 }} {{ humanizeDuration 3661.0 }} "
                "{{ humanizeDuration 90061.0 }} {{ humanizeDuration 0.0123 }} {{ humanizeDuration -61.0 }}",
    "percentage": "{{ humanizePercentage 0.1234567 }} {{ humanizePercentage -0.5 }}",
    "timestamp": "{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0.0 }}",
    "case": "{{ toUpper \"aBc\" }} {{ toLower \"AbC\" }} {{ title \"one two\" }}",
    "match": "{{ match \"a.*z\" \"abcz\" }} {{ reReplaceAll \"(a)b\" \"$1-\" \"xabyab\" }} {{ reReplaceAll \"x*\" \"-\" \"axb\" }}",
    "links": "{{ graphLink \"up{a=\\\"b c\\\"}\" }} {{ tableLink \"sum(x)\" }}",
    "ports": "{{ stripPort \"h:1\" }} {{ stripPort \"[::1]:1\" }} {{ stripPort \"h\" }} {{ stripDomain \"a.b.c:9\" }} {{ stripDomain \"1.2.3.4:9\" }}",
    "query": "{{ range query \"sort(m)\" }}{{ .Labels.job }}={{ .Value }} {{ end }}{{ with query \"sort(m)\" | first }}{{ label \"job\" . }}{{ end }}",
    "sorted": "{{ range sortByLabel \"job\" (query \"m\") }}{{ .Labels.job }}{{ .Labels.__name__ }}{{ end }}",
    "args": "{{ define \"x\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"x\" (args 1 \"b\") }}",
    "control": "{{ if and (gt $value 1.0) (eq $labels.job \"a\") }}yes{{ else }}no{{ end }} {{ printf \"%.2f|%5s|%d|%q\" $value \"ab\" 7 \"q\" }}",
    "variables": "{{ $externalLabels.site }} {{ .Labels }} {{ $labels.none }}|{{ len $labels }}",
    "parse": "{{ parseDuration \"1h30m\" }} {{ 1e6 }} {{ 100000000.0 }} {{ $value }} {{ pathPrefix }}",
    "broken": "{{ $labels.job.x }}",
    "empty": "{{ query \"nothing\" | first }}",
    "text": "plain {{- \" trimmed\" -}} \n text",
}


def rule_file(interval="1s"):
    annotations = "".join(f"      {k}: {json.dumps(v)}\n" for k, v in TEMPLATES.items())
    return f"""
groups:
- name: recorded
  interval: {interval}
  rules:
  - record: job:m:double
    expr: m * 2
    labels: {{added: "yes", gone: ""}}
  - record: job:double:sum
    expr: sum(job:m:double)
  - record: same:labels
    expr: label_replace(m, "job", "x", "", "")
  - record: scalar:one
    expr: "1"
- name: alerts
  interval: {interval}
  rules:
  - alert: High
    expr: m > 1
    for: 1s
    keep_firing_for: 2s
    labels: {{severity: "{{{{ if gt $value 100.0 }}}}page{{{{ else }}}}warn{{{{ end }}}}"}}
    annotations: {{summary: "{{{{ $labels.job }}}} is {{{{ $value | humanize }}}}"}}
  - alert: Templates
    expr: m{{job="a"}}
    annotations:
{annotations}
  - alert: Never
    expr: m > 99999
  - alert: Pending
    expr: m > 1
    for: 1h
- name: limited
  interval: {interval}
  limit: 1
  rules:
  - record: too:many
    expr: m
  - alert: TooMany
    expr: m
"""


class Alertmanager:
    """Takes posts; `posts` by the first part of the path."""

    def __init__(self, case, status=200):
        outer = self
        self.posts, self.headers, self.status = {}, {}, status

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.path.split("/")[1]
                outer.posts.setdefault(key, []).append((self.path, json.loads(body)))
                outer.headers[key] = dict(self.headers)
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


def shown(url):
    """The groups without what differs from run to run and from version to version."""
    out = groups(url)
    for g in out:
        g.pop("evaluationTime")
        g.pop("lastEvaluation")
        for r in g["rules"]:
            r.pop("evaluationTime")
            r.pop("lastEvaluation")
            r.setdefault("labels", {})
            for a in r.get("alerts", []):
                a.pop("activeAt")
                a.pop("keepFiringSince", None)
            if "alerts" in r:
                r["alerts"].sort(key=lambda a: json.dumps(a["labels"], sort_keys=True))
    return out


def state(url, name):
    return [r["state"] for g in groups(url) for r in g["rules"] if r["name"] == name][0]


class BesidePrometheus(pt.Case):
    def setUp(self):
        super().setUp()
        rules = self.file("rules.yml", rule_file())
        self.alertmanager = Alertmanager(self)
        self.peer = prometheus_peer.start(self, f"""
global: {{evaluation_interval: 1s, external_labels: {{site: lab}}}}
rule_files: ['{rules}']
{alerting(self.alertmanager.port, 'prometheus')}
""", "--rules.alert.resend-delay=1s")
        config = self.file("pharos.yml", f"""
global: {{evaluation_interval: 1s, external_labels: {{site: lab}}}}
rule_files: [rules.yml]
{alerting(self.alertmanager.port, 'pharos')}
rules: {{resend_delay: 1s}}
""")
        self.pharos = self.server(config=config)
        self.urls = (self.peer.url, self.pharos.prometheus_url)
        # Prometheus takes some seconds to know whom to tell.
        for url in self.urls:
            pt.wait_for("the Alertmanager to be known", lambda: pt.request(
                url + "/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"])

    def write(self, **values):
        now = prometheus_peer.now_ms()
        prometheus_peer.write_both(self.pharos, self.peer,
                                   [({"__name__": "m", "job": j}, [(now, v)])
                                    for j, v in values.items()])

    def same(self, what):
        """Both show the same now; an evaluation may lie between two looks."""
        deadline = time.monotonic() + 10
        while True:
            theirs, ours = (shown(url) for url in self.urls)
            if theirs == ours or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self.assertEqual(ours, theirs, what)

    def test_the_same_rules_and_alerts(self):
        self.write(a=1.5, b=1234)
        for url in self.urls:
            pt.wait_for("the alert to fire", lambda: state(url, "High") == "firing")
            pt.wait_for("the limit", lambda: any("lastError" in r for g in groups(url)
                                                 for r in g["rules"] if r["name"] == "TooMany"))
        self.same("firing")
        ours = {r["name"]: r for g in shown(self.urls[1]) for r in g["rules"]}
        self.assertEqual(ours["Pending"]["state"], "pending")
        self.assertEqual(ours["Never"]["state"], "inactive")
        self.assertEqual(ours["TooMany"]["lastError"], "exceeded limit of 1 with 2 alerts")
        self.assertEqual([a["value"] for a in ours["High"]["alerts"]], ["1.5e+00", "1.234e+03"])
        for query in ("job:m:double", "job:double:sum", "scalar:one", "too:many", "ALERTS",
                      "ALERTS_FOR_STATE * 0", "same:labels"):
            def results():
                return [sorted(json.dumps([r["metric"], r["value"][1]], sort_keys=True)
                               for r in pt.request(f"{url}/api/v1/query?" + urllib.parse.urlencode(
                                   {"query": query})).json()["data"]["result"])
                        for url in self.urls]
            pt.wait_for(f"{query} to be the same", lambda: len({str(r) for r in results()}) == 1, 10)
        alerts = [sorted((json.dumps(a["labels"], sort_keys=True), a["state"], a["value"])
                         for a in pt.request(url + "/api/v1/alerts").json()["data"]["alerts"])
                  for url in self.urls]
        self.assertEqual(alerts[0], alerts[1])
        # One below the mark: kept firing for 2 s, then resolved; one series gone.
        self.write(a=0.5, b=0.5)
        for url in self.urls:
            pt.wait_for("the alert to be kept", lambda: any(
                "keepFiringSince" in a for g in groups(url) for r in g["rules"]
                for a in r.get("alerts", [])))
        for url in self.urls:
            pt.wait_for("the alert to end", lambda: state(url, "High") == "inactive")
        self.same("resolved")
        for url in self.urls:
            pt.wait_for("ALERTS to end", lambda: pt.request(
                url + "/api/v1/query?query=ALERTS%7Balertname%3D%22High%22%7D").json()["data"]["result"] == [])
        self.posts_are_the_same()

    def posts_are_the_same(self):
        for key in ("prometheus", "pharos"):
            pt.wait_for("the end to be told", lambda: any(
                a["labels"]["alertname"] == "High" and a["endsAt"] < a_later()
                for a in self.alertmanager.alerts(key)))
        paths = {p for key in ("prometheus", "pharos") for p, _ in self.alertmanager.posts[key]}
        self.assertEqual(paths, {"/prometheus/api/v2/alerts", "/pharos/api/v2/alerts"})

        def kinds(key):
            return {json.dumps([a["labels"], a["annotations"], sorted(a),
                                a["generatorURL"].split("/graph?")[1]], sort_keys=True)
                    for a in self.alertmanager.alerts(key)}
        self.assertEqual(sorted(kinds("pharos")), sorted(kinds("prometheus")))
        self.assertEqual(self.alertmanager.headers["pharos"]["Content-Type"], "application/json")
        managers = [pt.request(url + "/api/v1/alertmanagers").json()["data"] for url in self.urls]
        for m, key in zip(managers, ("prometheus", "pharos")):
            self.assertEqual(m, {
                "activeAlertmanagers": [
                    {"url": f"http://127.0.0.1:{self.alertmanager.port}/{key}/api/v2/alerts"}],
                "droppedAlertmanagers": [{"url": f"http://away:1/{key}/api/v2/alerts"}]})


def a_later():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))


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
        server = self.server(config=config)

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
        manager.status = 200
        taken = len(manager.alerts("x"))
        pt.wait_for("the alert to be told again", lambda: len(manager.alerts("x")) > taken)
        self.assertEqual(server.stop(), 0)

    def test_bad_configurations(self):
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
