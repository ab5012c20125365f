"""Outputs: StatsD's flushes and what is written at the doors, sent on to the real receivers: Debian's
carbon-cache, InfluxDB and Prometheus, and Pharos itself for OTLP and remote write 2.0."""
import gzip
import json
import shutil
import subprocess
import time
import urllib.parse

import graphite_reference
import prometheus_peer
import pharos_test as pt
from line_receiver import Lines
from outputs_case import Case, Receiver

INFLUX = """reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
[[udp]]
  enabled = true
  bind-address = "127.0.0.1:{udp}"
  database = "by_udp"
  batch-size = 1
"""


class Outputs(Case):
    def test_graphite_over_all_its_ways(self):
        if not graphite_reference.is_installed():
            self.skipTest("graphite-carbon and graphite-web are not installed")
        ref = graphite_reference.Reference(self.work / "ref", "[all]\npattern = .*\nretentions = 1s:1h\n")
        self.addCleanup(lambda: [(p.kill(), p.wait()) for p in ref.processes])
        ref.start()
        self.open({"lines": {"type": "graphite", "url": f"tcp://127.0.0.1:{ref.line}", "prefix": "a.", "from": "statsd"},
                   "pickled": {"type": "graphite", "url": f"127.0.0.1:{ref.pickle}", "protocol": "pickle",
                               "prefix": "b.", "from": "statsd"}})

        def drawn():
            self.send("hits:5|c\nlat:100|ms\nlat:300|ms")
            rows = ref.get("/render?target=[ab].stats_counts.hits&target=[ab].stats.timers.lat.upper"
                           "&format=json&from=-60s").json()
            found = {r["target"]: {v for v, _ in r["datapoints"] if v} for r in rows}
            return len(found) == 4 and all(found.values()) and found
        found = pt.wait_for("carbon's answer", drawn)
        for prefix in "ab":
            self.assertEqual({v % 5 for v in found[f"{prefix}.stats_counts.hits"]}, {0})
            self.assertEqual(found[f"{prefix}.stats.timers.lat.upper"], {300})
        # The store has the same as labels, its default, and not under these names.
        self.assertTrue(self.one.query("hits"))
        self.assertEqual(self.one.query('{__name__=~"stats.*"}'), [])

    def influx(self):
        if not shutil.which("influxd"):
            self.skipTest("influxdb is not installed")
        rpc, port, self.influx_udp = pt.free_port(), pt.free_port(), pt.free_port()
        conf = self.file("influx.conf", INFLUX.format(dir=self.work / "influx", rpc=rpc, http=port, udp=self.influx_udp))
        log = open(self.work / "influx.log", "w")
        process = subprocess.Popen(["influxd", "run", "-config", conf], stdout=log, stderr=log)
        self.addCleanup(lambda: (process.kill(), process.wait(), log.close()))
        url = f"http://127.0.0.1:{port}"

        def is_up():
            try:
                return pt.request(url + "/ping").status == 204
            except OSError:
                return False
        pt.wait_for("InfluxDB", is_up)
        for db in ("pharos", "by_udp"):
            pt.request(url + "/query?q=CREATE+DATABASE+" + db, method="POST", body=b"")
        return url

    def influx_rows(self, url, db, query):
        answer = pt.request(f"{url}/query?" + urllib.parse.urlencode({"db": db, "q": query})).json()
        return answer["results"][0].get("series", [])

    def test_influxdb(self):
        url = self.influx()
        self.open({"influxdb": {"url": url, "from": "statsd"},
                   "udp": {"type": "influxdb", "url": f"udp://127.0.0.1:{self.influx_udp}", "from": "statsd"}})
        self.send("page views:3|c|#path:/a b,x:1=2\nlat:250|ms\nlat:750|ms")
        for db in ("pharos", "by_udp"):
            pt.wait_for(f"the point in {db}", lambda: [
                (r["tags"], v[1]) for r in self.influx_rows(url, db, "SELECT last(value) FROM page_views GROUP BY *")
                for v in r["values"]] == [({"path": "/a b", "x": "1=2"}, 3)])
            query = 'SELECT "count", "sum", "+Inf" FROM lat ORDER BY time DESC LIMIT 1'
            pt.wait_for(f"the histogram in {db}", lambda: [
                round(v, 6) for r in self.influx_rows(url, db, query) for v in r["values"][0][1:]] == [2, 1, 2])
        # A database that is not there is refused by name, and tried again once it is.
        self.config.write_text("outputs: " + json.dumps(
            {"influxdb": {"url": url, "from": "statsd", "database": "later"}}) + "\n")
        self.assertEqual(self.one.post("/-/reload").status, 200)
        self.send("again:1|c")
        pt.wait_for("the refusal", lambda: "later" in self.look("influxdb")["last_error"])
        pt.request(url + "/query?q=CREATE+DATABASE+later", method="POST", body=b"")
        pt.wait_for("the point", lambda: self.influx_rows(url, "later", "SELECT * FROM again"))

    def test_influxdb_2_headers_and_gzip(self):
        to = Receiver(self)
        self.file("token", "s3cret\n")
        self.open({"v2": {"type": "influxdb", "url": to.url, "bucket": "b c", "org": "o", "from": "statsd",
                          "token_file": str(self.work / "token"), "headers": {"X-Own": "1"}}})
        self.send("hits:1|c")
        pt.wait_for("a request", lambda: to.requests)
        path, headers, body = to.requests[0]
        self.assertEqual(path, "/api/v2/write?precision=ns&bucket=b%20c&org=o")
        self.assertEqual((headers["Authorization"], headers["X-Own"], headers["Content-Encoding"]),
                         ("Token s3cret", "1", "gzip"))
        self.assertRegex(gzip.decompress(body).decode().splitlines()[-1], r"^hits value=1 \d{19}$")

    def test_remote_write_to_prometheus(self):
        peer = prometheus_peer.start(self)
        self.open({"prometheus": {"type": "remote_write", "url": peer.url + "/api/v1/write",
                                  "labels": {"site": "x", "job": "given"},
                                  "relabel_configs": [{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}]}})
        self.send("hits:3|c|#job:own\nlat:100|ms\nlat:300|ms\nq:7|g")
        self.one.write([({"__name__": "by_door"}, [(int(time.time() * 1000), 4)]),
                        ({"__name__": "go_left_out"}, [(int(time.time() * 1000), 4)])])

        def value(query):
            rows = pt.request(f"{peer.url}/api/v1/query?" + urllib.parse.urlencode({"query": query})).json()
            rows = rows["data"]["result"]
            return rows and float(rows[0]["value"][1])
        pt.wait_for("a counter", lambda: value('hits{job="own",site="x"}') == 3)
        pt.wait_for("a gauge", lambda: value('q{job="given"}') == 7)
        pt.wait_for("a histogram", lambda: value("histogram_count(lat)") == 2)
        self.assertAlmostEqual(value("histogram_sum(lat)"), 0.4)
        self.assertAlmostEqual(value("histogram_quantile(1, lat)"), 0.3, delta=0.02)
        pt.wait_for("a door's sample", lambda: value('by_door{site="x"}') == 4)
        self.assertEqual(value("go_left_out"), [])
        self.assertEqual(self.one.metric("pharos_output_dropped_samples_total", 'reason="refused"'), 0)

    def test_otlp_and_remote_write_2_to_pharos(self):
        grpc, http = pt.free_port(), pt.free_port()
        other = self.server(f"doors.otlp.listen=127.0.0.1:{http}", f"doors.otlp_grpc.listen=127.0.0.1:{grpc}",
                            data=self.work / "other")
        self.open({"http": {"type": "otlp", "url": f"http://127.0.0.1:{http}", "labels": {"via": "http"}, "from": "statsd"},
                   "grpc": {"type": "otlp", "url": f"grpc://127.0.0.1:{grpc}", "labels": {"via": "grpc"}, "from": "statsd"},
                   "v2": {"type": "remote_write", "url": other.prometheus_url + "/api/v1/write", "version": "2.0",
                          "labels": {"via": "rw2"}, "from": "statsd"}})
        self.send("hits:3|c\nlat:100|ms\nlat:300|ms\nneg:-5|h\nq:7|g")

        def value(query):
            rows = other.query(query)
            return rows and float(rows[0]["value"][1])
        for via in ("http", "grpc", "rw2"):
            total = "hits" if via == "rw2" else "hits_total"
            pt.wait_for(f"a counter over {via}", lambda: value(f'{total}{{via="{via}"}}') == 3)
            pt.wait_for(f"a gauge over {via}", lambda: value(f'q{{via="{via}"}}') == 7)
            pt.wait_for(f"a histogram over {via}", lambda: value(f'histogram_count(lat{{via="{via}"}})') == 2)
            self.assertAlmostEqual(value(f'histogram_quantile(0, lat{{via="{via}"}})'), 0.1, delta=0.01)
            self.assertAlmostEqual(value(f'histogram_sum(neg{{via="{via}"}})'), -5)
            self.assertAlmostEqual(value(f'histogram_quantile(0.5, neg{{via="{via}"}})'), -5, delta=0.3)
        for name in ("http", "grpc", "v2"):
            self.assertEqual((self.look(name)["failed_requests"], sum(self.look(name)["dropped"].values())), (0, 0), name)

    def test_logs_and_traces_over_otlp(self):
        grpc, http = pt.free_port(), pt.free_port()
        other = self.server(f"doors.otlp.listen=127.0.0.1:{http}", f"doors.otlp_grpc.listen=127.0.0.1:{grpc}",
                            data=self.work / "other")
        url = {"http": f"http://127.0.0.1:{http}", "grpc": f"grpc://127.0.0.1:{grpc}"}
        self.open({"logs": {"type": "otlp", "url": url["http"], "from": "logs"},
                   "traces": {"type": "otlp", "url": url["grpc"], "from": "traces", "batch": 2},
                   "console": {}})
        now, trace = time.time_ns(), "0af7651916cd43dd8448eb211c80319c"

        def attribute(key, **value):
            return {"key": key, "value": value}
        attributes = [attribute("a.text", stringValue="t"), attribute("an.int", intValue="-3"),
                      attribute("a.double", doubleValue=1.5), attribute("a.bool", boolValue=True),
                      attribute("a.list", arrayValue={"values": [{"intValue": "1"}, {"stringValue": "two"}]})]
        head = {"resource": {"attributes": [attribute("service.name", stringValue="cart"),
                                            attribute("host.name", stringValue="h1")]}}
        scope = {"name": "lib", "version": "1.2", "attributes": [attribute("s", intValue="1")]}
        records = [{"timeUnixNano": str(now + i), "severityNumber": 17, "severityText": "ERROR", "traceId": trace,
                    "spanId": "b7ad6b7169203331", "body": {"stringValue": f"line {i}"}, "attributes": attributes}
                   for i in range(3)]
        records.append({"timeUnixNano": str(now + 9), "body": {"kvlistValue": {"values": [attribute("k", intValue="7")]}}})
        spans = [{"traceId": trace, "spanId": f"b7ad6b716920333{i}", "parentSpanId": "b7ad6b7169203330" if i else "",
                  "name": f"op {i}", "kind": 2, "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 5_000_000),
                  "attributes": attributes, "status": {"code": 2, "message": "no"}, "traceState": "a=b",
                  "events": [{"timeUnixNano": str(now + 1000), "name": "e", "attributes": attributes[:1]}],
                  "links": [{"traceId": "1" * 32, "spanId": "2" * 16, "attributes": attributes[:2]}]} for i in range(5)]
        for path, body in (("logs", {"resourceLogs": [{**head, "scopeLogs": [{"scope": scope, "logRecords": records}]}]}),
                           ("traces", {"resourceSpans": [{**head, "scopeSpans": [{"scope": scope, "spans": spans}]}]})):
            answer = self.one.post(f"/otlp/v1/{path}", json.dumps(body).encode(),
                                   headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 200, answer.text)

        def lines(server):
            answer = server.get("/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
                {"query": '{service_name="cart"}', "start": now - 10**9, "end": now + 10**9}))
            return sorted((json.dumps(s["stream"], sort_keys=True), v) for s in answer.json()["data"]["result"] for v in s["values"])

        def found(server):
            answer = server.get(f"/tempo/api/traces/{trace}")
            if answer.status != 200:
                return []
            spans = []
            for batch in answer.json().get("batches") or answer.json()["trace"]["resourceSpans"]:
                for group in batch["scopeSpans"]:
                    spans += [{**s, "resource": batch["resource"], "scope": group["scope"]} for s in group["spans"]]
            for s in spans:
                for part in (s, s["resource"], s["scope"]):
                    part["attributes"].sort(key=lambda a: a["key"])
            return sorted(spans, key=lambda s: s["spanId"])
        self.assertEqual((len(lines(self.one)), len(found(self.one))), (4, 5))
        pt.wait_for("the lines", lambda: len(lines(other)) == 4)
        pt.wait_for("the spans", lambda: len(found(other)) == 5)
        self.maxDiff = None
        self.assertEqual(lines(other), lines(self.one))
        self.assertEqual(found(other), found(self.one))
        self.assertEqual(self.look("traces")["requests"], 3)
        self.assertEqual(self.look("logs")["sent_samples"], 4)
        done = pt.run("check", self.file("bad.yml", "outputs:\n  g: {type: influxdb, url: 'http://h:1', from: logs}\n"))
        self.assertIn("otlp only", done.stdout + done.stderr)

    def test_dogstatsd(self):
        port = pt.free_port()
        other = self.server(f"doors.statsd.listen=127.0.0.1:{port}", "statsd.admin.listen=off",
                            "statsd.flush_interval=200ms", data=self.work / "other")
        self.open({"dogstatsd": {"url": f"udp://127.0.0.1:{port}", "from": "statsd"}})
        for _ in range(3):
            self.send("hits:3|c|#a:b c\nlat:100|h\nlat:300|h\nq:7|g")
            time.sleep(0.3)
        pt.wait_for("the counter", lambda: other.query('hits{a="b c"}') and
                    float(other.query('hits{a="b c"}')[0]["value"][1]) == 9)
        pt.wait_for("the distribution", lambda: other.query("histogram_count(lat)") and
                    float(other.query("histogram_count(lat)")[0]["value"][1]) == 6)
        self.assertAlmostEqual(float(other.query("histogram_quantile(1, lat)")[0]["value"][1]), 300, delta=15)
        self.assertEqual(float(other.query("q")[0]["value"][1]), 7)

    def test_console(self):
        self.open({"console": {"from": "statsd"}})
        self.send("hits:3|c|#a:b")
        pt.wait_for("a line", lambda: 'hits{a="b"} 3 ' in self.one.log())

    def test_passwords_are_not_shown(self):
        self.open({"rw": {"type": "remote_write", "url": "http://me:secret@127.0.0.1:1/w", "from": "statsd"}})
        self.assertEqual(self.look("rw")["url"], "http://me:xxxxx@127.0.0.1:1/w")

    def test_reload(self):
        first, second = Lines(self), Lines(self)
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{first.port}", "from": "statsd"}})
        self.send("a:1|c")
        pt.wait_for("a line", lambda: "stats_counts.a 1 " in first.text)
        self.config.write_text("outputs:\n  g:\n    type: nonsense\n")
        self.assertNotEqual(self.one.post("/-/reload").status, 200)
        self.assertEqual(self.look("g")["url"], f"tcp://127.0.0.1:{first.port}")
        self.config.write_text(f"outputs:\n  g: {{type: graphite, url: 'tcp://127.0.0.1:{second.port}', from: statsd}}\n")
        self.assertEqual(self.one.post("/-/reload").status, 200)
        self.send("b:1|c")
        pt.wait_for("a line at the other", lambda: "stats_counts.b 1 " in second.text)
        self.assertNotIn("stats_counts.b 1 ", first.text)

    def test_mistakes_are_told_with_their_place(self):
        for text, words in (
                ("outputs:\n  g: {type: grafite, url: x}\n", 'bad.yml:2:13: outputs.g: type: "grafite" is no kind of output'),
                ("outputs:\n  graphite: {}\n", "bad.yml:2:3: outputs.graphite: url is missing"),
                ("outputs:\n  influxdb: {url: 'tcp://x:1'}\n", "bad.yml:2:19: outputs.influxdb: url: http:// or https:// is expected"),
                ("outputs:\n  graphite: {url: 'tcp://nowhere'}\n", "outputs.graphite: url:"),
                ("outputs:\n  otlp: {url: 'http://x', querty: 1}\n", "querty"),
                ("outputs: [1]\n", "outputs is a map")):
            done = pt.run("check", self.file("bad.yml", text))
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(words, done.stdout + done.stderr)
        done = pt.run("check", self.file("good.yml", "outputs:\n  otlp: {url: 'grpc://collector:4317', token: abc}\n"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_documentation_has_every_setting(self):
        table = pt.run("help", "outputs").stdout
        self.assertIn("`retry_for`", table)
        self.assertIn(table, (pt.ROOT / "docs" / "outputs.md").read_text())

    def test_secrets_are_not_shown(self):
        self.open({"otlp": {"url": "http://127.0.0.1:1", "token": "s3cret", "headers": {"Authorization": "h1dden"}}})
        shown = self.one.prom("status/config").text + self.one.get("/api/pharos/v1/outputs").text
        self.assertNotIn("s3cret", shown)
        self.assertNotIn("h1dden", shown)


if __name__ == "__main__":
    pt.main()
