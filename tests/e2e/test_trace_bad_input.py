#!/usr/bin/env python3
"""Spans that break rules, traces that are no trees or very large, and broken HTTP/2 on the gRPC port: what is good is
kept, the rest is refused with words and counted, and the server goes on."""
import json
import shutil
import socket
import struct
import subprocess
import time
import urllib.parse

import pharos_test as pt
import protobuf

NOW = time.time_ns() - 60 * 10**9
STATUS = bytes.fromhex("889acac8b21234da8f")  # grpc-status, as HPACK packs it
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def span(trace=1, number=1, parent=0, name="op", start=NOW, end=None, attributes=b"", trace_id=None, span_id=None):
    out = pt.field(1, trace.to_bytes(16, "big") if trace_id is None else trace_id)
    out += pt.field(2, number.to_bytes(8, "big") if span_id is None else span_id)
    out += pt.field(4, parent.to_bytes(8, "big")) if parent else b""
    out += pt.field(5, name)
    out += b"\x39" + struct.pack("<Q", start) if start else b""
    end = start + 10**6 if end is None else end
    return out + (b"\x41" + struct.pack("<Q", end) if end else b"") + attributes


def attribute(key, value):
    return pt.field(9, pt.field(1, key) + pt.field(2, value))


def text(value):
    return pt.field(1, value)


def request(*spans, service="bad"):
    resource = pt.field(1, pt.field(1, pt.field(1, "service.name") + pt.field(2, text(service))))
    return pt.field(1, resource + pt.field(2, b"".join(pt.field(2, s) for s in spans)))


def fields(message):
    """rejected and words of an ExportTraceServiceResponse."""
    if not message:
        return 0, ""
    (partial,) = map(protobuf.read, protobuf.read(message)[1])
    return partial.get(1, [0])[0], partial[2][0].decode()


class Test(pt.Case):
    def begin(self, *sets):
        self.grpc = pt.free_port()
        self.one = self.server("telemetry.interval=1h", f"doors.otlp_grpc.listen=127.0.0.1:{self.grpc}", *sets)

    def send(self, body, status=200):
        answer = self.one.post("/otlp/v1/traces", body, headers={"Content-Type": "application/x-protobuf"})
        self.assertEqual(answer.status, status, answer.text)
        return fields(answer.body) if status == 200 else answer.text

    def stored(self):
        return self.one.metric("pharos_ingest_spans_total")

    def search(self, q, status=200, **params):
        answer = self.one.get("/tempo/api/search?" + urllib.parse.urlencode({"q": q, "limit": 100, "spss": 100, **params}))
        self.assertEqual(answer.status, status, answer.text)
        return answer.json()["traces"] if status == 200 else answer.text

    def test_rules(self):
        """Each beside a good span, which is kept."""
        self.begin()
        deep = text("x")
        for _ in range(60):
            deep = pt.field(5, pt.field(1, deep))
        rows = (
            ("zero trace id", dict(trace_id=bytes(16)), "invalid_id", "traceId is not 16 bytes, not all zero"),
            ("zero span id", dict(span_id=bytes(8)), "invalid_id", "spanId is not 8 bytes, not all zero"),
            ("short trace id", dict(trace_id=b"\1" * 8), "invalid_id", "traceId is not 16 bytes"),
            ("long span id", dict(span_id=b"\1" * 9), "invalid_id", "spanId is not 8 bytes"),
            ("no ids", dict(trace_id=b"", span_id=b""), "invalid_id", "traceId"),
            ("no times", dict(start=0, end=0), "invalid_timestamp", "neither start nor end"),
            ("beyond all years", dict(start=2**63, end=2**63), "invalid_timestamp", "beyond the year 2261"),
            ("no key", dict(attributes=attribute("", text("x"))), "invalid_attribute", "has no key"),
            ("too deep", dict(attributes=attribute("deep", deep)), "too_deep", "nested deeper than 24 levels"),
            ("attribute bomb", dict(attributes=b"".join(attribute(f"a{i}", text("x")) for i in range(5000))),
             "field_limit", "limits.fields"),
            ("long value", dict(attributes=attribute("long", text("x" * 300000))), "field_limit", "limits.field_size"))
        for i, (what, bad, reason, words) in enumerate(rows):
            with self.subTest(what):
                counter = ("pharos_ingest_refused_samples_total" if reason == "field_limit" else "pharos_otlp_refused_total",
                           f'reason="{reason}"')
                before = self.one.metric(*counter)
                rejected, message = self.send(request(span(100, i + 1, name="good"), span(200 + i, **bad)))
                self.assertEqual(rejected, 1)
                self.assertIn(words, message)
                self.assertEqual(self.one.metric(*counter), before + 1)
                self.assertEqual(self.stored(), i + 1)

    def test_kept_with_a_rule(self):
        self.begin()
        self.assertEqual(self.send(request(
            span(1, 1, name="backwards", end=NOW - 10**9), span(1, 2, name="unfinished", end=0),
            span(1, 3, name="only its end", start=0, end=NOW), span(1, 4, name="parent of zeros", parent=0),
            span(1, 5, name="\xff".encode("latin-1")))), (0, ""))
        self.assertEqual(self.one.metric("pharos_otlp_clamped_durations_total"), 1)
        self.assertEqual(self.one.metric("pharos_otlp_repaired_texts_total"), 1)
        (trace,) = self.search("{ }")
        spans = {s["name"]: s for s in trace["spanSet"]["spans"]}
        self.assertEqual(spans["backwards"]["durationNanos"], "0")
        self.assertEqual(spans["only its end"]["startTimeUnixNano"], str(NOW))
        self.assertIn("\ufffd", spans)
        self.assertEqual([s["spanSet"]["matched"] for s in self.search("{ duration = 0s }")], [3])

    def test_broken_protobuf(self):
        self.begin()
        whole = request(span(), span(number=2))
        for body in (whole[:-1], whole[:20], b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\x07", b"\x0a\x03\x12\x05\x00", b"no protobuf",
                     whole.replace(pt.field(5, "op"), b"\x2a\x7fop"), whole.replace(b"\x39", b"\x38", 1)):
            self.assertIn("damaged", self.send(body, 400), body)
        self.assertEqual(self.stored(), 0)
        answer = self.one.post("/otlp/v1/traces", b'{"resourceSpans": [{', headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 400)

    def test_traces_that_are_no_trees(self):
        self.begin()
        ring = [span(1, i, i % 5 + 1, name=f"ring {i}") for i in range(1, 6)]
        self.send(request(*ring, span(2, 1, 1, name="its own parent"), span(3, 1, 99, name="orphan"),
                          span(4, 1, 2, name="a"), span(4, 2, 1, name="b"), span(4, 3, 1, name="below the ring"),
                          span(5, 1, 0, name="twice"), span(5, 1, 0, name="twice, changed")))
        for door, path, spans in (("tempo", "/tempo/api/v2/traces/{}", 5), ("jaeger", "/jaeger/api/traces/{}", 5),
                                  ("jaeger 3", "/jaeger/api/v3/traces/{}", 5), ("zipkin", "/zipkin/api/v2/trace/{}", 5)):
            for trace in range(1, 6):
                answer = self.one.get(path.format(f"{trace:032x}"))
                self.assertEqual(answer.status, 200, door)
                if trace == 1:
                    self.assertEqual(answer.text.count("ring "), spans, door)
        for query in ("{ } >> { }", "{ } !>> { }", "{ } ~ { }", "{ } << { }", "{ } &>> { }", "{ nestedSetParent < 0 }",
                      "{ span:childCount > 0 }", "{ parent.name = \"ring 1\" }", "{ rootName = \"x\" }", "{ traceDuration > 0s }"):
            self.search(query)
        self.assertEqual([t["rootTraceName"] for t in self.search('{ name = "orphan" }')], ["<root span not yet received>"])
        (last,) = self.search('{ name =~ "twice.*" }')
        self.assertEqual([s["name"] for s in last["spanSet"]["spans"]], ["twice, changed"])
        self.assertEqual(self.one.get("/jaeger/api/v3/trace-summaries").status, 200)
        self.assertEqual(self.one.get("/jaeger/api/dependencies?endTs=%d" % (time.time() * 1000)).status, 200)

    def test_a_trace_of_many_spans(self):
        """100,000 spans in a chain of a hundred and a thousand leaves each: whole through every door; more than a query
        may hold is refused by name."""
        self.begin()
        per, count = 5000, 100000
        for first in range(1, count + 1, per):
            self.send(request(*(span(7, n, 0 if n == 1 else n - 1 if n <= 100 else n % 100 + 1, name=f"op {n % 50}",
                                     start=NOW + n * 1000) for n in range(first, first + per))))
        self.assertEqual(self.stored(), count)
        answer = self.one.get(f"/tempo/api/v2/traces/{7:x}", headers={"Accept": "application/protobuf"}, timeout=60)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body.count(pt.field(1, (7).to_bytes(16, "big"))), count)
        (found,) = self.search("{ } | count() >= 100000")
        self.assertEqual(found["spanSet"]["matched"], count)
        (found,) = self.search('{ name = "op 1" } >> { span:id = "%016x" }' % 2000)
        self.assertEqual(found["spanSet"]["matched"], 1)
        answer = self.one.get(f"/tempo/api/v2/traces/{7:x}?q={urllib.parse.quote('{ name = `op 7` }')}")
        self.assertEqual(answer.text.count('"traceId"'), count // 50)
        self.one.stop()
        self.begin("limits.query.memory=4MiB")
        answer = self.one.get(f"/tempo/api/v2/traces/{7:x}", timeout=60)
        self.assertEqual(answer.status, 400)
        self.assertIn("limits.query.memory", answer.text)
        self.assertIn("limits.query.memory", self.search("{ } | count() > 1", 400))
        self.assertEqual(len(self.search('{ name = "nobody" }')), 0)  # it goes on

    def test_load_by_h2load(self):
        if not shutil.which("h2load"):
            self.skipTest("h2load is not installed (nghttp2-client)")
        self.begin()
        body = request(*(span(9, n) for n in range(1, 101)))
        framed = self.work / "framed"
        framed.write_bytes(b"\0" + struct.pack(">I", len(body)) + body)
        done = subprocess.run(["h2load", "-n", "300", "-c", "5", "-m", "10", "-d", framed, "-H", "content-type: application/grpc",
                               "-H", "te: trailers", f"http://127.0.0.1:{self.grpc}{EXPORT}"], capture_output=True, text=True, timeout=60)
        self.assertIn("300 succeeded, 0 failed", done.stdout)
        self.assertGreaterEqual(self.stored() + self.one.metric("pharos_ingest_repeated_spans_total"), 30000)

    # --- frames ---

    def talk(self, *parts, preface=True):
        """What the server says to these bytes until it closes, or is silent for a moment."""
        with socket.create_connection(("127.0.0.1", self.grpc), 10) as s:
            try:
                s.sendall((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) if preface else b"") + b"".join(parts))
            except OSError:
                pass  # closed already
            s.settimeout(0.25)
            said = b""
            try:
                while STATUS not in said and (chunk := s.recv(65536)):
                    said += chunk
            except OSError:
                pass
            return said

    def test_malformed_frames(self):
        self.begin()
        headers = literal(":method", "POST") + literal(":scheme", "http") + literal(":path", EXPORT) + \
            literal(":authority", "x") + literal("content-type", "application/grpc") + literal("te", "trailers")
        open_stream = frame(1, 4, 1, headers)
        message = request(span(50, 1))
        good = open_stream + frame(0, 1, 1, b"\0" + struct.pack(">I", len(message)) + message)
        self.assertIn(STATUS + b"\x010", self.talk(good))
        self.assertEqual(self.stored(), 1)
        for what, parts in {
                "no preface": (b"\x16\x03\x01" + bytes(200),), "HTTP/1 on it": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",)}.items():
            with self.subTest(what):
                self.talk(*parts, preface=False)
        for what, parts in {
                "a frame larger than allowed": (b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(1000),),
                "data on stream 0": (frame(0, 1, 0, b"x"),),
                "data on a stream that is not open": (frame(0, 1, 5, b"x"),),
                "headers that are no HPACK": (frame(1, 5, 1, b"\xff" * 50),),
                "an index beyond the table": (frame(1, 5, 1, b"\xbf\xff\xff\xff\x0f"),),
                "a continuation of nothing": (frame(9, 4, 1, headers),),
                "headers never ended": (frame(1, 0, 1, headers), frame(0, 1, 1, b"x")),
                "an even stream": (frame(1, 5, 2, headers),),
                "a window of zero": (open_stream, frame(8, 0, 1, bytes(4))),
                "a window beyond 2^31": (frame(8, 0, 0, b"\x7f\xff\xff\xff"), frame(8, 0, 0, b"\x7f\xff\xff\xff")),
                "settings of a bad length": (frame(4, 0, 0, b"abc"),),
                "an acknowledgement with content": (frame(4, 1, 0, bytes(6)),),
                "a ping of a bad length": (frame(6, 0, 0, b"x"),),
                "padding longer than the frame": (open_stream, frame(0, 8, 1, b"\xff" + b"x")),
                "a priority of itself": (frame(2, 0, 1, b"\x00\x00\x00\x01\x10"),),
                "a push from a client": (frame(5, 4, 1, b"\x00\x00\x00\x02" + headers),),
                "a frame nobody knows": (frame(0xee, 0xff, 1, b"x" * 100),),
                "resets in a flood": tuple(frame(1, 4, 1 + 2 * i, headers) + frame(3, 0, 1 + 2 * i, bytes(4)) for i in range(2000)),
                "settings in a flood": (frame(4, 0, 0, b"\x00\x03\x00\x00\x00\x64"),) * 5000,
                "pings in a flood": (frame(6, 0, 0, bytes(8)),) * 20000,
                "empty data in a flood": (open_stream,) + (frame(0, 0, 1),) * 20000,
                "continuations in a flood": (frame(1, 0, 1, headers),) + (frame(9, 0, 1, literal("a", "b" * 1000)),) * 1000}.items():
            with self.subTest(what):
                self.talk(*parts)
                self.assertIn(STATUS + b"\x010", self.talk(good), "the server is gone")
        # Messages that are not what their prefix says: a status, and nothing stored.
        for prefix in (b"\0" + struct.pack(">I", len(message) + 5), b"\0" + struct.pack(">I", 1), b"\1" + struct.pack(">I", len(message)),
                       b"\7" + struct.pack(">I", len(message)), b"\0\0"):
            said = self.talk(open_stream, frame(0, 1, 1, prefix + message))
            self.assertIn(STATUS, said)
            self.assertNotIn(STATUS + b"\x010", said)
        self.assertIn(STATUS, self.talk(open_stream, frame(0, 1, 1)))  # no message at all
        self.assertEqual(self.stored(), 1)
        self.assertIsNone(self.one.process.poll())


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A header without indexing, in plain text (RFC 7541, 6.2.2)."""
    def size(n):
        return bytes([n]) if n < 127 else bytes([127]) + pt.varint(n - 127)
    return b"\0" + size(len(name)) + name.encode() + size(len(value)) + value.encode()


if __name__ == "__main__":
    pt.main()
