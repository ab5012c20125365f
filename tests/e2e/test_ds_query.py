#!/usr/bin/env python3
"""/api/ds/query as Grafana's panels send it, and public dashboards as people without a password see them."""
import base64
import json
import time

import pharos_test as pt
from test_dashboards import Api

PROM = {"type": "prometheus", "uid": "prometheus"}
PASSWORD = "a good password"


class DsQuery(pt.Case):
    def setUp(self):
        super().setUp()
        hash_ = pt.run("password", input=PASSWORD + "\n").stdout.strip().splitlines()[-1].split()[-1]
        config = self.file("pharos.yml", f"auth:\n  users:\n    ann: '{hash_}'\n")
        self.one = pt.Server(self.work / "data", config=config, doors=False)
        self.addCleanup(self.one.remove)
        self.one.start()
        token = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        self.api = Api(self.one, Authorization=f"Basic {token}")
        self.nobody = Api(self.one)
        self.end = int(time.time()) // 60 * 60
        series = [({"__name__": "m", "n": str(n)}, [((self.end - i * 15) * 1000, float(n)) for i in range(40)])
                  for n in range(2)]
        answer = pt.request(self.one.url + "/prometheus/api/v1/write", "POST", pt.snappy(pt.write_request(series)),
                            {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                             "X-Prometheus-Remote-Write-Version": "0.1.0", "Authorization": f"Basic {token}"})
        self.assertEqual(answer.status, 204)
        self.times = {"from": str((self.end - 300) * 1000), "to": str(self.end * 1000)}

    def ask(self, *queries, status=200, **times):
        body = {**self.times, **times, "queries": [{"datasource": PROM, "intervalMs": 15000, **q} for q in queries]}
        return self.api("POST", "/api/ds/query", body, status=status)["results"]

    def test_frames(self):
        got = self.ask({"refId": "A", "expr": "m", "legendFormat": "n is {{n}}"},
                       {"refId": "B", "expr": "sum(m)", "instant": True, "range": False},
                       {"refId": "C", "expr": "m / 0", "instant": True},
                       {"refId": "D", "expr": "vector($__interval_ms) + ${__range_s}", "instant": True},
                       {"refId": "E", "expr": "sum(rate(m[$__rate_interval]))"},
                       {"refId": "H", "expr": "nonsense(", "hide": True})
        self.assertEqual(set(got), {"A", "B", "C", "D", "E"})
        frame = got["A"]["frames"][1]
        time_field, value_field = frame["schema"]["fields"]
        self.assertEqual((time_field["type"], value_field["labels"], value_field["config"]),
                         ("time", {"__name__": "m", "n": "1"}, {"displayNameFromDS": "n is 1"}))
        times, values = frame["data"]["values"]
        self.assertEqual(times, [(self.end - 300 + i * 15) * 1000 for i in range(21)])
        self.assertEqual(values, [1] * 21)
        self.assertEqual(got["B"]["frames"][0]["data"]["values"], [[self.end * 1000], [1]])
        odd = {f["schema"]["fields"][1]["labels"]["n"]: f["data"]["entities"][1] for f in got["C"]["frames"]}
        self.assertEqual(odd, {"0": {"NaN": [0]}, "1": {"Inf": [0]}})
        self.assertEqual(got["D"]["frames"][0]["data"]["values"][1], [15300])
        self.assertEqual(len(got["E"]["frames"]), 1)

    def test_every_language(self):
        send = lambda path, body: self.assertLess(pt.request(
            self.one.url + path, "POST", json.dumps(body).encode(),
            {"Content-Type": "application/json", **self.api.headers}).status, 300)
        base = self.end - 100
        send("/loki/api/v1/push", {"streams": [
            {"stream": {"app": a}, "values": [[f"{base + i}000000123", f'line {i} of {a} "quoted"'] for i in range(3)]}
            for a in ("x", "y")]})
        send("/zipkin/api/v2/spans", [
            {"traceId": f"{i:032x}", "id": f"{i:016x}", "name": f"op{i}", "timestamp": (base + i) * 10**6,
             "duration": i * 1500, "localEndpoint": {"serviceName": "svc"}} for i in (1, 2, 3)])
        source = lambda kind: {"type": kind, "uid": kind}
        got = self.ask(
            {"refId": "lines", "datasource": source("loki"), "expr": '{app=~"x|y"}', "maxLines": 5},
            {"refId": "numbers", "datasource": source("loki"), "expr": "sum by (app) (count_over_time({app=~`.+`}[$__auto]))",
             "intervalMs": 60000, "legendFormat": "app {{app}}"},
            {"refId": "one", "datasource": source("loki"), "expr": "sum(count_over_time({app=~`.+`}[5m]))",
             "queryType": "instant"},
            {"refId": "search", "datasource": source("tempo"), "query": '{resource.service.name="svc"}', "limit": 2},
            {"refId": "rate", "datasource": source("tempo"), "query": "{} | count_over_time()", "intervalMs": 60000},
            {"refId": "graphite", "datasource": source("graphite"), "maxDataPoints": 5,
             "target": "aliasByTags(seriesByTag('name=m'),'n')"})
        lines = got["lines"]["frames"][0]
        self.assertEqual([f["name"] for f in lines["schema"]["fields"]], ["labels", "Time", "Line", "tsNs", "id"])
        labels, times, texts, ns, ids = lines["data"]["values"]
        self.assertEqual(len(texts), 5)
        self.assertEqual(texts[0], f'line 2 of {labels[0]["app"]} "quoted"')
        self.assertEqual((times[0], ns[0]), ((base + 2) * 1000, f"{base + 2}000000123"))
        self.assertEqual(len(set(ids)), 5)
        self.assertEqual({f["schema"]["fields"][1]["config"]["displayNameFromDS"]: sum(f["data"]["values"][1])
                          for f in got["numbers"]["frames"]}, {"app x": 3, "app y": 3})
        self.assertEqual(got["one"]["frames"][0]["data"]["values"][1], [6])
        self.assertEqual(got["one"]["frames"][0]["schema"]["meta"]["type"], "numeric-multi")
        search = got["search"]["frames"][0]
        self.assertEqual([f["name"] for f in search["schema"]["fields"]],
                         ["traceID", "startTime", "traceService", "traceName", "traceDuration"])
        self.assertEqual(search["data"]["values"][2:], [["svc", "svc"], ["op3", "op2"], [4.5, 3]])
        self.assertEqual(int(search["data"]["values"][0][0], 16), 3)
        self.assertEqual(sum(sum(f["data"]["values"][1]) for f in got["rate"]["frames"]), 3)
        graphite = {f["schema"]["fields"][1]["config"]["displayNameFromDS"]: f for f in got["graphite"]["frames"]}
        self.assertEqual(set(graphite), {"0", "1"})
        self.assertEqual(set(graphite["1"]["data"]["values"][1]) - {None}, {1})
        self.assertEqual(graphite["1"]["schema"]["fields"][1]["labels"]["n"], "1")
        for query in ({"query": "2"}, {"query": f"{2:032x}", "queryType": "traceId"}):
            trace = self.ask({"refId": "T", "datasource": source("tempo"), **query})["T"]["frames"][0]
            row = {f["name"]: v[0] for f, v in zip(trace["schema"]["fields"], trace["data"]["values"], strict=True)}
            tags = row.pop("serviceTags"), row.pop("tags")
            self.assertEqual(row, {
                "traceID": f"{2:032x}", "spanID": f"{2:016x}", "parentSpanID": "", "operationName": "op2", "serviceName": "svc",
                "kind": "unspecified", "statusCode": 0, "statusMessage": "", "startTime": (base + 2) * 1000, "duration": 3})
            self.assertIn({"key": "service.name", "value": "svc"}, tags[0])
        none = self.ask({"refId": "T", "datasource": source("tempo"), "query": "abc"}, status=400)["T"]
        self.assertEqual((none["status"], none["error"]), (404, "there is no trace abc"))
        bad = self.ask({"refId": "A", "datasource": source("elasticsearch"), "query": "x"},
                       {"refId": "B", "datasource": source("loki"), "expr": "{"},
                       {"refId": "C", "datasource": source("graphite"), "target": "nosuch(a)"}, status=400)
        self.assertIn("ask its own door", bad["A"]["error"])
        self.assertIn("parse error", bad["B"]["error"])
        self.assertEqual([bad[r]["status"] for r in "ABC"], [404, 400, 400])

    EXPR = {"type": "__expr__", "uid": "__expr__"}

    def expr(self, ref, kind, **more):
        return {"refId": ref, "datasource": self.EXPR, "type": kind, **more}

    def values(self, result):
        return {tuple(sorted(f["schema"]["fields"][-1]["labels"].items())): f["data"]["values"][-1]
                for f in result["frames"]}

    def test_expressions(self):
        a = {"refId": "A", "expr": "m", "hide": True}
        b = {"refId": "B C", "expr": "sum(m) + 1", "instant": True, "hide": True}
        none = {"refId": "N", "expr": "nothing", "hide": True}
        n = lambda *values: {(("__name__", "m"), ("n", str(i))): list(v) for i, v in enumerate(values)}
        got = self.ask(
            a, b, none, self.expr("math", "math", expression="$A * 10 + ${B C} ** 2"),
            self.expr("mean", "reduce", expression="A", reducer="mean"),
            self.expr("over", "threshold", expression="$mean",
                      conditions=[{"evaluator": {"type": "gt", "params": [0.5]}}]),
            self.expr("again", "resample", expression="A", window="1m", downsampler="sum", upsampler="fillna"),
            self.expr("logic", "math", expression="!($mean > 0) || is_nan($mean / 0 - $mean / 0) && abs(-1) == 1"),
            self.expr("odd", "math", expression="$mean / 0"),
            self.expr("classic", "classic_conditions", conditions=[
                {"evaluator": {"type": "gt", "params": [5]}, "query": {"params": ["A"]}, "reducer": {"type": "max"}},
                {"evaluator": {"type": "within_range", "params": [0, 3]}, "operator": {"type": "or"},
                 "query": {"params": ["B C"]}, "reducer": {"type": "last"}}]),
            self.expr("empty", "math", expression="$N + 1"), self.expr("scalar", "math", expression="2 * -3 % 4 - inf()"))
        self.assertEqual(set(got), {"math", "mean", "over", "again", "logic", "odd", "classic", "empty", "scalar"})
        self.assertEqual(self.values(got["math"]), n([4] * 21, [14] * 21))
        self.assertEqual(got["math"]["frames"][0]["data"]["values"][0][0], (self.end - 300) * 1000)
        self.assertEqual(self.values(got["mean"]), n([0], [1]))
        frame = got["mean"]["frames"][0]["schema"]
        self.assertEqual((frame["meta"]["type"], len(frame["fields"]), frame["fields"][0]["name"]),
                         ("numeric-multi", 1, "mean"))
        self.assertEqual(self.values(got["over"]), n([0], [1]))
        self.assertEqual(self.values(got["again"]), n([0] * 6, [1, 4, 4, 4, 4, 4]))
        self.assertEqual(self.values(got["logic"]), n([1], [1]))
        self.assertEqual([f["data"]["entities"] for f in got["odd"]["frames"]], [[{"NaN": [0]}], [{"Inf": [0]}]])
        self.assertEqual(self.values(got["odd"]), n([None], [None]))
        self.assertEqual(self.values(got["classic"]), {(): [1]})
        self.assertEqual(got["empty"]["frames"], [])
        self.assertEqual(got["scalar"]["frames"][0]["data"]["entities"], [{"NegInf": [0]}])

    def test_many_expressions_of_each_other(self):
        chain = [self.expr(f"E{i}", "math", expression="(" * 90 + (f"$E{i - 1}" if i else "1") + ")" * 90 + " + 1")
                 for i in range(200)]
        got = self.ask(*reversed(chain))
        self.assertEqual(got["E199"]["frames"][0]["data"]["values"], [[201]])

    def test_expressions_that_are_wrong(self):
        a = {"refId": "A", "expr": "m"}
        for query, words in (
                (self.expr("X", "math", expression="$A +"), "it ends where"),
                (self.expr("X", "math", expression="$A $A"), "an operator is expected"),
                (self.expr("X", "math", expression="nosuch($A)"), "no such function"),
                (self.expr("X", "math", expression="(" * 200 + "1" + ")" * 200), "nested too deeply"),
                (self.expr("X", "math", expression="$Q"), "there is no query Q"),
                (self.expr("X", "math", expression="$X + 1"), "refers to itself"),
                (self.expr("X", "math", expression="${A"), "named as"),
                (self.expr("X", "reduce", expression="A", reducer="mode"), "reduction mode not supported"),
                (self.expr("X", "reduce", expression="", reducer="sum"), "no variable specified"),
                (self.expr("X", "reduce", expression="A", reducer="sum", settings={"mode": "replaceNN"}), "replaceWithValue"),
                (self.expr("X", "resample", expression="A", window="1h", downsampler="sum", upsampler="pad"), "shorter than"),
                (self.expr("X", "resample", expression="A", window="soon", downsampler="sum", upsampler="pad"), "window"),
                (self.expr("X", "resample", expression="A", window="1m", downsampler="count", upsampler="pad"), "downsampler is one of"),
                (self.expr("X", "resample", expression="A", window="1m", downsampler="sum", upsampler="guess"), "upsampler is one of"),
                (self.expr("X", "threshold", expression="A", conditions=[]), "exactly one condition"),
                (self.expr("X", "threshold", expression="A", conditions=[{"evaluator": {"type": "gt"}}]), "needs 1 numbers"),
                (self.expr("X", "sql", expression="SELECT 1"), "in SQL are not evaluated"),
                (self.expr("X", "classic_conditions"), "need a list")):
            got = self.ask(a, query, status=400)
            self.assertIn(words, got["X"]["error"], query)
            self.assertEqual((got["X"]["status"], got["A"]["status"]), (400, 200))
        got = self.ask({"refId": "A", "expr": "sum("}, self.expr("X", "reduce", expression="A", reducer="sum"), status=400)
        self.assertIn("query A failed", got["X"]["error"])
        got = self.ask({"refId": "A", "datasource": {"type": "loki"}, "expr": '{a="b"}'},
                       self.expr("X", "reduce", expression="A", reducer="sum"), status=400)
        self.assertIn("gives no numbers", got["X"]["error"])

    def test_errors(self):
        got = self.ask({"refId": "A", "expr": "sum("}, {"refId": "B", "expr": "sum(m)"}, status=400)
        self.assertIn("parse error", got["A"]["error"])
        self.assertEqual((got["A"]["status"], got["B"]["status"]), (400, 200))
        self.api("POST", "/api/ds/query", {"queries": []}, status=400)
        self.api("POST", "/api/ds/query", {"from": "never", "queries": [{"refId": "A", "expr": "m"}]}, status=400)
        self.assert_closed("/api/ds/query")

    def library_panels_of_a_public_dashboard(self, view):
        """They come along without their queries, which run here; one that is gone stays a reference."""
        api, nobody = self.api, self.nobody
        model = {"type": "stat", "title": "Kept", "targets": [{"refId": "A", "expr": "sum(m) * 7", "datasource": PROM}]}
        api("POST", "/api/library-elements", {"uid": "kept", "name": "Kept", "kind": 1, "model": model})
        d = api("GET", "/api/dashboards/uid/open")["dashboard"]
        d["panels"] += [{"id": 5, "type": "library-panel-ref", "libraryPanel": {"uid": "kept", "name": "Kept"}},
                        {"id": 6, "type": "library-panel-ref", "libraryPanel": {"uid": "gone", "name": "Gone"}}]
        api("POST", "/api/dashboards/db", {"dashboard": d, "overwrite": True})
        got = nobody("GET", view)
        self.assertNotIn("* 7", str(got))
        kept = got["dashboard"]["__elements"]
        self.assertEqual(list(kept), ["kept"])
        self.assertEqual((kept["kept"]["name"], kept["kept"]["model"]["title"]), ("Kept", "Kept"))
        ask = {"timeRange": {"from": "now-10m", "to": "now"}}
        frames = nobody("POST", f"{view}/panels/5/query", ask)["results"]["A"]["frames"]
        self.assertEqual(set(frames[0]["data"]["values"][1]), {7})

    def assert_closed(self, path):
        answer = self.one.post(path, b"{}", headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 401)

    def test_public_dashboards(self):
        api, nobody = self.api, self.nobody
        api("POST", "/api/dashboards/db", {"dashboard": {
            "title": "Open", "uid": "open", "time": {"from": "now-10m", "to": "now"},
            "templating": {"list": [{"name": "secret", "query": "label_values(hidden)"}]},
            "panels": [{"id": 1, "type": "row", "collapsed": True, "panels": [
                {"id": 2, "title": "P", "datasource": PROM,
                 "targets": [{"refId": "A", "expr": "sum(m)", "datasource": PROM}]}]}]}})
        self.assertEqual(api("GET", "/api/user")["login"], "ann")
        self.assertEqual(api("GET", "/api/dashboards/uid/open")["meta"]["createdBy"], "ann")
        path = "/api/dashboards/uid/open/public-dashboards"
        api("GET", path, status=404)
        made = api("POST", path, {"isEnabled": False})
        api("POST", path, {"isEnabled": True}, status=400)
        view = f"/api/public/dashboards/{made['accessToken']}"
        self.assertEqual(len(made["accessToken"]), 32)
        nobody("GET", view, status=404)  # not enabled
        api("PATCH", f"{path}/{made['uid']}", {"isEnabled": True})
        self.assertTrue(api("GET", "/api/dashboards/uid/open")["meta"]["publicDashboardEnabled"])
        got = nobody("GET", view)
        text = str(got)
        self.assertNotIn("sum(m)", text)
        self.assertNotIn("label_values", text)
        self.assertEqual(got["dashboard"]["panels"][0]["panels"][0]["targets"], [{"refId": "A", "datasource": PROM}])
        ask = {"timeRange": {"from": "now-2h", "to": "now-1h"}, "queries": [{"refId": "A", "expr": "secret"}]}
        frames = nobody("POST", f"{view}/panels/2/query", ask)["results"]["A"]["frames"]
        self.assertEqual(set(frames[0]["data"]["values"][1]), {1})
        # With its own time the range asked for holds, and then there is nothing.
        api("PATCH", f"{path}/{made['uid']}", {"timeSelectionEnabled": True})
        self.assertEqual(nobody("POST", f"{view}/panels/2/query", ask)["results"]["A"]["frames"], [])
        nobody("POST", f"{view}/panels/9/query", {}, status=404)
        nobody("GET", "/api/public/dashboards/guess", status=404)
        self.library_panels_of_a_public_dashboard(view)
        self.assert_closed(path)
        self.assertEqual(api("GET", "/api/dashboards/public-dashboards")["totalCount"], 1)
        api("DELETE", f"{path}/{made['uid']}")
        nobody("GET", view, status=404)


if __name__ == "__main__":
    pt.main()
