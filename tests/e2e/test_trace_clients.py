#!/usr/bin/env python3
"""Spans of Zipkin's, Jaeger's and OpenTelemetry's own clients from npm, over every transport that they have, read back
through Tempo's, Jaeger's and Zipkin's APIs."""
import socket
import struct
import time

import npm_clients
import pharos_test as pt

DOORS = ("zipkin", "jaeger", "jaeger_collector", "jaeger_collector_grpc", "jaeger_compact", "jaeger_binary")


def varint(n):
    return pt.varint(n)


def compact_batch(trace, span, service, name, start_us):
    """A datagram for the agent: Agent.emitBatch in Thrift's compact protocol."""
    def text(delta, s):
        return bytes([delta << 4 | 8]) + varint(len(s)) + s.encode()

    def long(delta, n):
        return bytes([delta << 4 | 6]) + varint(n << 1)
    tag = text(1, "span.kind") + b"\x15\x00" + text(1, "server") + b"\0"
    one = (long(1, trace) + long(1, 0) + long(1, span) + long(1, 0) + text(1, name) + b"\x25\x02" + long(1, start_us) +
           long(1, 1000) + b"\x19\x1c" + tag + b"\0")
    batch = b"\x1c" + text(1, service) + b"\0" + b"\x19\x1c" + one + b"\0"
    return b"\x82\x81\x01" + varint(9) + b"emitBatch" + b"\x1c" + batch + b"\0"


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        self.ports = {door: pt.free_port() for door in DOORS}
        self.pharos = self.server("telemetry.interval=1h", "span_metrics.interval=200ms",
                                  *(f"doors.{d}.listen=127.0.0.1:{p}" for d, p in self.ports.items()))

    def send(self, kind, door):
        return npm_clients.node(self, "traces_client.cjs", kind, "127.0.0.1", self.ports[door])

    def trace(self, trace_id, count):
        """Waits for it: datagrams are acknowledged by nobody. (Jaeger's spans by name and service)"""
        def find():
            answer = self.pharos.get(f"/jaeger/api/traces/{trace_id}")
            if answer.status != 200:
                return None
            (trace,) = answer.json()["data"]
            return trace if len(trace["spans"]) == count else None
        trace = pt.wait_for(f"trace {trace_id}", find)
        # The other doors have the same spans.
        zipkin = pt.request(f"http://127.0.0.1:{self.ports['zipkin']}/api/v2/trace/{trace_id}").json()
        self.assertEqual(sorted(s["id"] for s in zipkin), sorted(s["spanID"] for s in trace["spans"]))
        tempo = self.pharos.get(f"/tempo/api/traces/{trace_id}").json()
        self.assertEqual(sum(len(s["spans"]) for b in tempo["batches"] for s in b["scopeSpans"]), count)
        found = self.pharos.get("/tempo/api/search?limit=1000&q=" + '{resource.service.name="stock"}').json()["traces"]
        self.assertIn(trace_id.lstrip("0"), {t["traceID"] for t in found})
        return {(trace["processes"][s["processID"]]["serviceName"], s["operationName"]):
                (s, {t["key"]: t["value"] for t in s["tags"]}) for s in trace["spans"]}

    def check_call(self, spans, strings=False, shared=False):
        client, client_tags = spans["shop", "get /stock"]
        server, server_tags = spans["stock", "get /stock"]
        self.assertEqual((client_tags["span.kind"], server_tags["span.kind"]), ("client", "server"))
        self.assertEqual(client_tags["http.method"], "GET")
        self.assertEqual(server_tags["otel.status_code"], "ERROR")
        if shared:
            self.assertEqual(client["spanID"], server["spanID"])
            return
        self.assertEqual((client_tags["http.status_code"], client_tags["ratio"], client_tags["cached"]),
                         ("500", "0.5", "false") if strings else (500, 0.5, False))
        (log,) = client["logs"]
        self.assertEqual(log["fields"][0], {"key": "event", "type": "string", "value": "retry"})
        self.assertEqual([r["refType"] for r in server["references"]], ["CHILD_OF"])
        self.assertEqual(server["references"][0]["spanID"], client["spanID"])

    def check_later(self, spans):
        later, _ = spans["stock", "refill"]
        server, _ = spans["stock", "get /stock"]
        self.assertIn({"refType": "FOLLOWS_FROM", "traceID": server["traceID"], "spanID": server["spanID"]},
                      later["references"])

    def test_jaeger_client(self):
        for kind, door in (("jaeger-udp", "jaeger_binary"), ("jaeger-http", "jaeger_collector"),
                           ("jaeger-http", "jaeger")):
            with self.subTest(kind=kind, door=door):
                spans = self.trace(self.send(kind, door), 3)
                self.check_call(spans)
                self.check_later(spans)

    def test_opentelemetry_jaeger(self):
        for kind, door in (("otel-jaeger-udp", "jaeger_binary"), ("otel-jaeger-http", "jaeger_collector")):
            with self.subTest(kind=kind):
                spans = self.trace(self.send(kind, door), 3)
                self.check_call(spans)
                self.check_later(spans)
                _, tags = spans["shop", "get /stock"]
                self.assertEqual((tags["otel.scope.name"], tags["otel.scope.version"]), ("lib", "0.1"))

    def test_zipkin_clients(self):
        self.check_call(self.trace(self.send("otel-zipkin", "zipkin"), 3), strings=True)
        for kind in ("zipkin", "zipkin-v1"):
            self.check_call(self.trace(self.send(kind, "zipkin"), 2), shared=True)
        # Both sides of one id are a call all the same.
        pt.wait_for("the call", lambda: self.pharos.query(
            'traces_service_graph_request_total{client="shop",server="stock"} == 3'))

    def test_compact_datagrams(self):
        now_us = time.time_ns() // 1000
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            at = ("127.0.0.1", self.ports["jaeger_compact"])
            for datagram in (b"no thrift", compact_batch(0xABC, 1, "stock", "get", now_us)[:-9],
                             compact_batch(0xABC, 0, "stock", "no id", now_us),
                             compact_batch(0xABC, 1, "stock", "get", now_us)):
                s.sendto(datagram, at)
        spans = self.trace("00000000000000000000000000000abc", 1)
        self.assertEqual(spans["stock", "get"][1]["span.kind"], "server")
        self.assertEqual(self.pharos.metric("pharos_jaeger_refused_total", "damaged"), 2)
        self.assertEqual(self.pharos.metric("pharos_jaeger_refused_total", "invalid_span"), 1)

    def test_http_refusals(self):
        url = f"http://127.0.0.1:{self.ports['jaeger_collector']}/api/traces"

        def post(body, content_type="application/x-thrift"):
            return pt.request(url, method="POST", body=body, headers={"Content-Type": content_type})
        self.assertEqual(post(b"", "application/json").status, 415)
        answer = post(b"\x0f\x00\x02\x0c\x7f\xff\xff\xff")
        self.assertEqual(answer.status, 400)
        self.assertIn("damaged at byte", answer.text)
        # A span without ids is refused; nothing else was in the batch.
        span = b"\x0b\x00\x05" + struct.pack(">i", 3) + b"get\0"
        answer = post(b"\x0f\x00\x02\x0c" + struct.pack(">i", 1) + span + b"\0")
        self.assertEqual(answer.status, 400)
        self.assertIn("traceId is not 16 bytes", answer.text)
        self.assertEqual(post(b"\0").status, 202)  # a batch of nothing


if __name__ == "__main__":
    pt.main()
