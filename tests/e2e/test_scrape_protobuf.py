#!/usr/bin/env python3
"""Scraping in the protobuf format: real programs that offer it tell the same as in text, and native
histograms arrive whole."""
import http.server
import threading
import time

import pharos_test as pt
import prometheus_peer
from test_scrape_node_exporter import start_exporter


def stamp(seconds, nanos=0):
    return pt.field(1, seconds) + pt.field(2, nanos)


def label(name, value):
    return pt.field(1, pt.field(1, name) + pt.field(2, value))


def exemplar(value, seconds, **labels):
    return b"".join(label(n, v) for n, v in labels.items()) + pt.field(2, float(value)) \
        + pt.field(3, stamp(seconds))


def family(name, kind, *metrics, text=""):
    body = pt.field(1, name) + (pt.field(2, text) if text else b"") + pt.field(3, kind)
    body += b"".join(pt.field(4, m) for m in metrics)
    return pt.varint(len(body)) + body


class Target:
    """Answers every request with `body` in the protobuf format; keeps the header Accept."""

    def __init__(self, case):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.accept = self.headers["Accept"]
                self.send_response(200)
                self.send_header("Content-Type", prometheus_type)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args):
                pass
        self.body, self.accept = b"", None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)


prometheus_type = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                   "encoding=delimited")


class Test(pt.Case):
    def scraper(self, port, more="", path="/metrics"):
        config = self.file(f"pharos-{port}.yml", f"""
scrape_configs:
- job_name: proto
  scrape_interval: 1s
  honor_labels: true
  metrics_path: {path}
  scrape_protocols: [PrometheusProto, PrometheusText0.0.4]
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
  {more}
""")
        return self.server("telemetry.interval=1h", config=config,
                           data=self.work / f"data-{port}")

    def up(self, server, job="proto"):
        def look():
            for t in server.prom("targets").json()["data"]["activeTargets"]:
                if t["labels"]["job"] == job and t["health"] != "unknown":
                    return t
        return pt.wait_for("a scrape", look)

    def test_node_exporter_tells_the_same(self):
        port, _ = start_exporter(self)
        config = self.file("pharos.yml", f"""
scrape_configs:
- job_name: proto
  scrape_interval: 1s
  scrape_protocols: [PrometheusProto]
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
- job_name: text
  scrape_interval: 1s
  scrape_protocols: [PrometheusText0.0.4]
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
""")
        server = self.server("telemetry.interval=1h", config=config)
        for job in ("proto", "text"):
            self.assertEqual(self.up(server, job)["lastError"], "")

        def series(job):
            rows = server.prom("series", {"match[]": f'{{job="{job}"}}'}).json()["data"]
            return sorted(sorted((k, v) for k, v in r.items() if k != "job") for r in rows)
        proto, text = series("proto"), series("text")
        # What the exporter says of its own requests comes and goes by format.
        gone = lambda rows: [r for r in rows if not dict(r)["__name__"].startswith("promhttp")]
        self.assertEqual(gone(proto), gone(text))
        self.assertGreater(len(proto), 100)

        def metadata(job):
            rows = server.prom("targets/metadata", {"match_target": f'{{job="{job}"}}'}).json()
            return sorted((r["metric"], r["type"], r["help"]) for r in rows["data"]
                          if not r["metric"].startswith("promhttp"))
        self.assertEqual(metadata("proto"), metadata("text"))
        same = server.query('node_memory_MemTotal_bytes{job="proto"} == on(instance) '
                            'node_memory_MemTotal_bytes{job="text"}')
        self.assertEqual(len(same), 1)

    def test_native_histograms_of_prometheus(self):
        peer = prometheus_peer.start(self)
        t = prometheus_peer.now_ms()
        prometheus_peer.write_histograms(
            peer.url, {"__name__": "native", "job": "x", "instance": "i"},
            [prometheus_peer.histogram(t, 5, 12.5, 1, 1, [(0, 2), (1, 1)], [1, 1, -1])])
        server = self.scraper(int(peer.url.rsplit(":", 1)[1]),
                              'scrape_native_histograms: true\n  params: {"match[]": [native]}',
                              "/federate")
        self.assertEqual(self.up(server)["lastError"], "")
        h = server.query("native")[0]["histogram"][1]
        self.assertEqual((h["count"], h["sum"]), ("5", "12.5"))
        self.assertEqual([b[3] for b in h["buckets"]], ["1", "1", "2", "1"])

    def families(self, now):
        bucket = lambda n, le, *more: pt.field(3, pt.field(1, n) + pt.field(2, float(le))
                                               + b"".join(pt.field(3, e) for e in more))
        span = lambda n, offset, length: pt.field(n, pt.field(1, prometheus_peer.zigzag(offset))
                                                  + pt.field(2, length))
        zigzag = lambda *ns: b"".join(pt.varint(prometheus_peer.zigzag(n)) for n in ns)
        native = pt.field(1, 6) + pt.field(2, 9.5) + pt.field(5, prometheus_peer.zigzag(2)) \
            + pt.field(6, 0.001) + pt.field(7, 1) + span(9, 0, 1) + pt.field(10, zigzag(2)) \
            + span(12, -1, 1) + span(12, 1, 1) + pt.field(13, zigzag(1, 1)) \
            + pt.field(16, exemplar(0.5, now, trace_id="n1"))
        return b"".join([
            family("c_total", 0, label("a", 'q"\\\n') + pt.field(3, pt.field(1, 7.0) + pt.field(
                2, exemplar(2, now, trace_id="abc")) + pt.field(3, stamp(now - 100))),
                text="A counter."),
            family("g", 1, pt.field(2, pt.field(1, -1.5))),
            family("s", 2, pt.field(4, pt.field(1, 4) + pt.field(2, 10.0) + pt.field(
                3, pt.field(1, 0.5) + pt.field(2, 2.5)))),
            family("u.dotted", 3, label("l.x", "y") + pt.field(5, pt.field(1, 3.0))),
            family("at", 1, pt.field(2, pt.field(1, 1.0)) + pt.field(6, (now - 5) * 1000)),
            family("both", 4, pt.field(7, native + bucket(3, 1) + bucket(
                5, 2, exemplar(1.5, now, trace_id="b1")))),
            family("classic", 4, pt.field(7, pt.field(1, 5) + pt.field(2, 6.0) + bucket(2, 0.5)
                                          + bucket(3, 1))),
        ])

    def values(self, server, text, *names):
        return {tuple(r["metric"].get(n) for n in ("__name__", *names)): r["value"][1]
                for r in server.query(text) if "value" in r}

    def test_every_type(self):
        target = Target(self)
        now = int(time.time())
        target.body = self.families(now)
        server = self.scraper(target.port)
        self.assertEqual(self.up(server)["lastError"], "")
        self.assertTrue(target.accept.startswith(prometheus_type.replace(" ", "") + ";q=0.6,"))
        values = lambda *args: self.values(server, *args)
        self.assertEqual(values("c_total", "a"), {("c_total", 'q"\\\n'): "7"})
        self.assertEqual(values("g"), {("g",): "-1.5"})
        self.assertEqual(values('{__name__=~"s|s_.+"}', "quantile"),
                         {("s", "0.5"): "2.5", ("s_sum", None): "10", ("s_count", None): "4"})
        self.assertEqual(values('{"u.dotted"}', "l.x"), {("u.dotted", "y"): "3"})
        self.assertEqual(float(server.query("timestamp(at)")[0]["value"][1]), now - 5)
        # Without being asked for, native histograms are classic ones.
        self.assertEqual(values('{__name__=~"both.*"}', "le"), {
            ("both_bucket", "1.0"): "3", ("both_bucket", "2.0"): "5", ("both_bucket", "+Inf"): "6",
            ("both_sum", None): "9.5", ("both_count", None): "6"})
        self.assertEqual(values("classic_bucket", "le"), {
            ("classic_bucket", "0.5"): "2", ("classic_bucket", "1.0"): "3",
            ("classic_bucket", "+Inf"): "5"})
        metadata = server.prom("targets/metadata", {"metric": "c_total"}).json()["data"][0]
        self.assertEqual((metadata["type"], metadata["help"]), ("counter", "A counter."))

    def test_native_and_custom(self):
        target = Target(self)
        target.body = self.families(int(time.time()))
        server = self.scraper(target.port, "scrape_native_histograms: true\n"
                              "  convert_classic_histograms_to_nhcb: true")
        self.assertEqual(self.up(server)["lastError"], "")
        h = server.query("both")[0]["histogram"][1]
        self.assertEqual((h["count"], h["sum"], [b[3] for b in h["buckets"]]),
                         ("6", "9.5", ["2", "1", "1", "2"]))
        self.assertEqual(server.query('{__name__=~"both_.+"}'), [])
        h = server.query("classic")[0]["histogram"][1]
        self.assertEqual(h, {"count": "5", "sum": "6", "buckets": [
            [3, "-Inf", "0.5", "2"], [0, "0.5", "1", "1"], [0, "1", "+Inf", "2"]]})
        self.assertEqual(server.query('{__name__=~"classic_.+"}'), [])

    def test_exemplars(self):
        target = Target(self)
        now = int(time.time())
        target.body = self.families(now)
        server = self.scraper(target.port, "scrape_native_histograms: true")
        self.assertEqual(self.up(server)["lastError"], "")
        found = lambda query: [
            (r["seriesLabels"]["__name__"], e["labels"], e["value"], e["timestamp"])
            for r in server.prom("query_exemplars", {"query": query}).json()["data"]
            for e in r["exemplars"]]
        self.assertEqual(found("c_total"), [("c_total", {"trace_id": "abc"}, "2", now)])
        self.assertEqual(found("both"), [("both", {"trace_id": "n1"}, "0.5", now)])

    def test_native_beside_classic(self):
        target = Target(self)
        target.body = self.families(int(time.time()))
        server = self.scraper(target.port, "scrape_native_histograms: true\n"
                              "  always_scrape_classic_histograms: true")
        self.assertEqual(self.up(server)["lastError"], "")
        self.assertEqual(len(server.query("both")), 1)
        self.assertEqual(len(server.query("both_bucket")), 3)

    def test_damage_is_told(self):
        target = Target(self)
        target.body = self.families(int(time.time()))[:-3]
        server = self.scraper(target.port)
        target_state = self.up(server)
        self.assertEqual(target_state["health"], "down")
        self.assertIn("the protobuf exposition is damaged at byte", target_state["lastError"])

    def test_legacy_names(self):
        target = Target(self)
        target.body = family("u.dotted", 3, pt.field(5, pt.field(1, 3.0)))
        server = self.scraper(target.port, "metric_name_validation_scheme: legacy")
        state = self.up(server)
        self.assertIn('invalid metric name "u.dotted"', state["lastError"])
        self.assertNotIn("escaping=allow-utf-8", target.accept)


if __name__ == "__main__":
    pt.main()
