#!/usr/bin/env python3
"""Recording and alerting rules beside a real Prometheus with the same files and the same data: what
both show, what both store, and what an Alertmanager gets from both."""
import json
import time
import urllib.parse

import pharos_test as pt
import prometheus_peer
import test_rules as tr

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


def shown(url):
    """The groups without what differs from run to run and from version to version."""
    out = tr.groups(url)
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


class BesidePrometheus(pt.Case):
    def setUp(self):
        super().setUp()
        rules = self.file("rules.yml", rule_file())
        self.alertmanager = tr.Alertmanager(self)
        self.peer = prometheus_peer.start(self, f"""
global: {{evaluation_interval: 1s, external_labels: {{site: lab}}}}
rule_files: ['{rules}']
{tr.alerting(self.alertmanager.port, 'prometheus')}
""", "--rules.alert.resend-delay=1s")
        config = self.file("pharos.yml", f"""
global: {{evaluation_interval: 1s, external_labels: {{site: lab}}}}
rule_files: [rules.yml]
{tr.alerting(self.alertmanager.port, 'pharos')}
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
        deadline = time.monotonic() + pt.WAIT_S
        while True:
            theirs, ours = (shown(url) for url in self.urls)
            if theirs == ours or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self.assertEqual(ours, theirs, what)

    def test_the_same_rules_and_alerts(self):
        self.write(a=1.5, b=1234)
        for url in self.urls:
            pt.wait_for("the alert to fire", lambda: tr.state(url, "High") == "firing")
            pt.wait_for("the limit", lambda: any("lastError" in r for g in tr.groups(url)
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
            pt.wait_for(f"{query} to be the same", lambda: len({str(r) for r in results()}) == 1)
        alerts = [sorted((json.dumps(a["labels"], sort_keys=True), a["state"], a["value"])
                         for a in pt.request(url + "/api/v1/alerts").json()["data"]["alerts"])
                  for url in self.urls]
        self.assertEqual(alerts[0], alerts[1])
        # One below the mark: kept firing for 2 s, then resolved; one series gone.
        self.write(a=0.5, b=0.5)
        kept = set()  # for two seconds, which the wait for the other one may take

        def both_kept():
            kept.update(url for url in self.urls for g in tr.groups(url) for r in g["rules"]
                        for a in r.get("alerts", []) if "keepFiringSince" in a)
            return len(kept) == 2
        pt.wait_for("the alert to be kept", both_kept)
        for url in self.urls:
            pt.wait_for("the alert to end", lambda: tr.state(url, "High") == "inactive")
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


if __name__ == "__main__":
    pt.main()
