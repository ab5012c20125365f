#!/usr/bin/env python3
"""Memory of the server is bounded by configuration whatever LogQL asks: a label a line, whole lines as labels,
templates that blow up, lines of hundreds of KiB; each query is answered or told which limit it met."""
import json
import time
import urllib.parse

import pharos_test as pt

LIMIT_MIB = 40
# Beside what the query is charged: unpacked pages and blocks of the morsels under way, and the answer's text. Two threads.
BESIDE_MIB = 40
# What the allocator keeps of queries before, until it is given back (more or less, as threads happen to meet).
KEPT_MIB = 100
LINES = 60000
LONG = 120

ID = '{app="ids"} | json'
QUERIES = (
    # (query, instant, what it may be told; None: it has to be answered)
    ("topk(5, sum by (id) (count_over_time(" + ID + " [1h])))", False, "limits.query"),
    ("sort_desc(sum by (id, word) (count_over_time(" + ID + " [1h])))", True, "limits.query"),
    ("count_over_time(" + ID + " [1h])", False, "limits.query"),
    ('sum by (all) (count_over_time({app="ids"} | regexp "(?P<all>.+)" [1h]))', False, "limits.query"),
    ('sum by (a, b) (count_over_time({app="ids"} | regexp "(?P<a>.{40})(?P<b>.*)" [1h]))', False, "limits.query"),
    ('sum by (x) (count_over_time({app="ids"} | json | label_format x="{{repeat 2000 .id}}" [1h]))', False, "limits.query"),
    ('sum by (x) (count_over_time({app="long"} | label_format x="{{__line__}}{{__line__}}" [1h]))', False, "limits.query"),
    ("quantile_over_time(0.9, " + ID + " | unwrap n [1h])", False, "limits.query"),
    ("quantile_over_time(0.9, " + ID + " | unwrap n [1h]) by (word)", False, "limits.query"),
    ('{app="ids"} | json | line_format "{{repeat 100000 .id}}"', None, "limits.query"),
    ('{app="ids"} | json | label_format x="{{repeat 20000 .id}}"', None, "limits.query"),
    ('{app="long"} | label_format x="{{__line__}}{{__line__}}{{__line__}}"', None, "limits.query"),
    ('{app="long"} |~ "(x+x+)+y"', None, None),
    ('{app="long"}', None, "limits.query"),
    ('sum by (word) (count_over_time(' + ID + " [1h]))", False, None),
    ('{app="ids"} |= "needle"', None, None),
)


class Memory(pt.Case):
    def push(self, app, lines):
        now = time.time_ns() - 1200 * 10 ** 9
        body = {"streams": [{"stream": {"app": app}, "values": [
            [str(now + i * 10 ** 6), line] for i, line in enumerate(lines)]}]}
        answer = self.pharos.post("/loki/loki/api/v1/push", json.dumps(body).encode(),
                                  headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 204, answer.text)

    def peak_mib(self):
        with open(f"/proc/{self.pharos.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024

    def forget_peak(self):
        with open(f"/proc/{self.pharos.process.pid}/clear_refs", "w") as f:
            f.write("5")
        return self.peak_mib()

    def ask(self, query, instant):
        now = time.time()
        params = {"query": query, "limit": 5000}
        if instant:
            params["time"] = f"{now:.3f}"
        else:
            params.update(start=f"{now - 3000:.3f}", end=f"{now:.3f}", step="30")
        return self.pharos.get("/loki/loki/api/v1/query" + ("" if instant else "_range") + "?" +
                               urllib.parse.urlencode(params), timeout=100)

    def test_bounded(self):
        self.pharos = self.server(f"limits.query.memory={LIMIT_MIB}MiB", "limits.line_size=300KiB", "telemetry.interval=1h",
                                  "store.flush_interval=1s", "store.event_memory=16MiB", "limits.query.timeout=60s")
        for begin in range(0, LINES, 5000):
            self.push("ids", ['{"id":"%032x","n":%d,"word":"%s","rest":"%s"}' %
                              (n * 0x9e3779b97f4a7c15 % (1 << 128), n, "abc"[n % 3], "y" * 60)
                              for n in range(begin, begin + 5000)])
        for begin in range(0, LONG, 20):
            self.push("long", ["%d %s" % (n, "x" * 250000) for n in range(begin, begin + 20)])
        pt.wait_for("parts", lambda: self.pharos.metric("pharos_store_event_head_bytes", 'table="logs"') == 0)
        at_first = self.forget_peak()
        for query, instant, told in QUERIES:
            before = self.forget_peak()
            answer = self.ask(query, instant)
            peak = self.peak_mib()
            with self.subTest(query):
                if answer.status != 200:
                    self.assertIn(answer.status, (400, 422, 429, 500, 503), answer.text[:300])
                    self.assertIsNotNone(told, answer.text[:300])
                    self.assertIn(told, answer.text)
                self.assertLess(peak, before + LIMIT_MIB + BESIDE_MIB)
                self.assertLess(before, at_first + KEPT_MIB)
        self.assertTrue(self.pharos.is_ready())


if __name__ == "__main__":
    pt.main()
