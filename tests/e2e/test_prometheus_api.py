#!/usr/bin/env python3
"""The Prometheus door's endpoints about targets, status and administration: shapes and errors."""
import http.client
import json
import pathlib
import signal
import time
import urllib.parse

import pharos_test as pt
import prometheus_peer

NOW = int(time.time())


class Targets(pt.Case):
    def setUp(self):
        super().setUp()
        self.exporter = self.server(data=self.work / "exporter")
        address = f"127.0.0.1:{self.exporter.main_port}"
        config = self.file("pharos.yml", f"""
global: {{external_labels: {{site: lab}}}}
scrape_configs:
- job_name: pharos
  scrape_interval: 1s
  basic_auth: {{username: u, password: hush}}
  static_configs: [{{targets: ['{address}', 'gone.example:1']}}]
  relabel_configs:
  - {{source_labels: [__address__], regex: 'gone.*', action: drop}}
  - {{target_label: zone, replacement: z1}}
- {{job_name: empty, static_configs: []}}
""")
        self.pharos = self.server(config=config)
        pt.wait_for("the first scrape", lambda: [
            t for t in self.pharos.prom("targets").json()["data"]["activeTargets"]
            if t["health"] == "up"])

    def test_states(self):
        both = self.pharos.prom("targets").json()["data"]
        self.assertEqual(len(both["activeTargets"]), 1)
        target = both["activeTargets"][0]
        self.assertEqual(target["labels"], {"instance": f"127.0.0.1:{self.exporter.main_port}",
                                            "job": "pharos", "zone": "z1"})
        self.assertEqual(target["scrapeInterval"], "1s")
        self.assertEqual(target["health"], "up")
        self.assertIsInstance(target["lastScrapeDuration"], float)
        self.assertEqual([t["scrapePool"] for t in both["droppedTargets"]], ["pharos"])
        self.assertEqual(both["droppedTargetCounts"], {"pharos": 1, "empty": 0})
        active = self.pharos.prom("targets", {"state": "Active"}).json()["data"]
        self.assertEqual((len(active["activeTargets"]), active["droppedTargets"],
                          active["droppedTargetCounts"]), (1, [], None))
        dropped = self.pharos.prom("targets", {"state": "dropped"}).json()["data"]
        self.assertEqual((dropped["activeTargets"], len(dropped["droppedTargets"])), ([], 1))
        none = self.pharos.prom("targets", {"state": "odd"}).json()["data"]
        self.assertEqual((none["activeTargets"], none["droppedTargets"]), ([], []))
        other = self.pharos.prom("targets", {"scrapePool": "empty"}).json()["data"]
        self.assertEqual((other["activeTargets"], other["droppedTargets"]), ([], []))

    def test_pools(self):
        self.assertEqual(self.pharos.prom("scrape_pools").json()["data"],
                         {"scrapePools": ["empty", "pharos"]})

    def test_metadata(self):
        target = {"instance": f"127.0.0.1:{self.exporter.main_port}", "job": "pharos",
                  "zone": "z1"}
        ask = lambda **params: self.pharos.prom("targets/metadata", params).json()["data"]
        rows = ask(metric="pharos_queries_total")
        self.assertEqual(rows, [{"target": target, "type": "counter", "help": "Queries answered.",
                                 "unit": ""}])
        self.assertEqual(ask(metric="pharos_queries_total", match_target='{zone="z1"}'), rows)
        self.assertEqual(ask(metric="pharos_queries_total", match_target='{zone!="z1"}'), [])
        self.assertEqual(ask(metric="nothing"), [])
        self.assertEqual(len(ask(limit=2)), 2)
        self.assertIn("metric", ask(limit=1)[0])
        for params, words in (({"limit": "x"}, "limit must be a number"),
                              ({"match_target": "{"}, 'invalid parameter "match_target": 1:2:')):
            answer = self.pharos.prom("targets/metadata", params)
            self.assertEqual(answer.status, 400)
            self.assertIn(words, answer.json()["error"])
        # The same by metric.
        ask = lambda **params: self.pharos.prom("metadata", params).json()["data"]
        self.assertEqual(ask(metric="pharos_queries_total")["pharos_queries_total"],
                         [{"type": "counter", "help": "Queries answered.", "unit": ""}])
        self.assertEqual(len(ask(limit=3)), 3)
        self.assertEqual(ask(limit=0), {})
        self.assertTrue(len(ask(limit=-1)) > 3)

    def test_pool_config(self):
        answer = self.pharos.prom("scrape_pools/config", {"scrapePool": "pharos"})
        self.assertTrue(answer.json()["data"]["yaml"].startswith(
            "job_name: pharos\nscrape_interval: 1s\nbasic_auth:\n  username: u\n"
            "  password: <secret>\nstatic_configs:\n- targets:\n"))
        whole = self.pharos.prom("status/config").json()["data"]["yaml"]
        self.assertIn("external_labels:\n    site: lab\n", whole)
        self.assertIn("scrape_configs:\n- job_name: pharos\n", whole)
        self.assertNotIn("hush", whole)
        self.assertNotIn("hush", self.pharos.prom("status/flags").text)
        for params, words in (({}, "no scrapePool parameter provided"),
                              ({"scrapePool": "x"}, "error retrieving scrape config")):
            answer = self.pharos.prom("scrape_pools/config", params)
            self.assertEqual(answer.status, 400)
            self.assertIn(words, answer.json()["error"])

    def test_relabel_steps(self):
        ask = lambda **params: self.pharos.prom("targets/relabel_steps", params)
        steps = ask(scrapePool="pharos", labels='{"__address__":"a:1"}').json()["data"]["steps"]
        self.assertEqual([(s["keep"], s["output"]) for s in steps],
                         [(True, {"__address__": "a:1"}),
                          (True, {"__address__": "a:1", "zone": "z1"})])
        self.assertEqual(steps[0]["rule"], {"source_labels": ["__address__"], "separator": ";",
                                            "regex": "gone.*", "replacement": "$1",
                                            "action": "drop"})
        steps = ask(scrapePool="pharos", labels='{"__address__":"gone"}').json()["data"]["steps"]
        self.assertEqual([(s["keep"], s["output"]) for s in steps], [(False, {}), (False, {})])
        for params, words in (({"labels": "{}"}, "no scrapePool parameter provided"),
                              ({"scrapePool": "pharos"}, "no labels parameter provided"),
                              ({"scrapePool": "x", "labels": "{}"}, "error retrieving scrape config"),
                              ({"scrapePool": "pharos", "labels": "{"}, "error parsing labels")):
            answer = ask(**params)
            self.assertEqual((answer.status, answer.json()["errorType"]), (400, "bad_data"))
            self.assertIn(words, answer.json()["error"])


class Status(pt.Case):
    def test_about_itself(self):
        server = self.server()
        build = server.prom("status/buildinfo").json()["data"]
        self.assertEqual(set(build) - {"pharosVersion"},
                         {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"})
        self.assertEqual(pt.request(server.prometheus_url + "/version").json(), build)
        flags = server.prom("status/flags").json()["data"]
        self.assertEqual((flags["query.lookback-delta"], flags["web.enable-admin-api"],
                          flags["query.max-concurrency"]), ("5m", "false", "20"))
        runtime = server.prom("status/runtimeinfo").json()["data"]
        self.assertEqual((runtime["reloadConfigSuccess"], runtime["corruptionCount"]), (True, 0))
        self.assertLessEqual({"startTime", "CWD", "hostname", "serverTime", "lastConfigTime", "GOGC",
                              "goroutineCount", "GOMAXPROCS", "GOMEMLIMIT", "storageRetention"},
                             set(runtime))
        features = server.prom("features").json()["data"]
        self.assertEqual((features["api"]["admin"], features["promql"]["at_modifier"]),
                         (False, True))
        self.assertEqual(server.prom("status/walreplay").json()["data"],
                         {"min": 0, "max": 0, "current": 0})

    def test_tsdb(self):
        server = self.server("telemetry.interval=1h")
        server.write([({"__name__": "m", "i": str(i), "long": "xxxx"}, [(NOW * 1000, i)])
                      for i in range(12)])
        ask = lambda **params: server.prom("status/tsdb", params, headers={"X-Scope-OrgID": "default"})
        data = ask(limit=100).json()["data"]
        rows = lambda key: {r["name"]: r["value"] for r in data[key]}
        self.assertEqual(rows("seriesCountByMetricName")["m"], 12)
        self.assertEqual(rows("labelValueCountByLabelName")["i"], 12)
        self.assertEqual(rows("memoryInBytesByLabelName")["i"], 14)
        self.assertEqual(rows("seriesCountByLabelValuePair")["long=xxxx"], 12)
        self.assertEqual(len(ask().json()["data"]["seriesCountByLabelValuePair"]), 10)
        for limit, words in (("0", "limit must be a positive number"),
                             ("x", "limit must be a positive number"),
                             ("10001", "limit must not exceed 10000")):
            answer = ask(limit=limit)
            self.assertEqual((answer.status, answer.json()["error"]), (400, words))

    def test_self_metrics(self):
        server = self.server()
        ask = lambda **params: server.prom("status/self_metrics", params)
        names = {f["name"]: f for f in ask().json()["data"]}
        self.assertEqual(names["pharos_queries_total"]["type"], "COUNTER")
        self.assertEqual({tuple(m["label"][0].items()) for m in names["pharos_queries_total"]["metric"]}
                         & {(("name", "result"), ("value", "ok"))},
                         {(("name", "result"), ("value", "ok"))})
        (family,) = ask(metric_name_pattern="pharos_query_act.*").json()["data"]
        self.assertEqual((family["name"], family["type"], set(family["metric"][0])),
                         ("pharos_query_active", "GAUGE", {"gauge"}))
        answer = ask(metric_name_pattern="(")
        self.assertEqual(answer.status, 400)
        self.assertIn("invalid metric_name_pattern", answer.json()["error"])

    def test_ends_for_nobody(self):
        server = self.server()
        quit = lambda method: pt.request(server.prometheus_url + "/-/quit", method=method)
        self.assertEqual((quit("POST").status, quit("GET").status), (403, 405))

    def test_stats(self):
        server = self.server()
        stats = lambda value: server.prom("query", {"query": "1", "stats": value}).json()
        self.assertEqual(set(stats("all")["data"]["stats"]), {"timings", "samples"})
        self.assertNotIn("warnings", stats("true"))
        self.assertIn('value "yes" for parameter "stats" is deprecated', stats("yes")["warnings"][0])
        self.assertNotIn("stats", stats("")["data"])


class RegularExpressions(pt.Case):
    def test_bounds(self):
        server = self.server()
        server.write([({"__name__": "m", "i": "x" * 60}, [(NOW * 1000, 1)])])
        ask = lambda query: pt.request(
            server.prometheus_url + "/api/v1/query", method="POST",
            body=urllib.parse.urlencode({"query": query, "time": NOW}).encode())
        for query in ('m{i=~"(x+x+)+[yz]"}', 'm{i!~"(x+x+)+[yz]"}',
                      'label_replace(m, "a", "b", "i", "(x+x+)+[yz]")'):
            answer = ask(query)
            self.assertEqual((answer.status, answer.json()["errorType"]), (422, "execution"), query)
            self.assertIn("1000000 steps back on one text (limits.regex_effort)", answer.json()["error"])
        answer = ask('m{i=~"(a{1000}){1000}"}')
        self.assertEqual(answer.status, 400)
        self.assertIn("invalid repeat count: `{1000}`", answer.json()["error"])
        words = "|".join(f"word-{i}" for i in range(20000))
        for query, rows in ((f'm{{i=~"{words}"}}', 0), (f'm{{i=~"{words}|{"x" * 60}"}}', 1),
                            (f'm{{i!~"({words})"}}', 1)):
            self.assertEqual(len(ask(query).json()["data"]["result"]), rows)


    SLOW = "(x+x+)+[yz]"
    WORDS = "steps back on one text (limits.regex_effort)"

    def test_whatever_takes_one(self):
        """A match that runs over is an error, never "no match"."""
        server = self.server("prometheus.admin_api=on", "promql.experimental=on")
        server.write([({"__name__": "m", "i": "x" * 60}, [(NOW * 1000, 1)])])
        line = {"streams": [{"stream": {"app": "x" * 60}, "values": [[str(NOW * 10**9), "x" * 60]]}]}
        self.assertEqual(pt.request(server.url + "/loki/loki/api/v1/push", method="POST",
                                    body=json.dumps(line).encode(),
                                    headers={"Content-Type": "application/json"}).status, 204)
        post = lambda path, **form: pt.request(server.prometheus_url + "/api/v1/" + path, "POST",
                                               urllib.parse.urlencode(form).encode(),
                                               {"Content-Type": "application/x-www-form-urlencoded"})
        answer = post("admin/tsdb/delete_series", **{"match[]": f'm{{i!~"{self.SLOW}"}}'})
        self.assertEqual((answer.status, answer.json()["errorType"]), (422, "execution"))
        self.assertIn(self.WORDS, answer.json()["error"])
        self.assertEqual(len(server.query("m", at=NOW)), 1)
        loki = lambda path, **q: pt.request(f"{server.url}/loki/loki/api/v1/{path}?"
                                            + urllib.parse.urlencode(q))
        times = {"start": NOW - 60, "end": NOW + 60}
        for query in (f'{{app=~"{self.SLOW}"}}', f'{{app=~".+"}} |~ "^{self.SLOW}$"',
                      f'{{app=~".+"}} !~ "{self.SLOW}"', f'{{app=~".+"}} | app=~"{self.SLOW}"',
                      f'{{app=~".+"}} | regexp "^(?P<a>{self.SLOW})"',
                      f'{{app=~".+"}} | line_format `{{{{regexReplaceAll "{self.SLOW}" __line__ "a"}}}}`'):
            for asked in (query, f"bytes_over_time({query} [1m])"):
                answer = loki("query_range", query=asked, step=30, **times)
                self.assertEqual(answer.status // 100, 4, (asked, answer.text))
                self.assertIn(self.WORDS, answer.text, asked)
        answer = loki("labels", query=f'{{app=~"{self.SLOW}"}}', **times)
        self.assertIn(self.WORDS, answer.text)
        for target in (f"grep(seriesByTag('name=m'),'{self.SLOW}')", f"seriesByTag('i=~^{self.SLOW}$')"):
            answer = pt.request(server.url + "/graphite/render?" + urllib.parse.urlencode(
                {"target": target, "format": "json", "from": NOW - 600, "until": NOW + 60}))
            self.assertIn(self.WORDS, answer.text, target)
            self.assertEqual(answer.status // 100, 4, target)

    def test_relabelling(self):
        exporter = self.server(data=self.work / "exporter")
        address = f"127.0.0.1:{exporter.main_port}"
        rule = f"{{source_labels: [x], regex: '{self.SLOW}', action: drop}}"
        config = self.file("pharos.yml", f"""
scrape_configs:
- job_name: series
  scrape_interval: 1s
  static_configs: [{{targets: ['{address}'], labels: {{x: {"x" * 60}}}}}]
  metric_relabel_configs: [{rule}]
- job_name: target
  scrape_interval: 1s
  static_configs: [{{targets: ['{address}'], labels: {{x: {"x" * 60}}}}}]
  relabel_configs: [{rule}]
""")
        server = self.server(config=config)
        targets = lambda: server.prom("targets").json()["data"]
        (failed,) = pt.wait_for("the scrape to fail", lambda: [
            t for t in targets()["activeTargets"] if t["health"] == "down"])
        self.assertEqual(failed["labels"]["job"], "series")
        self.assertIn(self.WORDS, failed["lastError"])
        self.assertEqual([t["scrapePool"] for t in targets()["droppedTargets"]], ["target"])
        self.assertIn("pharos_input_scrape_relabel_overruns_total",
                      pt.request(server.url + "/metrics").text)
        answer = server.prom("targets/relabel_steps",
                             {"scrapePool": "target", "labels": json.dumps({"x": "x" * 60})})
        self.assertEqual(answer.status, 422)
        self.assertIn(self.WORDS, answer.json()["error"])

    def test_settings_move_the_limits(self):
        server = self.server("limits.regex_effort=1000", "limits.query.nesting=20")
        server.write([({"__name__": "m", "i": "ab" * 20}, [(NOW * 1000, 1)])])
        answer = server.prom("query", {"query": 'm{i=~"(a|b|ab)*[cd]"}', "time": NOW})
        self.assertIn("1000 steps back", answer.json()["error"])
        ask = lambda query: server.prom("query", {"query": query}).json()
        self.assertEqual(ask("(" * 15 + "1" + ")" * 15)["status"], "success")
        for query, words in (("(" * 21 + "1" + ")" * 21, "20 levels at most: limits.query.nesting"),
                             ("1" + "+1" * 101, "100 at most: five times limits.query.nesting")):
            self.assertIn(words, ask(query)["error"])


class Notifications(pt.Case):
    def test_a_failed_reload(self):
        config = self.file("pharos.yml", "log: {level: info}\n")
        server = self.server(config=config)
        self.assertEqual(server.prom("notifications").json()["data"], [])
        live = http.client.HTTPConnection("127.0.0.1", server.prometheus_port, timeout=pt.WAIT_S)
        self.addCleanup(live.close)
        live.request("GET", "/api/v1/notifications/live", headers={"Accept-Encoding": "gzip"})
        answer = live.getresponse()
        self.assertEqual((answer.status, answer.headers["Content-Type"],
                          answer.headers["Content-Encoding"]), (200, "text/event-stream", None))
        config.write_text("log: {level: loud}\n")
        server.process.send_signal(signal.SIGHUP)
        event = json.loads(answer.readline().removeprefix(b"data: "))
        self.assertEqual((event["text"], event["active"]),
                         ("Configuration reload has failed.", True))
        self.assertEqual(answer.readline(), b"\n")
        self.assertEqual(server.prom("notifications").json()["data"], [event])
        config.write_text("log: {level: info}\n")
        server.process.send_signal(signal.SIGHUP)
        event = json.loads(answer.readline().removeprefix(b"data: "))
        self.assertFalse(event["active"])
        self.assertEqual(server.prom("notifications").json()["data"], [])
        self.assertEqual(server.stop(), 0)


class Admin(pt.Case):
    PATH = "/api/v1/admin/tsdb/"

    def ask(self, server, path, method="POST"):
        return pt.request(server.prometheus_url + self.PATH + path, method=method)

    def test_closed_unless_opened(self):
        server = self.server()
        for path in ("delete_series?match[]=m", "clean_tombstones", "snapshot"):
            answer = self.ask(server, path)
            self.assertEqual((answer.status, answer.json()["errorType"]), (503, "unavailable"))
            self.assertIn("admin APIs disabled", answer.json()["error"])

    def test_delete(self):
        server = self.server("prometheus.admin_api=on")
        t = NOW * 1000
        server.write([({"__name__": "m", "i": str(i)}, [(t - 20000, 1), (t - 10000, 2), (t, 3)])
                      for i in range(3)])
        count = lambda: {r["metric"]["i"]: r["value"][1]
                         for r in server.query("count_over_time(m[1m])", at=NOW)}
        self.assertEqual(count(), {"0": "3", "1": "3", "2": "3"})
        answer = self.ask(server, 'delete_series?match[]=m{i="0"}&match[]=nothing')
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(count(), {"1": "3", "2": "3"})
        answer = self.ask(server, f'delete_series?match[]=m{{i="1"}}&start={NOW - 15}&end={NOW - 5}',
                          method="PUT")
        self.assertEqual(answer.status, 204)
        self.assertEqual(count(), {"1": "2", "2": "3"})
        self.assertEqual(self.ask(server, "clean_tombstones").status, 204)
        for path, words in (("delete_series", "no match[] parameter provided"),
                            ("delete_series?match[]=%7B", 'invalid parameter "match[]": 1:2:'),
                            ("delete_series?match[]=m&start=x", 'invalid parameter "start"')):
            answer = self.ask(server, path)
            self.assertEqual((answer.status, answer.json()["errorType"]), (400, "bad_data"))
            self.assertIn(words, answer.json()["error"])
        self.assertEqual(self.ask(server, "delete_series?match[]=m", method="GET").status, 405)
        server.kill()
        server.start()
        self.assertEqual(count(), {"1": "2", "2": "3"})


    def test_snapshot(self):
        server = self.server("prometheus.admin_api=on")
        t = NOW * 1000
        server.write([({"__name__": "m"}, [(t, 3)])])
        answer = self.ask(server, "snapshot?skip_head=perhaps")
        self.assertEqual((answer.status, answer.json()["errorType"]), (400, "bad_data"))
        send = lambda path, body, kind="application/json", server=server: pt.request(
            server.url + path, "POST", body.encode(), {"Content-Type": kind})
        dashboard = lambda title: send("/api/dashboards/db", json.dumps(
            {"dashboard": {"uid": "u", "title": title}, "overwrite": True}))
        self.assertEqual(dashboard("before").status, 200)
        group = "name: g\nrules: [{record: r, expr: m}]"
        answer = send("/prometheus/config/v1/rules/team%2Fone", group, "application/yaml")
        self.assertEqual(answer.status, 202, answer.text)
        name = self.ask(server, "snapshot").json()["data"]["name"]
        self.assertRegex(name, r"^\d{8}T\d{6}Z-[0-9a-f]{16}$")
        server.write([({"__name__": "m"}, [(t, 4)])])
        dashboard("after")
        send("/prometheus/config/v1/rules/team%2Fone", group.replace("m}", "n}"), "application/yaml")
        server.stop()
        restored = pathlib.Path(server.data) / "snapshots" / name
        other = self.server("prometheus.admin_api=on", data=restored)
        self.assertEqual([r["value"][1] for r in other.query("m", at=NOW)], ["3"])
        self.assertEqual(other.get("/api/dashboards/uid/u").json()["dashboard"]["title"], "before")
        self.assertEqual([r["query"] for g in other.prom("rules").json()["data"]["groups"]
                          for r in g["rules"]], ["m"])


class Exemplars(pt.Case):
    def test_like_prometheus(self):
        peer, server = prometheus_peer.start(self), self.server()
        t = prometheus_peer.now_ms()
        rows = []
        for i in range(3):
            rows.append(({"__name__": "h_bucket", "le": "1", "i": str(i)}, [(t, i)],
                         [({"trace_id": f"t{i}{k}", "span": "s"}, t - 9000 + 1000 * k + i, k / 4)
                          for k in range(3)]))
        rows.append(({"__name__": "other_total", "i": "0"}, [(t, 5)],
                     [({"trace_id": 'odd"\\'}, t - 500, 1e-9)]))
        prometheus_peer.write_both(server, peer, rows)
        at = t / 1000
        for query, start, end in (("h_bucket", at - 60, at), ("h_bucket", at - 8.5, at - 7.5),
                                  ('sum(rate(h_bucket{i!="1"}[5m])) / other_total', at - 60, at),
                                  ('h_bucket{i="9"}', at - 60, at), ("other_total", None, None)):
            with self.subTest(query=query, start=start):
                params = {"query": query, **({"start": start, "end": end} if start else {})}
                theirs = pt.request(peer.url + "/api/v1/query_exemplars?"
                                    + urllib.parse.urlencode(params))
                ours = server.prom("query_exemplars", params)
                in_order = lambda a: sorted(a.json()["data"], key=lambda r: str(r["seriesLabels"]))
                self.assertEqual(in_order(ours), in_order(theirs))

    def test_errors(self):
        server = self.server()
        self.assertEqual(server.prom("query_exemplars", {"query": "1 + 1"}).status, 204)
        answer = server.prom("query_exemplars", {"query": "m", "start": 2, "end": 1})
        self.assertEqual((answer.status, answer.json()["error"]),
                         (400, "end timestamp must not be before start timestamp"))
        self.assertEqual(server.prom("query_exemplars", {"query": "m"}).json()["data"], [])
        self.assertEqual(server.prom("series", {"match[]": "m", "start": 2, "end": 1}).json()["data"],
                         [])


if __name__ == "__main__":
    pt.main()
