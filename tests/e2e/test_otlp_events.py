#!/usr/bin/env python3
"""OTLP logs and traces: OpenTelemetry's own SDK through every transport, refusals, a kill."""
import json
import time

import pharos_test as pt
from npm_clients import node

NOW = time.time_ns()
IDS = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}


def spans(*items):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(items)}]}]}


def logs(*items):
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(items)}]}]}


class Test(pt.Case):
    def open(self, *sets):
        self.otlp_port, self.grpc_port = pt.free_port(), pt.free_port()
        self.server_ = self.server("telemetry.interval=1h",
                                   f"doors.otlp.listen=127.0.0.1:{self.otlp_port}",
                                   f"doors.otlp_grpc.listen=127.0.0.1:{self.grpc_port}", *sets)
        self.url = f"http://127.0.0.1:{self.otlp_port}"

    def send(self, path, body):
        return pt.request(self.url + path, method="POST", body=json.dumps(body).encode(),
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
