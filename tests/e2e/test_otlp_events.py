#!/usr/bin/env python3
"""OTLP logs and traces: OpenTelemetry's own SDK through every transport, refusals, a kill."""
import json
import time
import urllib.parse

import pharos_test as pt
from npm_clients import node

NOW = time.time_ns()
IDS = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}


def spans(*items):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(items)}]}]}


def logs(*items):
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(items)}]}]}


def plain(value):
    """An AnyValue as Python has it."""
    (kind, v), = value.items() or (("stringValue", None),)
    return {"intValue": int, "arrayValue": lambda a: [plain(x) for x in a.get("values", ())]}.get(
        kind, lambda x: x)(v)


def attributes(message):
    return {a["key"]: plain(a["value"]) for a in message["attributes"]}


class Test(pt.Case):
    def open(self, *sets):
        self.otlp_port, self.grpc_port = pt.free_port(), pt.free_port()
        self.server_ = self.server("telemetry.interval=1h",
                                   f"doors.otlp.listen=127.0.0.1:{self.otlp_port}",
                                   f"doors.otlp_grpc.listen=127.0.0.1:{self.grpc_port}", *sets)
        self.url = f"http://127.0.0.1:{self.otlp_port}"

    def send(self, path, body, url=None):
        return pt.request((url or self.url) + path, method="POST", body=json.dumps(body).encode(),
                          headers={"Content-Type": "application/json"})

    def taken(self):
        return (self.server_.metric("pharos_ingest_log_lines_total"),
                self.server_.metric("pharos_ingest_spans_total"))

    def test_sdk(self):
        self.open()
        for i, (kind, url, option) in enumerate((
                ("http", self.url, ()), ("http", self.url, ("gzip",)),
                ("proto", self.url, ()), ("proto", self.url, ("gzip",)),
                ("grpc", f"http://127.0.0.1:{self.grpc_port}", ()),
                ("grpc", f"http://127.0.0.1:{self.grpc_port}", ("gzip",)),
                ("grpc", self.url, ()), ("proto", self.server_.url + "/otlp", ()))):
            with self.subTest(kind=kind, url=url, option=option):
                sent = json.loads(node(self, "otlp_events_client.cjs", kind, url, *option))
                self.assertEqual(sent["failures"], [])
                self.assertEqual(self.taken(), (3 * (i + 1), 2 * (i + 1)))
                self.check_trace(kind, sent)
                self.check_logs(kind, sent)

    def check_logs(self, kind, sent):
        """The log records by LogQL: lines, levels, fields, and those of the span."""
        service = '{service_name="shop-%s", service_namespace="eu"}' % kind
        lines = self.lines(service)
        self.assertLessEqual({"plain line", '{"structured":{"n":1},"list":[true]}', "12.5"},
                             {line for _, line in lines})
        fields, _ = self.lines(service + ' | trace_id="%s"' % sent["traceId"])[0]
        self.assertEqual({k: fields[k] for k in ("span_id", "detected_level", "order_id", "paid",
                                                 "host_name", "scope_name", "severity_text")},
                         {"span_id": sent["spanId"], "detected_level": "warn", "order_id": "7",
                          "paid": "true", "host_name": "h1", "scope_name": "log.lib",
                          "severity_text": "Warning"})
        self.assertTrue(self.lines(service + ' | event_name="order.placed" | detected_level="info"'))

    def lines(self, query):
        """[(labels and fields, line)]"""
        answer = self.server_.get("/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "start": NOW - 10**12, "end": time.time_ns() + 10**9}))
        self.assertEqual(answer.status, 200, answer.text)
        return [(s["stream"], line) for s in answer.json()["data"]["result"]
                for _, line, *_ in s["values"]]

    def test_loki_path(self):
        self.open()
        answer = self.send("/loki/otlp/v1/logs", logs({"body": {"stringValue": "by Loki's path"}}),
                           self.server_.url)
        self.assertEqual((answer.status, answer.json()), (200, {}))
        ((stream, line),) = self.lines('{service_name="unknown_service"}')
        self.assertEqual(line, "by Loki's path")

    def check_trace(self, kind, sent):
        """The trace as the SDK sent it, field by field."""
        trace = self.trace(sent["traceId"])
        (resource,) = trace["resourceSpans"]
        self.assertEqual(attributes(resource["resource"]), {
            "service.name": f"shop-{kind}", "service.namespace": "eu", "host.name": "h1",
            "process.pid": 42, "process.command_args": ["node", "a b"]})
        (scope,) = resource["scopeSpans"]
        self.assertEqual(scope["scope"], {"name": "test.lib", "version": "1.2.3"})
        root, child = scope["spans"]
        self.assertEqual((root["traceId"], root["spanId"], root["name"], root["kind"]),
                         (sent["traceId"], sent["spanId"], "GET /cart", 2))
        self.assertNotIn("parentSpanId", root)
        self.assertEqual(root["status"], {"message": "broken", "code": 2})
        self.assertEqual(attributes(root), {"http.response.status_code": 500, "http.route": "/cart",
                                            "ratio": 0.5, "ok": False, "list": ["a", "b"]})
        (event,) = root["events"]
        self.assertEqual(event["name"], "exception")
        self.assertEqual(attributes(event), {"exception.type": "Oops",
                                             "exception.message": "no\ngood"})
        self.assertLessEqual(int(root["startTimeUnixNano"]), int(event["timeUnixNano"]))
        self.assertLessEqual(int(event["timeUnixNano"]), int(root["endTimeUnixNano"]))
        self.assertEqual((child["spanId"], child["parentSpanId"], child["name"], child["kind"]),
                         (sent["childId"], sent["spanId"], "SELECT", 3))
        (link,) = child["links"]
        self.assertEqual((link["traceId"], link["spanId"], attributes(link)),
                         (sent["traceId"], sent["spanId"], {"why": "test"}))

    def trace(self, trace_id, **headers):
        answer = self.server_.get("/api/pharos/v1/traces/" + trace_id, headers=headers)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json()

    def test_round_trip(self):
        """Whatever a span may hold comes back, over a kill and a flush."""
        self.open("retention.traces=forever", "store.flush_interval=1s")
        value = {"kvlistValue": {"values": [
            {"key": "n", "value": {"intValue": "-7"}}, {"key": "d", "value": {"doubleValue": 0.5}},
            {"key": "none", "value": {}}, {"key": "l", "value": {"arrayValue": {"values": [
                {"boolValue": True}, {"stringValue": "\u00e4\\"}]}}}]}}
        span = {"traceId": IDS["traceId"], "spanId": IDS["spanId"], "traceState": "a=b",
                "parentSpanId": "eee19b7ec3c1b173", "name": "n", "kind": 5,
                "startTimeUnixNano": "1544712660000000001",
                "endTimeUnixNano": "1544712661000000002",
                "attributes": [{"key": "m.a.p", "value": value},
                               {"key": "b", "value": {"bytesValue": "AQI="}},
                               {"key": "empty", "value": {}},
                               {"key": "s", "value": {"stringValue": ""}}],
                "droppedAttributesCount": 1,
                "events": [{"timeUnixNano": "1544712660000000009", "name": "e",
                            "attributes": [{"key": "m", "value": value}],
                            "droppedAttributesCount": 2}],
                "droppedEventsCount": 3,
                "links": [{"traceId": "5b8efff798038103d269b633813fc60d",
                           "spanId": "eee19b7ec3c1b175", "traceState": "c=d",
                           "attributes": [{"key": "x", "value": {"intValue": "1"}}],
                           "droppedAttributesCount": 4, "flags": 257}],
                "droppedLinksCount": 5, "status": {"message": "fine", "code": 1}, "flags": 769}
        body = {"resourceSpans": [{
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": "s"}},
                {"key": "r", "value": {"doubleValue": 1.5}}], "droppedAttributesCount": 6},
            "scopeSpans": [{"scope": {"name": "lib", "version": "1", "attributes": [
                {"key": "sa", "value": {"boolValue": False}}], "droppedAttributesCount": 7},
                "spans": [span], "schemaUrl": "https://scope"}],
            "schemaUrl": "https://resource"}]}
        self.assertEqual(self.send("/v1/traces", body).json(), {})

        def check():
            got = self.trace(IDS["traceId"].upper())
            sort = {"key": lambda a: a["key"]}
            wanted = json.loads(json.dumps(body))
            for t in (got, wanted):
                t["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"].sort(**sort)
            self.assertEqual(got, wanted)
        check()
        self.server_.kill()
        self.server_.start()
        check()
        pt.wait_for("a flush", lambda: self.server_.metric("pharos_store_event_parts",
                                                           'table="spans"'))
        check()
        packed = self.server_.get("/api/pharos/v1/traces/" + IDS["traceId"],
                                  headers={"Accept": "application/protobuf"})
        self.assertEqual(packed.headers["Content-Type"], "application/x-protobuf")
        again = pt.request(self.url + "/v1/traces", method="POST", body=packed.body,
                           headers={"Content-Type": "application/x-protobuf"})
        self.assertEqual((again.status, again.body), (200, b""))
        for path, status in (("0" * 31 + "1", 404), ("xyz", 400), ("0" * 33, 400)):
            self.assertEqual(self.server_.get("/api/pharos/v1/traces/" + path).status, status)

    def test_partial_success(self):
        self.open()
        good = {**IDS, "name": "good", "startTimeUnixNano": str(NOW), "endTimeUnixNano": str(NOW)}
        answer = self.send("/v1/traces", spans(good, {"name": "nameless"},
                                               {**good, "spanId": "00" * 8}))
        self.assertEqual(answer.status, 200)
        partial = answer.json()["partialSuccess"]
        self.assertEqual(partial["rejectedSpans"], "2")
        self.assertIn("2 of 3 spans refused (invalid_id 2)", partial["errorMessage"])
        self.assertEqual(self.taken(), (0, 1))
        answer = self.send("/v1/logs", logs({"timeUnixNano": str(NOW), "body": {"stringValue": "x"}},
                                            {"timeUnixNano": "1", "body": {"stringValue": "old"}},
                                            {"body": {"stringValue": "without a time"}}))
        partial = answer.json()["partialSuccess"]
        self.assertEqual(partial["rejectedLogRecords"], "1")
        self.assertIn("by the store 1", partial["errorMessage"])
        self.assertEqual(self.taken(), (2, 1))
        backwards = {**good, "endTimeUnixNano": str(NOW - 1000)}
        self.assertEqual(self.send("/v1/traces", spans(backwards)).json(), {})
        self.assertEqual(self.server_.metric("pharos_otlp_clamped_durations_total"), 1)

    def test_example_files(self):
        folder = pt.ROOT.parent / "shared" / "conformance" / "otlp-json"
        if not folder.exists():
            self.skipTest("the conformance data is not there")
        self.open("retention.logs=forever", "retention.traces=forever")
        for path, name in (("/v1/traces", "trace"), ("/v1/logs", "logs"), ("/v1/logs", "events")):
            answer = self.send(path, json.loads((folder / f"{name}.json").read_text()))
            self.assertEqual((answer.status, answer.json()), (200, {}), name)
        self.assertEqual(self.taken(), (2, 1))


if __name__ == "__main__":
    pt.main()
