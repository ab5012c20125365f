#!/usr/bin/env python3
"""Full disk, budgets, cancellation: what gives way and what goes on."""
import socket
import threading
import time
import urllib.parse

import pharos_test as pt

NOW = int(time.time())
# Sorts 10,800 values at each of 10,000 steps: seconds of work in little memory.
SLOW = {"query": "quantile_over_time(0.5, (vector(1) * time())[3h:1s])", "start": 0, "end": 10000,
        "step": 1}


class BadDays(pt.Case):
    def test_full_disk_stops_ingest_and_nothing_else(self):
        server = self.server()
        server.write([({"__name__": "kept"}, [(NOW * 1000, 5)])])
        self.assertEqual(server.stop(), 0)
        server.sets.append("store.disk_reserve=1000TiB")
        server.start()
        body = pt.snappy(pt.write_request([({"__name__": "kept"}, [(NOW * 1000 + 1, 6)])]))
        answer = server.write_raw(body)
        self.assertEqual(answer.status, 503, answer.text)
        self.assertTrue(answer.headers["Retry-After"])
        self.assertIn("store.disk_reserve", answer.text)
        self.assertEqual(server.query("kept", at=NOW)[0]["value"][1], "5")
        self.assertEqual(server.get("/-/ready").status, 200)
        status = server.get("/api/pharos/v1/status").json()
        self.assertFalse(status["ingest"]["accepting"])
        self.assertIn("disk", status["ingest"]["problem"])
        self.assertEqual(server.stop(), 0)
        server.sets.pop()
        server.start()
        self.assertEqual(server.write_raw(body).status, 204)

    def test_a_peer_that_leaves_cancels_its_query(self):
        server = self.server()
        path = "/prometheus/api/v1/query_range?" + urllib.parse.urlencode(SLOW)
        with socket.create_connection(("127.0.0.1", server.main_port)) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            pt.wait_for("the query to run", lambda: server.metric("pharos_query_active") == 1)
        pt.wait_for("its end", lambda: server.metric("pharos_query_active") == 0)
        self.assertEqual(server.metric("pharos_queries_total", 'result="canceled"'), 1)

    def test_timeout(self):
        server = self.server()
        answer = server.prom("query_range", {**SLOW, "timeout": "100ms"})
        self.assertEqual(answer.status, 503, answer.text[:300])
        self.assertEqual(answer.json()["errorType"], "timeout")

    def test_bombs_are_refused_by_name(self):
        """Queries made to hurt end at a limit that the answer names, and the server stays small."""
        server = self.server("limits.query.memory=32MiB", "limits.query.samples=5000000")
        server.write([({"__name__": "m", "i": str(i), "j": "a" * 40},
                       [((NOW - 3600 + k * 15) * 1000, i + k) for k in range(240)])
                      for i in range(500)])
        hour = {"start": NOW - 3600, "end": NOW, "step": 0.4}
        memory, samples = "(limits.query.memory)", "(limits.query.samples)"
        for query, params, status, words in (
                ("m", {**hour, "step": 0.1}, 400, "11,000 points"),
                ("m", {**hour, "step": 0.1}, 400, "limits.query.points"),
                ("m", hour, 422, memory),
                ("m + on (i) m", hour, 422, memory),
                ("count_values('v', m)", hour, 422, memory),
                ("sort(label_replace(m, 'k', '$1$1$1$1', 'j', '(.*)'))", hour, 422, memory),
                ("max_over_time(m[1y:1ms])", {"time": NOW}, 422, samples),
                ("max_over_time(m[900s:1ms])", {"time": NOW}, 422, memory),
                ("max_over_time(max_over_time(vector(time())[9d:1s])[900000s:1s])", {"time": NOW},
                 422, memory),
                ("(" * 300 + "m" + ")" * 300, {"time": NOW}, 400, "nested too deeply (200 levels"),
                ("-" * 300 + "m", {"time": NOW}, 400, "nested too deeply (200 levels"),
                ("+".join(["m"] * 1100), {"time": NOW}, 400, "too many operators (1000"),
                ("m{i=~'((x{1,100}){1,100}){1,100}'}", {"time": NOW}, 400, "too large"),
                ("stddev_over_time(vector(time())[2d:1s])", {**hour, "timeout": "200ms"}, 503,
                 "(limits.query.timeout)"),
                ("quantile_over_time(0.5, vector(time())[2d:1s])", {"time": NOW, "timeout": "1ms"}, 503,
                 "(limits.query.timeout)")):
            with self.subTest(query[:60]):
                answer = server.prom("query_range" if "step" in params else "query",
                                     {"query": query, **params})
                self.assertEqual(answer.status, status, answer.text[:300])
                self.assertIn(words, answer.json()["error"])
        # Backtracking is bounded: this ends, with whatever series it has matched.
        self.assertEqual(server.prom("query", {"query": "m{j=~'((((a+)+)+)+)+b'}",
                                               "time": NOW}).status, 200)
        with open(f"/proc/{server.process.pid}/status") as f:
            peak_kib = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        self.assertLess(peak_kib, 400 << 10)
        self.assertEqual(len(server.query("m", at=NOW)), 500)

    def test_budgets(self):
        server = self.server("limits.query.samples=1000", "limits.query.series=50")
        server.write([({"__name__": "m", "i": str(i)},
                       [((NOW - 100 + k) * 1000, i) for k in range(30)]) for i in range(60)])
        answer = server.prom("query", {"query": "m", "time": NOW})
        self.assertEqual(answer.status, 422)
        self.assertIn("limits.query.series", answer.json()["error"])
        answer = server.prom("query_range", {"query": 'm{i=~".."}', "start": NOW - 100,
                                             "end": NOW - 60, "step": 1})
        self.assertEqual(answer.status, 422)
        self.assertIn("limits.query.samples", answer.json()["error"])
        self.assertEqual(len(server.query('m{i="7"}', at=NOW)), 1)

    def test_memory_budget(self):
        server = self.server("limits.query.memory=1MiB")
        answer = server.prom("query", {"query": "count_over_time((vector(1))[10d:1s])"})
        self.assertEqual(answer.status, 422, answer.text[:300])
        self.assertIn("limits.query.memory", answer.json()["error"])
        self.assertEqual(server.query("1 + 1")[1], "2")

    def test_all_memory_taken_by_others(self):
        """A query that finds nothing left is refused by name; it does not end the server."""
        server = self.server("limits.query.memory_total=1MiB", "limits.query.memory=1MiB",
                             "limits.query.concurrency=20")
        stop, large, small = time.monotonic() + 2, [], []

        def ask(query, answers):
            while time.monotonic() < stop:
                answers.append(server.prom("query", {"query": query}))

        threads = [threading.Thread(target=ask, args=a) for a in
                   [("quantile_over_time(0.5, vector(1)[20000s:1s])", large)] * 6 +
                   [(" + ".join(["sum by (a, b) (rate(x{y=~\"z.*\"}[5m]))"] * 20), small)] * 4]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for answer in large + small:
            if answer.status != 200:
                self.assertIn("limits.query.memory", answer.json()["error"])
        self.assertTrue(any(a.status != 200 for a in large + small))
        self.assertEqual(server.query("1 + 1")[1], "2")


if __name__ == "__main__":
    pt.main()
