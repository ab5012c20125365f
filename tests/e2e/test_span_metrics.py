#!/usr/bin/env python3
"""Metrics that are made from spans, as Grafana asks for them: calls, latencies, the service graph."""
import http.client
import json
import threading
import time

import pharos_test as pt

TRACE = "5af7183fb1d4cf5f" * 2
# What Grafana's Tempo data source asks its Prometheus for, range filled in.
GRAPH = (
    "sum by (client, server) (increase(traces_service_graph_request_total[1m]))",
    "sum by (client, server) (increase(traces_service_graph_request_failed_total[1m]))",
    "sum by (client, server) (rate(traces_service_graph_request_server_seconds_sum[1m]))",
    "group by (client, connection_type, server) (traces_service_graph_request_server_seconds_count)",
)


def span(number, name, kind, parent=0, seconds=0.05, status=0, **attributes):
    now = time.time_ns() - 10**9
    return {"traceId": TRACE, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "",
            "name": name, "kind": kind, "startTimeUnixNano": str(now),
            "endTimeUnixNano": str(now + int(seconds * 10**9)), "status": {"code": status},
            "attributes": [{"key": k.replace("__", "."), "value": {"stringValue": v}}
                           for k, v in attributes.items()]}


def resource(service, *spans):
    return {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": spans}]}


BODY = [
    resource("shop", span(1, "GET /", 2), span(2, "POST", 3, 1, seconds=0.3), span(4, "select", 3, 1, db__name="orders"),
             span(5, "charge", 3, 1, peer__service="stripe")),
    resource("stock", span(3, "POST /reserve", 2, 2, seconds=0.25, status=2)),
]


class Test(pt.Case):
    def begin(self, *sets):
        return self.server("telemetry.interval=1h", "span_metrics.interval=200ms", "service_graph.wait=100ms", *sets)

    def send(self, server, body=BODY, tenant=None):
        answer = server.post("/otlp/v1/traces", json.dumps({"resourceSpans": body}).encode(),
                             headers={"Content-Type": "application/json", **({"X-Scope-OrgID": tenant} if tenant else {})})
        self.assertEqual((answer.status, answer.json()), (200, {}))

    def wait(self, server, query, count):
        return pt.wait_for(query, lambda: len(r := server.query(query)) == count and r)

    def test_as_grafana_asks(self):
        server = self.begin()
        self.send(server)
        edges = {("user", "shop", "virtual_node"), ("shop", "stock", None), ("shop", "orders", "database"),
                 ("shop", "stripe", "virtual_node")}
        found = self.wait(server, GRAPH[3], 4)
        self.assertEqual({(r["metric"]["client"], r["metric"]["server"], r["metric"].get("connection_type"))
                          for r in found}, edges)
        for query in GRAPH[:3]:
            values = {(r["metric"]["client"], r["metric"]["server"]): float(r["value"][1])
                      for r in self.wait(server, query, 4)}
            failed = "failed" in query
            # The first call counts: series begin with 0.
            self.assertGreater(values["shop", "stock"], 0, query)
            self.assertEqual(values["shop", "orders"] > 0, not failed, query)
        calls = self.wait(server, "traces_spanmetrics_calls_total", 5)
        self.assertEqual({(m["service"], m["span_name"], m["span_kind"], m["status_code"])
                          for m in (r["metric"] for r in calls)},
                         {("shop", "GET /", "SPAN_KIND_SERVER", "STATUS_CODE_UNSET"),
                          ("shop", "POST", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET"),
                          ("shop", "select", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET"),
                          ("shop", "charge", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET"),
                          ("stock", "POST /reserve", "SPAN_KIND_SERVER", "STATUS_CODE_ERROR")})
        (slow,) = server.query('histogram_quantile(.9, sum(increase(traces_spanmetrics_latency_bucket'
                               '{span_name="POST /reserve"}[1m])) by (le))')
        self.assertTrue(0.128 < float(slow["value"][1]) <= 0.256)
        # From the graph to the trace.
        answer = server.prom("query_exemplars", {"query": 'traces_spanmetrics_latency_bucket{service="stock"}',
                                                 "start": time.time() - 60, "end": time.time() + 60}).json()
        ids = {e["labels"]["trace_id"] for r in answer["data"] for e in r["exemplars"]}
        self.assertEqual(ids, {TRACE})
        self.assertEqual(server.get(f"/tempo/api/traces/{TRACE}").status, 200)

    def test_every_door_counts(self):
        server = self.begin("span_metrics.names=otel", "span_metrics.histograms=both")
        zipkin = [{"traceId": TRACE, "id": "0000000000000001", "name": "get", "kind": "CLIENT",
                   "timestamp": time.time_ns() // 1000, "duration": 20000, "localEndpoint": {"serviceName": "shop"}},
                  {"traceId": TRACE, "id": "0000000000000001", "name": "get", "kind": "SERVER", "shared": True,
                   "timestamp": time.time_ns() // 1000, "duration": 10000, "localEndpoint": {"serviceName": "stock"}}]
        answer = server.post("/zipkin/api/v2/spans", json.dumps(zipkin).encode(),
                             headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 202, answer.text)
        (edge,) = self.wait(server, "traces_service_graph_request_total", 1)
        self.assertEqual((edge["metric"]["client"], edge["metric"]["server"]), ("shop", "stock"))
        self.wait(server, "traces_span_metrics_calls_total", 2)
        (one,) = self.wait(server, 'traces_span_metrics_duration_milliseconds{service_name="shop"}', 1)
        self.assertEqual((one["histogram"][1]["count"], one["histogram"][1]["sum"]), ("1", "20"))
        self.assertEqual(server.query("traces_spanmetrics_calls_total"), [])

    def test_counters_survive(self):
        server = self.begin()
        self.send(server)
        self.wait(server, "traces_spanmetrics_calls_total", 5)
        server.stop()  # what was counted last is written
        server.start()
        self.send(server)
        query = 'sum(increase(traces_spanmetrics_calls_total[5m]))'
        pt.wait_for("both halves", lambda: float(server.query("sum(traces_spanmetrics_calls_total)")[0]["value"][1]) == 5
                    and float(server.query(query)[0]["value"][1]) > 9.5)
        self.assertLess(float(server.query(query)[0]["value"][1]), 20)

    def test_sent_again(self):
        """A sender that heard no answer sends once more: nothing counts twice, whoever counts."""
        server = self.begin()
        spans = [span(1, "GET /", 2), span(2, "a", 1, 1), span(3, "b", 1, 1)]
        body = [resource("shop", *spans[:2])]
        for _ in range(3):
            self.send(server, body)
        body = [resource("shop", *spans)]
        self.send(server, body)
        self.wait(server, "traces_spanmetrics_calls_total == 1", 3)
        self.assertEqual(server.metric("pharos_ingest_repeated_spans_total"), 6)
        self.assertEqual(server.metric("pharos_ingest_spans_total"), 3)
        (one,) = server.get("/tempo/api/metrics/query?q=" + "{}|count_over_time()").json()["series"]
        self.assertEqual(one["value"], 3)
        server.stop()
        off = self.server("limits.repeated_spans=0", data=self.work / "other", start=True)
        for _ in range(2):
            self.send(off, body)
        self.assertEqual(off.metric("pharos_ingest_spans_total"), 6)

    def test_stops_while_a_sender_sends(self):
        """A stop answers what it has taken: nobody sends that again, and metrics over spans are exact."""
        server, sent, retried, over = self.begin(), [0], [0], threading.Event()

        def sender():
            while not over.is_set():
                spans = [span(2 + sent[0] + i, "GET /", 2, 1) for i in range(5)]
                body = json.dumps({"resourceSpans": [resource("shop", *spans)]}).encode()
                status = 0
                while status != 200 and not over.is_set():
                    try:
                        status = server.post("/otlp/v1/traces", body, headers={"Content-Type": "application/json"}).status
                    except (OSError, http.client.HTTPException):
                        pass
                    if status != 200:  # stopped, or not ready yet
                        retried[0] += 1
                        time.sleep(0.02)
                sent[0] += 5 if status == 200 else 0
        thread = threading.Thread(target=sender)
        thread.start()
        try:
            for _ in range(3):
                before = sent[0]
                pt.wait_for("some spans", lambda: sent[0] > before + 50)
                self.assertEqual(server.stop(), 0)
                server.start()
        finally:
            over.set()
            thread.join()
        (one,) = server.get("/tempo/api/metrics/query?q=" + "{}|count_over_time()").json()["series"]
        self.assertEqual(one["value"], sent[0], f"{retried[0]} retries")
        self.assertGreater(retried[0], 0)

    def test_settings(self):
        server = self.begin("span_metrics.enabled=false", "service_graph.enabled=false")
        self.send(server)
        server.stop()
        server.start()
        self.assertEqual(server.query('{__name__=~"traces_.*"}'), [])
        server.stop()
        bad = pt.run("serve", "--data", self.work / "d", "--set", "span_metrics.dimensions=a.b,a_b")
        self.assertEqual(bad.returncode, 1)
        self.assertIn("span_metrics.dimensions: two attributes become the label a_b", bad.stderr)

    def test_limit(self):
        server = self.begin("limits.span_metrics.series=40", "service_graph.enabled=false")
        self.send(server, [resource("shop", *(span(i, f"op {i}", 1) for i in range(1, 11)))])
        # A counter begins with a sample of zero: one that looks early sees that.
        self.wait(server, 'traces_spanmetrics_calls_total{metric_overflow="true"} == 8', 1)
        self.assertEqual(len(server.query("traces_spanmetrics_calls_total")), 3)
        self.assertEqual(server.metric("pharos_span_metrics_overflow_total", 'counted="yes"'), 8)


if __name__ == "__main__":
    pt.main()
