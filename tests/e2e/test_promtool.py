#!/usr/bin/env python3
"""`pharos check` and `pharos test rules` beside promtool: the same verdict on every file."""
import re
import shutil
import subprocess

import pharos_test as pt

GROUP = "groups:\n- name: g\n  rules:\n"

GOOD_RULES = {
    "empty": "",
    "no groups": "groups: []\n",
    "null groups": "groups:\n",
    "no rules": "groups: [{name: g}]\n",
    "everything": """
groups:
- name: a
  interval: 30s
  limit: 5
  rules:
  - record: job:x:sum
    expr: sum by (job) (x)
    labels: {a: b, c: ''}
  - alert: A
    expr: |
      x
      > 1
    for: 1h30m
    keep_firing_for: 5m
    labels: {severity: page, n: 1, t: true}
    annotations: {summary: "{{ $labels.job }} {{ $value | humanize }}", empty: ''}
- name: b
  rules: []
""",
    "zero interval": "groups: [{name: g, interval: 0s}]\n",
    "templates": GROUP + """
  - alert: A
    expr: x
    labels:
      a: '{{ with $x := index $labels "job" }}{{ $x }}{{ else }}none{{ end }}'
      b: '{{ range query "x" }}{{ .Labels.job }}{{ end }}'
    annotations:
      a: '{{ define "t" }}{{ . }}{{ end }}{{ template "t" $value }}'
      b: '{{- /* nothing */ -}} {{ printf "%.2f" $value }} {{ .Value }} {{ .ExternalLabels }}'
      c: '{{ if and (gt $value 1.0) (not false) }}a{{ else if eq $labels.a "b" }}b{{ end }}'
      d: '{{ $externalURL }} {{ externalURL }} {{ pathPrefix }} {{ args 1 2 }}'
      e: '{{ "a" | toUpper | title }} {{ parseDuration "1h" }} {{ first (query "x") | value }}'
      f: '}} { { %'
""",
    "template in record": GROUP + "  - {record: r, expr: x, labels: {a: '{{ nonsense'}}\n",
    "anchors": "groups:\n- name: g\n  rules:\n  - &a {alert: A, expr: x}\n  - <<: *a\n    alert: B\n",
    "duplicate rules": GROUP + "  - {record: r, expr: x}\n  - {record: r, expr: y}\n",
    "number as expr": GROUP + "  - {record: r, expr: 1}\n",
    "same name in other file": GROUP + "  - {alert: A, expr: x, for: 0s}\n",
    "colons": GROUP + "  - {record: 'a:b:c', expr: 'a:b'}\n",
    "long": GROUP + "".join(f"  - {{record: r{i}, expr: 'rate(x{i}[5m])'}}\n" for i in range(200)),
    "annotations null": GROUP + "  - {alert: A, expr: x, annotations: , labels: }\n",
    "odd alert name": GROUP + "  - {alert: 'an alert with spaces', expr: x}\n",
    "partial": "groups:\n- name: \"\\u00fcber\"\n  rules: [{alert: \"\\u00c4\", expr: x}]\n",
    "subquery": GROUP + "  - {record: r, expr: 'max_over_time(rate(x[5m])[1h:1m] offset 5m)'}\n",
    "comments": "# a comment\ngroups: # more\n- name: g # even here\n",
}

BAD_RULES = {
    "unknown top key": "group: []\n",
    "unknown group key": "groups: [{name: g, rule: []}]\n",
    "unknown rule key": GROUP + "  - {record: r, expr: x, exp: y}\n",
    "groups is a map": "groups: {name: g}\n",
    "rules is a map": "groups: [{name: g, rules: {record: r}}]\n",
    "no name": "groups: [{rules: []}]\n",
    "empty name": "groups: [{name: '', rules: []}]\n",
    "repeated name": "groups: [{name: g}, {name: h}, {name: g}]\n",
    "neither": GROUP + "  - {expr: x}\n",
    "both": GROUP + "  - {record: r, alert: A, expr: x}\n",
    "no expr": GROUP + "  - {record: r}\n",
    "empty expr": GROUP + "  - {record: r, expr: ''}\n",
    "bad expr": GROUP + "  - {record: r, expr: 'sum(x'}\n",
    "bad function": GROUP + "  - {record: r, expr: 'summ(x)'}\n",
    "bad type": GROUP + "  - {record: r, expr: 'rate(x)'}\n",
    "bad regex": GROUP + "  - {record: r, expr: 'x{a=~\"(\"}'}\n",
    "bad duration": GROUP + "  - {alert: A, expr: x, for: 5}\n",
    "bad unit": GROUP + "  - {alert: A, expr: x, for: 5x}\n",
    "negative duration": GROUP + "  - {alert: A, expr: x, for: -5m}\n",
    "bad keep": GROUP + "  - {alert: A, expr: x, keep_firing_for: soon}\n",
    "bad interval": "groups: [{name: g, interval: often}]\n",
    "bad limit": "groups: [{name: g, limit: many}]\n",
    "for in record": GROUP + "  - {record: r, expr: x, for: 5m}\n",
    "keep in record": GROUP + "  - {record: r, expr: x, keep_firing_for: 5m}\n",
    "annotations in record": GROUP + "  - {record: r, expr: x, annotations: {a: b}}\n",
    "braces in record": GROUP + "  - {record: 'r{a=\"b\"}', expr: x}\n",
    "name label": GROUP + "  - {alert: A, expr: x, labels: {__name__: x}}\n",
    "empty label": GROUP + "  - {alert: A, expr: x, labels: {'': x}}\n",
    "labels list": GROUP + "  - {alert: A, expr: x, labels: [a]}\n",
    "label map": GROUP + "  - {alert: A, expr: x, labels: {a: {b: c}}}\n",
    "unknown function in template": GROUP + "  - {alert: A, expr: x, labels: {a: '{{ nope }}'}}\n",
    "unclosed template": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ $labels.job'}}\n",
    "unknown variable": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ $nope }}'}}\n",
    "unended if": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ if true }}x'}}\n",
    "extra end": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ end }}'}}\n",
    "bad field": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ 1.a }}'}}\n",
    "bad pipe": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ $value | 1 }}'}}\n",
    "empty pipe": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ }}'}}\n",
    "break outside": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ break }}'}}\n",
    "string": GROUP + "  - {alert: A, expr: x, annotations: {a: '{{ \"x }}'}}\n",
    "not yaml": "groups: [\n",
    "tabs": "groups:\n\t- name: g\n",
    "duplicate key": "groups: []\ngroups: []\n",
    "scalar": "groups\n",
    "duplicate in rule": GROUP + "  - {record: r, expr: x, expr: y}\n",
}

RW = "remote_write:\n- url: http://a/w\n"
OAUTH = "oauth2: {client_id: a, client_secret: b, token_url: 'http://t'}"
STATIC = "static_configs: [{targets: ['a:1']}]"
GOOD_CONFIGS = {
    "empty": "",
    "global": "global: {scrape_interval: 15s, evaluation_interval: 30s, external_labels: {a: b}}\n",
    "scrape": f"scrape_configs: [{{job_name: a, {STATIC}}}]\n",
    "alerting": f"alerting: {{alertmanagers: [{{{STATIC}, timeout: 5s, path_prefix: /x, api_version: v2}}]}}\n",
    "alert relabel": f"""
alerting:
  alert_relabel_configs: [{{source_labels: [a], regex: b, action: drop}}]
  alertmanagers:
  - scheme: https
    basic_auth: {{username: u, password: p}}
    tls_config: {{insecure_skip_verify: true}}
    {STATIC}
    relabel_configs: [{{source_labels: [__address__], target_label: x}}]
""",
    "rules": "rule_files: [good.rules, 'good*.rules', 'none-*.yml']\n",
    "no rules": "rule_files:\nalerting:\nscrape_configs:\n",
    "sd": "scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a.example], type: A, port: 1}]}]\n",
    "am sd": "alerting: {alertmanagers: [{dns_sd_configs: [{names: [a.example], type: A, port: 1}]}]}\n",
    "remote": "remote_write: [{url: 'http://a.example/'}]\n",
    "remote write": RW + """
  remote_timeout: 10s
  name: n
  headers: {X-A: b}
  send_exemplars: true
  send_native_histograms: true
  write_relabel_configs: [{source_labels: [a], regex: b, action: keep}]
  basic_auth: {username: u, password: p}
  tls_config: {insecure_skip_verify: true, min_version: TLS12}
  proxy_url: http://p:1
  follow_redirects: false
  enable_http2: false
  queue_config: {capacity: 1, max_shards: 2, min_shards: 1, max_samples_per_send: 5, batch_send_deadline: 5s, min_backoff: 1s, max_backoff: 2s, retry_on_http_429: true}
  metadata_config: {send: true, send_interval: 1m, max_samples_per_send: 10}
""",
    "remote write to AWS": RW + "  sigv4: {region: us-east-1}\n",
    "remote write with tokens": RW + f"  {OAUTH}\n",
    "no remote write": "remote_write:\n",
    "remote read": "remote_read: [{url: 'http://a/r', read_recent: true, required_matchers: {a: b}}]\n",
    "storage": "storage: {tsdb: {out_of_order_time_window: 30m}, exemplars: {max_exemplars: 10}}\n",
    "tracing": "tracing: {client_type: grpc, endpoint: 'a:4317', sampling_fraction: 0.1}\n",
    "alerts with tokens": f"alerting: {{alertmanagers: [{{{STATIC}, {OAUTH}}}]}}\n",
    "discovery with tokens": f"scrape_configs: [{{job_name: a, http_sd_configs: [{{url: 'http://a', {OAUTH}}}]}}]\n",
    "limits": f"scrape_configs: [{{job_name: a, sample_limit: 5, label_limit: 6, label_name_length_limit: 7, label_value_length_limit: 8, target_limit: 9, body_size_limit: 1MB, {STATIC}}}]\n",
    "relabel": f"scrape_configs: [{{job_name: a, relabel_configs: [{{action: hashmod, source_labels: [a], target_label: b, modulus: 4}}, {{action: lowercase, source_labels: [a], target_label: b}}], {STATIC}}}]\n",
    "environment": "global: {external_labels: {a: '${HOME}'}}\n",
    "query": "global: {query_log_file: q.log}\n",
}
BAD_CONFIGS = {
    "two of a name": RW + "  name: a\n- url: http://b\n  name: a\n",
    "null remote write": "remote_write: [null]\n",
    "no url": "remote_write: [{name: a}]\n",
    "reserved header": RW + "  headers: {content-type: x}\n",
    "authorization as header": RW + "  headers: {Authorization: x}\n",
    "null relabelling": RW + "  write_relabel_configs: [null]\n",
    "unknown in remote write": RW + "  foo: 1\n",
    "two credentials": RW + "  basic_auth: {username: a}\n  authorization: {credentials: b}\n",
    "no token url": RW + "  oauth2: {client_id: a, client_secret: b}\n",
    "unknown in remote read": "remote_read: [{url: 'http://a/r', foo: 1}]\n",
    "remote read without url": "remote_read: [{name: b}]\n",
    "unknown in storage": "storage: {tsdb: {foo: 1}}\n",
    "tracing by smoke": "tracing: {client_type: smoke, endpoint: 'a:4317'}\n",
    "tracing to nowhere": "tracing: {client_type: grpc}\n",
    "discovery without url": "scrape_configs: [{job_name: a, http_sd_configs: [{}]}]\n",
    "discovery by ftp": "scrape_configs: [{job_name: a, http_sd_configs: [{url: 'ftp://a'}]}]\n",
    "file of no kind": "scrape_configs: [{job_name: a, file_sd_configs: [{files: [a.txt]}]}]\n",
    "half a certificate": f"scrape_configs: [{{job_name: a, tls_config: {{cert_file: a}}, {STATIC}}}]\n",
    "no modulus": f"scrape_configs: [{{job_name: a, relabel_configs: [{{action: hashmod, source_labels: [a], target_label: b}}], {STATIC}}}]\n",
    "labeldrop with more": f"scrape_configs: [{{job_name: a, relabel_configs: [{{action: labeldrop, regex: a, source_labels: [a]}}], {STATIC}}}]\n",
    "dns without port": "scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: A}]}]\n",
    "null job": "scrape_configs: [null]\n",
    "unknown": "globals: {}\n",
    "unknown in global": "global: {scrape_intervals: 15s}\n",
    "bad duration": "global: {evaluation_interval: often}\n",
    "missing rule file": "rule_files: [missing.rules]\n",
    "bad rule file": "rule_files: [bad.rules]\n",
    "bad by pattern": "rule_files: ['ba*.rules']\n",
    "pattern": "rule_files: ['a*/b.rules']\n",
    "rule_files text": "rule_files: {a: b}\n",
    "unknown alerting": "alerting: {alertmanager: []}\n",
    "unknown alertmanager key": "alerting: {alertmanagers: [{targets: [a]}]}\n",
    "api version": f"alerting: {{alertmanagers: [{{api_version: v7, {STATIC}}}]}}\n",
    "both auths": f"alerting: {{alertmanagers: [{{basic_auth: {{username: u}}, authorization: {{credentials: x}}, {STATIC}}}]}}\n",
    "bad timeout": f"alerting: {{alertmanagers: [{{timeout: x, {STATIC}}}]}}\n",
    "bad relabel": "alerting: {alert_relabel_configs: [{action: nonsense}]}\n",
    "bad relabel regex": "alerting: {alert_relabel_configs: [{regex: '(', action: labeldrop}]}\n",
    "address with path": "alerting: {alertmanagers: [{static_configs: [{targets: ['http://a:1']}]}]}\n",
    "two jobs": f"scrape_configs: [{{job_name: a, {STATIC}}}, {{job_name: a, {STATIC}}}]\n",
    "no job name": f"scrape_configs: [{{{STATIC}}}]\n",
    "timeout over interval": f"scrape_configs: [{{job_name: a, scrape_interval: 1s, scrape_timeout: 2s, {STATIC}}}]\n",
    "not yaml": "global: [\n",
}

TESTED = """
groups:
- name: g
  rules:
  - {record: a:b, expr: "sum(x)"}
  - {alert: A, expr: x > 1, for: 2m, labels: {s: p}, annotations: {t: "v {{ $value }} {{ $externalLabels.e }} {{ $externalURL }}"}}
  - {alert: Absent, expr: absent(up)}
- name: h
  rules:
  - {record: c:d, expr: a:b * 2}
"""
SERIES = """
- interval: 1m
  input_series:
  - {series: 'x{a="b"}', values: '0+1x10'}
  - {series: 'y', values: '1 _ stale 4 5x2 NaN Inf'}
"""
ONE = "rule_files: [tested.rules]\nevaluation_interval: 1m\ntests:" + SERIES


def alerts(text):
    return ONE + "  alert_rule_test:\n" + "".join(f"  - {line}\n" for line in text)


def exprs(*lines):
    return ONE + "  promql_expr_test:\n" + "".join(f"  - {line}\n" for line in lines)


PASSING_TESTS = {
    "nothing": "rule_files: [tested.rules]\n",
    "no tests": "rule_files: [tested.rules]\ntests: []\n",
    "firing": alerts(["{eval_time: 5m, alertname: A, exp_alerts: [{exp_labels: {a: b, s: p}, exp_annotations: {t: 'v 5  '}}]}"]),
    "not yet": alerts(["{eval_time: 3m, alertname: A}", "{eval_time: 3m, alertname: Absent, exp_alerts: [{}]}"]),
    "between": alerts(["{eval_time: 4m30s, alertname: A, exp_alerts: [{exp_labels: {a: b, s: p}, exp_annotations: {t: 'v 4  '}}]}"]),
    "unknown alert": alerts(["{eval_time: 5m, alertname: Nope}"]),
    # Without group_eval_order promtool takes the groups in any order.
    "recorded": "group_eval_order: [g, h]\n" + exprs("{expr: 'a:b', eval_time: 3m, exp_samples: [{labels: 'a:b', value: 3}]}",
                      "{expr: 'c:d + 0', eval_time: 3m, exp_samples: [{value: 6}]}",
                      "{expr: 'time()', eval_time: 3m, exp_samples: [{value: 180}]}",
                      "{expr: 'y', eval_time: 1m, exp_samples: [{labels: 'y', value: 1}]}",
                      "{expr: 'y', eval_time: 2m}",
                      "{expr: 'y', eval_time: 8m, exp_samples: [{labels: '{__name__=\"y\"}', value: .inf}]}",
                      "{expr: 'ALERTS', eval_time: 2m, exp_samples: [{labels: 'ALERTS{a=\"b\", alertname=\"A\", alertstate=\"pending\", s=\"p\"}', value: 1}, {labels: 'ALERTS{alertname=\"Absent\", alertstate=\"firing\"}', value: 1}]}"),
    "external": ONE.replace("- interval: 1m", "- interval: 1m\n  name: named\n  external_labels: {e: f}\n  external_url: http://x.example/p")
    + "  alert_rule_test:\n  - {eval_time: 5m, alertname: A, exp_alerts: [{exp_labels: {a: b, s: p}, exp_annotations: {t: 'v 5 f http://x.example/p'}}]}\n",
    "order": "group_eval_order: [g, h]\n" + exprs("{expr: 'c:d', eval_time: 3m, exp_samples: [{labels: 'c:d', value: 6}]}"),
    "interval": ONE.replace("evaluation_interval: 1m", "evaluation_interval: 30s")
    + "  promql_expr_test: [{expr: 'count_over_time(a:b[59s])', eval_time: 5m, exp_samples: [{labels: '{}', value: 2}]}]\n",
    "two": ONE + "  promql_expr_test: [{expr: 'x', eval_time: 1m, exp_samples: [{labels: 'x{a=\"b\"}', value: 1}]}]\n"
    + SERIES + "  promql_expr_test: [{expr: 'x', eval_time: 2m, exp_samples: [{labels: 'x{a=\"b\"}', value: 2}]}]\n",
    "glob": ONE.replace("tested.rules", "teste*.rules") + "  promql_expr_test: [{expr: 'a:b', eval_time: 1m, exp_samples: [{labels: 'a:b', value: 1}]}]\n",
}
FAILING_TESTS = {
    "wrong label": alerts(["{eval_time: 5m, alertname: A, exp_alerts: [{exp_labels: {a: b, s: q}, exp_annotations: {t: 'v 5  '}}]}"]),
    "wrong annotation": alerts(["{eval_time: 5m, alertname: A, exp_alerts: [{exp_labels: {a: b, s: p}, exp_annotations: {t: v 6}}]}"]),
    "missing": alerts(["{eval_time: 5m, alertname: A}"]),
    "too many": alerts(["{eval_time: 5m, alertname: A, exp_alerts: [{exp_labels: {a: b, s: p}, exp_annotations: {t: 'v 5  '}}, {exp_labels: {a: c}}]}"]),
    "too early": alerts(["{eval_time: 2m, alertname: A, exp_alerts: [{exp_labels: {a: b, s: p}, exp_annotations: {t: 'v 2  '}}]}"]),
    "wrong value": exprs("{expr: 'a:b', eval_time: 3m, exp_samples: [{labels: 'a:b', value: 4}]}"),
    "wrong labels": exprs("{expr: 'a:b', eval_time: 3m, exp_samples: [{labels: 'a:c', value: 3}]}"),
    "extra sample": exprs("{expr: 'a:b', eval_time: 3m}"),
    "bad expression": exprs("{expr: 'a:b +', eval_time: 3m}"),
    "bad labels": exprs("{expr: 'a:b', eval_time: 3m, exp_samples: [{labels: 'a:b{', value: 3}]}"),
    "bad series": ONE.replace('x{a="b"}', 'x{a="b"'),
    "bad values": ONE.replace("0+1x10", "0+1xx"),
    "unknown key": ONE + "  alert_rules: []\n",
    "unknown top": "rules: []\n" + ONE,
    "unknown expectation": alerts(["{eval_time: 5m, alertname: A, exp_alert: []}"]),
    "bad rules": ONE.replace("tested.rules", "bad.rules"),
    "order twice": "group_eval_order: [g, g]\n" + ONE,
    "bad time": alerts(["{eval_time: soon, alertname: A}"]),
    "rule fails": ONE.replace("tested.rules", "failing.rules") + "  promql_expr_test: [{expr: 'x', eval_time: 1m, exp_samples: [{labels: 'x{a=\"b\"}', value: 1}]}]\n",
    "not yaml": "tests: [\n",
}


class BesidePromtool(pt.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed")

    def compare(self, good, bad, promtool_words, pharos_words):
        """Both tools say of every file what its place in the tables says."""
        files = {}
        for expected, table in ((True, good), (False, bad)):
            for i, (name, text) in enumerate(table.items()):
                path = self.file(f"prometheus-{'good' if expected else 'bad'}-{i}.yml", text)
                files[str(path)] = (name, expected)
        said = self.by_file(["promtool", *promtool_words], files)
        ours = {f: pt.run(*pharos_words, f, cwd=self.work) for f in files}
        wrong = [(name, "promtool" if said[f] != expected else "pharos", expected,
                  ours[f].stdout + ours[f].stderr)
                 for f, (name, expected) in files.items()
                 if said[f] != expected or (ours[f].returncode == 0) != expected]
        self.assertEqual(wrong, [])
        for f, (name, expected) in files.items():
            self.assertIn(ours[f].returncode, (0, 1), name)
            if not expected:
                self.assertRegex(ours[f].stderr, r"\S", name)

    def by_file(self, command, files):
        """One run over many files would be quicker, but ends at the first bad YAML."""
        running = {}
        said = {}
        waiting = list(files)
        while waiting or running:
            while waiting and len(running) < 4:
                f = waiting.pop()
                running[f] = subprocess.Popen([*command, f], stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL, cwd=self.work)
            f = next(iter(running))
            said[f] = running.pop(f).wait() == 0
        return said

    def test_rules(self):
        self.compare(GOOD_RULES, BAD_RULES, ["check", "rules"], ["check", "rules"])

    def test_configurations(self):
        self.file("good.rules", GROUP + "  - {record: r, expr: x}\n")
        self.file("bad.rules", GROUP + "  - {record: r, expr: 'x('}\n")
        self.compare(GOOD_CONFIGS, BAD_CONFIGS, ["check", "config"], ["check", "config"])

    def test_unit_tests(self):
        self.file("tested.rules", TESTED)
        self.file("bad.rules", GROUP + "  - {record: r, expr: 'x('}\n")
        self.file("failing.rules", GROUP + "  - {record: r, expr: 'x * on() group_left() (x or y)'}\n"
                  "  - {record: s, expr: 'label_replace({__name__=~\"x|y\"}, \"a\", \"z\", \"\", \"\") + 0'}\n")
        self.compare(PASSING_TESTS, FAILING_TESTS, ["test", "rules"], ["test", "rules"])


class OwnWords(pt.Case):
    """What Debian's promtool is too old for, and what is said."""

    def test_newer_keys(self):
        rules = self.file("new.yml", "groups: [{name: g, query_offset: 1m, labels: {a: b}, rules: "
                          "[{alert: A, expr: x, labels: {\"caf\\u00e9.x\": y}}]}]\n")
        self.assertEqual(pt.run("check", rules).returncode, 0)

    def test_a_configuration_says_what_its_rules_may_use(self):
        self.file("rules.yml", GROUP + "  - {record: r, expr: 'limitk(1, x)'}\n")
        for word, status in (("off", 1), ("on", 0)):
            config = self.file("pharos.yml", f"rule_files: [rules.yml]\npromql: {{experimental: {word}}}\n")
            got = pt.run("check", config)
            self.assertEqual(got.returncode, status, got.stderr)
        self.assertEqual(pt.run("check", "rules", self.work / "rules.yml").returncode, 0)

    def test_messages(self):
        for text, words in (
                (BAD_RULES["bad expr"], 'x.yml:4:23: group "g", rule 1, "r": could not parse '
                                        "expression: 1:6: parse error: unclosed left parenthesis"),
                (BAD_RULES["neither"], "one of 'record' or 'alert' must be set"),
                (BAD_RULES["both"], "only one of 'record' and 'alert' must be set"),
                (BAD_RULES["no expr"], "field 'expr' must be set in rule"),
                (BAD_RULES["repeated name"], 'groupname: "g" is repeated in the same file'),
                (BAD_RULES["for in record"], "invalid field 'for' in recording rule"),
                (BAD_RULES["unknown function in template"],
                 'label "a": template: __alert_A:1: function "nope" not defined'),
                (BAD_RULES["unknown rule key"], 'unknown key "exp" in a rule; did you mean "expr"?')):
            got = pt.run("check", self.file("x.yml", text))
            self.assertEqual(got.returncode, 1)
            self.assertIn(words, got.stderr)
        # All problems of a file, not only the first.
        got = pt.run("check", self.file("x.yml", GROUP + "  - {expr: x}\n  - {record: r}\n"))
        self.assertEqual(len(got.stderr.splitlines()), 2)

    def test_unit_tests_of_today(self):
        self.file("tested.rules", TESTED)
        start = self.file("start.yml", ONE.replace("- interval: 1m", "- interval: 1m\n  start_timestamp: 2024-01-01T00:00:00Z")
                          + "  promql_expr_test:\n  - {expr: 'year()', eval_time: 3m, exp_samples: [{value: 2024}]}\n"
                          "  - {expr: 'a:b', eval_time: 3m, exp_samples: [{labels: 'a:b', value: 3}]}\n")
        fuzzy = exprs("{expr: '0.1 + 0.2', exp_samples: [{value: 0.3}]}")
        for path, status in ((start, 0), (self.file("exact.yml", fuzzy), 1),
                             (self.file("fuzzy.yml", "fuzzy_compare: true\n" + fuzzy), 0)):
            got = pt.run("test", "rules", path)
            self.assertEqual(got.returncode, status, got.stdout + got.stderr)
        histogram = self.file("histogram.yml", """
tests:
- interval: 1m
  name: histograms
  input_series: [{series: h, values: '{{schema:0 sum:3 count:2 buckets:[1 1]}}x3'}]
  promql_expr_test:
  - {expr: 'h * 2', eval_time: 1m, exp_samples: [{histogram: '{{schema:0 sum:6 count:4 buckets:[2 2]}}'}]}
""")
        self.assertEqual(pt.run("test", "rules", histogram).returncode, 0)
        bad = self.file("bad.yml", exprs("{expr: 'a:b', eval_time: 3m, exp_samples: [{labels: 'a:b', value: 4}]}"))
        got = pt.run("test", "rules", bad)
        self.assertEqual(got.returncode, 1)
        self.assertRegex(got.stderr, re.compile(r'expr: "a:b", time: 3m,\n +exp: .* 4\n +got: .* 3'))
        self.assertEqual(pt.run("test", "rules", "--run", "nothing", bad).returncode, 0)
        self.assertEqual(pt.run("test", "rules", "--run", "(", bad).returncode, 2)
        self.assertEqual(pt.run("test", "rules").returncode, 2)
        self.assertEqual(pt.run("test", "something").returncode, 2)
        self.assertEqual(pt.run("test", "rules", self.work / "none.yml").returncode, 1)


if __name__ == "__main__":
    pt.main()
