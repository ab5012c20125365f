#!/usr/bin/env python3
"""What a query of Loki's door answers when a limit is reached and a part is wanted; answers as protobuf;
several tenants at once; statistics."""
import json
import time

import pharos_test as pt
from protobuf import double, read
from test_loki import Case as LokiCase, S, push_json

PROTOBUF = "application/vnd.google.protobuf"


def pairs(messages):
    return {read(m)[1][0].decode(): read(m)[2][0].decode() for m in messages}


class Partial(LokiCase):
    LINES = 200000

    def setUp(self):
        pt.Case.setUp(self)
        self.pharos = self.server("telemetry.interval=1h", "limits.logs.scan_rows=70000",
                                  "threads.workers=2", doors=False)
        self.url = self.pharos.url + "/loki"
        self.now = time.time_ns()
        self.begin = self.now // (60 * S) * 60 * S - 3600 * S
        # A limit is looked at between two pieces of the log, which have some 65,000 rows in memory.
        for first in range(0, self.LINES, 20000):
            self.push(push_json([({"app": "x"}, [
                (self.begin + i * 3600 * S // self.LINES, f"n={i} {'even' if i % 2 == 0 else 'odd'}", {})
                for i in range(first, first + 20000)])]))

    def test_parts_of_answers(self):
        self.check_lines()
        self.check_numbers()
        self.check_samples()
        self.check_many_queries_in_one_request()

    def check_lines(self):
        """The newest ones, whole up to a time that is told."""
        asked = {"query": '{app="x"} | logfmt | n=~"[0-9]+" |= "even"', "limit": 100000,
                 "start": self.begin - S, "end": self.now}
        self.assertIn("limits.logs.scan_rows", self.ask("query_range", asked, expect=400))
        for more in ({"params": {"partial_response": "true"}},
                     {"headers": {"X-Pharos-Partial-Response": "true"}}):
            answer = self.ask("query_range", {**asked, **more.get("params", {})},
                              **more.get("headers", {}))
            self.assertEqual(len(answer["warnings"]), 1)
            self.assertRegex(answer["warnings"][0],
                             r"^partial answer: the query looks at more than 70000 rows "
                             r"\(limits.logs.scan_rows\); lines up to \S+ may be missing$")
            got = sorted(int(v[1].split()[0][2:]) for s in answer["data"]["result"] for v in s["values"])
            self.assertGreater(len(got), 100)
            self.assertLess(len(got), self.LINES // 2)
            self.assertEqual(got, list(range(self.LINES - 2 * len(got), self.LINES, 2)))
        forward = self.ask("query_range", {**asked, "direction": "forward", "partial_response": 1})
        self.assertRegex(forward["warnings"][0], r"lines from \S+ on may be missing$")
        got = sorted(int(v[1].split()[0][2:]) for s in forward["data"]["result"] for v in s["values"])
        self.assertEqual(got, list(range(0, 2 * len(got), 2)))
        self.ask("query_range", {**asked, "partial_response": "maybe"}, expect=400)

    def check_numbers(self):
        """Steps that are there are exact."""
        asked = {"query": 'sum(count_over_time({app="x"} |~ "e.en" [10m]))', "step": "60s",
                 "start": self.begin, "end": self.begin + 3600 * S, "partial_response": "true"}
        self.ask("query_range", {**asked, "partial_response": "false"}, expect=400)
        answer = self.ask("query_range", asked)
        self.assertRegex(answer["warnings"][0], r"steps before \S+ are left out, the others are exact$")
        (series,) = answer["data"]["result"]
        self.assertLess(len(series["values"]), 61)
        self.assertEqual(series["values"][-1][0] * S, self.begin + 3600 * S)
        per_step = self.LINES // 6 / 2
        for t, v in series["values"]:
            self.assertAlmostEqual(int(v), per_step, delta=1, msg=t)
        # Of an instant the window cannot be whole.
        instant = self.ask("query", {"query": 'sum(count_over_time({app="x"} |~ "e.en" [1h]))',
                                     "time": self.begin + 3600 * S, "partial_response": "true"})
        self.assertRegex(instant["warnings"][0], r"the values lack lines up to \S+$")
        self.assertLess(int(instant["data"]["result"][0]["value"][1]), self.LINES // 2)
        absent = self.ask("query", {"query": 'absent_over_time({app="x"} |~ "none" [1h])',
                                    "time": self.begin + 3600 * S, "partial_response": "true"})
        self.assertEqual(absent["data"]["result"], [])

    def check_samples(self):
        """Fields and patterns are of what was read, which is enough for them."""
        asked = {"query": '{app="x"} |= "none of them"', "start": self.begin, "end": self.now}
        self.ask("detected_fields", asked, expect=400)
        answer = self.ask("detected_fields", {**asked, "partial_response": "true"})
        self.assertIn("limits.logs.scan_rows", answer["warnings"][0])
        asked["query"] = '{app="x"}'
        self.ask("patterns", asked, expect=400)
        answer = self.ask("patterns", {**asked, "partial_response": "true"})
        self.assertRegex(answer["warnings"][0], r"lines up to \S+ may be missing$")
        total = sum(n for p in answer["data"] for _, n in p["samples"])
        self.assertTrue(1000 < total < self.LINES, total)

    def check_many_queries_in_one_request(self):
        queries = [{"id": "lines", "lang": "logql", "query": '{app="x"} |~ "e.en" | logfmt', "limit": 100000,
                    "step_ms": 1000, "partial": True},
                   {"id": "numbers", "lang": "logql", "step_ms": 60000, "partial": True,
                    "query": 'count_over_time({app="x"} |~ "e.en" [10m])'},
                   {"id": "sum", "expression": {"type": "reduce", "expression": "numbers", "reducer": "sum"}},
                   {"id": "more", "expression": {"type": "math", "expression": "$sum + 1"}},
                   {"id": "whole", "lang": "logql", "step_ms": 60000,
                    "query": 'count_over_time({app="x"} |~ "e.en" [10m])'}]
        answer = self.pharos.post("/api/pharos/v1/query", json.dumps({
            "from": self.begin // 10 ** 6, "to": self.begin // 10 ** 6 + 3600000,
            "queries": queries}).encode(), headers={"Content-Type": "application/json"})
        got = {line["id"]: line for line in map(json.loads, answer.text.splitlines()) if "id" in line}
        self.assertIn("partial answer", got["lines"]["warnings"][0])
        self.assertIn("steps before", got["numbers"]["warnings"][0])
        for id in ("sum", "more"):
            self.assertEqual(got[id]["warnings"], ["query numbers: " + got["numbers"]["warnings"][0]])
        self.assertIn("limits.logs.scan_rows", got["whole"]["error"]["message"])


class Deadline(LokiCase):
    """A millisecond is too short for one thread to look at 65,000 lines; the limit is looked at before
    it goes on with the next ones."""
    LINES = 140000

    def setUp(self):
        pt.Case.setUp(self)
        self.pharos = self.server("telemetry.interval=1h", "limits.query.timeout=1ms", "threads.workers=1", doors=False)
        self.url = self.pharos.url + "/loki"
        self.now = time.time_ns()
        for first in range(0, self.LINES, 20000):
            self.push(push_json([({"app": "x"}, [
                (self.now - (self.LINES - i) * 10 ** 6, f"n={i} and some words more", {})
                for i in range(first, first + 20000)])]))
        self.asked = {"start": self.now - 3600 * S, "end": self.now, "limit": 100000, "step": "60s"}

    def test_the_time_ends(self):
        late = "the query takes longer than it may (limits.query.timeout)"
        lines = {**self.asked, "query": '{app="x"} | logfmt | n=~"[0-9]+"'}
        self.assertIn(late, self.ask("query_range", lines, expect=504))
        answer = self.ask("query_range", {**lines, "partial_response": "true"})
        self.assertIn(late, answer["warnings"][0])
        got = sorted(int(v[1].split()[0][2:]) for s in answer["data"]["result"] for v in s["values"])
        self.assertEqual(got, list(range(self.LINES - len(got), self.LINES)))
        self.assertLess(len(got), self.LINES)
        numbers = {**self.asked, "query": 'sum(count_over_time({app="x"} | logfmt | n=~"[0-9]+" [1h]))'}
        self.ask("query_range", numbers, expect=504)
        answer = self.ask("query_range", {**numbers, "partial_response": "true"})
        self.assertIn(late, answer["warnings"][0])
        instant = {"query": numbers["query"], "time": self.now, "partial_response": "true"}
        answer = self.ask("query", instant)
        self.assertIn(late, answer["warnings"][0])
        self.assertLess(sum(int(s["value"][1]) for s in answer["data"]["result"]), self.LINES)
        self.assertIn(late, self.ask("patterns", {**self.asked, "query": '{app="x"}'}, expect=504))
        answer = self.ask("patterns", {**self.asked, "query": '{app="x"}', "partial_response": "true"})
        self.assertIn(late, answer["warnings"][0])


class Budgets(LokiCase):
    """Time and memory and bytes end in a part of the answer as rows do."""

    def ready(self, *sets):
        self.pharos = self.server("telemetry.interval=1h", *sets, doors=False)
        self.url = self.pharos.url + "/loki"
        self.now = time.time_ns()

    def setUp(self):
        pt.Case.setUp(self)

    def test_memory(self):
        self.ready("limits.query.memory=16MiB")
        count = 60000
        begin = self.now - 600 * S
        for first in range(0, count, 20000):
            self.push(push_json([({"app": "x"}, [(begin + i * 10 ** 6, f"n={i} " + "x" * 200, {})
                                                 for i in range(first, first + 20000)])]))
        asked = {"query": '{app="x"}', "limit": 100000, "start": begin, "end": self.now}
        self.assertIn("limits.query.memory", self.ask("query_range", asked, expect=400))
        answer = self.ask("query_range", {**asked, "partial_response": "true"})
        self.assertIn("limits.query.memory", answer["warnings"][0])
        got = [int(v[1].split()[0][2:]) for s in answer["data"]["result"] for v in s["values"]]
        self.assertGreater(len(got), 1000)
        self.assertEqual(got, list(range(count - 1, count - 1 - len(got), -1)))
        # A series a line.
        numbers = {"query": 'count_over_time({app="x"} | logfmt [10m])', "start": begin, "end": self.now,
                   "step": "60s"}
        self.ask("query_range", numbers, expect=400)
        answer = self.ask("query_range", {**numbers, "partial_response": "true"})
        self.assertIn("limits.query.memory", answer["warnings"][0])
        self.assertEqual(self.ask("labels")["data"], ["app", "service_name"])

    def test_bytes(self):
        self.ready("limits.logs.scan_bytes=64KiB", "threads.workers=2")
        begin = self.now - 600 * S
        for part in range(10):
            self.push(push_json([({"app": "x"}, [
                (begin + (part * 20000 + i) * 10 ** 5, f"line {i * 7919 % 100003} {i * 104729 % 99991}", {})
                for i in range(20000)])]))
        asked = {"query": 'sum(count_over_time({app="x"} |~ "[2-4]$" [1s]))', "start": begin, "end": self.now,
                 "step": "1s"}
        self.assertIn("limits.logs.scan_bytes", self.ask("query_range", asked, expect=400))
        answer = self.ask("query_range", {**asked, "partial_response": "true"})
        self.assertIn("limits.logs.scan_bytes", answer["warnings"][0])


class Protobuf(LokiCase):
    def setUp(self):
        super().setUp()
        self.t = self.now - 600 * S
        self.push(push_json([({"app": "web"}, [(self.t + i, f"a={i}", {"user": f"u{i}"}) for i in range(3)]),
                             ({"app": "db"}, [(self.t + 5, "other", {})])]))

    def proto(self, path, params=(), **headers):
        """The QueryResponse"""
        answer = self.raw(path, params, Accept=PROTOBUF, **headers)
        self.assertEqual(answer.status, 200, answer.text if answer.status != 200 else "")
        self.assertEqual(answer.headers["Content-Type"], PROTOBUF)
        got = read(answer.body)
        self.assertEqual(got[1], [b""])  # google.rpc.Status: OK
        return got

    def raw(self, path, params=(), **headers):
        import urllib.parse
        query = urllib.parse.urlencode(params, doseq=True)
        return pt.request(f"{self.url}/loki/api/v1/{path}?{query}", headers=headers)

    def test_lines(self):
        response = read(self.proto("query_range", {"query": '{app="web"} | logfmt', "limit": 7},
                                   **{"X-Loki-Response-Encoding-Flags": "categorize-labels"})[6][0])
        self.assertEqual((response[1], response[5], response[6], response[7]), ([b"success"], [1], [7], [2]))
        data = read(response[2][0])
        self.assertEqual(data[1], [b"streams"])
        (stream,) = map(read, data[2])
        self.assertEqual(stream[1], [b'{app="web", service_name="web"}'])
        entries = [read(e) for e in stream[2]]
        self.assertEqual([e[2][0] for e in entries], [b"a=2", b"a=1", b"a=0"])
        ts = read(entries[2][1][0])
        self.assertEqual(ts[1][0] * S + ts.get(2, [0])[0], self.t)
        self.assertEqual(pairs(entries[0][3]), {"user": "u2", "detected_level": "unknown"})
        self.assertEqual(pairs(entries[0][4]), {"a": "2"})
        summary = read(read(response[8][0])[1][0])
        self.assertEqual(summary[8], [3])
        merged = read(read(self.proto("query_range", {"query": '{app="db"}'})[6][0])[2][0])
        self.assertEqual(read(merged[2][0])[1],
                         [b'{app="db", detected_level="unknown", service_name="db"}'])

    def test_numbers(self):
        prom = read(self.proto("query", {"query": 'sum by (app) (count_over_time({app=~".+"}[1h]))',
                                         "time": self.now})[5][0])
        response = read(prom[1][0])
        data = read(response[2][0])
        self.assertEqual((response[1], data[1]), ([b"success"], [b"vector"]))
        got = {}
        for series in map(read, data[2]):
            (sample,) = map(read, series[2])
            got[pairs(series[1])["app"]] = (double(sample[1][0]), sample[2][0])
        self.assertEqual(got, {"web": (3.0, self.now // 10 ** 6), "db": (1.0, self.now // 10 ** 6)})
        data = read(read(read(self.proto("query_range", {
            "query": 'sum(count_over_time({app="web"}[1h]))', "start": self.now - 60 * S, "end": self.now,
            "step": "30s"})[5][0])[1][0])[2][0])
        self.assertEqual(data[1], [b"matrix"])
        self.assertEqual([double(read(p)[1][0]) for p in read(data[2][0])[2]], [3.0] * 3)
        scalar = read(read(read(self.proto("query", {"query": "1+1"})[5][0])[1][0])[2][0])
        self.assertEqual(scalar[1], [b"scalar"])
        self.assertEqual(double(read(read(scalar[2][0])[2][0])[1][0]), 2.0)

    def test_labels_series_and_index(self):
        labels = read(self.proto("labels")[3][0])
        self.assertEqual((labels[1], labels[2]), ([b"success"], [b"app", b"service_name"]))
        self.assertEqual(read(self.proto("label/app/values")[3][0])[2], [b"db", b"web"])
        series = read(self.proto("series", {"match[]": '{app="web"}'})[2][0])
        self.assertEqual([pairs(read(s)[1]) for s in series[2]], [{"app": "web", "service_name": "web"}])
        stats = read(read(self.proto("index/stats", {"query": '{app="web"}'})[4][0])[1][0])
        self.assertEqual((stats[1], stats[3], stats[4]), ([1], [9], [3]))
        volume = read(read(read(self.proto("index/volume", {"query": '{app="web"}'})[5][0])[1][0])[2][0])
        self.assertEqual(double(read(read(volume[2][0])[2][0])[1][0]), 9.0)

    def test_parquet_is_refused(self):
        for path in ("query_range", "query", "labels", "label/app/values", "series", "index/stats"):
            answer = self.raw(path, {"query": '{app="web"}', "match[]": '{app="web"}'},
                              Accept="application/vnd.apache.parquet")
            self.assertEqual(answer.status, 400, path)
            self.assertIn("Parquet", answer.text)


class Tenants(LokiCase):
    def setUp(self):
        super().setUp()
        self.t = self.now - 600 * S
        for tenant in ("a", "b", "c"):
            self.push(push_json([({"app": "x"}, [(self.t + i * S, f"{tenant}{i} n={i}", {}) for i in range(50)]),
                                 ({"app": tenant, "__tenant_id__": "own"} if tenant == "b" else {"app": tenant},
                                  [(self.t, f"only {tenant}", {})])]), **{"X-Scope-OrgID": tenant})
        self.both = {"X-Scope-OrgID": "b|a|b"}

    def lines_of(self, query, headers, **params):
        data = self.ask("query_range", {"query": query, "limit": 1000, **params}, **headers)["data"]
        return [(s["stream"], int(v[0]), v[1]) for s in data["result"] for v in s["values"]]

    def test_lines_of_several(self):
        got = self.lines_of('{app="x"} | logfmt', self.both)
        self.assertEqual({line.split()[0] for _, _, line in got},
                         {f"{t}{i}" for t in "ab" for i in range(50)})
        self.assertEqual({s["__tenant_id__"] for s, _, line in got if line[0] == "a"}, {"a"})
        # newest first over all of them
        newest = self.lines_of('{app="x"} | keep app', self.both, limit=5)
        self.assertEqual(sorted(ns for _, ns, _ in newest), [self.t + i * S for i in (47, 48, 48, 49, 49)])
        for query, expect in (('{app="x", __tenant_id__="a"}', {"a"}), ('{app="x", __tenant_id__!="a"}', {"b"}),
                              ('{app="x"} | __tenant_id__="b"', {"b"}),
                              ('{app="x"} | __tenant_id__=~"a|b" |= "n=3"', {"a", "b"}),
                              ('{app="x"} | __tenant_id__="c"', set()), ('{__tenant_id__="a"}', {"a", "o"})):
            self.assertEqual({line[0] for _, _, line in self.lines_of(query, self.both)}, expect, query)
        own = self.lines_of('{app="b"}', self.both)
        self.assertEqual((own[0][0]["__tenant_id__"], own[0][0]["original___tenant_id__"]), ("b", "own"))
        # one name, once or twice, is that tenant alone
        self.assertNotIn("__tenant_id__", self.lines_of('{app="x"}', {"X-Scope-OrgID": "a|a"})[0][0])

    def test_numbers_of_several(self):
        for query, expect in (
                ('sum by (__tenant_id__) (count_over_time({app="x"}[1h]))', {"a": 50, "b": 50}),
                ('sum by (__tenant_id__) (count_over_time({app="x"} |= "n=1" [1h]))', {"a": 11, "b": 11}),
                ('max by (__tenant_id__) (max_over_time({app="x"} | logfmt | unwrap n [1h]))',
                 {"a": 49, "b": 49})):
            data = self.ask("query", {"query": query, "time": self.now}, **self.both)["data"]["result"]
            self.assertEqual({r["metric"]["__tenant_id__"]: float(r["value"][1]) for r in data}, expect)
        total = self.ask("query", {"query": 'sum(count_over_time({app="x"}[1h]))', "time": self.now},
                         **self.both)["data"]["result"]
        self.assertEqual(total[0]["value"][1], "100")

    def test_labels_and_volumes_of_several(self):
        self.assertIn("__tenant_id__", self.ask("labels", **self.both)["data"])
        self.assertEqual(self.ask("label/__tenant_id__/values", **self.both)["data"], ["a", "b"])
        self.assertEqual(self.ask("label/app/values", **self.both)["data"], ["a", "b", "x"])
        self.assertEqual(self.ask("label/app/values", {"query": '{__tenant_id__="a"}'}, **self.both)["data"],
                         ["a", "x"])
        series = self.ask("series", {"match[]": '{app="x"}'}, **self.both)["data"]
        self.assertEqual([s["__tenant_id__"] for s in series], ["a", "b"])
        self.assertEqual(self.ask("index/stats", {"query": '{app="x"}'}, **self.both)["entries"], 100)
        volume = self.ask("index/volume", {"query": '{app="x"}', "targetLabels": "__tenant_id__"},
                          **self.both)["data"]["result"]
        self.assertEqual([r["metric"] for r in volume], [{"__tenant_id__": "a"}, {"__tenant_id__": "b"}])
        patterns = self.ask("patterns", {"query": '{app="x"}'}, **self.both)["data"]
        self.assertEqual(sum(n for p in patterns for _, n in p["samples"]), 100)
        fields_ = self.ask("detected_fields", {"query": '{app="x"}'}, **self.both)["fields"]
        self.assertEqual({f["label"]: f["cardinality"] for f in fields_}["n"], 50)

    def test_what_changes_something_takes_one(self):
        self.push(push_json([({"app": "x"}, [(self.now, "l", {})])]), expect=400, **self.both)
        answer = pt.request(self.url + "/loki/api/v1/delete?query=%7Bapp%3D%22x%22%7D&start=1", method="POST",
                            body=b"", headers=self.both)
        self.assertEqual(answer.status, 400)
        self.ask("rules", expect=400, **self.both)
        for bad in ("a|", "|a", "a|b/c", "|"):
            self.ask("labels", expect=400, **{"X-Scope-OrgID": bad})


class Statistics(LokiCase):
    def test_figures_are_true(self):
        t = self.now - 600 * S
        self.push(push_json([({"app": "x"}, [(t + i, f"line {i}", {}) for i in range(1000)])]))
        data = self.ask("query_range", {"query": '{app="x"} |= "line 7" | logfmt', "limit": 10})["data"]
        stats = data["stats"]
        self.assertEqual(stats["summary"]["totalEntriesReturned"], 10)
        self.assertEqual(stats["summary"]["totalLinesProcessed"], 1000)
        self.assertGreaterEqual(stats["summary"]["totalBytesProcessed"], 1000 * 6)
        self.assertGreater(stats["summary"]["execTime"], 0)
        self.assertEqual(stats["ingester"]["store"]["chunk"]["headChunkLines"]
                         + stats["querier"]["store"]["chunk"]["decompressedLines"], 1000)
        data = self.ask("query", {"query": 'sum(count_over_time({app="x"} |= "7" [1h]))', "time": self.now})["data"]
        self.assertEqual(data["stats"]["summary"]["totalLinesProcessed"], 1000)


if __name__ == "__main__":
    pt.main()
