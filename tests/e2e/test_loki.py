#!/usr/bin/env python3
"""Loki's door: pushes in every form and what is refused, queries, labels, volumes, fields, patterns,
live tail, deleting; in the shapes that Grafana's data source and Logs Drilldown rely on."""
import base64
import gzip
import json
import os
import signal
import socket
import struct
import time
import urllib.parse

import pharos_test as pt

S = 10 ** 9


def labels_text(labels):
    return "{" + ", ".join(f"{k}={json.dumps(v)}" for k, v in sorted(labels.items())) + "}"


def push_proto(streams):
    """[(labels, [(ns, line, metadata)])] as logproto.PushRequest."""
    body = b""
    for labels, entries in streams:
        stream = pt.field(1, labels_text(labels))
        for ns, line, metadata in entries:
            ts = pt.field(1, ns // S) + pt.field(2, ns % S)
            entry = pt.field(1, ts) + pt.field(2, line)
            for k, v in metadata.items():
                entry += pt.field(3, pt.field(1, k) + pt.field(2, v))
            stream += pt.field(2, entry)
        body += pt.field(1, stream)
    return pt.snappy(body)


def push_json(streams):
    return json.dumps({"streams": [
        {"stream": labels, "values": [[str(ns), line, *([m] if m else [])]
                                      for ns, line, m in entries]}
        for labels, entries in streams]}).encode()


class Tail:
    """A WebSocket client, as far as tailing needs one (RFC 6455)."""

    def __init__(self, url, headers=""):
        u = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((u.hostname, u.port), timeout=pt.WAIT_S)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {u.path}?{u.query} HTTP/1.1\r\nHost: {u.netloc}\r\n"
                             f"Upgrade: websocket\r\nConnection: Upgrade\r\n{headers}"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])

    def more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("closed")
        self.data += chunk

    def take(self, n):
        while len(self.data) < n:
            self.more()
        out, self.data = self.data[:n], self.data[n:]
        return out

    def frame(self):
        """(opcode, payload)"""
        first, size = self.take(2)
        size &= 127
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        return first & 15, self.take(size)

    def lines(self, count):
        """The next lines, over as many frames as they come in."""
        got = []
        while len(got) < count:
            opcode, payload = self.frame()
            if opcode != 1:
                continue
            message = json.loads(payload)
            assert message["dropped_entries"] is None, message
            for stream in message["streams"]:
                got += [(stream["stream"], *value) for value in stream["values"]]
        return got

    def close(self):
        self.socket.close()


class Case(pt.Case):
    def setUp(self):
        super().setUp()
        self.pharos = self.server("telemetry.interval=1h", doors=False)
        self.url = self.pharos.url + "/loki"
        self.now = time.time_ns()

    def push(self, body, content_type="application/json", expect=204, path="/loki/api/v1/push",
             **headers):
        answer = pt.request(self.url + path, method="POST", body=body,
                            headers={"Content-Type": content_type, **headers})
        self.assertEqual(answer.status, expect, answer.text)
        return answer

    def ask(self, path, params=(), expect=200, **headers):
        query = urllib.parse.urlencode(params, doseq=True)
        answer = pt.request(f"{self.url}/loki/api/v1/{path}" + ("?" + query if query else ""),
                            headers=headers)
        self.assertEqual(answer.status, expect, answer.text)
        return answer.json() if answer.headers["Content-Type"].startswith("application/json") \
            else answer.text

    def lines(self, query, **params):
        """[(labels, ns, line)] of a log query, in the answer's order."""
        data = self.ask("query_range", {"query": query, **params})["data"]
        self.assertEqual(data["resultType"], "streams")
        return [(s["stream"], int(v[0]), v[1]) for s in data["result"] for v in s["values"]]

    def number(self, query, at=None):
        """{labels: value} of an instant query."""
        data = self.ask("query", {"query": query, "time": at or self.now})["data"]
        self.assertEqual(data["resultType"], "vector")
        return {tuple(sorted(r["metric"].items())): float(r["value"][1]) for r in data["result"]}


class Push(Case):
    def test_every_form_is_taken(self):
        t = self.now
        self.push(push_json([({"app": "a"}, [(t, "json", {})])]))
        self.push(gzip.compress(push_json([({"app": "b"}, [(t, "gzip", {"k": "v"})])])),
                  **{"Content-Encoding": "gzip"})
        self.push(push_proto([({"app": "c"}, [(t, "proto", {"k": "v"})])]),
                  "application/x-protobuf", **{"Content-Encoding": "snappy"})
        self.push(push_proto([({"app": "d"}, [(t, "no encoding", {})])]), "application/x-protobuf")
        self.push(push_json([({"app": "e"}, [(t, "slash", {})])]), path="/loki/api/v1/push/")
        iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t // S)) + f".{t % S:09d}Z"
        self.push(json.dumps({"streams": [{"labels": '{app="f"}', "entries": [
            {"ts": iso, "line": "older"}]}]}).encode(), path="/api/prom/push")
        got = self.lines('{app=~".+"}')
        self.assertEqual({(s["app"], ns, line) for s, ns, line in got},
                         {("a", t, "json"), ("b", t, "gzip"), ("c", t, "proto"),
                          ("d", t, "no encoding"), ("e", t, "slash"), ("f", t, "older")})
        by_app = {s["app"]: s for s, _, _ in got}
        self.assertEqual(by_app["c"], {"app": "c", "service_name": "c", "k": "v",
                                       "detected_level": "unknown"})
        self.push(b'{"streams":[]}')

    def test_what_is_wrong_is_told_and_the_rest_kept(self):
        t = self.now
        bad = self.push(push_json([({}, [(t, "no labels", {})]), ({"app": "x"}, [(t, "kept", {})])]),
                        expect=400)
        self.assertIn("at least one label pair is required per stream", bad.text)
        self.assertEqual(bad.headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual([line for _, _, line in self.lines('{app="x"}')], ["kept"])
        numeric = self.push(b'{"streams":[{"stream":{"a":"b"},"values":[[1,"l"]]}]}', expect=400)
        self.assertIn("a timestamp is to be a string", numeric.text)
        self.push(b'{"streams":[', expect=400)
        self.push(b"\xff\xff\xff", "application/x-protobuf", expect=400)
        self.push(push_json([({"app": "future"}, [(t + 3600 * S, "l", {})])]), expect=400)
        self.push(push_json([({"app": "past"}, [(t - 400 * 86400 * S, "l", {})])]), expect=400)
        self.push(push_json([({"app": "long"}, [(t, "x" * 300000, {})])]), expect=400)
        self.push(push_json([({"app": "y"}, [(t, "l", {})])]), expect=400,
                  **{"X-Scope-OrgID": "a/b"})
        self.assertEqual(self.pharos.metric("pharos_loki_refused_lines_total", "missing_labels"), 1)
        self.assertEqual(self.pharos.metric("pharos_loki_push_requests_total", '"partial"'), 1)
        for reason in ("too_new", "too_old", "line_size"):
            self.assertEqual(self.pharos.metric("pharos_ingest_refused_samples_total",
                                                f'"{reason}"'), 1, reason)

    def test_tenants_are_apart(self):
        t = self.now
        self.push(push_json([({"app": "x"}, [(t, "one", {})])]), **{"X-Scope-OrgID": "one"})
        self.push(push_json([({"app": "x"}, [(t, "default", {})])]))
        self.assertEqual([line for _, _, line in self.lines('{app="x"}')], ["default"])
        mine = self.ask("query_range", {"query": '{app="x"}'}, **{"X-Scope-OrgID": "one"})
        self.assertEqual(mine["data"]["result"][0]["values"], [[str(t), "one"]])

    def test_lines_survive_a_kill(self):
        t = self.now
        self.push(push_json([({"app": "x"}, [(t + i, f"line {i}", {"n": str(i)})
                                             for i in range(100)])]))
        self.pharos.kill()
        self.pharos.start()
        self.assertEqual(self.number('sum(count_over_time({app="x"}[1h]))', t + S), {(): 100})


class Query(Case):
    def setUp(self):
        super().setUp()
        self.t = t = self.now - 600 * S
        web = [(t + i * S, f'level={"error" if i % 5 == 0 else "info"} status={200 + i % 3} ms={i}ms',
                {"user": f"u{i % 2}", "trace_id": f"{i + 1:032x}"}) for i in range(60)]
        db = [(t + i * S + 1, json.dumps({"level": "warn", "q": f"select {i}", "n": {"rows": i}}), {})
              for i in range(60)]
        self.push(push_json([({"app": "web", "env": "prod"}, web), ({"app": "db"}, db)]))

    def test_health_as_grafana_asks(self):
        data = self.ask("query", {"query": "vector(1)+vector(1)", "time": 4 * S,
                                  "direction": "backward"})["data"]
        self.assertEqual(data["resultType"], "vector")
        # ten digits are seconds
        self.assertEqual(data["result"], [{"metric": {}, "value": [4 * S, "2"]}])
        self.assertEqual(self.ask("query", {"query": "1+1", "time": "4.5"})["data"]["result"],
                         [4.5, "2"])

    def test_order_limit_and_range(self):
        newest = self.lines('{app="web"} | keep app', limit=3)
        self.assertEqual([ns for _, ns, _ in newest], [self.t + i * S for i in (59, 58, 57)])
        oldest = self.lines('{app="web"} | keep app', limit=3, direction="forward")
        self.assertEqual([ns for _, ns, _ in oldest], [self.t + i * S for i in (0, 1, 2)])
        # the start belongs to the range, the end does not
        cut = self.lines('{app="web"} | keep app', start=self.t + 10 * S, end=self.t + 12 * S,
                         direction="forward")
        self.assertEqual([ns for _, ns, _ in cut], [self.t + 10 * S, self.t + 11 * S])
        sparse = self.lines('{app="web"} | keep app', interval="20s", direction="forward")
        self.assertEqual([ns for _, ns, _ in sparse], [self.t + i * S for i in (0, 20, 40)])
        self.assertEqual(len(self.lines('{app="web"}', since="1h", limit=1000)), 60)
        self.assertEqual(self.lines('{app="web"}', start=1, end=2), [])

    def test_paging_by_time_gives_every_line_once(self):
        seen, end = [], self.now
        while True:
            page = sorted(self.lines('{app=~".+"} | keep app', limit=7, start=self.t, end=end),
                          key=lambda line: -line[1])
            if not page:
                break
            seen += [ns for _, ns, _ in page]
            end = page[-1][1]
        self.assertEqual(seen, sorted(seen, reverse=True))
        self.assertEqual(len(set(seen)), 120)

    def test_labels_by_category(self):
        query = '{app="web"} |= "ms=7ms" | logfmt'
        flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        data = self.ask("query_range", {"query": query}, **flags)["data"]
        self.assertEqual(data["encodingFlags"], ["categorize-labels"])
        self.assertEqual(data["result"][0]["stream"],
                         {"app": "web", "env": "prod", "service_name": "web"})
        self.assertEqual(data["result"][0]["values"][0][2], {
            "structuredMetadata": {"detected_level": "info", "trace_id": f"{8:032x}", "user": "u1"},
            "parsed": {"level": "info", "status": "201", "ms": "7ms"}})
        merged = self.lines(query)
        self.assertEqual(merged[0][0], {
            "app": "web", "env": "prod", "service_name": "web", "detected_level": "info",
            "trace_id": f"{8:032x}", "user": "u1", "level": "info", "status": "201", "ms": "7ms"})

    def test_filters_and_parsers(self):
        for query, count in (('{app="web"} |= "level=error"', 12),
                             ('{app="web"} != "level=error"', 48),
                             ('{app="web"} |~ "ms=1[0-9]ms"', 10),
                             ('{app="web"} |> "level=error <_>"', 12),
                             ('{app="web"} | detected_level="error"', 12),
                             ('{app="web"} | user="u0" |= "status=200"', 10),
                             (f'{{app="web"}} | trace_id="{8:032x}"', 1),
                             ('{app="web"} | logfmt | ms > 50ms', 9),
                             ('{app="web"} | logfmt | status >= 201 and status != 202', 20),
                             ('{app="db"} | json | n_rows < 5', 5),
                             ('{app="db"} | json q="q" | q=~"select 1.*"', 11),
                             ('{app="db"} | json | level="warn" or __error__=""', 60),
                             ('{app=~"web|db"} | app != "db"', 60),
                             ('{app="web"} | env=""', 0)):
            self.assertEqual(len(self.lines(query, limit=1000)), count, query)

    def test_numbers(self):
        at = self.t + 60 * S
        for query, expected in (
                ('sum by (app) (count_over_time({app=~".+"}[2m]))',
                 {(("app", "db"),): 60, (("app", "web"),): 60}),
                ('sum by (detected_level) (count_over_time({app="web"}[2m]))',
                 {(("detected_level", "error"),): 12, (("detected_level", "info"),): 48}),
                ('sum(rate({app="web"} |= "error" [2m]))', {(): 0.1}),
                ('sum(bytes_over_time({app="db"} |= "select 7\\"" [2m]))',
                 {(): len(json.dumps({"level": "warn", "q": "select 7", "n": {"rows": 7}}))}),
                ('max_over_time({app="web"} | logfmt | unwrap duration(ms) [2m]) by (app)',
                 {(("app", "web"),): 0.059}),
                ('quantile_over_time(0.5, {app="db"} | json | unwrap n_rows [2m]) by (app)',
                 {(("app", "db"),): 29.5}),
                ('topk(1, max_over_time({app="web"} | logfmt | unwrap duration(ms) [2m]) by '
                 '(status))', {(("status", "202"),): 0.059}),
                ('sum(count_over_time({app="web"}[2m])) / sum(count_over_time({app="db"}[2m]))',
                 {(): 1}),
                ('absent_over_time({app="none"}[2m])', {(("app", "none"),): 1})):
            self.assertEqual(self.number(query, at), expected, query)

    def test_log_volume_histogram(self):
        """As Explore draws it."""
        start = self.t // (10 * S) * 10 * S
        data = self.ask("query_range", {
            "query": 'sum by (level, detected_level) (count_over_time({app="web"} | drop __error__'
                     '[10s]))',
            "start": start, "end": self.t + 70 * S, "step": "10000ms"},
            **{"X-Query-Tags": "Source=logvolhist"})["data"]
        self.assertEqual(data["resultType"], "matrix")
        totals = {r["metric"]["detected_level"]: sum(float(v) for _, v in r["values"])
                  for r in data["result"]}
        self.assertEqual(totals, {"error": 12, "info": 48})

    def test_errors(self):
        for path, params, status, words in (
                ("query_range", {"query": '{app="web"'}, 400,
                 "parse error at line 1, col 11: syntax error: unexpected $end, expecting } or ,"),
                ("query_range", {"query": "{}"}, 400, "queries require at least one regexp or"),
                ("query", {"query": '{app="web"}'}, 400, "not supported as an instant query type"),
                ("query_range", {"query": '{app="web"}', "limit": 1000000}, 400,
                 "max entries limit per query exceeded"),
                ("query_range", {"query": '{app="web"}', "direction": "up"}, 400,
                 "invalid direction 'up'"),
                ("query_range", {"query": 'rate({app="web"}[1m])', "step": "1ms"}, 400,
                 "exceeded maximum resolution of 11,000 points"),
                ("query_range", {"query": '{app="web"}', "start": 5, "end": 4}, 400,
                 "end timestamp must not be before"),
                ("query", {"query": 'sum by (x) (count_over_time({app="web"} | json [1h]))'}, 400,
                 "pipeline error: 'JSONParserErr' for series"),
                ("query_range", {"query": '{app="web"} | line_format "{{nope}}"'}, 400,
                 'function "nope" not defined'),
                ("format_query", {"query": "{a="}, 400, "invalid-query")):
            answer = self.ask(path, params, expect=status)
            self.assertIn(words, answer if isinstance(answer, str) else json.dumps(answer))

    def test_statistics(self):
        summary = self.ask("query_range", {"query": '{app="web"} |= "error"'})["data"]["stats"][
            "summary"]
        self.assertEqual(summary["totalEntriesReturned"], 12)
        self.assertGreaterEqual(summary["totalLinesProcessed"], 12)
        self.assertGreater(summary["totalBytesProcessed"], 0)

    def test_names_and_series(self):
        self.assertEqual(self.ask("labels")["data"], ["app", "env", "service_name"])
        self.assertEqual(self.ask("label")["data"], ["app", "env", "service_name"])
        self.assertEqual(self.ask("labels", {"query": '{app="db"}'})["data"],
                         ["app", "service_name"])
        self.assertEqual(self.ask("label/app/values")["data"], ["db", "web"])
        self.assertEqual(self.ask("label/app/values", {"query": '{env="prod"}'})["data"], ["web"])
        self.assertEqual(self.ask("label/__stream_shard__/values")["data"], [])
        both = [{"app": "db", "service_name": "db"},
                {"app": "web", "env": "prod", "service_name": "web"}]
        self.assertEqual(self.ask("series", {"match[]": ['{app="web"}', '{app="db"}']})["data"],
                         both)
        self.assertEqual(self.ask("series", {"match[]": '{app=~".+"}'})["data"], both)

    def test_volumes(self):
        stats = self.ask("index/stats", {"query": '{app="web"}'})
        self.assertEqual((stats["streams"], stats["entries"]), (1, 60))
        self.assertGreater(stats["bytes"], 60 * 20)
        volume = self.ask("index/volume", {"query": "{}", "aggregateBy": "labels", "limit": 5000,
                                           "targetLabels": "service_name"})["data"]
        self.assertEqual([r["metric"] for r in volume["result"]], [{"service_name": ""}])
        volume = self.ask("index/volume", {"query": '{app=~".+"}'})["data"]
        self.assertEqual({r["metric"]["app"] for r in volume["result"]}, {"web", "db"})
        sizes = [int(r["value"][1]) for r in volume["result"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        ranges = self.ask("index/volume_range", {"query": '{app="web"}', "step": "60"})["data"]
        self.assertEqual(ranges["resultType"], "matrix")
        self.assertEqual(sum(int(v) for _, v in ranges["result"][0]["values"]), stats["bytes"])

    def test_fields_and_patterns(self):
        self.assertEqual(self.ask("detected_labels")["detectedLabels"],
                         [{"label": "app", "cardinality": 2}, {"label": "env", "cardinality": 1},
                          {"label": "service_name", "cardinality": 2}])
        fields = {f["label"]: f for f in self.ask("detected_fields", {"query": '{app="web"}'})[
            "fields"]}
        self.assertEqual((fields["status"]["type"], fields["status"]["cardinality"],
                          fields["status"]["parsers"]), ("int", 3, ["logfmt"]))
        self.assertEqual(fields["ms"]["type"], "duration")
        self.assertEqual(fields["user"], {"label": "user", "type": "string", "cardinality": 2,
                                          "parsers": None})
        nested = {f["label"]: f for f in self.ask("detected_fields", {"query": '{app="db"}'})["fields"]}
        self.assertEqual((nested["n_rows"]["parsers"], nested["n_rows"]["jsonPath"]), (["json"], ["n", "rows"]))
        self.assertEqual(nested["q"]["jsonPath"], ["q"])
        self.assertEqual(self.ask("detected_field/status/values", {"query": '{app="web"}'})[
            "values"], ["200", "201", "202"])
        patterns = self.ask("patterns", {"query": '{app="web"}', "step": "10s"})["data"]
        self.assertEqual({(p["pattern"], p["level"], sum(n for _, n in p["samples"]))
                          for p in patterns},
                         {("level=<_> status=<_> ms=<_>", "error", 12),
                          ("level=<_> status=<_> ms=<_>", "info", 48)})
        # a pattern is a filter that finds its lines
        self.assertEqual(len(self.lines(f'{{app="web"}} |> "{patterns[0]["pattern"]}"',
                                        limit=1000)), 60)

    def test_patterns_of_json(self):
        """Of the message alone, and yet a filter that finds the lines."""
        lines = [json.dumps({"ts": i, "msg": f'user "{i}" logged in after {i} tries', "user": "a b c d"}) for i in range(20)]
        lines += [f'user "{i}" logged in after {i} tries' for i in range(10)]
        lines += [json.dumps({"message": f"{i} jobs left in queue {i}"}) for i in range(5)]
        self.push(push_json([({"app": "json"}, [(self.t + i, line, None) for i, line in enumerate(lines)])]))
        patterns = self.ask("patterns", {"query": '{app="json"}'})["data"]
        self.assertEqual([(p["pattern"], sum(n for _, n in p["samples"])) for p in patterns],
                         [(r'<_>user \"<_>\" logged in after <_> tries<_>', 20),
                          ('user "<_>" logged in after <_> tries', 10), ("<_> jobs left in queue <_>", 5)])
        found = [self.lines(f"{{app=\"json\"}} |> `{p['pattern']}`", limit=1000) for p in patterns]
        self.assertEqual([len(lines) for lines in found], [20, 10, 5])

    def test_patterns_of_numbers(self):
        """Lines with more numbers than words are one pattern; so are those that read the same."""
        lines = [f"GET /orders/{i} 200 in {i}ms from 10.0.0.{i}" for i in range(30)]
        lines += [f"GET /orders/{i} 200 {i} in {i}ms from 10.0.0.{i}" for i in range(20)]
        self.push(push_json([({"app": "numbers"}, [(self.t + i, line, None) for i, line in enumerate(lines)])]))
        patterns = self.ask("patterns", {"query": '{app="numbers"}'})["data"]
        self.assertEqual([(p["pattern"], sum(n for _, n in p["samples"])) for p in patterns],
                         [("GET <_> in <_> from <_>", 50)])

    def test_deleting(self):
        form = urllib.parse.urlencode({"query": '{app="web"} |= "level=error"',
                                       "start": (self.t - S) // S, "end": self.now // S + 1}).encode()
        answer = pt.request(self.url + "/loki/api/v1/delete", method="POST", body=form,
                            headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(answer.status, 204, answer.text)
        self.assertEqual(self.lines('{app="web"} |= "level=error"'), [])
        self.assertEqual(len(self.lines('{app="web"}', limit=1000)), 48)
        listed = self.ask("delete")
        self.assertEqual([(d["query"], d["status"], d["deleted_lines"]) for d in listed],
                         [('{app="web"} |= "level=error"', "processed", 12)])
        self.ask("delete", {"query": "x"}, expect=200)
        for params, status, words in (({}, 400, "request_id not set"),
                                      ({"request_id": "x"}, 404, "could not find delete request"),
                                      ({"request_id": listed[0]["request_id"], "force": "true"}, 400,
                                       "gone already")):
            answer = pt.request(f"{self.url}/loki/api/v1/delete?" + urllib.parse.urlencode(params),
                                method="DELETE")
            self.assertEqual(answer.status, status)
            self.assertIn(words, answer.text)
        bad = pt.request(self.url + "/loki/api/v1/delete?query=%7Bapp%3D%22web%22%7D%7Cjson%7Ca%3E1"
                         "&start=1", method="POST", body=b"")
        self.assertEqual(bad.status, 400, bad.text)

    def test_the_paths_from_before_1_0(self):
        def old(path, params=(), expect=200):
            answer = pt.request(f"{self.url}/api/prom/{path}?" + urllib.parse.urlencode(params))
            self.assertEqual(answer.status, expect, answer.text)
            return answer.json() if expect == 200 else answer.text
        got = old("query", {"query": '{app="db"} |= "select 7"', "limit": 1})
        self.assertEqual(set(got), {"streams", "stats"})
        (stream,) = got["streams"]
        self.assertEqual(stream["labels"], '{app="db", detected_level="warn", service_name="db"}')
        ns = self.t + 7 * S + 1
        self.assertEqual(stream["entries"], [{
            "ts": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // S)) + f".{ns % S:09d}".rstrip("0") + "Z",
            "line": json.dumps({"level": "warn", "q": "select 7", "n": {"rows": 7}})}])
        self.assertEqual(len(old("query", {"query": '{app="web"}', "regexp": "ms=1[0-9]ms"})["streams"]), 10)
        self.assertIn("only support streams", old("query", {"query": 'rate({app="db"}[1m])'}, 400))
        self.assertEqual(old("label"), {"values": ["app", "env", "service_name"]})
        self.assertEqual(old("label/app/values"), {"values": ["db", "web"]})
        self.assertEqual(len(old("series", {"match[]": '{app=~".+"}'})["data"]), 2)
        tail = Tail(f"{self.url}/api/prom/tail?" + urllib.parse.urlencode({"query": '{app="db"} |= "select 7"'}))
        self.addCleanup(tail.close)
        opcode, payload = tail.frame()
        frame = json.loads(payload)
        self.assertEqual((opcode, frame["dropped_entries"]), (1, None))
        self.assertEqual(frame["streams"][0]["labels"], stream["labels"])
        self.assertEqual(frame["streams"][0]["entries"], stream["entries"])

    def test_small_endpoints(self):
        info = self.ask("status/buildinfo")
        self.assertIn("version", info)
        self.assertNotIn("data", info)
        limits = self.ask("drilldown-limits")
        self.assertTrue(limits["pattern_ingester_enabled"])
        self.assertTrue(limits["limits"]["volume_enabled"])
        self.assertEqual(self.ask("format_query", {"query": '{app="web"}|json'})["data"],
                         '{app="web"} | json')
        self.assertEqual(len(self.ask("index/shards", {"query": '{app="web"}'})["shards"]), 1)
        self.assertIn("LogScan", self.ask("explain", {"query": '{app="web"}'})["data"]["plan"])
        self.assertIn("pharos_loki_received_lines_total", pt.request(self.url + "/metrics").text)
        self.assertEqual(pt.request(self.url + "/ready").text, "ready\n")
        self.assertIn("limits:", pt.request(self.url + "/config").text)
        self.ask("rules", expect=404)
        for path in ("rules", "alerts"):
            answer = pt.request(f"{self.url}/prometheus/api/v1/{path}")
            self.assertEqual(answer.json()["status"], "success")


class Empty(Case):
    def test_a_fresh_store_answers(self):
        self.assertEqual(self.ask("labels")["data"], [])
        self.assertEqual(self.ask("label/app/values")["data"], [])
        self.assertEqual(self.ask("series", {"match[]": '{a="b"}'})["data"], [])
        self.assertEqual(self.ask("index/stats", {"query": '{a="b"}'}),
                         {"streams": 0, "chunks": 0, "entries": 0, "bytes": 0})
        self.assertEqual(self.ask("index/volume", {"query": '{a="b"}'})["data"]["result"], [])
        self.assertEqual(self.ask("detected_labels")["detectedLabels"], [])
        self.assertEqual(self.ask("detected_fields", {"query": '{a="b"}'})["fields"], [])
        self.assertEqual(self.ask("patterns", {"query": '{a="b"}'})["data"], [])
        self.assertEqual(self.lines('{a="b"}'), [])
        self.assertEqual(self.number('count_over_time({a="b"}[5m])'), {})


class Live(Case):
    def tail(self, query, **params):
        tail = Tail(self.url + "/loki/api/v1/tail?" + urllib.parse.urlencode(
            {"query": query, **params}))
        self.addCleanup(tail.close)
        self.assertEqual(tail.status, 101)
        return tail

    def test_lines_come_as_they_arrive(self):
        self.push(push_json([({"app": "x"}, [(self.now - 2 * S, "old 1", {}),
                                             (self.now - S, "old 2", {})])]))
        tail = self.tail('{app="x"} |= "o" | keep app')
        first = tail.lines(2)
        self.assertEqual([line for _, _, line in first], ["old 1", "old 2"])
        self.assertEqual(first[0][0], {"app": "x"})
        for i in range(5):
            self.push(push_json([({"app": "x"}, [(time.time_ns(), f"no {i}", {}),
                                                 (time.time_ns(), f"left {i}", {})]),
                                 ({"app": "y"}, [(time.time_ns(), "other", {})])]))
            self.assertEqual([line for _, _, line in tail.lines(1)], [f"no {i}"])

    def test_labels_by_category(self):
        self.push(push_json([({"app": "x"}, [(self.now - S, "a=1", {"user": "u"})])]))
        tail = Tail(self.url + "/loki/api/v1/tail?" + urllib.parse.urlencode({"query": '{app="x"} | logfmt'}),
                    "X-Loki-Response-Encoding-Flags: categorize-labels\r\n")
        self.addCleanup(tail.close)
        message = json.loads(tail.frame()[1])
        self.assertEqual(message["encodingFlags"], ["categorize-labels"])
        self.assertEqual(message["streams"], [{"stream": {"app": "x", "service_name": "x"}, "values": [[
            str(self.now - S), "a=1", {"structuredMetadata": {"detected_level": "unknown", "user": "u"},
                                       "parsed": {"a": "1"}}]]}])

    def test_too_many_lines_at_once_are_told(self):
        tail = self.tail('{app="x"}')
        self.push(push_json([({"app": "x"}, [(time.time_ns(), "first", {})])]))
        self.assertEqual([line for _, _, line in tail.lines(1)], ["first"])  # its first turn is over
        t = time.time_ns()
        self.push(push_json([({"app": "x"}, [(t + i, f"line {i}", {}) for i in range(5500)])]))
        sent, dropped = [], []
        while len(sent) + len(dropped) < 5500:
            message = json.loads(tail.frame()[1])
            sent += [v[1] for s in message["streams"] for v in s["values"]]
            dropped += message["dropped_entries"] or []
        self.assertEqual(sorted(sent, key=lambda line: int(line[5:])), [f"line {i}" for i in range(5000)])
        self.assertEqual(sorted(int(d["timestamp"]) for d in dropped), [t + i for i in range(5000, 5500)])
        self.assertEqual(dropped[0]["labels"]["app"], "x")

    def test_the_server_ends_with_tails_open(self):
        tails = [self.tail('{app="x"}') for _ in range(3)]
        self.pharos.process.send_signal(signal.SIGTERM)
        for tail in tails:
            opcode = 1
            while opcode != 8:
                opcode, payload = tail.frame()
            self.assertEqual(struct.unpack(">H", payload[:2])[0], 1001)
            tail.close()
        self.assertEqual(self.pharos.process.wait(pt.WAIT_S), 0)

    def test_pages_of_other_sites_are_kept_out(self):
        self.push(push_json([({"app": "x"}, [(self.now, "l", {})])]))
        evil = {"Origin": "http://evil.example"}
        self.ask("tail", {"query": '{app="x"}'}, expect=403, **evil)
        answer = pt.request(self.url + "/loki/api/v1/delete?query=%7Bapp%3D%22x%22%7D&start=1",
                            method="POST", body=b"", headers=evil)
        self.assertEqual(answer.status, 403)
        self.assertEqual(len(self.lines('{app="x"}')), 1)
        answer = pt.request(self.url + "/loki/api/v1/labels", headers=evil)
        self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])

    def test_bad_tails_are_refused(self):
        for params, words in (({"query": "{a="}, "parse error"),
                              ({"query": 'rate({a="b"}[1m])'}, "only log queries"),
                              ({"query": '{a="b"}', "delay_for": 6}, "delay_for")):
            self.assertIn(words, self.ask("tail", params, expect=400))
        answer = pt.request(self.url + "/loki/api/v1/tail?query=%7Ba%3D%22b%22%7D")
        self.assertIn(answer.status, (400, 426))


if __name__ == "__main__":
    pt.main()
