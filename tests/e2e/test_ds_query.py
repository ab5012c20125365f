#!/usr/bin/env python3
"""/api/ds/query as Grafana's panels send it, and public dashboards as people without a password see them."""
import base64
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

    def test_errors(self):
        got = self.ask({"refId": "A", "expr": "sum("}, {"refId": "B", "expr": "sum(m)"}, status=400)
        self.assertIn("parse error", got["A"]["error"])
        self.assertEqual((got["A"]["status"], got["B"]["status"]), (400, 200))
        self.api("POST", "/api/ds/query", {"queries": []}, status=400)
        self.api("POST", "/api/ds/query", {"from": "never", "queries": [{"refId": "A", "expr": "m"}]}, status=400)
        self.assert_closed("/api/ds/query")

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
        self.assert_closed(path)
        self.assertEqual(api("GET", "/api/dashboards/public-dashboards")["totalCount"], 1)
        api("DELETE", f"{path}/{made['uid']}")
        nobody("GET", view, status=404)


if __name__ == "__main__":
    pt.main()
