#!/usr/bin/env python3
"""Remote read: the very bytes Prometheus answers with for the same data, in both kinds of answer,
and a real Prometheus that reads all it has from Pharos."""
import random
import struct
import time
import urllib.parse

import pharos_test as pt
import prometheus_peer

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
EQ, NE, RE, NRE = range(4)
SAMPLES, CHUNKS = 0, 1


def read_request(queries, answers=()):
    """queries: [(start_ms, end_ms, [(type, name, value), ...]), ...]"""
    body = b""
    for start, end, matchers in queries:
        q = pt.field(1, start) + pt.field(2, end)
        for kind, name, value in matchers:
            q += pt.field(3, pt.field(1, kind) + pt.field(2, name) + pt.field(3, value))
        body += pt.field(1, q)
    return body + b"".join(pt.field(2, a) for a in answers)


def ask(url, body):
    return pt.request(url + "/api/v1/read", method="POST", body=pt.snappy(body), headers={
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Read-Version": "0.1.0"})


def unsnappy(data):
    """Block format with copies."""
    size = shift = at = 0
    while True:
        size |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            break
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            n = (tag >> 2) + 1
            if n > 60:
                k = n - 60
                n = int.from_bytes(data[at:at + k], "little") + 1
                at += k
            out += data[at:at + n]
            at += n
            continue
        if tag & 3 == 1:
            n, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            k = 2 if tag & 3 == 2 else 4
            n, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + k], "little")
            at += k
        for _ in range(n):
            out.append(out[-offset])
    assert len(out) == size
    return bytes(out)


class Test(pt.Case):
    CONFIG = "global: {external_labels: {site: lab, zone: z0}}\n"

    def setUp(self):
        super().setUp()
        # All of the data lies in one block's time, so that Prometheus cuts its chunks as we do.
        now = int(time.time())
        self.t = (now - now % 7200 + 60 - (7200 if now % 7200 < 600 else 0)) * 1000
        self.pharos = self.server("telemetry.interval=1h",
                                  config=self.file("pharos.yml", self.CONFIG))

    def series(self):
        t, rows = self.t, []
        rng = random.Random(7)
        rows.append(({"__name__": "flat", "job": "x"}, [(t + i * 1000, 5) for i in range(100)]))
        rows.append(({"__name__": "counter", "job": "x"},
                     [(t + i * 1000 + (i % 7) * 3, i * 11) for i in range(100)]))
        value, samples = 100.0, []
        for i in range(70): # more would fill a chunk of Prometheus
            value += rng.uniform(-1, 1)
            samples.append((t + i * 1500 + rng.randrange(-500, 500), value))
        rows.append(({"__name__": "walk", "job": "y"}, samples))
        rows.append(({"__name__": "odd", "job": "y", "zone": "own"},
                     [(t, 0), (t + 5, float("inf")), (t + 200000, float("nan")),
                      (t + 290000, 1e-300), (t + 290001, STALE)]))
        return rows

    def fill(self, peer):
        prometheus_peer.write_both(self.pharos, peer, self.series())
        # Counts that fit: zero bucket 2+i, buckets 2+i, 3+i, 2+i.
        histograms = [prometheus_peer.histogram(
            self.t + i * 1000 + i % 3, 9 + 4 * i, 1.5 * i + 0.25, 3, 2 + i, [(-2, 2), (3, 1)],
            [2 + i, 1, -1], zero_threshold=2.0 ** -128) for i in range(50)]
        prometheus_peer.write_histograms_both(self.pharos, peer,
                                              {"__name__": "native", "job": "x"}, histograms)

        make = lambda i, n: prometheus_peer.histogram(
            self.t + i * 1000, n + 6.5, 0.5 * i, 0, 1.5, [(0, 2)], [n + 3.0, 2.0])
        prometheus_peer.write_histograms_both(self.pharos, peer, {"__name__": "native_float"},
                                              [make(i, 0.25 * i) for i in range(12)])

    def test_bytes_like_prometheus(self):
        peer = prometheus_peer.start(self, self.CONFIG)
        self.fill(peer)
        start, end = self.t - 1000, self.t + 3600000
        name = lambda n: (EQ, "__name__", n)
        for queries in (
                [(start, end, [name("flat")])],
                [(start, end, [name("counter")])],
                [(start, end, [name("walk")])],
                [(start, end, [name("odd")])],
                [(start, end, [name("native")])],
                [(start, end, [name("native_float")])],
                [(start, end, [(RE, "__name__", "flat|counter"), (NE, "job", "y")])],
                # Pharos' own counters have a job too, once they were stored.
                [(start, end, [(RE, "job", ".+"), (NE, "job", "pharos"), (NRE, "__name__", "n.*")])],
                [(start, end, [name("flat"), (EQ, "site", "lab")])],
                [(start, end, [name("flat"), (EQ, "site", "other")])],
                [(start, end, [name("nothing")])],
                [(start, end, [name("flat")]), (start, end, [name("native")])]):
            with self.subTest(queries=queries):
                # Prometheus 2.42 leaves histograms out of this kind of answer.
                native = any(m[2].startswith("native") for q in queries for m in q[2])
                for answers in () if native else ((), (SAMPLES,), (SAMPLES, CHUNKS)):
                    body = read_request(queries, answers)
                    ours, theirs = ask(self.pharos.prometheus_url, body), ask(peer.url, body)
                    self.assertEqual((ours.status, theirs.status), (200, 200))
                    for header in ("Content-Type", "Content-Encoding"):
                        self.assertEqual(ours.headers[header], theirs.headers[header])
                    if len(queries[0][2]) == 1: # one series: its order is no question
                        self.assertEqual(unsnappy(ours.body), unsnappy(theirs.body))
                    else:
                        self.assertEqual(len(unsnappy(ours.body)), len(unsnappy(theirs.body)))
                body = read_request(queries, (CHUNKS, SAMPLES))
                ours, theirs = ask(self.pharos.prometheus_url, body), ask(peer.url, body)
                self.assertEqual(ours.headers["Content-Type"], theirs.headers["Content-Type"])
                self.assertEqual(ours.body, theirs.body)
        # A part of the time, sample by sample.
        body = read_request([(self.t + 5000, self.t + 9000, [name("flat")])])
        self.assertEqual(unsnappy(ask(self.pharos.prometheus_url, body).body),
                         unsnappy(ask(peer.url, body).body))

    def test_histograms_in_one_piece(self):
        """The series of an answer is what remote write sends: Prometheus takes it."""
        peer = prometheus_peer.start(self, self.CONFIG)
        self.fill(peer)
        answer = ask(self.pharos.prometheus_url, read_request(
            [(self.t - 1000, self.t + 3600000, [(EQ, "__name__", "native")])]))
        result = unsnappy(answer.body)
        self.assertEqual(result[0], 0x0A) # results, then their timeseries
        at = 1
        while result[at] >= 0x80:
            at += 1
        prometheus_peer.post(peer.url, result[at + 1:])
        rows = pt.request(peer.url + "/api/v1/query?" + urllib.parse.urlencode(
            {"query": "native", "time": self.t / 1000 + 60})).json()["data"]["result"]
        self.assertEqual([r["metric"].get("site") for r in sorted(rows, key=str)], ["lab", None])
        self.assertEqual(rows[0]["histogram"], rows[1]["histogram"])

    def test_errors(self):
        peer = prometheus_peer.start(self, self.CONFIG)
        name = (EQ, "__name__", "m")
        for body in (b"\xff", read_request([(0, 1, [(9, "a", "b")])]),
                     read_request([(0, 1, [name])], (7,))):
            ours, theirs = ask(self.pharos.prometheus_url, body), ask(peer.url, body)
            # Prometheus finds a matcher's type out later than we do.
            self.assertEqual(ours.status, 400)
            self.assertIn(theirs.status, (400, 500))
            self.assertEqual(ours.headers["Content-Type"], "text/plain; charset=utf-8")
        answer = pt.request(self.pharos.prometheus_url + "/api/v1/read", method="POST",
                            body=b"\xff\xff\xff\xff\xff")
        self.assertEqual(answer.status, 400)
        small = self.server("limits.query.samples=50", data=self.work / "small")
        small.write(self.series())
        answer = ask(small.prometheus_url, read_request([(0, self.t * 2,
                                                          [(EQ, "__name__", "flat")])]))
        self.assertEqual(answer.status, 400)
        self.assertIn("exceeded sample limit (50", answer.text)

    def test_prometheus_reads_from_pharos(self):
        peer = prometheus_peer.start(self, f"""
remote_read:
- url: {self.pharos.prometheus_url}/api/v1/read
  read_recent: true
""")
        self.pharos.write(self.series())

        def query(url, path, **params):
            answer = pt.request(f"{url}/api/v1/{path}?" + urllib.parse.urlencode(params))
            self.assertEqual(answer.status, 200, answer.text)
            return answer.json()["data"]

        def rows(data):
            # Pharos puts its external labels on what others read from it.
            for row in data["result"]:
                for label, value in (("site", "lab"), ("zone", "z0")):
                    if row["metric"].get(label) == value:
                        del row["metric"][label]
            return sorted(data["result"], key=str)
        at = self.t / 1000 + 95.25
        for text in ("flat", "counter", 'walk{job="y"}', "sum by (job) (rate(counter[30s]))",
                     "max_over_time(walk[1m])", '{job=~"x|y", __name__!="odd"}',
                     "quantile(0.5, walk)"):
            with self.subTest(query=text):
                self.assertEqual(rows(query(peer.url, "query", query=text, time=at)),
                                 rows(query(self.pharos.prometheus_url, "query", query=text,
                                            time=at)))
                span = {"query": text, "start": at - 90, "end": at, "step": 7}
                self.assertEqual(rows(query(peer.url, "query_range", **span)),
                                 rows(query(self.pharos.prometheus_url, "query_range", **span)))


if __name__ == "__main__":
    pt.main()
