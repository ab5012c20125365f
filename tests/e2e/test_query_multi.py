#!/usr/bin/env python3
"""Many queries in one request: answers as lines, the same numbers as the Prometheus door gives, errors
of one query left to that query, identical ones computed once, cancellation."""
import http.client
import json
import socket
import time
import urllib.parse
import zlib

import pharos_test as pt

STEP = 15
COUNT = 240
URL = "/api/pharos/v1/query"


class Multi(pt.Case):
    def setUp(self):
        super().setUp()
        self.one = self.server(doors=False)
        self.end = int(time.time()) // 60 * 60
        self.start = self.end - STEP * COUNT
        series = []
        for n in range(4):
            points = [((self.start + i * STEP) * 1000, float(i * (n + 1))) for i in range(COUNT + 1)
                      if not (n == 3 and 40 <= i < 120)]
            series.append(({"__name__": "m", "n": str(n)}, points, [({"trace_id": f"t{n}"}, points[5][0], 5.0)]))
        self.one.write(series)

    def ask(self, queries, status=200, **more):
        body = {"from": self.start * 1000, "to": self.end * 1000, "queries": queries, **more}
        answer = self.one.post(URL, json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, status, answer.text)
        if status != 200:
            return answer.json()
        self.assertEqual(answer.headers["Content-Type"].split(";")[0], "application/x-ndjson")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        self.assertTrue(lines[-1]["done"])
        self.assertEqual(len(lines), len(queries) + 1)
        return {line["id"]: line for line in lines[:-1]}

    def columns(self, line):
        """The answer in the form of query_range."""
        grid, out = line["grid"], []
        special = {"NaN": "NaN", "+Inf": "+Inf", "-Inf": "-Inf"}
        for s in line["series"]:
            values = [(grid["start"] + (s["first"] + i) * grid["step"], v)
                      for i, v in enumerate(s["values"]) if v is not None]
            out.append((s["labels"], [(t / 1000, special[v] if v in special else float(v)) for t, v in values]))
        return out

    def test_graphite(self):
        """Targets give what /render gives, with tags; different steps come with times of their own."""
        now = self.end
        port, http = pt.free_port(), pt.free_port()
        self.one.stop()
        self.one = self.server(f"doors.graphite_http.listen=127.0.0.1:{http}", f"doors.graphite.listen=127.0.0.1:{port}")
        lines = [f"web.a.cpu {i} {now - 600 + i * 10}" for i in range(60)]
        lines += [f"web.b.cpu {i * 2} {now - 600 + i * 10}" for i in range(60) if i % 7]
        lines += [f"db.io;host=x {i} {now - 600 + i * 60}" for i in range(10)]
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(("\n".join(lines) + "\n").encode())
        render = lambda target, **more: pt.request(f"http://127.0.0.1:{http}/render?" + urllib.parse.urlencode(
            {"target": target, "from": now - 600, "until": now, "format": "json", **more})).json()
        pt.wait_for("all points", lambda: len(render("web.*.cpu")) == 2 and render("seriesByTag('name=db.io')"))
        ask = lambda text, **more: self.ask([{"id": "q", "lang": "graphite", "query": text, **more}],
                                            **{"from": (now - 600) * 1000, "to": now * 1000})["q"]

        def rows(line):
            grid, out = line.get("grid"), []
            for s in line["series"]:
                times = s.get("times") or [grid["start"] + i * grid["step"] for i in range(len(s["values"]))]
                out.append((s["name"], s["labels"], [[v, t // 1000] for t, v in zip(times, s["values"])]))
            return out
        for target in ("web.*.cpu", "alias(sumSeries(web.*.cpu),'all cpu')", "scale(web.a.cpu,0.5)",
                       "seriesByTag('name=db.io')", "movingAverage(web.a.cpu,3)"):
            for step, points in ((10_000, 60), (60_000, 10), (100_000, 6)):
                want = [(s["target"], s["tags"], s["datapoints"]) for s in render(target, maxDataPoints=points)]
                self.assertEqual(rows(ask(target, step_ms=step)), want, (target, step))
        mixed = ask("group(web.a.cpu,seriesByTag('name=db.io'))", step_ms=10_000)
        self.assertNotIn("grid", mixed)
        self.assertEqual(len({len(s["times"]) for s in mixed["series"]}), 2)
        last = ask("web.*.cpu", type="instant")
        self.assertEqual((last["kind"], [s["value"] for s in last["series"]]), ("vector", [59, 118]))
        self.assertTrue(ask("web.*.cpu", limit=1)["truncated"])
        for bad in ("sumSeries(", "nosuch(web.a.cpu)"):
            self.assertEqual(ask(bad)["error"]["type"], "bad_data", bad)
        self.assertEqual(ask("none.*")["series"], [])
        self.assertIn({"lang": "graphite", "door": "graphite"}, self.one.get("/api/pharos/v1/query/languages").json())

    def test_same_numbers_as_query_range(self):
        texts = ["m", "sum(rate(m[1m]))", "m / 0", "m{n=\"3\"}", "avg by (n) (m) > 100", "vector(1)", "1",
                 "m{n=\"none\"}"]
        got = self.ask([{"id": t, "query": t, "step_ms": STEP * 1000} for t in texts])
        for t in texts:
            expected = [(s["metric"], [(float(ts), v if v in ("NaN", "+Inf", "-Inf") else float(v))
                                       for ts, v in s["values"]])
                        for s in self.one.query_range(t, self.start, self.end, STEP)]
            self.assertEqual(self.columns(got[t]), expected, t)
        self.assertEqual(got["m"]["grid"], {"start": self.start * 1000, "step": STEP * 1000, "count": COUNT + 1})
        gap = got["m{n=\"3\"}"]["series"][0]["values"]
        self.assertIn(None, gap)

    def test_kinds(self):
        got = self.ask([{"id": "v", "query": "m{n=\"1\"}", "type": "instant"},
                        {"id": "s", "query": "1 + 1", "type": "instant"},
                        {"id": "t", "query": "\"text\"", "type": "instant"},
                        {"id": "r", "query": "m{n=\"0\"}[1m]", "type": "instant"},
                        {"id": "h", "query": "sum(m)", "from": "now-1h", "to": "now"}])
        self.assertEqual(got["v"]["kind"], "vector")
        self.assertEqual(got["v"]["series"], [{"labels": {"__name__": "m", "n": "1"}, "value": COUNT * 2}])
        self.assertEqual((got["s"]["kind"], got["s"]["value"]), ("scalar", 2))
        self.assertEqual((got["t"]["kind"], got["t"]["value"]), ("string", "text"))
        raw = got["r"]["series"][0]
        self.assertNotIn("grid", got["r"])
        self.assertEqual(raw["times"][-1], self.end * 1000)
        self.assertEqual(raw["values"], [236, 237, 238, 239, 240][-len(raw["values"]):])
        self.assertEqual(got["h"]["grid"]["step"] % 1000, 0)

    def test_errors_stay_with_their_query(self):
        got = self.ask([{"id": "bad", "query": "sum("},
                        {"id": "dup", "query": "label_replace(m, \"n\", \"x\", \"\", \"\")", "type": "instant"},
                        {"id": "lang", "lang": "sql", "query": "select 1"},
                        {"id": "points", "query": "m", "step_ms": 1},
                        {"id": "back", "query": "m", "from": 2000, "to": 1000},
                        {"id": "good", "query": "count(m)", "type": "instant"}])
        self.assertEqual(got["bad"]["error"]["type"], "bad_data")
        self.assertEqual(got["bad"]["error"]["status"], 400)
        self.assertIn("1:5: parse error", got["bad"]["error"]["message"])
        self.assertEqual(got["dup"]["error"]["type"], "execution")
        self.assertEqual(got["lang"]["error"]["type"], "not_found")
        self.assertIn("11,000 points", got["points"]["error"]["message"])
        self.assertIn("before", got["back"]["error"]["message"])
        self.assertEqual(got["good"]["series"][0]["value"], 4)

    def test_requests_that_are_no_good(self):
        for body, words in (({"queries": 1}, "list"), ({"queries": [1]}, "queries[0]: a query is an object"),
                            ({"queries": [{"id": "a"}]}, "\"query\""),
                            ({"queries": [{"id": "a", "query": "m", "step_ms": "x"}]}, "step_ms"),
                            ({"queries": [{"id": "a", "query": "m", "type": "x"}]}, "range or instant"),
                            ({"queries": [{"id": "a", "query": "m", "from": "yesterday"}]}, "now-1h"),
                            ({"queries": [{"id": str(i), "query": "m"} for i in range(1001)]}, "1000")):
            answer = self.one.post(URL, json.dumps(body).encode(), headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 400, answer.text)
            self.assertIn(words, answer.json()["error"])
        self.assertEqual(self.one.post(URL, b"{}", headers={"Content-Type": "text/plain"}).status, 400)

    def test_twins_are_computed_once(self):
        q = {"query": "sum(m)", "step_ms": STEP * 1000}
        got = self.ask([{"id": "a", **q}, {"id": "b", **q}, {"id": "c", **q, "step_ms": 30000}])
        self.assertEqual(got["b"], {"id": "b", "same_as": "a"})
        self.assertIn("grid", got["c"])

    def test_limit_stats_explain_exemplars(self):
        got = self.ask([{"id": "l", "query": "m", "limit": 2, "step_ms": STEP * 1000},
                        {"id": "x", "query": "m", "exemplars": True, "step_ms": 60000}], stats=True)
        self.assertEqual((len(got["l"]["series"]), got["l"]["truncated"]), (2, True))
        self.assertGreater(got["l"]["stats"]["samples"], 100)
        self.assertGreater(got["l"]["stats"]["seconds"], 0)
        self.assertEqual([(e["labels"]["n"], e["exemplars"][0]["labels"]) for e in got["x"]["exemplars"]],
                         [(str(n), {"trace_id": f"t{n}"}) for n in range(4)])
        plan = self.ask([{"id": "p", "query": "sum(rate(m[5m]))"}], explain=True)["p"]
        self.assertIn("plan", plan)
        self.assertNotIn("series", plan)

    def test_times_are_aligned(self):
        off = self.start * 1000 + 7321
        got = self.ask([{"id": "a", "query": "m", "from": off, "step_ms": 60000},
                        {"id": "b", "query": "m", "from": off, "step_ms": 60000, "align": False}])
        self.assertEqual(got["a"]["grid"]["start"] % 60000, 0)
        self.assertEqual(got["b"]["grid"]["start"], off)

    def test_many_queries(self):
        queries = [{"id": str(i), "query": f"sum(m) + {i}", "type": "instant"} for i in range(300)]
        got = self.ask(queries)
        base = sum(COUNT * (n + 1) for n in range(4))
        self.assertEqual([got[str(i)]["series"][0]["value"] for i in range(300)], [base + i for i in range(300)])

    def slow(self, steps=2000):
        """One that takes a while, and longer by steps."""
        return {"query": "quantile_over_time(0.5, vector(time())[6h:1s])", "step_ms": 1000,
                "from": (self.end - steps) * 1000}

    def connect(self, queries, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.one.main_port, timeout=60)
        body = json.dumps({"from": self.start * 1000, "to": self.end * 1000, "queries": queries})
        c.request("POST", URL, body, {"Content-Type": "application/json", **headers})
        return c

    def test_answers_come_as_they_are_done(self):
        """The quick one's line is there while the slow one is still computed, compressed or not."""
        for coding in (None, "gzip"):
            c = self.connect([{"id": "slow", **self.slow()}, {"id": "quick", "query": "1", "type": "instant"}],
                             **({"Accept-Encoding": coding} if coding else {}))
            answer = c.getresponse()
            unzip, first = zlib.decompressobj(31), b""
            self.assertEqual(answer.headers["Content-Encoding"], coding)
            while b"\n" not in first:
                part = answer.read1()
                first += unzip.decompress(part) if coding else part
            self.assertEqual(self.one.metric("pharos_query_active"), 1)  # the slow one goes on
            self.assertEqual(json.loads(first.splitlines()[0])["id"], "quick")
            c.close()
        self.wait_idle()

    def wait_idle(self):
        pt.wait_for("the cancelled queries to end", lambda: self.one.metric("pharos_query_active") == 0)

    def test_a_client_that_goes_cancels(self):
        c = self.connect([{"id": str(i), **self.slow(500), "limit": i} for i in range(50)])
        pt.wait_for("the queries to run", lambda: self.one.metric("pharos_query_active"))
        before = self.one.cpu_seconds()
        c.close()
        self.wait_idle()
        self.assertLess(self.one.cpu_seconds() - before, 15)

    def test_timeout(self):
        got = self.ask([{"id": "slow", **self.slow(500), "timeout_ms": 1}])
        self.assertEqual(got["slow"]["error"]["type"], "timeout")

    def test_languages(self):
        self.assertIn({"lang": "promql", "door": "prometheus"},
                      self.one.get("/api/pharos/v1/query/languages").json())


if __name__ == "__main__":
    pt.main()
