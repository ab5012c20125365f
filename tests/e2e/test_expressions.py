#!/usr/bin/env python3
"""Expressions among many queries in one request: over every language, in any order, hidden inputs, what is wrong and
where it is said, and the same answers as /api/ds/query gives."""
import http.client
import json
import random
import time

import pharos_test as pt

STEP = 15
URL = "/api/pharos/v1/query"


def gt(limit):
    return [{"evaluator": {"type": "gt", "params": [limit]}}]


class Expressions(pt.Case):
    def setUp(self):
        super().setUp()
        self.one = self.server(doors=False)
        self.end = int(time.time()) // 60 * 60
        self.start = self.end - 300
        self.one.write([({"__name__": "m", "n": str(n)}, [((self.end - i * STEP) * 1000, float(n)) for i in range(40)])
                        for n in range(3)])

    def lines(self, queries, status=200, **more):
        body = {"from": self.start * 1000, "to": self.end * 1000, "queries": queries, **more}
        answer = self.one.post(URL, json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, status, answer.text)
        if status != 200:
            return answer.json()
        lines = [json.loads(line) for line in answer.text.splitlines()]
        self.assertTrue(lines[-1]["done"])
        return lines[:-1]

    def ask(self, *queries, **more):
        lines = self.lines(list(queries), **more)
        got = {line["id"]: line for line in lines}
        self.assertEqual(len(got), len(lines))
        return got

    def query(self, id, text, **more):
        return {"id": id, "query": text, "step_ms": STEP * 1000, **more}

    def math(self, id, text, **more):
        return {"id": id, "expression": {"type": "math", "expression": text}, **more}

    def expr(self, id, kind, of="A", more=None, **fields):
        return {"id": id, "expression": {"type": kind, "expression": of, **fields}, **(more or {})}

    def values(self, line):
        """By labels: the values of a series on its grid, or the number."""
        self.assertNotIn("error", line)
        return {tuple(sorted(s["labels"].items())): s.get("values", s.get("value")) for s in line["series"]}

    def n(self, *values):
        return {(("__name__", "m"), ("n", str(i))): v for i, v in enumerate(values)}

    def test_every_kind(self):
        a = self.query("A", "m", hide=True)
        got = self.ask(
            self.math("math", "$A * 10 + ${B} ** 2"), a, self.query("B", "sum(m) + 1", type="instant", hide=True),
            self.expr("mean", "reduce", reducer="mean"), self.expr("over", "threshold", "$mean", conditions=gt(0.5)),
            self.expr("again", "resample", window="1m", downsampler="sum", upsampler="fillna"),
            self.expr("gaps", "resample", window="10s", downsampler="last", upsampler="fillna"),
            self.math("logic", "!($mean > 0) || is_inf($mean / 0) && $mean == 2"), self.math("odd", "$mean / 0"),
            self.math("nothing", "$mean + null()"),
            {"id": "classic", "expression": {"type": "classic_conditions", "conditions": [
                {"evaluator": {"type": "gt", "params": [5]}, "query": {"params": ["A"]}, "reducer": {"type": "max"}},
                {"evaluator": {"type": "within_range", "params": [3, 5]}, "operator": {"type": "or"},
                 "query": {"params": ["B"]}, "reducer": {"type": "last"}}]}},
            self.query("N", "nothing", hide=True), self.math("empty", "$N + 1"), self.math("scalar", "2 * -3 % 4 - inf()"))
        self.assertEqual(set(got), {"math", "mean", "over", "again", "gaps", "logic", "odd", "nothing", "classic", "empty",
                                    "scalar"})
        count = 300 // STEP + 1
        self.assertEqual(self.values(got["math"]), self.n([16] * count, [26] * count, [36] * count))
        self.assertEqual((got["math"]["kind"], got["math"]["grid"]),
                         ("matrix", {"start": self.start * 1000, "step": STEP * 1000, "count": count}))
        self.assertEqual((got["mean"]["kind"], got["mean"]["time"]), ("vector", self.end * 1000))
        self.assertEqual(self.values(got["mean"]), self.n(0, 1, 2))
        self.assertEqual(self.values(got["over"]), self.n(0, 1, 1))
        self.assertEqual(self.values(got["again"]), self.n([0] * 6, [1] + [4] * 5, [2] + [8] * 5))
        self.assertEqual(got["again"]["grid"], {"start": self.start * 1000, "step": 60000, "count": 6})
        self.assertEqual(self.values(got["gaps"])[(("__name__", "m"), ("n", "1"))][:7], [1, None, 1, 1, None, 1, 1])
        self.assertEqual(self.values(got["logic"]), self.n(1, 0, 1))
        self.assertEqual(self.values(got["odd"]), self.n("NaN", "+Inf", "+Inf"))
        self.assertEqual(self.values(got["nothing"]), self.n(None, None, None))
        self.assertEqual(self.values(got["classic"]), {(): 1})
        self.assertEqual((got["empty"]["kind"], got["empty"]["series"]), ("vector", []))
        self.assertEqual((got["scalar"]["kind"], got["scalar"]["value"]), ("scalar", "-Inf"))

    def test_every_language(self):
        send = lambda path, body: self.assertLess(pt.request(
            self.one.url + path, "POST", json.dumps(body).encode(), {"Content-Type": "application/json"}).status, 300)
        base = self.end - 100
        send("/loki/api/v1/push", {"streams": [
            {"stream": {"app": a}, "values": [[f"{base + i}000000123", f"line {i}"] for i in range(3)]} for a in ("x", "y")]})
        send("/zipkin/api/v2/spans", [
            {"traceId": f"{i:032x}", "id": f"{i:016x}", "name": f"op{i}", "timestamp": (base + i) * 10**6,
             "duration": 1500, "localEndpoint": {"serviceName": "svc"}} for i in (1, 2, 3)])
        logs = {"id": "L", "lang": "logql", "query": "sum by (app) (count_over_time({app=~`.+`}[1m]))", "step_ms": 60000}
        got = self.ask(
            {**logs, "hide": True}, {**logs, "id": "I", "type": "instant", "query": "sum(count_over_time({app=~`.+`}[5m]))"},
            {"id": "T", "lang": "traceql", "query": "{} | count_over_time()", "step_ms": 60000, "hide": True},
            {"id": "G", "lang": "graphite", "query": "aliasByTags(seriesByTag('name=m'),'n')", "step_ms": 60000},
            {"id": "P", "query": "sum(m)", "type": "instant"},
            self.expr("logs", "reduce", "L", reducer="sum", settings={"mode": "dropNN"}),
            self.expr("spans", "reduce", "T", reducer="sum"), self.expr("points", "reduce", "G", reducer="max"),
            self.math("all", "$logs * 100 + $P"), self.math("instant", "$I + 1"))
        self.assertEqual(set(got), {"I", "G", "P", "logs", "spans", "points", "all", "instant"})
        self.assertEqual(self.values(got["logs"]), {(("app", "x"),): 3, (("app", "y"),): 3})
        self.assertEqual(set(self.values(got["spans"]).values()), {3})
        self.assertEqual({dict(k)["n"]: v for k, v in self.values(got["points"]).items()}, {"0": 0, "1": 1, "2": 2})
        self.assertEqual(self.values(got["all"]), {(("app", "x"),): 303, (("app", "y"),): 303})
        self.assertEqual(self.values(got["instant"]), {(): 7})
        got = self.ask({"id": "L", "lang": "logql", "query": '{app="x"}', "hide": True},
                       {"id": "S", "lang": "traceql", "query": "{}"}, self.math("a", "$L + 1"), self.math("b", "$S + 1"))
        for id, of in (("a", "L"), ("b", "S")):
            self.assertEqual((got[id]["error"]["type"], got[id]["error"]["status"]), ("bad_data", 400))
            self.assertIn(f"query {of} gives no numbers", got[id]["error"]["message"])

    def test_in_any_order(self):
        chain = [self.math(f"E{i}", f"$E{i - 1} + 1" if i else "$A", hide=i < 199) for i in range(200)]
        for queries in ([*chain, self.query("A", "m")], [self.query("A", "m"), *reversed(chain)]):
            got = self.ask(*queries)
            self.assertEqual(set(got), {"A", "E199"})
            self.assertEqual([v[0] for v in self.values(got["E199"]).values()], [199, 200, 201])
        fan = [self.math(str(i), f"$A + {i}") for i in range(300)]
        got = self.ask(self.query("A", "sum(m)", hide=True), *fan, self.math("sum", " + ".join(f"${i}" for i in range(300))))
        self.assertEqual(self.values(got["sum"])[()][0], 300 * 3 + sum(range(300)))

    def test_any_graph(self):
        """What it has come to, by Python: values, errors of inputs, circles, what is hidden and not wanted."""
        rand = random.Random(7)
        for _ in range(30):
            size = rand.randrange(1, 40)
            refs = {i: rand.sample(range(size), min(size, rand.randrange(3))) if rand.random() < 0.7 else None
                    for i in range(size)}
            if rand.random() < 0.7:  # none in circles
                refs = {i: r and [k for k in r if k < i] for i, r in refs.items()}
            broken = {i for i, r in refs.items() if r is None and rand.random() < 0.1}
            hidden = {i for i in refs if rand.random() < 0.5}

            def reaches(i, to, seen):
                return any(k == to or (k not in seen and (seen.add(k) or reaches(k, to, seen))) for k in refs[i] or ())
            circles = {i for i in refs if reaches(i, i, set())}
            memo = {}

            def value(i):
                if i not in memo:
                    inputs = None if i in broken | circles else [value(k) for k in refs[i] or ()]
                    memo[i] = None if inputs is None or None in inputs else i + sum(inputs)
                return memo[i]
            queries = [{"id": str(i), "type": "instant", "query": "sum(" if i in broken else f"vector({i})", "hide": i in hidden}
                       if refs[i] is None else self.math(str(i), " + ".join([str(i), *(f"${{{k}}}" for k in refs[i])]),
                                                         hide=i in hidden) for i in refs]
            rand.shuffle(queries)
            got = self.ask(*queries)
            self.assertEqual({int(i) for i in got}, set(refs) - hidden)
            for i, line in got.items():
                i = int(i)
                if line.get("same_as"):
                    line = got[line["same_as"]]
                numbers = line.get("series") and line["series"][0]["value"] if line.get("kind") == "vector" else line.get("value")
                self.assertEqual(numbers, value(i), (i, refs, line))
                self.assertEqual("refers to itself" in line.get("error", {}).get("message", "").split(" failed:")[0],
                                 i in circles, (i, refs, line))

    def test_twins_one_of_which_is_hidden(self):
        a, b = self.query("A", "sum(m)"), self.query("B", "sum(m)")
        got = self.ask({**a, "hide": True}, b, self.query("C", "sum(m)"), self.math("X", "$A + $B"))
        self.assertEqual(self.values(got["B"])[()][0], 3)
        self.assertEqual(got["C"], {"id": "C", "same_as": "B"})
        self.assertEqual(self.values(got["X"])[()][0], 6)
        self.assertNotIn("A", got)
        got = self.ask({**a, "hide": True}, {**b, "hide": True}, self.math("X", "$B"))
        self.assertEqual(list(got), ["X"])
        # What is hidden and that nothing is made of is not computed: its error is nobody's.
        self.assertEqual(self.ask(self.query("A", "sum(", hide=True), self.math("X", "1", hide=True)), {})

    def test_scopes_and_refs(self):
        """Panels call their queries A and B; ids are of the request."""
        got = self.ask(self.query("1", "m", ref="A", scope="left"), self.query("2", "m * 100", ref="A", scope="right"),
                       self.expr("3", "reduce", "A", reducer="max", more={"ref": "B", "scope": "left"}),
                       self.expr("4", "reduce", "A", reducer="max", more={"ref": "B", "scope": "right"}),
                       self.math("5", "$B + 1", scope="left"), self.math("6", "$B + 1", scope="right"), self.math("7", "$A"))
        self.assertEqual(list(self.values(got["5"]).values()), [1, 2, 3])
        self.assertEqual(list(self.values(got["6"]).values()), [1, 101, 201])
        self.assertIn("there is no query A", got["7"]["error"]["message"])

    def test_errors(self):
        def message(id, *queries):
            got = self.ask(self.query("A", "m"), *queries)
            self.assertNotIn("error", got["A"])
            self.assertEqual(got[id]["error"]["status"], 400, got[id])
            return got[id]["error"]["message"]
        circle = [self.math("X", "$Y"), self.math("Y", "$Z + $A"), self.math("Z", "$X")]
        self.assertEqual(message("X", *circle), "expression X refers to itself by way of Y, Z")
        self.assertEqual(message("Z", *circle), "expression Z refers to itself by way of X, Y")
        self.assertEqual(message("W", *circle, self.math("W", "$A + $Y")),
                         "query Y failed: expression Y refers to itself by way of Z, X")
        self.assertEqual(message("X", self.math("X", "$X + 1")), "expression X refers to itself")
        self.assertEqual(message("X", self.math("X", "$A + $Q")), "there is no query Q, which an expression refers to")
        for hide in (False, True):
            self.assertIn("query B failed: ", message("X", self.query("B", "sum(", hide=hide), self.math("X", "$A + $B")))
        self.assertIn("parse error", message("X", self.query("B", "sum(", hide=True), self.math("X", "$A + $B")))
        self.assertIn('query B failed: there is no query language "sql"', self.ask(
            {"id": "B", "lang": "sql", "query": "x"}, self.math("X", "$B"))["X"]["error"]["message"])
        for query, words in ((self.math("X", "$A +"), "it ends where"),
                             (self.expr("X", "sql", "SELECT * FROM A"), "expressions in SQL are not evaluated here"),
                             (self.expr("X", "guess"), '"guess" is not known'),
                             (self.expr("X", "reduce", reducer="mode"), "reduction mode not supported"),
                             (self.expr("X", "resample", window="1h", downsampler="sum", upsampler="pad"), "shorter than"),
                             (self.expr("X", "threshold", conditions=[]), "exactly one condition")):
            self.assertIn(words, message("X", query))
        slow = {"query": "quantile_over_time(0.5, vector(time())[6h:1s])", "step_ms": 1000, "timeout_ms": 1}
        self.assertEqual(self.ask({"id": "S", "hide": True, **slow}, self.math("X", "$S"))["X"]["error"]["type"], "timeout")
        for query, words in (({"id": "X", "expression": "$A"}, "is an object"), ({"id": "X"}, '"expression"'),
                             ({"id": "X", "query": "m", "expression": {}}, "not both"),
                             (self.math("X", "1", hide=1), '"hide" is true or false')):
            self.assertIn(words, self.lines([query], status=400)["error"])

    def test_limits_and_options(self):
        got = self.ask(self.query("A", "m", limit=1), self.math("X", "$A + 1", limit=2), stats=True)
        self.assertEqual((len(got["A"]["series"]), len(got["X"]["series"])), (1, 2))
        self.assertEqual((got["A"]["truncated"], got["X"]["truncated"]), (True, True))
        self.assertGreater(got["X"]["stats"]["memory_bytes"], 0)
        got = self.ask(self.query("A", "m", hide=True), self.math("X", "$A + $A"), explain=True)
        self.assertEqual(got, {"X": {"id": "X", "plan": "math of the answers of A"}})
        self.one.stop()
        self.one = self.server("limits.query.memory=1MiB", doors=False)
        self.one.write([({"__name__": "w", "n": str(n)}, [(self.end * 1000, 1.0)]) for n in range(3000)])
        got = self.ask(self.query("A", "w", type="instant", hide=True), self.math("X", "$A + $A * 2 - $A / 3"))
        self.assertIn("limits.query.memory", got["X"]["error"]["message"])

    def test_same_as_ds_query(self):
        kinds = [("math", {"expression": "$A / ($B + 1)"}), ("reduce", {"expression": "A", "reducer": "median"}),
                 ("resample", {"expression": "A", "window": "20s", "downsampler": "mean", "upsampler": "pad"}),
                 ("threshold", {"expression": "A", "conditions": gt(1)})]
        source = {"type": "__expr__", "uid": "__expr__"}
        for kind, fields in kinds:
            got = self.ask(self.query("A", "m + on() group_left() time() % 7", hide=True), self.query("B", "m", hide=True),
                           {"id": "X", "expression": {"type": kind, **fields}})["X"]
            body = {"from": str(self.start * 1000), "to": str(self.end * 1000), "queries": [
                {"refId": r, "expr": t, "hide": True, "intervalMs": STEP * 1000, "datasource": {"type": "prometheus"}}
                for r, t in (("A", "m + on() group_left() time() % 7"), ("B", "m"))]}
            body["queries"].append({"refId": "X", "datasource": source, "type": kind, **fields})
            answer = self.one.post("/api/ds/query", json.dumps(body).encode(), headers={"Content-Type": "application/json"})
            frames = answer.json()["results"]["X"]["frames"]
            want = {tuple(sorted(f["schema"]["fields"][-1]["labels"].items())): f["data"]["values"] for f in frames}
            times = None if got["kind"] == "vector" else [got["grid"]["start"] + i * got["grid"]["step"]
                                                          for i in range(got["grid"]["count"])]
            self.assertEqual({k: [v] if times else [[v]] for k, v in self.values(got).items()},
                             {k: v[-1:] for k, v in want.items()}, kind)
            self.assertTrue(all(v[0] == times for v in want.values()) if times else len(got["series"]) == 3, kind)

    def test_what_is_kept_is_gone_on_with(self):
        """Answers gone on with from a moment ago give expressions the whole range."""
        for back in (120, 60, 0):
            self.end -= back
            a = [self.query("A", "sum(rate(m[1m])) + sum(m)", hide=True)]
            count = self.ask(*a, self.expr("X", "reduce", reducer="count"))["X"]
            total = self.ask(*a, self.expr("X", "reduce", reducer="sum"))["X"]
            points = (self.end - self.start) // STEP + 1
            self.assertEqual((self.values(count)[()], self.values(total)[()]), (points, points * 3))
            self.end += back

    SLOW = {"id": "slow", "query": "quantile_over_time(0.5, vector(time())[6h:1s])", "step_ms": 1000}

    def connect(self, *queries):
        c = http.client.HTTPConnection("127.0.0.1", self.one.main_port, timeout=60)
        c.request("POST", URL, json.dumps({"from": self.start * 1000, "to": self.end * 1000, "queries": queries}),
                  {"Content-Type": "application/json"})
        return c

    def test_comes_before_what_is_slow_and_is_cancelled(self):
        slow = {**self.SLOW, "from": (self.end - 3000) * 1000}
        c = self.connect(slow, self.math("X", "$A * 2"), self.query("A", "m", hide=True), self.math("behind", "$slow"))
        first = c.getresponse().readline()
        self.assertEqual(json.loads(first)["id"], "X")
        self.assertEqual(self.one.metric("pharos_query_active"), 1)  # the slow one goes on
        c.close()
        pt.wait_for("the queries to end", lambda: self.one.metric("pharos_query_active") == 0, 20)
        self.assertEqual(self.values(self.ask(self.query("A", "sum(m)"), self.math("X", "$A"))["X"])[()][0], 3)


if __name__ == "__main__":
    pt.main()
