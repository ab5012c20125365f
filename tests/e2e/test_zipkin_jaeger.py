#!/usr/bin/env python3
"""Zipkin's collector and query API, Jaeger's query APIs, over the same spans."""
import json
import time
import urllib.parse

import pharos_test as pt

US = time.time_ns() // 10**9 * 10**6 - 60 * 10**6
SPANS = [
    {"traceId": "5af7183fb1d4cf5f", "id": "352bff9a74ca9ad2", "name": "GET /api", "kind": "SERVER", "timestamp": US,
     "duration": 50000, "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1", "port": 3306},
     "remoteEndpoint": {"serviceName": "frontend", "ipv4": "172.19.0.2", "port": 58648},
     "tags": {"http.method": "GET", "http.path": "/api"}},
    {"traceId": "5af7183fb1d4cf5f", "parentId": "352bff9a74ca9ad2", "id": "6b221d5bc9e6496c", "name": "query",
     "kind": "CLIENT", "timestamp": US + 1000, "duration": 2000, "localEndpoint": {"serviceName": "backend"},
     "remoteEndpoint": {"serviceName": "mysql"}, "tags": {"error": "timeout", "rows": "5"},
     "annotations": [{"timestamp": US + 1500, "value": "retry"}]},
    {"traceId": "5af7183fb1d4cf5f", "parentId": "6b221d5bc9e6496c", "id": "0000000000000009", "name": "store",
     "kind": "SERVER", "timestamp": US + 1200, "duration": 500, "shared": True,
     "localEndpoint": {"serviceName": "store", "ipv6": "2001:db8::1"}},
]
TRACE = "0" * 16 + "5af7183fb1d4cf5f"


def proto():
    """The first span as a ListOfSpans."""
    endpoint = pt.field(1, b"backend") + pt.field(2, bytes([192, 168, 99, 1])) + pt.field(4, 3306)
    tag = pt.field(1, b"http.method") + pt.field(2, b"GET")
    span = (pt.field(1, bytes.fromhex("aa" * 16)) + pt.field(3, bytes.fromhex("bb" * 8)) + pt.field(4, 2) +
            pt.field(5, b"by proto") + b"\x31" + US.to_bytes(8, "little") + pt.field(7, 50000) +
            pt.field(8, endpoint) + pt.field(11, tag))
    return pt.field(1, span)


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        self.port = pt.free_port()
        self.server_ = self.server("telemetry.interval=1h", f"doors.zipkin.listen=127.0.0.1:{self.port}")
        self.assertEqual(self.send(json.dumps(SPANS).encode()).status, 202)

    def send(self, body, content_type="application/json"):
        return pt.request(f"http://127.0.0.1:{self.port}/api/v2/spans", method="POST", body=body,
                          headers={"Content-Type": content_type})

    def zipkin(self, path, status=200, **params):
        answer = pt.request(f"http://127.0.0.1:{self.port}/api/v2/{path}?{urllib.parse.urlencode(params)}")
        self.assertEqual(answer.status, status, answer.text)
        return answer.json() if status == 200 else answer.text

    def jaeger(self, path, status=200, **params):
        answer = self.server_.get(f"/jaeger/api/{path}?{urllib.parse.urlencode(params)}")
        self.assertEqual(answer.status, status, answer.text)
        return answer.json()

    def test_zipkin_round_trip(self):
        spans = {s["id"]: s for s in self.zipkin("trace/5af7183fb1d4cf5f")}
        for sent in SPANS:
            self.assertEqual(spans[sent["id"]], {**sent, "traceId": TRACE})
        (trace,) = self.zipkin("traceMany", traceIds=f"{TRACE},ff")
        self.assertEqual(len(trace), 3)
        self.assertIn("no span", self.zipkin("trace/ff", 404))
        self.assertIn("hexadecimal", self.zipkin("trace/x", 400))

    def test_zipkin_protobuf(self):
        self.assertEqual(self.send(proto(), "application/x-protobuf").status, 202)
        (span,) = self.zipkin("trace/" + "aa" * 16)
        self.assertEqual(span, {"traceId": "aa" * 16, "id": "bb" * 8, "kind": "CLIENT" if False else "SERVER",
                                "name": "by proto", "timestamp": US, "duration": 50000,
                                "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1", "port": 3306},
                                "tags": {"http.method": "GET"}})
        self.assertEqual(self.send(proto()[:-3], "application/x-protobuf").status, 400)

    def test_zipkin_names_and_search(self):
        self.assertEqual(self.zipkin("services"), ["backend", "store"])
        self.assertEqual(self.zipkin("spans", serviceName="backend"), ["GET /api", "query"])
        self.assertEqual(self.zipkin("remoteServices", serviceName="backend"), ["frontend", "mysql"])
        for params, found in (
                ({}, 1), ({"serviceName": "backend", "spanName": "query"}, 1), ({"serviceName": "none"}, 0),
                ({"serviceName": "store", "spanName": "query"}, 0), ({"remoteServiceName": "mysql"}, 1),
                ({"annotationQuery": "error and rows=5"}, 1), ({"annotationQuery": "retry"}, 1),
                ({"annotationQuery": "rows=6"}, 0), ({"minDuration": 40000}, 1), ({"minDuration": 60000}, 0),
                ({"maxDuration": 600, "serviceName": "store"}, 1), ({"lookback": 1000}, 0)):
            with self.subTest(params=params):
                self.assertEqual(len(self.zipkin("traces", **params)), found)
        self.assertEqual(self.zipkin("dependencies", endTs=US // 1000 + 60000), [
            {"parent": "backend", "child": "store", "callCount": 1}])
        self.assertIn("endTs", self.zipkin("dependencies", 400))

    def test_zipkin_ui(self):
        """What Zipkin's UI asks before anything else."""
        self.assertEqual((self.zipkin("autocompleteKeys"), self.zipkin("autocompleteValues", key="x")), ([], []))
        config = pt.request(f"http://127.0.0.1:{self.port}/config.json").json()
        self.assertTrue(config["searchEnabled"] and config["dependency"]["enabled"])
        self.assertEqual((config["defaultLookback"], config["queryLimit"]), (900000, 10))
        self.assertIn("version", pt.request(f"http://127.0.0.1:{self.port}/info").json()["zipkin"])

    def test_zipkin_bad_input(self):
        for body, words in ((b"{}", "array"), (b"[{", ""), (b'[{"traceId": "xyz", "id": "1"}]', "traceId"),
                            (json.dumps([{**SPANS[0], "id": "0"}]).encode(), "spanId")):
            answer = self.send(body)
            self.assertEqual(answer.status, 400, answer.text)
            self.assertIn(words, answer.text)
        self.assertEqual(self.send(b"[]").status, 202)
        # The good part of a request is kept.
        self.assertEqual(self.send(json.dumps([{"traceId": "zz", "id": "1"},
                                               {**SPANS[0], "traceId": "77"}]).encode()).status, 202)
        self.assertEqual(len(self.zipkin("trace/77")), 1)
        self.assertEqual(pt.request(f"http://127.0.0.1:{self.port}/health").json()["status"], "UP")

    def test_jaeger_archive(self):
        answer = self.server_.post(f"/jaeger/api/archive/{TRACE}", b"")
        self.assertEqual((answer.status, answer.json()["errors"]),
                         (500, [{"code": 500, "msg": "archive span storage was not configured"}]))

    def test_jaeger_old(self):
        self.assertEqual(self.jaeger("services")["data"], ["backend", "store"])
        self.assertEqual(self.jaeger("services/backend/operations")["data"], ["GET /api", "query"])
        self.assertEqual(self.jaeger("operations", service="backend", spanKind="client")["data"],
                         [{"name": "query", "spanKind": "client"}])
        (trace,) = self.jaeger("traces/" + TRACE)["data"]
        spans = {s["operationName"]: s for s in trace["spans"]}
        query = spans["query"]
        tags = {t["key"]: t["value"] for t in query["tags"]}
        self.assertEqual((tags["span.kind"], tags["rows"], tags["otel.status_code"]), ("client", "5", "ERROR"))
        self.assertEqual(query["references"], [{"refType": "CHILD_OF", "traceID": TRACE,
                                                "spanID": "352bff9a74ca9ad2"}])
        self.assertEqual((query["startTime"], query["duration"]), (US + 1000, 2000))
        self.assertEqual(query["logs"], [{"timestamp": US + 1500, "fields": [
            {"key": "event", "type": "string", "value": "retry"}]}])
        self.assertEqual(trace["processes"][spans["store"]["processID"]]["serviceName"], "store")
        for params, found in (
                ({"service": "backend"}, 1), ({"service": "backend", "operation": "query"}, 1),
                ({"service": "none"}, 0), ({"service": "backend", "tags": '{"rows":"5"}'}, 1),
                ({"service": "backend", "tag": "error:true"}, 1), ({"service": "store", "tag": "error:true"}, 0),
                ({"service": "backend", "minDuration": "40ms"}, 1),
                ({"service": "backend", "minDuration": "1s"}, 0),
                ({"service": "backend", "start": US - 1, "end": US + 10}, 1),
                ({"service": "backend", "start": US + 10**6, "end": US + 10**7}, 0)):
            with self.subTest(params=params):
                self.assertEqual(len(self.jaeger("traces", **params)["data"]), found)
        self.assertEqual(self.jaeger("dependencies", endTs=US // 1000 + 60000)["data"],
                         [{"parent": "backend", "child": "store", "callCount": 1}])
        self.assertEqual(self.jaeger("traces/ff", 404)["errors"], [{"code": 404, "msg": "trace not found"}])
        self.jaeger("traces", 400, service="x", minDuration="5")

    def test_jaeger_v3(self):
        self.assertEqual(self.jaeger("v3/services"), {"services": ["backend", "store"]})
        self.assertEqual(self.jaeger("v3/operations", service="store"),
                         {"operations": [{"name": "store", "spanKind": "server"}]})
        result = self.jaeger("v3/traces/" + TRACE)["result"]
        self.assertEqual(len(result["resourceSpans"]), 2)
        result = self.jaeger("v3/traces", **{"query.serviceName": "backend", "query.durationMin": "10ms"})["result"]
        self.assertEqual(len(result["resourceSpans"]), 2)
        self.assertEqual(self.jaeger("v3/traces", **{"query.serviceName": "none"}), {"result": {}})
        self.assertEqual(self.jaeger("v3/traces/ff", 404)["error"]["httpCode"], 404)


if __name__ == "__main__":
    pt.main()
