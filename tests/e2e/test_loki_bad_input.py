#!/usr/bin/env python3
"""What is wrong with pushed lines: told to the sender, counted by reason where the status page shows it, and
the rest of the push is kept."""
import gzip
import json
import random
import socket
import struct

import pharos_test as pt
from test_loki import Case as LokiCase, S, push_json, push_proto


class BadInput(LokiCase):
    def setUp(self):
        super().setUp()
        self.t = self.now - 60 * S
        self.kept = 0

    def refusals(self):
        """{(counter, reason): total} as the status page has them"""
        got = self.pharos.get("/api/pharos/v1/status").json()["ingest"]["refusals"]
        return {(r["counter"], r["reason"]): r["total"] for r in got if r["total"]}

    def refused(self, body, reason, words, lines=1, counter="pharos_ingest_refused_samples_total",
                content_type="application/json"):
        """A push of which so many lines are refused; the lines of the stream {app="kept"} are not."""
        before = self.refusals().get((counter, reason), 0)
        answer = self.push(body, content_type, expect=400)
        self.assertIn(words, answer.text)
        self.assertEqual(self.refusals().get((counter, reason), 0) - before, lines, (reason, self.refusals()))
        got = self.lines('{app="kept"}')
        self.assertEqual([line for _, _, line in got], ["kept"] * self.kept)

    def with_kept(self, *streams):
        self.kept += 1
        return push_json([({"app": "first"}, [(self.t, "before", {})]), *streams,
                          ({"app": "kept"}, [(self.t, "kept", {})])])

    def test_lines_over_the_limit(self):
        long = [(self.t, "x" * (256 * 1024 + 1), {}), (self.t + 1, "y" * (256 * 1024), {}),
                (self.t + 2, "z" * 1000000, {})]
        self.refused(self.with_kept(({"app": "long"}, long)), "line_size", "limits.line_size", 2)
        self.assertEqual([len(line) for _, _, line in self.lines('{app="long"}')], [256 * 1024])

    def test_times_far_away(self):
        year = 365 * 86400 * S
        times = [0, 1, -1, self.now - 30 * year, -2 ** 63, 10 ** 9]
        self.refused(self.with_kept(({"app": "past"}, [(t, "old", {"n": str(t)}) for t in times])),
                     "too_old", "older than the retention", len(times))
        times = [self.now + 3600 * S, self.now + 100 * year, 2 ** 63 - 1]
        self.refused(self.with_kept(({"app": "future"}, [(t, "new", {"n": str(t)}) for t in times])),
                     "too_new", "limits.future", len(times))
        # What no int64 of nanoseconds holds: JSON is damaged then, of protobuf the line is refused.
        self.refused(push_json([({"app": "x"}, [(2 ** 63, "l", {})])]), "damaged", "is no timestamp",
                     counter="pharos_loki_refused_requests_total")
        entry = pt.field(1, pt.field(1, 2 ** 62)) + pt.field(2, "far")
        good = pt.field(1, pt.field(1, self.t // S)) + pt.field(2, "good")
        body = pt.snappy(pt.field(1, pt.field(1, '{app="proto"}') + pt.field(2, entry) + pt.field(2, good)))
        self.refused(body, "invalid_timestamp", "out of range", 1, "pharos_loki_refused_lines_total",
                     "application/x-protobuf")
        self.assertEqual([line for _, _, line in self.lines('{app="proto"}')], ["good"])
        self.assertEqual(self.lines('{app=~"past|future"}', start=1, end=2 ** 63 - 1), [])

    def test_a_thousand_labels(self):
        many = {f"l{i}": "v" for i in range(1000)}
        self.refused(self.with_kept((many, [(self.t + i, "l", {}) for i in range(3)])), "label_limit",
                     "limits.label_count", 3)
        self.refused(self.with_kept(({"app": "x" * 20000}, [(self.t, "l", {})])), "label_limit",
                     "limits.label_bytes")
        # As metadata they are fields of the line, of which there may be more.
        self.push(push_json([({"app": "meta"}, [(self.t, "l", {f"l{i}": "v" for i in range(300)})])]))
        self.assertEqual(len(self.lines('{app="meta"}')[0][0]), 303)
        self.refused(self.with_kept(({"app": "meta"}, [(self.t, "m", {f"l{i}": "v" for i in range(1000)})])),
                     "field_limit", "limits.fields")

    def test_labels_that_are_none(self):
        lines = "pharos_loki_refused_lines_total"
        entries = [(self.t, "l", {}), (self.t + 1, "m", {})]
        self.refused(self.with_kept(({}, entries)), "missing_labels", "at least one label pair", 2, lines)
        self.refused(self.with_kept(({"": "v"}, entries)), "invalid_labels", "invalid label name", 2, lines)
        for text in ("", "{}", "{a=}", '{a="b"', '{a="b"} x', "a=b", '{a="b" c="d"}', "{=\"b\"}", '{a=~"b"}',
                     '{a="\xff"', "{" * 1000):
            for legacy in (True, False):
                if legacy:
                    body, kind = json.dumps({"streams": [
                        {"labels": text, "entries": [{"ts": "2024-01-02T03:04:05Z", "line": "l"}]}]}
                    ).encode(), "application/json"
                else:
                    body = pt.snappy(pt.field(1, pt.field(1, text) + pt.field(
                        2, pt.field(1, pt.field(1, self.t // S)) + pt.field(2, "l"))))
                    kind = "application/x-protobuf"
                reason = "missing_labels" if text in ("", "{}") else "invalid_labels"
                self.refused(body, reason, "label", 1, lines, kind)
        body = pt.snappy(pt.field(1, pt.field(1, '{a="b", a="c"}') + pt.field(
            2, pt.field(1, pt.field(1, self.t // S)) + pt.field(2, "l"))))
        self.refused(body, "duplicate_label_names", "duplicate label name", 1, lines,
                     "application/x-protobuf")

    def test_bytes_that_are_no_text(self):
        """In lines they become U+FFFD, in labels the stream is refused."""
        bad = b"a\xff\xfe\xc3(b\xed\xa0\x80c\x00d"
        body = b'{"streams":[{"stream":{"app":"json"},"values":[["%d","a\xff(b\\u0000\\ud800"]]}]}' % self.t
        self.push(body)
        (got,) = self.lines('{app="json"}')
        self.assertEqual(got[2], "a\ufffd(b\0\ufffd")
        entry = pt.field(1, pt.field(1, self.t // S)) + pt.field(2, bad) + pt.field(
            3, pt.field(1, "k") + pt.field(2, b"v\xff"))
        self.push(pt.snappy(pt.field(1, pt.field(1, '{app="proto"}') + pt.field(2, entry))),
                  "application/x-protobuf")
        (got,) = self.lines('{app="proto"}')
        self.assertIn("\ufffd", got[2])
        self.assertTrue(got[2].startswith("a") and got[2].endswith("c\0d"), got)
        self.assertEqual(got[0]["k"], "v\ufffd")
        self.assertEqual(len(self.lines('{app="proto"} |~ "d$"')), 1)
        stream = pt.field(1, b'{app="\xff"}') + pt.field(2, entry)
        kept = pt.field(1, '{app="kept"}') + pt.field(2, pt.field(1, pt.field(1, self.t // S)) + pt.field(2, "kept"))
        self.kept = 1
        self.refused(pt.snappy(pt.field(1, stream) + pt.field(1, kept)), "invalid_labels", "UTF-8", 1,
                     "pharos_loki_refused_lines_total", "application/x-protobuf")

    def test_nothing_inside(self):
        for body in ({"streams": []}, {"streams": None}, {}, {"streams": [{"stream": {"a": "b"}, "values": []}]},
                     {"streams": [{"stream": {"a": "b"}}]}, {"streams": [{"stream": {}, "values": []}]}):
            self.push(json.dumps(body).encode())
        self.push(pt.snappy(b""), "application/x-protobuf")
        self.push(pt.snappy(pt.field(1, pt.field(1, '{a="b"}'))), "application/x-protobuf")
        self.assertEqual(self.ask("labels")["data"], [])
        # An empty line is a line.
        self.push(push_json([({"app": "x"}, [(self.t, "", {})])]))
        self.assertEqual([line for _, _, line in self.lines('{app="x"}')], [""])

    def test_damaged_bodies(self):
        """Wherever they are cut or changed: an answer, nothing of a damaged one, and the server goes on."""
        rng = random.Random(7)
        t = self.t
        proto = push_proto([({"app": "x", "k": "v"}, [(t, f"line {i}", {"m": str(i)}) for i in range(20)])])
        plain = push_json([({"app": "x"}, [(t, f"line {i}", {"m": str(i)}) for i in range(20)])])
        before = self.refusals().get(("pharos_loki_refused_requests_total", "damaged"), 0)
        refused = 0
        for body, kind in ((proto, "application/x-protobuf"), (plain, "application/json")):
            cuts = {body[:n] for n in rng.sample(range(1, len(body) - 1), 60)}
            changed = set()
            for _ in range(60):
                b = bytearray(body)
                b[rng.randrange(len(b))] ^= 1 << rng.randrange(8)
                changed.add(bytes(b))
            for bad in sorted(cuts | changed):
                answer = pt.request(self.url + "/loki/api/v1/push", method="POST", body=bad, headers={
                    "Content-Type": kind, "X-Scope-OrgID": "damaged"})
                self.assertIn(answer.status, (204, 400) if bad in changed else (400,), bad)
                refused += answer.status == 400 and bad in cuts
        self.assertGreaterEqual(
            self.refusals()[("pharos_loki_refused_requests_total", "damaged")] - before, refused)
        for kind, body in (("application/json", gzip.compress(plain)[:-9]), ("application/json", plain[:-1]),
                           ("application/json", b"\x1f\x8b"), ("application/json", b"")):
            self.push(body, kind, expect=400, **{"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {})
        self.push(proto, "application/x-protobuf")
        self.assertEqual(len(self.lines('{app="x"}', limit=1000)), 20)

    def test_a_push_that_breaks_off(self):
        """Half a body is no push."""
        body = push_json([({"app": "half"}, [(self.t + i, f"line {i}", {}) for i in range(2000)])])
        port = int(self.pharos.url.rsplit(":", 1)[1])
        for linger in (False, True):
            with socket.create_connection(("127.0.0.1", port), timeout=pt.WAIT_S) as s:
                s.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          b"Content-Length: %d\r\n\r\n" % len(body) + body[:len(body) // 2])
                if linger:  # a reset
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.push(push_json([({"app": "whole"}, [(self.t, "l", {})])]))
        self.assertEqual(self.ask("label/app/values")["data"], ["whole"])


if __name__ == "__main__":
    pt.main()
