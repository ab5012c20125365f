#!/usr/bin/env python3
"""OTLP metrics: OpenTelemetry's own SDK through every transport, read back by PromQL; encodings,
compression, refusals and their answers; the settings of the translation."""
import gzip
import json
import time
import zlib

import pharos_test as pt
from npm_clients import node

EXAMPLE = pt.ROOT.parent / "shared" / "conformance" / "otlp-json" / "metrics.json"


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def gauge(name, value, now_ns=None, attributes=(), resource=(), **metric):
    point = {"asDouble": value, "timeUnixNano": str(now_ns or time.time_ns()),
             "attributes": [attribute(k, v) for k, v in attributes]}
    return {"resourceMetrics": [{
        "resource": {"attributes": [attribute(k, v) for k, v in resource]},
        "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": [point]}, **metric}]}]}]}


class Test(pt.Case):
    def open(self, *sets, **kwargs):
        self.otlp_port, self.grpc_port = pt.free_port(), pt.free_port()
        self.server_ = self.server("telemetry.interval=1h",
                                   f"doors.otlp.listen=127.0.0.1:{self.otlp_port}",
                                   f"doors.otlp_grpc.listen=127.0.0.1:{self.grpc_port}", *sets,
                                   **kwargs)
        self.url = f"http://127.0.0.1:{self.otlp_port}"

    def send(self, body, path="/v1/metrics", url=None, **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Content-Type": "application/json",
                   **{k.replace("_", "-"): v for k, v in headers.items()}}
        return pt.request((url or self.url) + path, method="POST", body=body, headers=headers)

    def values(self, text):
        out = {}
        for r in self.server_.query(text):
            m = dict(r["metric"])
            name = m.pop("__name__", "")
            labels = ",".join(f"{k}={v}" for k, v in sorted(m.items()))
            out[name + "{" + labels + "}"] = r["value"][1] if "value" in r else r["histogram"][1]
        return out

    def check_sdk(self, kind, times=1):
        who = f"instance=i-{kind},job=eu/shop"
        got = self.values('{job="eu/shop", instance="i-%s", __name__!="size_exponential_bytes"}' % kind)
        n = times
        self.assertEqual(got, {
            "http_requests_total{http_route=/cart,http_status=200,%s}" % who: str(3 * n),
            "http_requests_total{http_route=/pay,%s}" % who: str(n),
            "queue_length{%s}" % who: str(3 * n),
            "cpu_temperature_celsius{core=0,%s}" % who: "51.5",
            "request_duration_seconds_sum{http_route=/cart,%s}" % who: str(21.05 * n).rstrip("0"),
            "request_duration_seconds_count{http_route=/cart,%s}" % who: str(4 * n),
            "target_info{host_name=h1,%s,process_pid=42}" % who: "1",
            **{"request_duration_seconds_bucket{http_route=/cart,%s,le=%s}" % (who, le): str(c * n)
               for le, c in (("0.1", 1), ("1", 3), ("10", 3), ("+Inf", 4))},
        })
        h = self.values("size_exponential_bytes{instance='i-%s'}" % kind)
        (h,) = h.values()
        self.assertEqual((h["count"], h["sum"]), (str(4 * n), str(1001001 * n)))

    def test_sdk(self):
        self.open()
        for kind, url in (("http", self.url + "/v1/metrics"), ("proto", self.url + "/v1/metrics"),
                          ("grpc", f"http://127.0.0.1:{self.grpc_port}")):
            for option in ((), ("gzip",)):
                with self.subTest(kind=kind, option=option):
                    self.assertEqual(node(self, "otlp_metrics_client.cjs", kind, url, *option), "ok")
                    self.check_sdk(kind)
        data = self.server_.prom("metadata", {"metric": "request_duration_seconds"}).json()["data"]
        self.assertEqual(data["request_duration_seconds"],
                         [{"type": "histogram", "unit": "seconds", "help": "How long."}])
        self.assertGreaterEqual(self.server_.metric("pharos_otlp_requests_total",
                                                    'signal="metrics",result="ok"'), 6)
        self.assertEqual(self.server_.metric("pharos_otlp_requests_total",
                                             'signal="metrics",result="refused"'), 0)

    def test_delta(self):
        """Deltas of the SDK and by hand, made cumulative over a kill."""
        self.open()
        url = f"http://127.0.0.1:{self.grpc_port}"
        self.assertEqual(node(self, "otlp_metrics_client.cjs", "grpc", url, "delta"), "ok")
        self.check_sdk("grpc", times=3)
        now = time.time_ns() // 1_000_000_000 * 1_000_000_000

        def metric(at, value):
            times = {"startTimeUnixNano": str(now + (at - 1) * 10**9),
                     "timeUnixNano": str(now + at * 10**9)}
            return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
                {"name": "d.sum", "sum": {
                    "aggregationTemporality": 1, "isMonotonic": True,
                    "dataPoints": [{"asInt": str(value), **times}]}},
                {"name": "d.hist", "histogram": {
                    "aggregationTemporality": 1,
                    "dataPoints": [{"count": str(value), "sum": value, "explicitBounds": [1],
                                    "bucketCounts": [str(value), "0"], **times}]}},
                {"name": "level", "gauge": {"dataPoints": [{"asInt": "1", **times}]}},
                {"name": "d.exp", "exponentialHistogram": {
                    "aggregationTemporality": 1,
                    "dataPoints": [{"count": str(value), "sum": value, "scale": 20,
                                    "positive": {"offset": 5, "bucketCounts": [str(value)]},
                                    **times}]}}]}]}]}

        def check(total):
            total = str(total)
            got = self.values('{__name__=~"d_.*"}')
            exp = got.pop("d_exp{}")
            self.assertEqual(got, {"d_sum_total{}": total, "d_hist_sum{}": total,
                                   "d_hist_count{}": total, "d_hist_bucket{le=1}": total,
                                   "d_hist_bucket{le=+Inf}": total})
            self.assertEqual((exp["count"], exp["sum"]), (total, total))
        for at, value in ((-60, 3), (-50, 4)):
            answer = self.send(metric(at, value))
            self.assertEqual((answer.status, answer.body), (200, b"{}"))
        check(7)
        self.server_.kill()
        self.server_.start()
        answer = self.send(metric(-40, 5))
        self.assertEqual((answer.status, answer.body), (200, b"{}"))
        check(12)
        # Again, and older than what is there: refused, and nothing is added.
        for at in (-40, -55):
            partial = self.send(metric(at, 5)).json()["partialSuccess"]
            self.assertEqual(partial["rejectedDataPoints"], "3")
            self.assertIn("3 of 4 data points refused (delta out of order 3)",
                          partial["errorMessage"])
            self.assertIn("d_sum_total", partial["errorMessage"])
        self.assertEqual(self.server_.metric("pharos_otlp_refused_delta_samples_total",
                                             'reason="out_of_order"'), 12)
        check(12)
        self.assertEqual(self.send(metric(-30, 1)).status, 200)
        check(13)
        (rise,) = self.server_.query("increase(d_sum_total[50s])", at=now / 1e9 - 25)
        self.assertGreater(float(rise["value"][1]), 5)

    def test_paths_and_encodings(self):
        self.open()
        main = self.server_.url
        for i, (url, path) in enumerate(((self.url, "/v1/metrics"), (main, "/otlp/v1/metrics"),
                                         (main, "/prometheus/api/v1/otlp/v1/metrics"),
                                         (self.server_.prometheus_url, "/api/v1/otlp/v1/metrics"))):
            answer = self.send(gauge(f"path{i}", i), path, url)
            self.assertEqual((answer.status, answer.body), (200, b"{}"), path)
            self.assertEqual(self.values(f"path{i}"), {f"path{i}{{}}": str(i)})
        body = json.dumps(gauge("packed", 1)).encode()
        for coding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)),
                               ("snappy", pt.snappy(body)), ("identity", body)):
            answer = self.send(packed, Content_Encoding=coding)
            self.assertEqual(answer.status, 200, (coding, answer.text))
        answer = self.send(b"", Content_Type="application/x-protobuf")
        self.assertEqual((answer.status, answer.body, answer.headers["Content-Type"]),
                         (200, b"", "application/x-protobuf"))
        answer = self.send({}, Content_Type="application/json; charset=utf-8")
        self.assertEqual((answer.status, answer.body), (200, b"{}"))

    def test_example_file(self):
        if not EXAMPLE.exists():
            self.skipTest("the conformance data is not there")
        self.open("retention.metrics=forever")
        answer = self.send(EXAMPLE.read_bytes())
        self.assertEqual((answer.status, answer.body), (200, b"{}"), answer.text)
        series = self.server_.prom("series", {"match[]": '{job="my.service"}', "start": 1544712600,
                                              "end": 1544712720}).json()["data"]
        self.assertEqual({s["__name__"] for s in series},
                         {"my_counter_total", "my_gauge_ratio", "my_histogram_sum",
                          "my_histogram_count", "my_histogram_bucket", "my_exponential_histogram"})

    def test_refusals(self):
        self.open()
        answer = self.send(b"{")
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["code"], 3)
        self.assertIn("OTLP/JSON", answer.text)
        answer = self.send(b"\x0a\x05\x01", Content_Type="application/x-protobuf")
        self.assertEqual((answer.status, answer.body[:2]), (400, b"\x08\x03"))
        self.assertIn(b"damaged protobuf", answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/x-protobuf")
        answer = self.send({}, Content_Type="text/plain")
        self.assertEqual(answer.status, 415)
        self.assertIn("application/x-protobuf", answer.text)
        answer = pt.request(self.url + "/v1/metrics")
        self.assertEqual((answer.status, answer.json()["code"]), (405, 12))
        answer = self.send({}, "/v1/nothing")
        self.assertEqual((answer.status, answer.json()["code"]), (404, 5))
        answer = self.send({}, "/v1development/profiles")
        self.assertEqual((answer.status, answer.json()["code"]), (501, 12))
        answer = self.send({}, X_Scope_OrgID="a/b")
        self.assertEqual((answer.status, answer.json()["code"]), (400, 3))
        # One bad point, one too old, one good: 200, with what was refused.
        body = gauge("good", 1)
        metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        metrics.append({"name": "timeless", "gauge": {"dataPoints": [{"asInt": "1"}]}})
        metrics.append({"name": "years.ago", "gauge": {"dataPoints": [
            {"asInt": "1", "timeUnixNano": "1000000000"}]}})
        answer = self.send(body)
        self.assertEqual(answer.status, 200)
        partial = answer.json()["partialSuccess"]
        self.assertEqual(partial["rejectedDataPoints"], "2")
        self.assertIn("2 of 3 data points refused (invalid_timestamp 1, by the store 1 samples)",
                      partial["errorMessage"])
        self.assertIn('metric "timeless"', partial["errorMessage"])
        self.assertEqual(self.values("good"), {"good{}": "1"})
        self.assertEqual(self.server_.metric("pharos_otlp_refused_total",
                                             'reason="invalid_timestamp"'), 1)

    def test_full_disk_and_auth(self):
        token = "a-token-of-enough-length"
        self.open("store.disk_reserve=1000TiB", f"auth.tokens={{otel: {token}}}")
        answer = self.send(gauge("m", 1))
        self.assertEqual((answer.status, answer.json()["code"]), (401, 16))
        answer = self.send(gauge("m", 1), Authorization="Bearer " + token)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))
        self.assertEqual(answer.json()["code"], 14)
        self.assertEqual(answer.json()["details"][0]["retryDelay"], "5s")
        answer = pt.request(self.url + "/v1/metrics", method="OPTIONS", headers={
            "Origin": "https://x.example", "Access-Control-Request-Method": "POST"})
        self.assertEqual(answer.status, 204)

    def test_browsers(self):
        self.open("doors.otlp.cors_origins=https://shop.example, https://*.test")
        ask = {"Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "content-type,x-api-key"}

        def preflight(origin, url=self.url + "/v1/traces"):
            return pt.request(url, method="OPTIONS", headers={"Origin": origin, **ask})
        for origin in ("https://shop.example", "https://a.b.test"):
            for url in (self.url + "/v1/traces", self.server_.url + "/otlp/v1/traces"):
                answer = preflight(origin, url)
                self.assertEqual(answer.status, 204)
                self.assertEqual(answer.headers["Access-Control-Allow-Origin"], origin)
                self.assertEqual(answer.headers["Access-Control-Allow-Headers"],
                                 "content-type,x-api-key")
        self.assertIsNone(preflight("https://evil.example").headers["Access-Control-Allow-Origin"])
        answer = self.send(gauge("page", 1), Origin="https://shop.example")
        self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]),
                         (200, "https://shop.example"))

    def test_translation_settings(self):
        config = self.file("pharos.yml", "otlp:\n"
                           "  translation_strategy: NoUTF8EscapingWithSuffixes\n"
                           "  promote_resource_attributes: [deployment.environment.name]\n"
                           "  keep_identifying_resource_attributes: true\n")
        self.open(config=config)
        resource = (("service.name", "shop"), ("deployment.environment.name", "prod"))
        body = gauge("disk.usage", 2, attributes=(("disk.path", "/"),), resource=resource, unit="By")
        self.assertEqual(self.send(body).status, 200)
        self.assertEqual(self.values('{job="shop"}'), {
            "disk.usage_bytes{deployment.environment.name=prod,disk.path=/,job=shop}": "2",
            "target_info{deployment.environment.name=prod,job=shop,service.name=shop}": "1"})
        # A reload takes what may change; a bad section changes nothing.
        config.write_text("otlp:\n  translation_strategy: Nope\n")
        answer = self.server_.post("/-/reload")
        self.assertEqual(answer.status, 500)
        self.assertIn("pharos.yml:2:", answer.text)
        self.assertIn("unsupported OTLP translation strategy", answer.text)
        prometheus = self.file("prometheus.yml",
                               "otlp: {translation_strategy: UnderscoreEscapingWithoutSuffixes}\n")
        config.write_text(f"prometheus: {{config_file: {prometheus}}}\n")
        self.assertEqual(self.server_.post("/-/reload").status, 200)
        self.assertEqual(self.send(gauge("disk.usage", 3, unit="By")).status, 200)
        self.assertEqual(self.values("disk_usage"), {"disk_usage{}": "3"})
        check = pt.run("check", self.file("bad.yml", "otlp: {promote_resource_attributes: 1}\n"))
        self.assertEqual(check.returncode, 1)
        self.assertIn("bad.yml:1:", check.stdout + check.stderr)


if __name__ == "__main__":
    pt.main()
