#!/usr/bin/env python3
"""Traces over gRPC: Jaeger's collector and both versions of its query service, Tempo's StreamingQuerier; called with
@grpc/grpc-js, messages taken apart here, compared with what HTTP answers."""
import json
import struct
import time
import urllib.parse

import npm_clients
import pharos_test as pt
from protobuf import double, fixed64, read

NOW = time.time_ns() // 10**9 * 10**9 - 30 * 10**9
TRACE = bytes(range(1, 17))
COLLECTOR = "/jaeger.api_v2.CollectorService/"
V2, V3 = "/jaeger.api_v2.QueryService/", "/jaeger.api_v3.QueryService/"
QUERIER = "/tempopb.StreamingQuerier/"


def seconds(ns):
    return pt.field(1, ns // 10**9) + pt.field(2, ns % 10**9)


def tag(number, key, value):
    return pt.field(number, pt.field(1, key) + pt.field(3, value))


def span(number, parent, name, service, kind, **tags):
    """One of api_v2's model, with its own process."""
    out = pt.field(1, TRACE) + pt.field(2, bytes([0] * 7 + [number])) + pt.field(3, name)
    if parent:
        out += pt.field(4, pt.field(1, TRACE) + pt.field(2, bytes([0] * 7 + [parent])))
    out += pt.field(6, seconds(NOW)) + pt.field(7, seconds(5000000 * number)) + tag(8, "span.kind", kind)
    out += b"".join(tag(8, k, v) for k, v in tags.items())
    out += pt.field(9, pt.field(1, seconds(NOW)) + tag(2, "event", "retry"))
    return out + pt.field(10, pt.field(1, service) + tag(2, "zone", "a"))


SPANS = (span(1, 0, "GET /", "shop", "server"), span(2, 1, "call", "shop", "client"),
         span(3, 2, "reserve", "stock", "server", error="true"), span(9, 77, "lost", "stock", "internal"))


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        self.ports = {d: pt.free_port() for d in ("jaeger_grpc", "jaeger_collector_grpc", "tempo")}
        self.pharos = self.server("telemetry.interval=1h", *(f"doors.{d}.listen=127.0.0.1:{p}"
                                                            for d, p in self.ports.items()))
        body = pt.field(1, b"".join(pt.field(1, s) for s in SPANS))
        (answer,) = self.calls("jaeger_collector_grpc", (COLLECTOR + "PostSpans", body, False))
        self.assertEqual((answer["code"], answer["replies"]), (0, [b""]), answer)

    def calls(self, door, *calls):
        port = self.ports.get(door, self.pharos.main_port)
        text = json.dumps([{"method": m, "request": r.hex(), "stream": s} for m, r, s in calls])
        answers = json.loads(npm_clients.node(self, "grpc_calls.cjs", f"127.0.0.1:{port}", self.file("calls.json", text)))
        for answer in answers:
            answer["replies"] = [bytes.fromhex(r) for r in answer["replies"]]
        return answers

    def test_jaeger(self):
        query = pt.field(1, pt.field(1, "stock") + pt.field(3, pt.field(1, "error") + pt.field(2, "true")) +
                         pt.field(4, seconds(NOW - 10**9)) + pt.field(5, seconds(NOW + 60 * 10**9)) +
                         pt.field(6, seconds(10**6)) + pt.field(8, 5))
        nothing = pt.field(1, pt.field(1, "nobody"))
        times = pt.field(1, seconds(NOW - 10**9)) + pt.field(2, seconds(NOW + 60 * 10**9))
        got = self.calls(
            "jaeger_grpc",
            (V2 + "GetServices", b"", False), (V3 + "GetServices", b"", False),
            (V2 + "GetOperations", pt.field(1, "shop"), False), (V3 + "GetOperations", pt.field(1, "shop") + pt.field(2, "server"), False),
            (V2 + "GetTrace", pt.field(1, TRACE), True), (V3 + "GetTrace", pt.field(1, TRACE.hex()), True),
            (V2 + "FindTraces", query, True), (V3 + "FindTraces", query, True), (V3 + "FindTraces", nothing, True),
            (V2 + "GetDependencies", times, False), (V3 + "GetDependencies", times, False),
            (V3 + "FindTraceSummaries", query, True),
            (V2 + "GetTrace", pt.field(1, b"\1" * 16), True), (V3 + "GetTrace", pt.field(1, "no hex"), True),
            (V2 + "GetOperations", b"", False), (V2 + "GetOperations", b"\x0a\xff", False),
            (V2 + "ArchiveTrace", pt.field(1, TRACE), False))
        replies = [g["replies"] for g in got]
        self.assertEqual([g["code"] for g in got], [0] * 12 + [5, 3, 3, 3, 12], [g.get("details") for g in got])
        for i in (0, 1):
            self.assertEqual(read(replies[i][0]), {1: [b"shop", b"stock"]})
        operations = [{1: [b"GET /"], 2: [b"server"]}, {1: [b"call"], 2: [b"client"]}]
        self.assertEqual([read(o) for o in read(replies[2][0])[2]], operations)
        self.assertEqual([read(o) for o in read(replies[3][0])[1]], operations[:1])
        # Version 2: spans as they were sent but for the order of their fields.
        (chunk,) = replies[4]
        self.assertEqual(replies[6], [chunk])
        spans = {read(s)[2][0][7]: read(s) for s in read(chunk)[1]}
        self.assertEqual(sorted(spans), [1, 2, 3, 9])
        for sent in map(read, SPANS):
            back = spans[sent[2][0][7]]
            for number in (1, 2, 3, 4, 6, 7, 9):
                self.assertEqual(back.get(number), sent.get(number), number)
            self.assertEqual(read(back[10][0])[1], read(sent[10][0])[1])
            keys = {read(t)[1][0] for t in back[8]}
            self.assertIn(b"span.kind", keys)
            self.assertEqual(b"otel.status_code" in keys, sent[3] == [b"reserve"])
        # Version 3: OTLP.
        (data,) = replies[5]
        self.assertEqual(replies[7], [data])
        self.assertEqual(replies[8], [])
        names = sorted(read(s)[5][0] for r in read(data)[1] for sc in read(r)[2] for s in read(sc)[2])
        self.assertEqual(names, [b"GET /", b"call", b"lost", b"reserve"])
        for i in (9, 10):
            self.assertEqual([read(d) for d in read(replies[i][0])[1]], [{1: [b"shop"], 2: [b"stock"], 3: [1]}])
        (summary,) = read(replies[11][0])[1]
        summary = read(summary)
        self.assertEqual(summary[1] + summary[2] + summary[3], [TRACE.hex().encode(), b"shop", b"GET /"])
        self.assertEqual([fixed64(summary[n][0]) - NOW for n in (4, 5)], [0, 45 * 10**6])
        self.assertEqual((summary[6], summary[7], summary[8]), ([4], [1], [1]))
        self.assertEqual([read(s) for s in summary[9]], [{1: [b"shop"], 2: [2], 3: [0]}, {1: [b"stock"], 2: [2], 3: [1]}])
        self.assertIn("trace not found", got[12]["details"])
        self.assertIn("hexadecimal", got[13]["details"])
        self.assertIn("'service' is required", got[14]["details"])

    def test_jaeger_summaries_over_http(self):
        base = self.pharos.url + "/jaeger/api/v3/"
        (by_get,) = pt.request(base + "trace-summaries?query.serviceName=stock").json()["summaries"]
        body = json.dumps({"query": {"service_name": "stock", "attributes": {"error": "true"}, "searchDepth": 3}}).encode()
        (by_post,) = pt.request(base + "trace-summaries", method="POST", body=body).json()["summaries"]
        self.assertEqual(by_get, by_post)
        self.assertEqual(by_get["services"], [{"name": "shop", "spanCount": 2, "errorSpanCount": 0},
                                              {"name": "stock", "spanCount": 2, "errorSpanCount": 1}])
        self.assertEqual(by_get["minStartTimeUnixNano"], str(NOW))
        traces = pt.request(base + "traces", method="POST", body=body).json()["result"]["resourceSpans"]
        self.assertEqual(len(traces), 2)
        self.assertEqual(pt.request(base + "traces", method="POST", body=b"{").status, 400)
        self.assertEqual(pt.request(base + "dependencies").json(),
                         {"dependencies": [{"parent": "shop", "child": "stock", "callCount": "1"}]})

    def test_tempo_streaming(self):
        start, end = NOW // 10**9 - 100, NOW // 10**9 + 100
        search = pt.field(5, start) + pt.field(6, end)
        ns = pt.field(2, start * 10**9) + pt.field(3, end * 10**9)
        got = self.calls(
            "tempo",
            (QUERIER + "Search", search + pt.field(8, '{resource.service.name="stock"} | select(status)') + pt.field(9, 1), True),
            (QUERIER + "Search", search + pt.field(1, pt.field(1, "service.name") + pt.field(2, "nobody")), True),
            (QUERIER + "SearchTags", pt.field(1, "resource"), True), (QUERIER + "SearchTagsV2", b"", True),
            (QUERIER + "SearchTagValues", pt.field(1, "service.name"), True),
            (QUERIER + "SearchTagValuesV2", pt.field(1, "resource.service.name") + pt.field(2, '{name="lost"}'), True),
            (QUERIER + "MetricsQueryRange", pt.field(1, "{} | count_over_time() by (resource.service.name)") + ns +
             pt.field(4, 50 * 10**9) + pt.field(16, 5), True),
            (QUERIER + "MetricsQueryInstant", pt.field(1, "{} | max_over_time(duration)") + ns, True),
            (QUERIER + "Search", pt.field(8, "{ nonsense ="), True), (QUERIER + "Search", pt.field(8, "{}"), True))
        replies = [read(b"".join(g["replies"])) for g in got]
        self.assertEqual([g["code"] for g in got], [0] * 8 + [3, 0], [g.get("details") for g in got])
        self.assertIn("parse error at line 1, col", got[8]["details"])
        (trace,) = map(read, replies[0][1])
        self.assertEqual(trace[1] + trace[2] + trace[3], [TRACE.hex().lstrip("0").encode(), b"shop", b"GET /"])
        self.assertEqual(trace[4], [NOW])
        self.assertEqual({read(e)[1][0]: read(read(e)[2][0]) for e in trace[8]},
                         {b"shop": {1: [2]}, b"stock": {1: [2], 2: [1]}})
        (spans,) = map(read, trace[7])
        self.assertEqual(spans[2], [2])
        (one,) = map(read, spans[1])
        self.assertEqual({read(a)[1][0] for a in one[5]}, {b"service.name", b"status"})
        self.assertNotIn(1, replies[1])
        self.assertEqual(replies[2][1], [b"service.name", b"zone"])
        self.assertIn(b"resource", [read(s)[1][0] for s in replies[3][1]])
        self.assertEqual(replies[4][1], [b"shop", b"stock"])
        self.assertEqual([read(v) for v in replies[5][1]], [{1: [b"string"], 2: [b"stock"]}])
        total, exemplars = 0, {}
        for series in map(read, replies[6][1]):
            self.assertEqual(read(series[1][0])[1], [b"resource.service.name"])
            total += sum(double(read(s)[1][0]) for s in series[2])
            self.assertTrue(all(read(s)[2][0] >= (start - 50) * 1000 for s in series[2]))
            exemplars.setdefault(tuple(series[1]), []).extend(series.get(4, []))
        self.assertEqual(total, 4)
        self.assertTrue(len(exemplars) == 2 and all(exemplars.values()), exemplars)
        (instant,) = map(read, replies[7][1])
        self.assertEqual(double(instant[2][0]), 0.045)
        self.assertEqual(len(replies[9][1]), 1)  # without times: all there are

    def test_metrics_in_parts(self):
        """Series over a range come in several messages, the newest steps first, which add up to what HTTP answers."""
        def at(i, name, service, ms):
            return {"traceId": f"{i + 100:032x}", "spanId": f"{i + 1:016x}", "name": name, "kind": 2,
                    "startTimeUnixNano": str(NOW - 3600 * 10**9 + i * 30 * 10**9),
                    "endTimeUnixNano": str(NOW - 3600 * 10**9 + i * 30 * 10**9 + ms * 10**6),
                    "status": {"code": 2 if name == "early" else 0}}
        spans = [at(i, "early" if i < 3 else "late" if i > 115 else "always", "s", 1 + i) for i in range(0, 120, 2)]
        answer = pt.request(self.pharos.url + "/otlp/v1/traces", method="POST", headers={"Content-Type": "application/json"},
                            body=json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode())
        self.assertEqual((answer.status, answer.json()), (200, {}))
        start, end = NOW // 10**9 - 3700, NOW // 10**9
        queries = ("{ } | rate()", "{ } | count_over_time() by (name)", "{ } | histogram_over_time(duration)",
                   "{ } | quantile_over_time(duration, 0.5, 0.9) by (name)", "{ } | max_over_time(duration) by (name) | topk(1)",
                   "{ } | rate() by (name) | topk(1)", "({ status = error } | rate()) / ({ } | rate()) > 0",
                   "{ status = error } | compare({ name = `early` })", "{ nestedSetParent < 0 } | count_over_time() by (name)")
        times = pt.field(2, start * 10**9) + pt.field(3, end * 10**9) + pt.field(4, 60 * 10**9) + pt.field(16, 40)
        got = self.calls("tempo", *((QUERIER + "MetricsQueryRange", pt.field(1, q) + times, True) for q in queries))
        for q, g in zip(queries, got):
            self.assertEqual(g["code"], 0, g)
            summed, newest, done = {}, [], []
            for message in map(read, g["replies"]):
                stamps = []
                for s in map(read, message.get(1, [])):
                    labels = tuple(read(label)[1][0].decode() + "=" + repr(sorted(read(read(label)[2][0]).items())) for label in s[1])
                    for x in map(read, s.get(2, [])):
                        self.assertNotIn(x[2][0], summed.setdefault(labels, {}), q)
                        summed[labels][x[2][0]] = double(x[1][0]) if 1 in x else 0
                        stamps.append(x[2][0])
                newest += [max(stamps)] if stamps else []
                (stats,) = map(read, message[2])
                done.append((stats[4][0], stats[5][0]))
            whole = pt.request(self.pharos.url + "/tempo/api/metrics/query_range?" + urllib.parse.urlencode(
                {"q": q, "start": start, "end": end, "step": "60s"})).json()["series"]
            self.assertEqual(sorted(sorted((k, round(v, 9)) for k, v in s.items()) for s in summed.values()),
                             sorted(sorted((int(x["timestampMs"]), round(x["value"], 9)) for x in s["samples"]) for s in whole), q)
            self.assertEqual(done[-1][0], done[-1][1], q)
            self.assertEqual(done, sorted(done), q)
            one = "compare" in q or "rate() by" in q  # these need all steps
            self.assertEqual(len(g["replies"]) > 1, not one, q)
            if not one and "by (name)" not in q and "histogram" not in q:
                self.assertEqual(newest, sorted(newest, reverse=True), q)

    def test_main_door_and_health(self):
        """Every door's methods on the main port; many spans in several messages."""
        many = [span(1 + i % 250, 0, f"op {i}", "big", "internal") for i in range(600)]
        trace = b"\7" * 16
        body = b"".join(pt.field(1, s.replace(TRACE, trace).replace(bytes([0] * 7 + [1 + i % 250]), struct.pack(">Q", i + 1), 1))
                        for i, s in enumerate(many))
        got = self.calls("main", (COLLECTOR + "PostSpans", pt.field(1, body), False),
                         (V2 + "GetTrace", pt.field(1, trace), True), (V3 + "GetTrace", pt.field(1, trace.hex()), True),
                         (QUERIER + "SearchTags", b"", True), ("/grpc.health.v1.Health/Check", b"", False))
        self.assertEqual([g["code"] for g in got], [0] * 5, got[0])
        self.assertEqual([len(read(r)[1]) for r in got[1]["replies"]], [256, 256, 88])
        self.assertEqual(len(got[2]["replies"]), 3)

    def test_refusals(self):
        bad = pt.field(1, pt.field(1, pt.field(1, b"\0" * 16) + pt.field(2, b"\0" * 8) + pt.field(3, "zeros")))
        got = self.calls("jaeger_collector_grpc", (COLLECTOR + "PostSpans", b"\x0a\x05\x0a", False),
                         (COLLECTOR + "PostSpans", bad, False), (COLLECTOR + "PostSpans", b"", False))
        self.assertEqual([g["code"] for g in got], [3, 3, 0])
        self.assertIn("damaged", got[0]["details"])
        self.assertIn("traceId is not 16 bytes, not all zero", got[1]["details"])


if __name__ == "__main__":
    pt.main()
