"""What the endpoints of the Prometheus door have in common: limit, lookback_delta, timeout, stats, forms by
POST, compressed answers; metadata of remote write 2.0 and OTLP over a restart; every strategy of
translating OTLP's names."""
import gzip
import json
import struct
import time
import urllib.parse
import zlib

import pharos_test as pt
import prometheus_peer

NOW = int(time.time())


def post(server, path, params):
    return pt.request(f"{server.prometheus_url}/api/v1/{path}", "POST",
                      urllib.parse.urlencode(params, doseq=True).encode(),
                      {"Content-Type": "application/x-www-form-urlencoded"})


class Parameters(pt.Case):
    def setUp(self):
        super().setUp()
        self.pharos = self.server("telemetry.interval=1h")
        self.pharos.write([({"__name__": "m", "i": f"{i:02}", "job": "j"}, [(NOW * 1000 - 100_000, i)])
                           for i in range(20)])

    CASES = [("query", {"query": "m", "time": NOW - 90}),
             ("query_range", {"query": "m", "start": NOW - 100, "end": NOW - 80, "step": 10}),
             ("series", {"match[]": "m"}),
             ("labels", {"match[]": "m"})]

    def rows(self, answer):
        data = answer.json()["data"]
        return data["result"] if isinstance(data, dict) else data

    def test_limit(self):
        for path, params in self.CASES + [("label/i/values", {"match[]": "m"})]:
            whole = self.pharos.prom(path, params)
            self.assertNotIn("warnings", whole.json())
            self.assertGreaterEqual(len(self.rows(whole)), 3, path)
            cut = self.pharos.prom(path, {**params, "limit": 2})
            self.assertEqual(len(self.rows(cut)), 2, path)
            self.assertEqual(cut.json()["warnings"], ["results truncated due to limit"])
            for limit in (0, 1000):
                self.assertEqual(self.rows(self.pharos.prom(path, {**params, "limit": limit})),
                                 self.rows(whole), path)
            bad = self.pharos.prom(path, {**params, "limit": "x"})
            self.assertEqual((bad.status, bad.json()["errorType"]), (400, "bad_data"), path)
            self.assertIn('invalid parameter "limit"', bad.json()["error"])

    def test_forms(self):
        """By POST the same as by GET, with parameters in the form, in the query string, or in both."""
        for path, params in self.CASES + [("query_exemplars", {"query": "m"}),
                                          ("format_query", {"query": "m+m"}),
                                          ("parse_query", {"query": "m+m"}),
                                          ("search/label_names", {"match[]": "m"})]:
            want = self.pharos.prom(path, params)
            got = post(self.pharos, path, params)
            self.assertEqual((got.status, got.body), (want.status, want.body), path)
            first, rest = dict(list(params.items())[:1]), dict(list(params.items())[1:])
            got = post(self.pharos, path + "?" + urllib.parse.urlencode(first), rest)
            self.assertEqual((got.status, got.body), (want.status, want.body), path)

    def test_lookback(self):
        count = lambda path, **params: len(self.rows(self.pharos.prom(path, params)))
        self.assertEqual(count("query", query="m", time=NOW), 20)
        self.assertEqual(count("query", query="m", time=NOW, lookback_delta="1m"), 0)
        self.assertEqual(count("query", query="m", time=NOW + 500, lookback_delta="20m"), 20)
        steps = {"query": "m", "start": NOW - 90, "end": NOW, "step": 30}
        self.assertEqual([len(r["values"]) for r in self.rows(self.pharos.prom("query_range", steps))],
                         [4] * 20)
        short = self.pharos.prom("query_range", {**steps, "lookback_delta": 50})
        self.assertEqual([len(r["values"]) for r in self.rows(short)], [2] * 20)
        for path, params in self.CASES[:2]:
            for value in ("x", "-5m", "0"):
                bad = self.pharos.prom(path, {**params, "lookback_delta": value})
                self.assertEqual((bad.status, bad.json()["errorType"]), (400, "bad_data"), value)

    def test_timeout_and_stats(self):
        for path, params in self.CASES[:2]:
            late = self.pharos.prom(path, {**params, "timeout": "0.000001",
                                           "query": "stddev_over_time(vector(time())[2d:1s])"})
            self.assertEqual((late.status, late.json()["errorType"]), (503, "timeout"), path)
            bad = self.pharos.prom(path, {**params, "timeout": "soon"})
            self.assertEqual((bad.status, bad.json()["errorType"]), (400, "bad_data"), path)
            stats = self.pharos.prom(path, {**params, "stats": "all"}).json()["data"]["stats"]
            self.assertEqual(set(stats["timings"]), {
                "evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime",
                "execQueueTime", "execTotalTime"})
            self.assertGreaterEqual(stats["samples"]["totalQueryableSamples"], 20)

    def test_samples_by_step_as_prometheus(self):
        """What a query looked at, step by step: the numbers of a real Prometheus."""
        peer = prometheus_peer.start(self, "", "--enable-feature=promql-per-step-stats")
        start = NOW // 60 * 60 - 1800
        prometheus_peer.write_both(self.pharos, peer, [
            ({"__name__": "s", "i": str(i)},
             [((start + k * 15) * 1000 + 123, float(k * i)) for k in range(0, 120 - 20 * i)])
            for i in range(4)])
        queries = ["s", "sum(rate(s[5m]))", 's{i="3"} offset 5m + on() group_left() sum(s)', "s @ end()",
                   "max_over_time(s[10m] @ start())", "1 + 2", "vector(time())", "topk(2, s) > 3",
                   "max_over_time(rate(s[2m])[10m:1m])", "absent(nothing)", "timestamp(s)",
                   "quantile_over_time(scalar(count(s)) / 10, s[3m])", "(s)"]
        for q in queries:
            asked = [("query_range", {"query": q, "start": start + 300.777, "end": start + 1500.777, "step": 60}),
                     ("query", {"query": q, "time": start + 1000.777})]
            for path, params in asked:
                with self.subTest(query=q, path=path):
                    params = {**params, "stats": "all"}
                    want = pt.request(f"{peer.url}/api/v1/{path}?{urllib.parse.urlencode(params)}").json()
                    want, got = want["data"]["stats"], self.pharos.prom(path, params).json()["data"]["stats"]
                    self.assertEqual(got["samples"]["totalQueryableSamplesPerStep"],
                                     want["samples"]["totalQueryableSamplesPerStep"])
                    self.assertEqual(got["samples"]["totalQueryableSamples"],
                                     want["samples"]["totalQueryableSamples"])
                    self.assertLessEqual(set(want["samples"]), set(got["samples"]))
                    self.assertEqual(set(got["timings"]), set(want["timings"]))
        for q, params in (("s[10m]", {}), ("rate(s[2m])[10m:1m]", {}), ("s[10m:30s]", {})):
            with self.subTest(query=q):
                params = {"query": q, "time": start + 1000.777, "stats": "all"}
                want = pt.request(f"{peer.url}/api/v1/query?{urllib.parse.urlencode(params)}").json()
                got = self.pharos.prom("query", params).json()
                self.assertEqual(got["data"]["stats"]["samples"]["totalQueryableSamplesPerStep"],
                                 want["data"]["stats"]["samples"]["totalQueryableSamplesPerStep"])
        one = self.pharos.prom("query", {"query": "s", "time": start + 1000, "stats": "true"}).json()
        self.assertNotIn("totalQueryableSamplesPerStep", one["data"]["stats"]["samples"])
        self.assertEqual(one["data"]["stats"]["samples"]["totalQueryableSamples"], 4)

    def test_compressed_answers(self):
        """Large ones are streamed: every coding gives the same bytes, and the client's order counts."""
        self.pharos.write([({"__name__": "big", "i": str(i), "long": "x" * 50},
                            [(NOW * 1000 - k * 1000, i * k / 7) for k in range(50, 0, -1)])
                           for i in range(500)])
        params = urllib.parse.urlencode({"query": "big", "start": NOW - 50, "end": NOW, "step": 1})
        ask = lambda accept: pt.request(f"{self.pharos.prometheus_url}/api/v1/query_range?{params}",
                                        headers={"Accept-Encoding": accept})
        plain = ask("identity")
        self.assertIsNone(plain.headers["Content-Encoding"])
        self.assertEqual(plain.headers["Vary"], "Accept-Encoding")
        self.assertGreater(len(plain.body), 300_000)
        self.assertEqual(len(plain.json()["data"]["result"]), 500)
        for accept, coding, unpack in (("gzip", "gzip", gzip.decompress),
                                       ("deflate", "deflate", zlib.decompress),
                                       ("gzip;q=0.5, deflate", "deflate", zlib.decompress),
                                       ("br, gzip", "gzip", gzip.decompress),
                                       ("deflate;q=0, gzip;q=0.1", "gzip", gzip.decompress),
                                       ("br", None, bytes)):
            answer = ask(accept)
            self.assertEqual(answer.headers["Content-Encoding"], coding, accept)
            self.assertEqual(unpack(answer.body), plain.body, accept)
            if coding:
                self.assertLess(len(answer.body), len(plain.body) / 3)
        # Better than Prometheus, for who says so.
        self.assertEqual(ask("zstd, gzip").headers["Content-Encoding"], "zstd")
        self.assertEqual(ask("zstd, gzip").body[:4], b"\x28\xb5\x2f\xfd")


def write_2(series):
    """series: [(labels, ms, value, (type, help, unit))] as io.prometheus.write.v2.Request"""
    symbols, body = [""], b""

    def ref(text):
        if text not in symbols:
            symbols.append(text)
        return symbols.index(text)
    for labels, ms, value, (kind, help_text, unit) in series:
        refs = b"".join(pt.varint(ref(t)) for pair in sorted(labels.items()) for t in pair)
        body += pt.field(5, pt.field(1, refs) + pt.field(2, pt.field(1, value) + pt.field(2, ms))
                         + pt.field(5, pt.field(1, kind) + pt.field(3, ref(help_text))
                                    + pt.field(4, ref(unit))))
    return b"".join(pt.field(4, s) for s in symbols) + body


def otlp(name, value, unit="", kind="gauge", help_text="", **more):
    point = {"timeUnixNano": str(NOW * 10**9), "asDouble": value}
    data = {"dataPoints": [point], **more}
    return {"name": name, "unit": unit, "description": help_text, kind: data}


class Metadata(pt.Case):
    def send(self, server, *metrics):
        body = {"resourceMetrics": [{"resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeMetrics": [{"metrics": list(metrics)}]}]}
        answer = pt.request(server.prometheus_url + "/api/v1/otlp/v1/metrics", "POST",
                            json.dumps(body).encode(), {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.text)
        return answer

    def test_outlives_a_kill(self):
        server = self.server()
        body = write_2([({"__name__": "w_total", "job": "a"}, NOW * 1000, 1.5, (1, "Written.", "")),
                        ({"__name__": "w_bytes", "job": "a"}, NOW * 1000, 7.0, (2, "Size.", "bytes"))])
        answer = pt.request(server.prometheus_url + "/api/v1/write", "POST", pt.snappy(body), {
            "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "2.0.0"})
        self.assertEqual((answer.status, answer.headers["X-Prometheus-Remote-Write-Samples-Written"]),
                         (204, "2"))
        self.send(server, otlp("queue.size", 3, "By", help_text="Waiting."),
                  otlp("jobs", 3, "", "sum", "Done.", isMonotonic=True, aggregationTemporality=2))
        want = {"w_total": [{"type": "counter", "help": "Written.", "unit": ""}],
                "w_bytes": [{"type": "gauge", "help": "Size.", "unit": "bytes"}],
                "queue_size_bytes": [{"type": "gauge", "help": "Waiting.", "unit": "bytes"}],
                "jobs_total": [{"type": "counter", "help": "Done.", "unit": ""}]}
        get = lambda: {k: v for k, v in server.prom("metadata").json()["data"].items() if k in want}
        self.assertEqual(get(), want)
        server.kill()
        server.start()
        self.assertEqual(get(), want)
        server.stop()
        server.start()
        self.assertEqual(get(), want)
        self.assertEqual(server.prom("metadata", {"metric": "w_total"}).json()["data"],
                         {"w_total": want["w_total"]})

    def test_every_strategy(self):
        config = self.file("pharos.yml", "")
        server = self.server(config=config)
        for n, (strategy, names, label) in enumerate((
                ("UnderscoreEscapingWithSuffixes", ["disk_io_bytes_total", "temp_celsius"], "disk_path"),
                ("UnderscoreEscapingWithoutSuffixes", ["disk_io", "temp"], "disk_path"),
                ("NoUTF8EscapingWithSuffixes", ["disk.io_bytes_total", "temp_celsius"], "disk.path"),
                ("NoTranslation", ["disk.io", "temp"], "disk.path"))):
            config.write_text(f"otlp: {{translation_strategy: {strategy}}}\n")
            self.assertEqual(server.post("/-/reload").status, 200)
            io = otlp("disk.io", 5 + n, "By", "sum", isMonotonic=True, aggregationTemporality=2)
            io["sum"]["dataPoints"][0]["attributes"] = [
                {"key": "disk.path", "value": {"stringValue": strategy}}]
            temp = otlp("temp", 20, "Cel")
            temp["gauge"]["dataPoints"][0]["attributes"] = io["sum"]["dataPoints"][0]["attributes"]
            self.send(server, io, temp)
            found = server.prom("series", {"match[]": f'{{"{label}"="{strategy}"}}'}).json()["data"]
            self.assertEqual(sorted(s["__name__"] for s in found), names, strategy)

    def test_partial_success(self):
        server = self.server()
        bad = otlp("timeless", 1)
        bad["gauge"]["dataPoints"][0]["timeUnixNano"] = "0"
        got = self.send(server, otlp("good", 1), bad).json()["partialSuccess"]
        self.assertEqual(got["rejectedDataPoints"], "1")
        self.assertIn('metric "timeless"', got["errorMessage"])
        self.assertEqual([r["value"][1] for r in server.query("good", at=NOW)], ["1"])
        whole = self.send(server, otlp("good", 2)).json()
        self.assertFalse(whole.get("partialSuccess"))


if __name__ == "__main__":
    pt.main()
