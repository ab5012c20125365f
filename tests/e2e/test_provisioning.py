#!/usr/bin/env python3
"""Dashboards that come from elsewhere: shipped ones once their metrics exist, the two-way folder, and
Grafana's provisioning files."""
import json
import re
import time

import pharos_test as pt
from test_dashboards import Api

SECONDS = pt.WAIT_S


class Provisioning(pt.Case):
    def titles(self, api, query="type=dash-db"):
        return [h["title"] for h in api("GET", "/api/search?" + query)]

    def appears(self, api, title, there=True):
        pt.wait_for(f"{title} to {'come' if there else 'go'}",
                    lambda: (title in self.titles(api)) == there, SECONDS)

    def test_shipped_dashboards_come_with_their_metrics(self):
        server = self.server("telemetry.interval=1h", doors=False)
        api = Api(server)
        pt.wait_for("the folder", lambda: api("GET", "/api/search?type=dash-folder"), SECONDS)
        self.assertNotIn("Redis", self.titles(api))
        server.write([({"__name__": "redis_commands_processed_total", "instance": "r"}, [(time.time() * 1000, 1.0)])])
        self.appears(api, "Redis")
        got = api("GET", "/api/dashboards/uid/pharos-redis")
        self.assertTrue(got["meta"]["shipped"] and got["meta"]["provisioned"])
        self.assertEqual((got["meta"]["canSave"], got["meta"]["folderUid"]), (False, "pharos"))
        m = api("POST", "/api/dashboards/db", {"dashboard": got["dashboard"], "overwrite": True}, status=400)
        self.assertEqual(m["message"], "Cannot save provisioned dashboard")
        api("DELETE", "/api/dashboards/uid/pharos-redis", status=400)
        api("POST", "/api/dashboards/db", {"dashboard": {**got["dashboard"], "uid": "mine", "id": None}})
        api("POST", "/api/user/stars/dashboard/uid/pharos-redis")
        server.stop()
        server.start()
        self.assertIn("Redis", self.titles(api, "starred=true"))

    def test_the_dashboard_of_logs_comes_with_the_first_line(self):
        server = self.server(doors=False)
        api = Api(server)
        pt.wait_for("one of Pharos itself", lambda: "Pharos" in self.titles(api), SECONDS)
        self.assertNotIn("Logs", self.titles(api))
        line = {"streams": [{"stream": {"service_name": "a"}, "values": [[str(time.time_ns()), "level=error broken"]]}]}
        server.post("/loki/loki/api/v1/push", json.dumps(line).encode(), headers={"Content-Type": "application/json"})
        self.appears(api, "Logs")

    def test_shipped_dashboards_can_be_left_out(self):
        server = self.server("telemetry.interval=1h", doors=False)
        pt.wait_for("the folder", lambda: Api(server)("GET", "/api/search?type=dash-folder"), SECONDS)
        server.stop()
        server.sets.append("dashboards.shipped=off")
        server.start()
        pt.wait_for("them to go", lambda: server.get("/api/dashboards/uid/pharos-redis").status == 404, SECONDS)

    def test_shipped_queries_are_good(self):
        """Every expression of every shipped dashboard is PromQL or LogQL that this server takes."""
        server = self.server(doors=False)
        queries = []
        for file in sorted((pt.ROOT / "src/server/dashboards").glob("*.json")):
            d = json.loads(file.read_text())
            self.assertTrue(d["uid"].startswith("pharos-"))
            for p in d["panels"]:
                for t in p.get("targets", ()):
                    if t.get("queryType") == "serviceMap":
                        continue
                    lang = "logql" if t["datasource"]["type"] == "loki" else "promql"
                    text = t["expr"]
                    for name, value in (("$__rate_interval", "1m"), ("$__range", "1h"), ("$__auto", "1m")):
                        text = text.replace(name, value)
                    lines = lang == "logql" and text.startswith("{")
                    at = {"from": 0, "to": 3600000, "step_ms": 60000} if lines else {"type": "instant"}
                    queries.append({"id": f"{file.stem}/{p['title']}/{t['refId']}", "lang": lang, "query": text, **at})
        self.assertGreater(len(queries), 150)
        answer = server.post("/api/pharos/v1/query", json.dumps({"queries": queries}).encode(),
                             headers={"Content-Type": "application/json"})
        lines = [json.loads(line) for line in answer.text.splitlines()]
        self.assertEqual([line for line in lines if "error" in line or line.get("warnings")], [])
        self.assertEqual(len(lines), len(queries) + 1)

    def test_a_folder_both_ways(self):
        folder = self.work / "dashboards"
        (folder / "Team" / "Sub").mkdir(parents=True)
        one = folder / "one.json"
        one.write_text(json.dumps({"title": "One", "uid": "one", "panels": []}))
        (folder / "Team" / "Sub" / "deep.json").write_text(json.dumps({"title": "Deep", "tags": ["t"]}))
        (folder / "broken.json").write_text("{")
        server = self.server(f"dashboards.path={folder}", "dashboards.shipped=off", doors=False)
        api = Api(server)
        self.appears(api, "Deep")
        pt.wait_for("the broken one to be told",
                    lambda: re.search(r'broken.json error="1:2: .*double quotes', server.log()), SECONDS)
        deep = api("GET", "/api/search?query=deep")[0]
        self.assertEqual(deep["folderTitle"], "Sub")
        meta = api("GET", "/api/dashboards/uid/one")["meta"]
        self.assertEqual((meta["provisioned"], meta["canSave"], meta["provisionedExternalId"]), (True, True, "one.json"))
        # From the disk.
        one.write_text(json.dumps({"title": "One changed", "uid": "one"}))
        self.appears(api, "One changed")
        # To the disk: a change, a new one, one that moves, one that goes.
        got = api("GET", "/api/dashboards/uid/one")["dashboard"]
        api("POST", "/api/dashboards/db", {"dashboard": {**got, "title": "One saved", "x": 1.50}})
        self.assertEqual(json.loads(one.read_text()), {"title": "One saved", "uid": "one", "x": 1.5})
        self.assertIn("\n", one.read_text().strip())
        api("POST", "/api/dashboards/db", {"dashboard": {"title": "Brand New!", "uid": "fresh"}})
        self.assertEqual(json.loads((folder / "brand-new.json").read_text())["uid"], "fresh")
        team = [f["uid"] for f in api("GET", "/api/folders") if f["title"] == "Team"][0]
        api("POST", "/api/dashboards/db", {"dashboard": {"title": "Brand New!", "uid": "fresh", "version": 1},
                                           "folderUid": team})
        self.assertFalse((folder / "brand-new.json").exists())
        self.assertTrue((folder / "Team" / "brand-new.json").exists())
        api("DELETE", "/api/dashboards/uid/fresh")
        self.assertFalse((folder / "Team" / "brand-new.json").exists())
        # Changed on both sides at once: the disk wins and the save is told.
        version = api("GET", "/api/dashboards/uid/one")["dashboard"]["version"]
        one.write_text(json.dumps({"title": "One by hand", "uid": "one"}))
        answer = server.post("/api/dashboards/db",
                             json.dumps({"dashboard": {"title": "lost", "uid": "one", "version": version}}).encode(),
                             headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 412, answer.text)
        self.appears(api, "One by hand")
        # A file that goes takes its dashboard along; so it does while we are down.
        (folder / "Team" / "Sub" / "deep.json").unlink()
        self.appears(api, "Deep", there=False)
        version = api("GET", "/api/dashboards/uid/one")["meta"]["version"]
        server.stop()
        server.start()
        time.sleep(1)
        self.assertEqual(api("GET", "/api/dashboards/uid/one")["meta"]["version"], version)
        server.stop()
        one.unlink()
        server.start()
        self.appears(api, "One by hand", there=False)

    def test_a_folder_that_is_read_only(self):
        folder = self.work / "dashboards"
        folder.mkdir()
        (folder / "one.json").write_text(json.dumps({"title": "One", "uid": "one"}))
        server = self.server(f"dashboards.path={folder}", "dashboards.write=off", "dashboards.folder=Files", doors=False)
        api = Api(server)
        self.appears(api, "One")
        self.assertEqual(api("GET", "/api/search?query=one")[0]["folderTitle"], "Files")
        self.assertFalse(api("GET", "/api/dashboards/uid/one")["meta"]["canSave"])
        api.save("One", "one", status=400)

    def test_grafana_provisioning(self):
        files = self.work / "files"
        (files / "Sub").mkdir(parents=True)
        (files / "a.json").write_text(json.dumps({"title": "A", "uid": "a", "__inputs": [
            {"name": "DS", "type": "datasource", "pluginId": "prometheus"}], "panels": [{"datasource": "${DS}"}]}))
        (files / "Sub" / "v2.json").write_text(json.dumps(
            {"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {"name": "v2"},
             "spec": {"title": "V2", "elements": {}, "layout": {}}}))
        provisioning = self.work / "provisioning"
        (provisioning / "dashboards").mkdir(parents=True)
        (provisioning / "datasources").mkdir()
        (provisioning / "dashboards" / "all.yaml").write_text(
            "apiVersion: 1\nproviders:\n  - name: 'team'\n    orgId: 1\n    folder: 'From files'\n    folderUid: ff\n"
            "    type: file\n    disableDeletion: true\n    updateIntervalSeconds: 10\n    allowUiUpdates: true\n"
            "    options:\n      path: ${FILES_DIR}\n      foldersFromFilesStructure: false\n")
        (provisioning / "datasources" / "ds.yml").write_text(
            "apiVersion: 1\ndatasources:\n  - name: Prom\n    type: prometheus\n    url: http://elsewhere:9090\n")
        server = self.server(f"dashboards.provisioning={provisioning}", doors=False, env={"FILES_DIR": str(files)})
        api = Api(server)
        self.appears(api, "V2")
        self.assertEqual(api("GET", "/api/search?query=v2")[0]["folderUid"], "ff")
        got = api("GET", "/api/dashboards/uid/a")
        self.assertEqual(got["dashboard"]["panels"], [{"datasource": "prometheus"}])
        # Grafana keeps what is saved in its database; the file stays as it is.
        api("POST", "/api/dashboards/db", {"dashboard": {**got["dashboard"], "title": "A here"}, "folderUid": "ff"})
        self.assertEqual(json.loads((files / "a.json").read_text())["title"], "A")
        self.assertIn("cannot be deleted", api("DELETE", "/api/dashboards/uid/a", status=400)["message"])
        (files / "a.json").unlink()
        pt.wait_for("it to be ours", lambda: not api("GET", "/api/dashboards/uid/a")["meta"]["provisioned"], SECONDS)

    def test_bad_provisioning_is_told(self):
        bad = self.file("x.yaml", "providers:\n  - name: a\n    type: file\n")
        (self.work / "dashboards").mkdir()
        bad.rename(self.work / "dashboards" / "x.yaml")
        answer = pt.run("serve", "--data", self.work / "d", "--set", f"dashboards.provisioning={self.work}",
                        "--set", f"main.listen=127.0.0.1:{pt.free_port()}", "--set", "doors.all=off")
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("options.path", answer.stderr)
        self.assertIn("x.yaml:2", answer.stderr)


if __name__ == "__main__":
    pt.main()
