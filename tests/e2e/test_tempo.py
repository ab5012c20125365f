#!/usr/bin/env python3
"""Tempo's door: traces by id, TraceQL, tags, metrics, with the calls of Grafana's data source."""
import base64
import json
import pathlib
import re
import time
import unittest
import urllib.parse

import pharos_test as pt
from npm_clients import node

S = 10**9
# A second behind a whole minute: spans of 0 to 5 s are in one step of ten.
START = time.time_ns() // (60 * S) * 60 * S - 600 * S + S


def attribute(key, value):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [attribute("", v)["value"] for v in value]}}}
    return {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}


def attributes(**kw):
    return [attribute(k.replace("__", "."), v) for k, v in kw.items()]


def span(trace, span_id, parent, name, start_ms, duration_ms, kind=1, status=0, message="", events=(), links=(),
         **attrs):
    out = {"traceId": f"{trace:032x}", "spanId": f"{span_id:016x}", "name": name, "kind": kind,
           "startTimeUnixNano": str(START + start_ms * 10**6),
           "endTimeUnixNano": str(START + (start_ms + duration_ms) * 10**6),
           "attributes": attributes(**attrs), "status": {"code": status, "message": message},
           "events": list(events), "links": list(links)}
    if parent:
        out["parentSpanId"] = f"{parent:016x}"
    return out


def resource(service, spans, scope="lib", **attrs):
    return {"resource": {"attributes": attributes(service__name=service, **attrs)},
            "scopeSpans": [{"scope": {"name": scope, "version": "1.0"}, "spans": spans}]}


# Trace 1: frontend GET /cart -> (cart get -> db SELECT, db INSERT), auth check. Trace 2 has an error.
TRACES = [
    resource("frontend", [
        span(1, 0x11, 0, "GET /cart", 0, 100, 2, http__status_code=200, http__method="GET", tags=["a", "b"]),
        span(2, 0x21, 0, "POST /order", 5000, 900, 2, 2, "boom", http__status_code=500, http__method="POST",
             events=[{"timeUnixNano": str(START + 5100 * 10**6), "name": "exception",
                      "attributes": attributes(exception__type="Oops")}]),
        span(3, 0x31, 0, "GET /cart", 20000, 50, 2, http__status_code=200, http__method="GET"),
    ], host__name="h1"),
    resource("cart", [
        span(1, 0x12, 0x11, "get", 10, 80, 1, retry=True, ratio=0.5),
        span(2, 0x22, 0x21, "put", 5010, 700, 1, 2, links=[
            {"traceId": f"{1:032x}", "spanId": f"{0x11:016x}", "attributes": attributes(why="cause")}]),
    ]),
    resource("db", [
        span(1, 0x13, 0x12, "SELECT", 20, 30, 3, db__system="pg"),
        span(1, 0x14, 0x12, "INSERT", 60, 10, 3, db__system="pg"),
        span(2, 0x23, 0x22, "SELECT", 5020, 20, 3, db__system="pg"),
    ], scope="driver"),
    resource("auth", [span(1, 0x15, 0x11, "check", 5, 2, 1),
                      span(4, 0x41, 0x40, "lonely", 30000, 1, 1)]),
]


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        self.port = pt.free_port()
        self.server_ = self.server("telemetry.interval=1h", f"doors.tempo.listen=127.0.0.1:{self.port}")
        answer = pt.request(self.server_.url + "/otlp/v1/traces", method="POST",
                            body=json.dumps({"resourceSpans": TRACES}).encode(),
                            headers={"Content-Type": "application/json"})
        self.assertEqual((answer.status, answer.json()), (200, {}))
        self.url = f"http://127.0.0.1:{self.port}"

    def get(self, path, status=200, headers=None, **params):
        answer = pt.request(f"{self.url}{path}?{urllib.parse.urlencode(params)}", headers=headers)
        self.assertEqual(answer.status, status, answer.text)
        return answer

    def search(self, q, **params):
        params.setdefault("start", START // S - 60)
        params.setdefault("end", START // S + 600)
        params.setdefault("spss", 100)
        return self.get("/api/search", q=q, **params).json()["traces"]

    def found(self, q, **params):
        """{trace: [[names of the spans of a spanset, sorted]]}"""
        return {int(t["traceID"], 16): [sorted(s["name"] for s in spans["spans"]) for spans in t["spanSets"]]
                for t in self.search(q, **params)}

    def test_small(self):
        self.assertEqual(self.get("/api/echo").text, "echo")
        self.assertRegex(self.get("/api/status/buildinfo").json()["version"], r"^\d+\.")
        self.assertEqual(self.get("/ready").text, "ready\n")
        self.assertEqual(pt.request(self.server_.url + "/tempo/api/echo").text, "echo")

    def test_trace_by_id(self):
        v1 = self.get("/api/traces/1").json()
        spans = {s["name"]: s for b in v1["batches"] for scope in b["scopeSpans"] for s in scope["spans"]}
        self.assertEqual(set(spans), {"GET /cart", "get", "SELECT", "INSERT", "check"})
        self.assertEqual(base64.b64decode(spans["get"]["parentSpanId"]).hex(), f"{0x11:016x}")
        self.assertEqual(spans["SELECT"]["kind"], "SPAN_KIND_CLIENT")
        v2 = self.get(f"/api/v2/traces/{1:032x}").json()
        self.assertEqual(v2["trace"]["resourceSpans"], v1["batches"])
        proto = {"Accept": "application/protobuf"}
        body1 = self.get("/api/traces/1", headers=proto)
        body2 = self.get("/api/v2/traces/1", headers=proto)
        self.assertEqual(body1.headers["Content-Type"], "application/protobuf")
        self.assertIn(body1.body, body2.body)
        self.assertEqual(body2.body[0], 0x0a)  # TraceByIDResponse.trace
        self.assertIn(b"SELECT", body1.body)
        self.get("/api/traces/ff", 404)
        # A range far away: nothing of the trace is in it.
        self.get("/api/traces/1", 404, start=1000, end=2000)
        self.get("/api/v2/traces/1", start=START // S - 10, end=START // S + 10)
        self.get("/api/v2/traces/1", 400, start=5, end=1)

    def test_spans_of_a_trace(self):
        """Version 2 with a filter: what matches, and how much around it."""
        def names(status="PARTIAL", **params):
            answer = self.get("/api/v2/traces/1", **params).json()
            self.assertEqual(answer.get("status"), status, params)
            return sorted(s["name"] for r in answer["trace"].get("resourceSpans", []) for sc in r["scopeSpans"] for s in sc["spans"])
        everything = ["GET /cart", "INSERT", "SELECT", "check", "get"]
        for params, want in (
                ({"q": '{ name = "SELECT" }'}, ["SELECT"]),
                ({"q": '{ name = "SELECT" }', "keep_hierarchy": "true"}, ["GET /cart", "SELECT", "get"]),
                ({"q": '{ name = "SELECT" }', "keep_hierarchy": "true", "ancestor_depth": 1}, ["SELECT", "get"]),
                ({"q": '{ name = "SELECT" }', "keep_hierarchy": "true", "ancestor_depth": 0}, ["SELECT"]),
                ({"q": '{ name = "get" }', "match_depth": 1}, ["INSERT", "SELECT", "get"]),
                ({"q": '{ nestedSetParent < 0 }', "match_depth": 1}, ["GET /cart", "check", "get"]),
                ({"q": '{ span.db.system = "pg" || kind = client }'}, ["INSERT", "SELECT"]),
                ({"q": '{ name = "nobody" }'}, [])):
            self.assertEqual(names(**params), want, params)
        for params in ({}, {"q": ""}, {"q": "{ }"}, {"q": '{ nestedSetParent < 0 }', "match_depth": -1}):
            self.assertEqual(names(None, **params), everything, params)
        for q in ('{ name = "a" } | count() > 1', '{ name = "a" } > { }', '{} | rate()', '{ traceDuration > 1s }',
                  '{ rootName = "x" }', '{ trace:id = "1" }'):
            self.assertIn("single filter", self.get("/api/v2/traces/1", 400, q=q).text)
        self.assertIn("parse error", self.get("/api/v2/traces/1", 400, q="{ a =").text)
        self.assertIn("match_depth", self.get("/api/v2/traces/1", 400, q="{}", match_depth=-2).text)
        body = self.get("/api/v2/traces/1", q='{ name = "SELECT" }', headers={"Accept": "application/protobuf"}).body
        self.assertTrue(body.endswith(b"\x12\x00\x18\x01"))  # metrics {}, status PARTIAL

    def test_ids(self):
        self.assertIn("32 hexadecimal digits", self.get("/api/traces/xyz", 400).text)

    def test_command_line(self):
        def ask(*args, status=0):
            got = pt.run("query", "--lang", "traceql", "--url", self.url, *args)
            self.assertEqual(got.returncode, status, got.stderr)
            return got.stdout if status == 0 else got.stderr
        times = ("--start", str(START // S - 60), "--end", str(START // S + 600))
        lines = ask(*times, '{ name = "SELECT" }').splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\dT[\d:.]+Z +2 +900 ms +1 spans  frontend: POST /order$")
        self.assertEqual(len(ask(*times, "--limit", "1", "{}").splitlines()), 1)
        self.assertEqual(ask("--start", "1000", "--end", "2000", "{}"), "")
        out = ask(*times, "--step", "700s", "{ } | count_over_time() by (name)").splitlines()
        self.assertIn('{name="SELECT"}', out)
        self.assertRegex(out[out.index('{name="SELECT"}') + 1], r"^  \S+Z  [012]$")
        self.assertIn("parse error at line 1, col 8", ask("{ .a = }", status=1))
        got = pt.run("query", "--lang", "graphite", "--url", self.server_.url + "/graphite", "--start", "-1m", 'constantLine(5)')
        self.assertEqual((got.returncode, got.stdout.split()[-1]), (0, "5.0"), got.stderr)
        self.assertIn("promql, logql, traceql and graphite are", pt.run("query", "--lang", "sql", "x").stderr)

    def test_many_queries_in_one_request(self):
        queries = [
            {"id": "traces", "query": '{ name = "SELECT" }', "limit": 1},
            {"id": "counts", "query": "{ } | count_over_time() by (resource.service.name)", "step_ms": 60000, "exemplars": True},
            {"id": "quantiles", "query": "{ } | quantile_over_time(duration, .5, .9)", "step_ms": 660000},
            {"id": "plan", "query": "{ } | rate()", "explain": True},
            # Steps so long that all spans lie behind the last whole one, whenever this runs.
            {"id": "long", "query": "{ } | count_over_time()", "step_ms": START // 10**6 - 1000},
            {"id": "bad", "query": "{ name = "}, {"id": "instant", "query": "{ } | count_over_time()", "type": "instant"},
            {"id": "no range", "query": "{ }", "type": "instant"}]
        answer = self.server_.post("/api/pharos/v1/query", json.dumps(
            {"from": START // 10**6 - 60000, "to": START // 10**6 + 600000,
             "queries": [{"lang": "traceql", **q} for q in queries]}).encode(), headers={"Content-Type": "application/json"})
        got = {line["id"]: line for line in map(json.loads, answer.text.splitlines()) if "id" in line}
        self.assertEqual(got["traces"]["kind"], "traces")
        (trace,) = got["traces"]["traces"]
        self.assertEqual(trace, self.search('{ name = "SELECT" }', spss=3)[0])
        counts = {s["labels"]["resource.service.name"]: sum(v for v in s["values"] if v) for s in got["counts"]["series"]}
        self.assertEqual(sum(counts.values()), sum(len(x["spans"]) for r in TRACES for x in r["scopeSpans"]))
        self.assertEqual(counts["auth"], 2)
        (exemplar, *_) = [e for e in got["counts"]["exemplars"] if e["labels"] == {"resource.service.name": "auth"}]
        self.assertIn(int(exemplar["exemplars"][0]["labels"]["trace_id"], 16), (1, 4))
        self.assertEqual({s["labels"]["p"] for s in got["quantiles"]["series"]}, {"0.5", "0.9"})
        self.assertEqual(sum(v for s in got["long"]["series"] for v in s["values"] if v), sum(counts.values()))
        self.assertIn("rate", got["plan"]["plan"])
        self.assertIn("parse error", got["bad"]["error"]["message"])
        self.assertEqual(got["no range"]["error"]["type"], "bad_data")
        self.assertEqual(got["instant"]["kind"], "vector")
        self.assertEqual(sum(s["value"] for s in got["instant"]["series"]), sum(counts.values()))

    def test_search_shape(self):
        (trace,) = self.search('{ span.http.status_code = 500 }')
        sets = trace.pop("spanSets")
        self.assertEqual(trace.pop("spanSet"), sets[0])
        self.assertEqual(trace, {
            "traceID": "2", "rootServiceName": "frontend", "rootTraceName": "POST /order",
            "startTimeUnixNano": str(START + 5000 * 10**6), "durationMs": 900,
            "serviceStats": {"cart": {"spanCount": 1, "errorCount": 1}, "db": {"spanCount": 1},
                             "frontend": {"spanCount": 1, "errorCount": 1}}})
        self.assertEqual(sets, [{"matched": 1, "spans": [{
            "spanID": f"{0x21:016x}", "name": "POST /order", "startTimeUnixNano": str(START + 5000 * 10**6),
            "durationNanos": "900000000",
            "attributes": [{"key": "http.status_code", "value": {"intValue": "500"}}]}]}])
        (orphan,) = self.search('{ name = "lonely" }')
        self.assertEqual(orphan["rootTraceName"], "<root span not yet received>")

    def test_filters(self):
        roots = {1: [["GET /cart"]], 2: [["POST /order"]], 3: [["GET /cart"]]}
        for query, want in (
                ('{ nestedSetParent < 0 }', roots),
                ('{ nestedSetParent = -1 }', roots),
                ('{ parent = nil }', roots),
                ('{ kind = server }', roots),
                ('{ span:parentID = "11" }', {1: [["check", "get"]]}),
                ('{ trace:id = "2" && kind = server }', {2: [["POST /order"]]}),
                ('{ status = error }', {2: [["POST /order", "put"]]}),
                ('{ status != unset }', {2: [["POST /order", "put"]]}),
                ('{ statusMessage = "boom" }', {2: [["POST /order"]]}),
                ('{ resource.service.name = "db" && name = "SELECT" }', {1: [["SELECT"]], 2: [["SELECT"]]}),
                ('{ .service.name = "db" && duration < 15ms }', {1: [["INSERT"]]}),
                ('{ .http.status_code >= 500 || name =~ "IN.*" }', {1: [["INSERT"]], 2: [["POST /order"]]}),
                ('{ span.retry }', {1: [["get"]]}),
                ('{ span.ratio > 0.4 && span.ratio * 2 = 1 }', {1: [["get"]]}),
                ('{ .tags = "b" }', {1: [["GET /cart"]]}),
                ('{ .tags =~ "[ab]" }', {1: [["GET /cart"]]}),
                ('{ .tags != "b" }', {}),
                ('{ .http.method != "GET" }', {2: [["POST /order"]]}),
                ('{ .http.method !~ "G.*" }', {2: [["POST /order"]]}),
                ('{ .dne != "x" }', {}), ('{ .dne != .bar }', {}), ('{ nil = nil }', {}),
                ('{ .http.method = nil && kind = server }', {}),
                ('{ .http.method != nil && rootName = "POST /order" }', {2: [["POST /order"]]}),
                ('{ .http.method = 5 }', {}),
                ('{ rootServiceName = "frontend" && traceDuration > 500ms && kind = client }',
                 {2: [["SELECT"]]}),
                ('{ event:name = "exception" }', {2: [["POST /order"]]}),
                ('{ event.exception.type = "Oops" && event:timeSinceStart = 100ms }', {2: [["POST /order"]]}),
                ('{ link.why = "cause" && link:spanID = "11" }', {2: [["put"]]}),
                ('{ instrumentation:name = "driver" && duration = 30ms }', {1: [["SELECT"]]}),
                ('{ childCount = 2 }', {1: [["GET /cart", "get"]]}),
                ('{ parent.retry && parent.resource.service.name = "cart" }', {1: [["INSERT", "SELECT"]]}),
                ('{ nestedSetLeft = 2 && nestedSetRight = 3 }', {1: [["check"]]}),
        ):
            with self.subTest(query=query):
                self.assertEqual(self.found(query), want)

    def test_structure(self):
        for query, want in (
                ('{ name = "get" } > { }', {1: [["INSERT", "SELECT"]]}),
                ('{ kind = server } >> { kind = client }', {1: [["INSERT", "SELECT"]], 2: [["SELECT"]]}),
                ('{ name = "INSERT" } < { }', {1: [["get"]]}),
                ('{ name = "INSERT" } << { }', {1: [["GET /cart", "get"]]}),
                ('{ name = "INSERT" } ~ { }', {1: [["SELECT"]]}),
                ('{ name = "get" } ~ { name = "check" }', {1: [["check"]]}),
                ('{ name = "get" } !> { kind = client }', {2: [["SELECT"]]}),
                ('{ name = "get" } !>> { kind = client }', {2: [["SELECT"]]}),
                ('{ kind = client } !< { kind = internal }', {1: [["check"]], 4: [["lonely"]]}),
                ('{ kind = client } !<< { kind = server }', {3: [["GET /cart"]]}),
                ('{ name = "INSERT" } !~ { name = "SELECT" }', {2: [["SELECT"]]}),
                ('{ name = "get" } &> { name = "INSERT" }', {1: [["INSERT", "get"]]}),
                ('{ kind = server } &>> { name = "INSERT" }', {1: [["GET /cart", "INSERT"]]}),
                ('{ name = "INSERT" } &< { }', {1: [["INSERT", "get"]]}),
                ('{ name = "INSERT" } &<< { kind = server }', {1: [["GET /cart", "INSERT"]]}),
                ('{ name = "INSERT" } &~ { }', {1: [["INSERT", "SELECT"]]}),
                ('{ name = "get" } && { name = "check" }', {1: [["check", "get"]]}),
                ('{ name = "get" } || { name = "put" }', {1: [["get"]], 2: [["put"]]}),
                ('({ name = "get" } || { name = "put" }) > { name = "SELECT" }', {1: [["SELECT"]], 2: [["SELECT"]]}),
        ):
            with self.subTest(query=query):
                self.assertEqual(self.found(query), want)

    def test_pipelines(self):
        for query, want in (
                ('{ kind = client } | count() > 1', {1: [["INSERT", "SELECT"]]}),
                ('{ kind = client } | avg(duration) = 20ms',
                 {1: [["INSERT", "SELECT"]], 2: [["SELECT"]]}),
                ('{ } | max(duration) > 500ms | { kind = client }', {2: [["SELECT"]]}),
                ('{ } | min(.ratio) = 0.5 | count() = 5', {1: [["GET /cart", "INSERT", "SELECT", "check", "get"]]}),
                ('{ kind = client } | sum(duration) + 1ms = 41ms', {1: [["INSERT", "SELECT"]]}),
                ('{ .service.name != "auth" } | by(resource.service.name) | count() > 1', {1: [["INSERT", "SELECT"]]}),
                ('{ } | by(kind) | count() = 1 | coalesce()',
                 {1: [["GET /cart"]], 2: [["POST /order", "SELECT", "put"]], 3: [["GET /cart"]], 4: [["lonely"]]}),
                ('({ } | count() > 2) >> { name = "INSERT" }', {1: [["INSERT"]]}),
                ('({ kind = client } | count()) > ({ kind = internal } | count())', {}),
                ('({ kind = client } | count()) + ({ kind = server } | count()) = 3',
                 {1: [["GET /cart", "INSERT", "SELECT", "check", "get"]]}),
        ):
            with self.subTest(query=query):
                self.assertEqual(self.found(query), want)
        (trace,) = self.search('{ kind = client } | by(resource.service.name) | count() > 1 | select(.db.system)')
        (spans,) = trace["spanSets"]
        self.assertEqual(spans["attributes"], [
            {"key": "by(resource.service.name)", "value": {"stringValue": "db"}},
            {"key": "count()", "value": {"intValue": "2"}}])
        self.assertIn({"key": "db.system", "value": {"stringValue": "pg"}}, spans["spans"][0]["attributes"])

    def test_limits(self):
        newest = [int(t["traceID"], 16) for t in self.search("{ }")]
        self.assertEqual(newest, [4, 3, 2, 1])
        self.assertEqual([int(t["traceID"], 16) for t in self.search("{ }", limit=2)], [4, 3])
        (trace,) = self.search('{ trace:id = "1" }', spss=2)
        self.assertEqual((len(trace["spanSets"][0]["spans"]), trace["spanSets"][0]["matched"]), (2, 5))
        self.assertEqual(self.found("{ }", start=START // S + 19, end=START // S + 21), {3: [["GET /cart"]]})
        self.assertEqual(set(self.found("", minDuration="80ms", maxDuration="200ms")), {1})
        answer = self.get("/api/search", tags='service.name=cart http.x="a b"').json()
        self.assertEqual(answer["traces"], [])
        answer = self.get("/api/search", tags='service.name=cart name=get').json()
        self.assertEqual([t["traceID"] for t in answer["traces"]], ["1"])
        # Tags are text: they mean numbers and truths as well.
        for tags, want in (('http.status_code=500', {"2"}), ('name="POST /order" status.code=error', {"2"}),
                           ('retry=true ratio=0.5', {"1"}), ('root.name="GET /cart" name=get', {"1"}), ('error=true', {"2"}),
                           ('root.service.name=frontend http.status_code=200', {"1", "3"}), ('name=500', set())):
            self.assertEqual({t["traceID"] for t in self.get("/api/search", tags=tags).json()["traces"]}, want, tags)

    def test_refused(self):
        for params, words in (
                ({"q": "{ .a = }"}, "parse error at line 1, col 8: syntax error: unexpected }"),
                ({"q": "{ 1 + 1 }"}, "must resolve to a boolean"),
                ({"q": "{ } | rate()"}, "metrics query"),
                ({"q": "{ }", "limit": 0}, "limit"), ({"q": "{ }", "spss": 101}, "spss"),
                ({"q": "{ }", "start": 5, "end": 1}, "range"), ({"q": "{ }", "start": "x"}, "start"),
                ({"q": "{ }", "tags": "a=b"}, "tags and q"), ({"minDuration": "5x"}, "minDuration"),
                ({"q": "(" * 500}, "nested")):
            with self.subTest(params=params):
                self.assertIn(words, self.get("/api/search", 400, **params).text)

    def test_tags(self):
        scopes = {s["name"]: s["tags"] for s in self.get("/api/v2/search/tags").json()["scopes"]}
        self.assertEqual(scopes["span"], ["db.system", "http.method", "http.status_code", "ratio", "retry", "tags"])
        self.assertEqual(scopes["resource"], ["host.name", "service.name"])
        self.assertEqual((scopes["event"], scopes["link"]), (["exception.type"], ["why"]))
        self.assertIn("rootServiceName", scopes["intrinsic"])
        scopes = {s["name"]: s["tags"] for s in self.get(
            "/api/v2/search/tags", scope="span", q='{ resource.service.name = "db" && .x = }').json()["scopes"]}
        self.assertEqual(scopes, {"span": ["db.system"]})
        self.assertIn("service.name", self.get("/api/search/tags").json()["tagNames"])
        self.assertIn("scope", self.get("/api/v2/search/tags", 400, scope="x").text)

    def test_values(self):
        def values(tag, **params):
            path = f"/api/v2/search/tag/{urllib.parse.quote(urllib.parse.quote(tag, safe=''), safe='')}/values"
            return [(v["type"], v["value"]) for v in self.get(path, **params).json()["tagValues"]]
        self.assertEqual(values("resource.service.name"),
                         [("string", s) for s in ("auth", "cart", "db", "frontend")])
        self.assertEqual(values(".http.status_code"), [("int", "200"), ("int", "500")])
        self.assertEqual(values("span.retry"), [("bool", "true")])
        self.assertEqual(values("span.ratio"), [("float", "0.5")])
        self.assertEqual(values("status"), [("keyword", k) for k in ("unset", "ok", "error")])
        self.assertEqual(values("rootName"), [("string", "GET /cart"), ("string", "POST /order")])
        self.assertEqual(values("trace:rootService"), [("string", "frontend")])
        self.assertEqual(values("event.exception.type"), [("string", "Oops")])
        self.assertEqual(values("event:name"), [("string", "exception")])
        self.assertEqual(values("name", q='{ resource.service.name = "db" }'),
                         [("string", "INSERT"), ("string", "SELECT")])
        self.assertEqual(values("dne"), [])
        self.assertEqual(self.get("/api/search/tag/service.name/values").json()["tagValues"],
                         ["auth", "cart", "db", "frontend"])

    def range(self, q, **params):
        """{labels as "k=v,...": {second after START: value}}"""
        params.setdefault("start", START // S)
        params.setdefault("end", START // S + 60)
        params.setdefault("step", "10s")
        out = {}
        for series in self.get("/api/metrics/query_range", q=q, **params).json()["series"]:
            name = ",".join("%s=%s" % (label["key"], *label["value"].values()) for label in series["labels"])
            out[name] = {int(x["timestampMs"]) // 1000 - START // S: x["value"]
                         for x in series["samples"] if x["value"]}
        return out

    def test_metrics(self):
        def total(series):
            return {k: round(sum(v.values()), 6) for k, v in series.items()}
        self.assertEqual(total(self.range("{ } | count_over_time()")), {"__name__=count_over_time": 10})
        self.assertEqual(total(self.range("{ } | rate()")), {"__name__=rate": 1.0})
        self.assertEqual(total(self.range("{ } | count_over_time() by(resource.service.name)")), {
            "resource.service.name=" + k: v for k, v in
            {"frontend": 3, "cart": 2, "db": 3, "auth": 2}.items()})
        self.assertEqual(total(self.range("{ kind = server } | count_over_time() by(span.http.status_code)")),
                         {"span.http.status_code=200": 2, "span.http.status_code=500": 1})
        self.assertEqual(total(self.range("{ } | count_over_time() by(status)")),
                         {"status=unset": 8, "status=error": 2})
        self.assertEqual(total(self.range("{ } | max_over_time(duration) by(name) | topk(1)")),
                         {"name=POST /order": 0.9, "name=GET /cart": 0.05, "name=lonely": 0.001})
        self.assertEqual(total(self.range('{ name = "INSERT" } | min_over_time(duration)')),
                         {"__name__=min_over_time": 0.01})
        self.assertEqual(total(self.range("{ kind = client } | sum_over_time(duration)")),
                         {"__name__=sum_over_time": 0.06})
        # Structure takes whole traces.
        self.assertEqual(total(self.range('{ kind = server } >> { kind = client } | count_over_time() by(name)')),
                         {"name=SELECT": 2, "name=INSERT": 1})
        self.assertEqual(total(self.range('{ rootName = "GET /cart" } | count_over_time()')),
                         {"__name__=count_over_time": 6})
        self.assertEqual(total(self.range("{ } | count_over_time() > 1")), {"__name__=count_over_time": 8})
        ratio = self.range("({ status = error } | count_over_time()) / ({ kind = server } | count_over_time())")
        self.assertEqual(total(ratio), {"__name__=(count_over_time / count_over_time)": 1.0})
        # Where nothing is there is 0 of it; what is divided by that is nothing.
        self.assertEqual(total(self.range('{ name = "nobody" } | rate()')), {"__name__=rate": 0})
        self.assertEqual(total(self.range('{ name = "nobody" } | rate() by(name)')), {})
        self.assertEqual(total(self.range('({ } | rate()) / ({ name = "nobody" } | rate())')), {})
        self.assertEqual(total(self.range("100 * ({ } | rate()) > 3 - 2 | topk(1)")), {"__name__=rate": 100})
        buckets = self.range('{ name = "INSERT" } | histogram_over_time(duration)')
        self.assertEqual(total(buckets), {f"__bucket={2**24 / 1e9}": 1})
        ((name, values),) = self.range('{ name = "INSERT" } | quantile_over_time(duration, 0.5)').items()
        self.assertEqual(name, "p=0.5")
        self.assertAlmostEqual(sum(values.values()), 2**23.5 / 1e9, 9)
        compared = total(self.range("{ } | compare({ status = error })"))
        self.assertEqual(compared["__meta_type=selection,name=put"], 1)
        self.assertEqual(compared["__meta_type=baseline,name=SELECT"], 2)
        self.assertEqual(compared["__meta_type=selection_total,name=nil"], 2)
        self.assertEqual(compared["__meta_type=baseline,resource.service.name=db"], 3)
        # With times a selection begins behind the first one.
        for begin, names in ((START + 5009999999, {"put"}), (START + 5010000000, set())):
            compared = total(self.range(f"{{ }} | compare({{ status = error }}, 10, {begin}, {START + 6 * S})"))
            self.assertEqual({k.split("=")[2] for k in compared if k.startswith("__meta_type=selection,name=")}, names)

    def test_metrics_shape(self):
        answer = self.get("/api/metrics/query", q="{ } | count_over_time() by(kind)", start=START // S - 1,
                          end=START // S + 60).json()
        values = {s["labels"][0]["value"]["stringValue"]: s["value"] for s in answer["series"]}
        self.assertEqual(values, {"server": 3, "internal": 4, "client": 3})
        self.assertEqual({k for s in answer["series"] for k in s}, {"labels", "value"})  # strict readers know no more
        (series,) = self.get("/api/metrics/query_range", q='{ name = "put" } | max_over_time(duration)', step="1m",
                             start=START // S - 60, end=START // S + 60).json()["series"]
        (exemplar,) = series["exemplars"]
        self.assertEqual(exemplar["labels"], [{"key": "trace:id", "value": {"stringValue": f"{2:032x}"}}])
        self.assertEqual((exemplar["value"], exemplar["timestampMs"]), (0.7, str(START // 10**6 + 5010)))
        # Exemplars are on the scale of their series, and with the quantile they are nearest to.
        for q, want in (('({ name = "put" } | max_over_time(duration)) * 1000 > 5', {"": [700]}),
                        ('({ name = "put" } | max_over_time(duration)) * 1000 < 5', {}),
                        ('({ name = "put" } | rate()) / ({ } | rate())', {"": [0.1, 0.1]}),
                        ('{ resource.service.name = "frontend" } | quantile_over_time(duration, 0.01, 1)',
                         {"0.01": [0.1, 0.05], "1": [0.9]})):
            found = self.get("/api/metrics/query_range", q=q, step="1m", start=START // S - 60, end=START // S + 60).json()
            self.assertEqual({"".join(str(v) for l in s["labels"] for v in l["value"].values() if l["key"] == "p"):
                              [e["value"] for e in s["exemplars"]] for s in found["series"]}, want, q)
        found = self.get("/api/metrics/query_range", q="{ kind = server } | rate() by(span.http.status_code, name)", step="1m",
                         start=START // S - 60, end=START // S + 60).json()["series"]
        self.assertEqual(found[0]["labels"], [{"key": "span.http.status_code", "value": {"intValue": "200"}},
                                              {"key": "name", "value": {"stringValue": "GET /cart"}}])  # as in by()
        self.assertEqual(found[0]["promLabels"], '{name="GET /cart", "span.http.status_code"="int(200)"}')
        (series,) = self.get("/api/metrics/query_range", q='{ name = "put" } | max_over_time(duration) with (exemplars=false)',
                             step="1m", start=START // S - 60, end=START // S + 60).json()["series"]
        self.assertNotIn("exemplars", series)
        plan = self.get("/api/metrics/explain", q="{ .a = 1 } | rate()").json()["plan"]
        self.assertIn("TraceSpans rate span by span predicates=1", plan)
        for params, words in (({"q": "{ }"}, "not a metrics query"), ({}, "q is missing"),
                              ({"q": "{ } | rate()", "start": 9, "end": 5}, "range"),
                              ({"q": "{ } | rate()", "start": 1, "end": 10**9, "step": "1s"}, "resolution")):
            self.assertIn(words, self.get("/api/metrics/query_range", 400, **params).text)

    def test_step_by_itself(self):
        """About 240 points; whole seconds from a minute on."""
        for seconds, step_ms in ((30, 100), (60, 1000), (200, 1000), (3600, 15000), (86400, 300000)):
            points = self.get("/api/metrics/query_range", q="{ } | rate()", start=START // S - seconds,
                              end=START // S).json()["series"][0]["samples"]
            self.assertEqual(int(points[1]["timestampMs"]) - int(points[0]["timestampMs"]), step_ms, seconds)

    def test_after_a_flush(self):
        self.server_.stop()
        self.server_.start()
        self.test_structure()

    def test_sdk(self):
        sent = json.loads(node(self, "otlp_events_client.cjs", "proto", self.server_.url + "/otlp"))
        self.assertEqual(sent["failures"], [])
        (trace,) = self.search('{ resource.service.name = "shop-proto" } >> { kind = client }',
                               end=int(time.time()) + 10)
        self.assertEqual(trace["traceID"].zfill(32), sent["traceId"])
        self.assertEqual(trace["spanSets"][0]["spans"][0]["spanID"], sent["childId"])


class Documented(unittest.TestCase):
    def test_tests_of_the_tables_are_there(self):
        """Every test and file that docs/tempo.md names."""
        tests = pathlib.Path(__file__).parents[1]
        text = (tests.parent / "docs/tempo.md").read_text()
        end_to_end = "".join(p.read_text() for p in (tests / "e2e").glob("test_*.py"))
        named = 0
        for line in (line for line in text.splitlines() if line.startswith("|")):
            for file, name in re.findall(r"`((?:e2e|lang|decode|net)/test_\w+\.(?:py|c))(?: (test_\w+))?`", line):
                self.assertTrue((tests / file).exists(), file)
                self.assertTrue(not name or f"def {name}(" in (tests / file).read_text(), (file, name))
                named += 1
            for name in re.findall(r"`(test_\w+)`", line):
                self.assertTrue(f"def {name}(" in end_to_end, (line, name))
                named += 1
        self.assertGreater(named, 40)


if __name__ == "__main__":
    pt.main()
