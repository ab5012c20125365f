#!/usr/bin/env python3
"""Grafana's HTTP API over the catalogue, driven as Terraform's provider, grafanactl's older calls and
people's scripts drive it: the same calls, their status codes and messages."""
import concurrent.futures
import json
import pathlib
import sqlite3

import pharos_test as pt

# The test data lies beside the checkout; a worktree is one folder deeper.
CONFORMANCE = next((p / "shared/conformance/dashboards" for p in pt.ROOT.parents
                    if (p / "shared/conformance/dashboards").is_dir()), None)


class Api:
    def __init__(self, server, **headers):
        self.server, self.headers = server, headers

    def __call__(self, method, path, body=None, status=200, **headers):
        data = None if body is None else json.dumps(body).encode()
        all_headers = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if data is not None:
            all_headers.setdefault("Content-Type", "application/json")
        url = f"http://127.0.0.1:{self.server.main_port}{path}"
        answer = pt.request(url, method, data, all_headers)
        if answer.status != status:
            raise AssertionError(f"{method} {path}: {answer.status}, expected {status}: {answer.text}")
        return answer.json() if answer.body else None

    def save(self, title, uid=None, status=200, **more):
        dashboard = {"title": title, "uid": uid, **more.pop("dashboard", {})}
        return self("POST", "/api/dashboards/db", {"dashboard": dashboard, **more}, status)


class Dashboards(pt.Case):
    def setUp(self):
        super().setUp()
        self.one = self.server("dashboards.shipped=off", doors=False)
        self.api = Api(self.one)

    def test_terraform_dashboard(self):
        """grafana_dashboard: create, read, update with overwrite, plan again, destroy."""
        api = self.api
        made = api("POST", "/api/dashboards/db",
                   {"dashboard": {"title": "Production", "uid": "prod", "panels": []},
                    "folderUid": "", "message": "first", "overwrite": False})
        self.assertEqual((made["status"], made["version"], made["uid"]), ("success", 1, "prod"))
        self.assertEqual(made["url"], "/d/prod/production")
        got = api("GET", "/api/dashboards/uid/prod")
        self.assertEqual(got["dashboard"]["title"], "Production")
        self.assertEqual((got["dashboard"]["id"], got["dashboard"]["version"]), (made["id"], 1))
        self.assertEqual((got["meta"]["folderUid"], got["meta"]["canSave"]), ("", True))
        api("POST", "/api/dashboards/db", {"dashboard": {"title": "Production", "uid": "prod",
                                                         "tags": ["a"]}, "overwrite": True})
        self.assertEqual(api("GET", "/api/dashboards/uid/prod")["meta"]["version"], 2)
        gone = api("DELETE", "/api/dashboards/uid/prod")
        self.assertEqual(gone["message"], "Dashboard Production deleted")
        self.assertEqual(api("GET", "/api/dashboards/uid/prod", status=404)["message"],
                         "Dashboard not found")

    def test_refusals(self):
        api = self.api
        api.save("One", "one")
        m = api.save("One", "one", status=412, dashboard={"version": 7})
        self.assertEqual(m["status"], "version-mismatch")
        self.assertEqual(m["message"], "The dashboard has been changed by someone else")
        self.assertEqual(api.save("One", "two", status=412)["status"], "name-exists")
        self.assertEqual(api.save(" ", status=400)["message"], "Dashboard title cannot be empty")
        self.assertIn("illegal", api.save("x", "a/b", status=400)["message"])
        self.assertIn("too long", api.save("x", "x" * 41, status=400)["message"])
        api.save("x", folderUid="nowhere", status=404)
        api.save("x", status=404, dashboard={"id": 999})
        api("POST", "/api/dashboards/db", {"dashboard": []}, status=400)
        api("POST", "/api/dashboards/db", {}, status=400)
        bad = pt.request(f"http://127.0.0.1:{self.one.main_port}/api/dashboards/db", "POST",
                         b'{"dashboard": {"title": }', {"Content-Type": "application/json"})
        self.assertEqual(bad.status, 400)
        self.assertIn("line 1, column", bad.json()["message"])

    def test_large_ones_are_refused(self):
        server = self.server("limits.dashboards.bytes=2KiB", doors=False, data=self.work / "tight")
        m = Api(server).save("big", status=413, dashboard={"x": "y" * 3000})
        self.assertIn("limits.dashboards.bytes", m["message"])

    def test_conformance_dashboards_come_back_equal(self):
        if not CONFORMANCE:
            self.skipTest("../shared/conformance/dashboards is not there")
        files = sorted(CONFORMANCE.glob("*.json"))
        self.assertEqual(len(files), 4)
        for file in files:
            sent = json.loads(file.read_text())
            for path, body in (("/api/dashboards/db", {"dashboard": {**sent, "id": None}}),
                               ("/api/dashboards/import", {"dashboard": sent, "overwrite": True})):
                made = self.api("POST", path, body)
                got = self.api("GET", f"/api/dashboards/uid/{made['uid']}")["dashboard"]
                expected = {**sent, "id": got["id"], "version": got["version"]}
                if path.endswith("import"):
                    expected = {k: v for k, v in expected.items() if k not in ("__inputs", "__requires")}
                    text = json.dumps(expected)
                    for i in sent.get("__inputs", ()):
                        text = text.replace("${%s}" % i["name"], "prometheus")
                    expected = json.loads(text)
                self.assertEqual(got, expected, file.name)

    def test_numbers_and_unknown_fields_are_kept_as_written(self):
        body = ('{"dashboard": {"title": "t", "uid": "exact", "big": 12345678901234567890, '
                '"small": 1.10, "exp": 1E3, "text": "\\u00e9 \\/ \\ud83d\\ude00", "x": {"id": 5}}}')
        url = f"http://127.0.0.1:{self.one.main_port}"
        pt.request(url + "/api/dashboards/db", "POST", body.encode(), {"Content-Type": "application/json"})
        text = pt.request(url + "/api/dashboards/uid/exact").text
        for part in ('"big":12345678901234567890', '"small":1.10', '"exp":1E3',
                     '"text":"\\u00e9 \\/ \\ud83d\\ude00"', '"x":{"id":5}'):
            self.assertIn(part, text)

    def test_v2_resource_is_kept_verbatim(self):
        api = self.api
        v2 = {"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard",
              "metadata": {"name": "second", "labels": {"a": "b"}},
              "spec": {"title": "V2", "tags": ["new"], "elements": {}, "layout": {"kind": "GridLayout"}}}
        made = api("POST", "/api/dashboards/db", {"dashboard": v2})
        self.assertEqual(made["uid"], "second")
        got = api("GET", "/api/dashboards/uid/second")
        self.assertEqual(got["dashboard"], v2)
        self.assertEqual(got["meta"]["apiVersion"], "dashboard.grafana.app/v2")
        self.assertEqual(api("GET", "/api/search?query=v2")[0]["tags"], ["new"])
        api("POST", "/api/dashboards/db", {"dashboard": v2, "version": 9}, status=412)
        api("POST", "/api/dashboards/db", {"dashboard": v2, "version": 1})
        v1 = {**v2, "apiVersion": "dashboard.grafana.app/v1beta1", "metadata": {"name": "first"},
              "spec": {"title": "V1", "panels": [{"id": 1}]}}
        api("POST", "/api/dashboards/db", {"dashboard": v1})
        self.assertEqual(api("GET", "/api/dashboards/uid/first")["dashboard"]["panels"], [{"id": 1}])

    def test_import_fills_inputs(self):
        api = self.api
        shared = {"title": "Shared", "id": 44, "__requires": [{"type": "grafana"}], "__inputs": [
            {"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus"},
            {"name": "DS_OTHER", "type": "datasource", "pluginId": "prometheus"},
            {"name": "VAR_JOB", "type": "constant", "value": "a \"quoted\" job"}],
            "panels": [{"datasource": "${DS_PROMETHEUS}", "expr": "up{job=\"${VAR_JOB}\"}"},
                       {"datasource": {"uid": "${DS_OTHER}"}, "title": "${var} stays"}]}
        made = api("POST", "/api/dashboards/import",
                   {"dashboard": shared, "inputs": [{"name": "DS_OTHER", "value": "mine"}]})
        self.assertTrue(made["imported"])
        got = api("GET", f"/api/dashboards/uid/{made['uid']}")["dashboard"]
        self.assertNotIn("__inputs", got)
        self.assertEqual(got["panels"][0], {"datasource": "prometheus", "expr": "up{job=\"a \"quoted\" job\"}"})
        self.assertEqual(got["panels"][1], {"datasource": {"uid": "mine"}, "title": "${var} stays"})

    def test_history(self):
        api = self.api
        for n in range(1, 4):
            api.save(f"T{n}", "d", dashboard={"version": n - 1}, message=f"m{n}")
        versions = api("GET", "/api/dashboards/uid/d/versions")["versions"]
        self.assertEqual([(v["version"], v["message"], v["parentVersion"]) for v in versions],
                         [(3, "m3", 2), (2, "m2", 1), (1, "m1", 0)])
        first = api("GET", "/api/dashboards/uid/d/versions?limit=2")
        self.assertEqual(len(first["versions"]), 2)
        rest = api("GET", f"/api/dashboards/uid/d/versions?limit=2&continueToken={first['continueToken']}")
        self.assertEqual([v["version"] for v in rest["versions"]], [1])
        self.assertEqual(api("GET", "/api/dashboards/uid/d/versions/1")["data"]["title"], "T1")
        restored = api("POST", "/api/dashboards/uid/d/restore", {"version": 1})
        self.assertEqual(restored["version"], 4)
        self.assertEqual(api("GET", "/api/dashboards/uid/d")["dashboard"]["title"], "T1")
        self.assertEqual(api("GET", "/api/dashboards/uid/d/versions")["versions"][0]["restoredFrom"], 1)
        api("GET", "/api/dashboards/uid/d/versions/9", status=404)

    def test_concurrent_saves(self):
        """Every save says which version it saw; of several that saw the same one, one wins."""
        self.api.save("C", "c")

        def work(_):
            wins = 0
            for _ in range(8):
                seen = self.api("GET", "/api/dashboards/uid/c")["dashboard"]
                body = json.dumps({"dashboard": {**seen, "n": seen["version"]}}).encode()
                answer = pt.request(f"http://127.0.0.1:{self.one.main_port}/api/dashboards/db", "POST",
                                    body, {"Content-Type": "application/json"})
                self.assertIn(answer.status, (200, 412))
                wins += answer.status == 200
            return wins

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            wins = sum(pool.map(work, range(6)))
        self.assertEqual(self.api("GET", "/api/dashboards/uid/c")["meta"]["version"], 1 + wins)
        self.assertGreaterEqual(wins, 8)

    def test_search_tags_and_stars(self):
        api = self.api
        folder = api("POST", "/api/folders", {"title": "Team", "uid": "team"})
        api.save("Alpha one", "a", dashboard={"tags": ["x", "y"]}, folderUid="team")
        api.save("beta ONE", "b", dashboard={"tags": ["x"]})
        uids = lambda q: [h["uid"] for h in api("GET", "/api/search?" + q)]
        self.assertEqual(uids(""), ["team", "a", "b"])
        self.assertEqual(uids("query=one%20alp"), ["a"])
        self.assertEqual(uids("tag=x&tag=y"), ["a"])
        self.assertEqual(uids("type=dash-folder"), ["team"])
        self.assertEqual(uids("type=dash-db&sort=alpha-desc"), ["b", "a"])
        self.assertEqual(uids("folderUIDs=team"), ["a"])
        self.assertEqual(uids("folderUIDs=general&type=dash-db"), ["b"])
        self.assertEqual(uids(f"folderIds={folder['id']}"), ["a"])
        self.assertEqual(uids("dashboardUIDs=b"), ["b"])
        self.assertEqual(uids("type=dash-db&limit=1&page=2"), ["b"])
        hit = api("GET", "/api/search?query=alpha")[0]
        self.assertEqual((hit["folderUid"], hit["folderTitle"], hit["type"]), ("team", "Team", "dash-db"))
        self.assertEqual({t["term"]: t["count"] for t in api("GET", "/api/dashboards/tags")}, {"x": 2, "y": 1})
        api("POST", "/api/user/stars/dashboard/uid/b")
        self.assertEqual(uids("starred=true"), ["b"])
        self.assertEqual(api("GET", "/api/user/stars"), ["b"])
        self.assertTrue(api("GET", "/api/dashboards/uid/b")["meta"]["isStarred"])
        api("DELETE", "/api/user/stars/dashboard/uid/b")
        self.assertEqual(uids("starred=true"), [])

    def test_folders(self):
        """grafana_folder with parents, as Terraform makes, renames, moves and destroys them."""
        api = self.api
        a = api("POST", "/api/folders", {"title": "A", "uid": "a"})
        b = api("POST", "/api/folders", {"title": "B", "uid": "b", "parentUid": "a"})
        self.assertEqual((a["url"], b["parentUid"]), ("/dashboards/f/a/a", "a"))
        self.assertEqual([p["uid"] for p in b["parents"]], ["a"])
        api("POST", "/api/folders", {"title": "A"}, status=409)
        api("POST", "/api/folders", {"title": ""}, status=400)
        self.assertEqual([f["uid"] for f in api("GET", "/api/folders")], ["a"])
        self.assertEqual([f["uid"] for f in api("GET", "/api/folders?parentUid=a")], ["b"])
        api("PUT", "/api/folders/b", {"title": "B2", "version": 5}, status=412)
        self.assertEqual(api("PUT", "/api/folders/b", {"title": "B2", "overwrite": True})["version"], 2)
        api("POST", "/api/folders/a/move", {"parentUid": "b"}, status=400)
        api("POST", "/api/folders/b/move", {"parentUid": ""})
        self.assertNotIn("parentUid", api("GET", "/api/folders/b"))
        self.assertEqual(api("GET", f"/api/folders/id/{a['id']}")["uid"], "a")
        api.save("In", "in", folderUid="b")
        self.assertEqual(api("GET", "/api/folders/b/counts")["dashboard"], 1)
        api("DELETE", "/api/folders/b?forceDeleteRules=true")
        api("GET", "/api/dashboards/uid/in", status=404)
        api("GET", "/api/folders/b", status=404)

    def test_annotations(self):
        api = self.api
        api.save("D", "d")
        made = api("POST", "/api/annotations", {"dashboardUID": "d", "panelId": 2, "time": 1000, "timeEnd": 2000,
                                                "tags": ["deploy", "eu"], "text": "v1"})
        self.assertEqual(made["message"], "Annotation added")
        api("POST", "/api/annotations", {"text": "everywhere", "tags": ["eu"], "time": 5000})
        api("POST", "/api/annotations", {"text": ""}, status=400)
        api("POST", "/api/annotations", {"text": "x", "dashboardUID": "no"}, status=404)
        api("POST", "/api/annotations", {"text": "x", "time": 10**17}, status=400)
        texts = lambda q: [a["text"] for a in api("GET", "/api/annotations?" + q)]
        self.assertEqual(texts(""), ["everywhere", "v1"])
        self.assertEqual(texts("from=1500&to=1600"), ["v1"])
        self.assertEqual(texts("dashboardUID=d&panelId=2"), ["v1"])
        self.assertEqual(texts("tags=deploy&tags=us"), [])
        self.assertEqual(texts("tags=deploy&tags=us&matchAny=true"), ["v1"])
        api("PATCH", f"/api/annotations/{made['id']}", {"text": "v1.1"})
        got = api("GET", f"/api/annotations/{made['id']}")
        self.assertEqual((got["text"], got["time"], got["timeEnd"], got["tags"], got["login"]),
                         ("v1.1", 1000, 2000, ["deploy", "eu"], "admin"))
        api("PUT", f"/api/annotations/{made['id']}", {"text": "v2", "time": 3000, "timeEnd": 4000, "tags": []})
        self.assertEqual(api("GET", f"/api/annotations/{made['id']}")["tags"], [])
        self.assertEqual(api("GET", "/api/annotations/tags")["result"]["tags"], [{"tag": "eu", "count": 1}])
        api("POST", "/api/annotations/graphite", {"what": "w", "tags": "a b", "when": 7, "data": "more"})
        self.assertEqual(texts("tags=a&tags=b"), ["w\nmore"])
        api("DELETE", f"/api/annotations/{made['id']}")
        api("GET", f"/api/annotations/{made['id']}", status=404)

    def test_library_elements(self):
        api = self.api
        model = {"type": "stat", "title": "T", "targets": [{"expr": "up"}], "unknown": {"n": 1.50}}
        made = api("POST", "/api/library-elements", {"name": "Load", "kind": 1, "model": model})["result"]
        self.assertEqual((made["name"], made["type"], made["version"], made["model"]), ("Load", "stat", 1, model))
        uid = made["uid"]
        self.assertEqual(api("GET", f"/api/library-elements/{uid}")["result"]["model"], model)
        # A name is there once in its folder; what is wrong is refused with its reason.
        api("POST", "/api/library-elements", {"name": "Load", "kind": 1, "model": {}}, status=400)
        api("POST", "/api/library-elements", {"name": "X", "kind": 1}, status=400)
        api("POST", "/api/library-elements", {"name": " ", "kind": 1, "model": {}}, status=400)
        api("POST", "/api/library-elements", {"name": "X", "kind": 2, "model": {}}, status=400)
        api("POST", "/api/library-elements", {"name": "X", "kind": 1, "model": [1]}, status=400)
        api("POST", "/api/library-elements", {"uid": uid, "name": "X", "kind": 1, "model": {}}, status=400)
        changed = api("PATCH", f"/api/library-elements/{uid}", {"name": "Loads", "version": 1})["result"]
        self.assertEqual((changed["name"], changed["version"], changed["model"]), ("Loads", 2, model))
        api("PATCH", f"/api/library-elements/{uid}", {"name": "Late", "version": 1}, status=412)
        api("POST", "/api/library-elements", {"uid": "own", "name": "Other", "kind": 1, "model": {"type": "text"}})
        listed = api("GET", "/api/library-elements?searchString=LOAD")["result"]
        self.assertEqual([e["uid"] for e in listed["elements"]], [uid])
        self.assertEqual(api("GET", "/api/library-elements?perPage=1&page=2")["result"]["totalCount"], 2)
        self.assertEqual(api("GET", "/api/library-elements/name/Other")["result"][0]["uid"], "own")
        api("DELETE", "/api/library-elements/own")
        api("GET", "/api/library-elements/own", status=404)
        api("DELETE", f"/api/library-elements/{uid}")

    def test_snapshots_and_playlists(self):
        api = self.api
        made = api("POST", "/api/snapshots", {"name": "s", "expires": 3600,
                                              "dashboard": {"title": "S", "panels": [{"snapshotData": [1]}]}})
        got = api("GET", f"/api/snapshots/{made['key']}")
        self.assertEqual(got["dashboard"]["panels"], [{"snapshotData": [1]}])
        self.assertTrue(got["meta"]["isSnapshot"])
        self.assertEqual(len(api("GET", "/api/dashboard/snapshots")), 1)
        api("DELETE", f"/api/snapshots-delete/{made['deleteKey']}")
        api("GET", f"/api/snapshots/{made['key']}", status=404)
        items = [{"type": "dashboard_by_uid", "value": "d"}, {"type": "dashboard_by_tag", "value": "x"}]
        uid = api("POST", "/api/playlists", {"name": "P", "interval": "30s", "items": items})["uid"]
        self.assertEqual(api("GET", f"/api/playlists/{uid}"),
                         {"uid": uid, "name": "P", "interval": "30s", "items": items})
        api("PUT", f"/api/playlists/{uid}", {"name": "P2", "interval": "1m", "items": items[:1]})
        self.assertEqual(api("GET", f"/api/playlists/{uid}/items"), items[:1])
        self.assertEqual([p["name"] for p in api("GET", "/api/playlists")], ["P2"])
        api("DELETE", f"/api/playlists/{uid}")
        api("GET", f"/api/playlists/{uid}", status=404)

    def test_who_and_preferences(self):
        api = self.api
        self.assertEqual(api("GET", "/api/health")["database"], "ok")
        self.assertEqual(api("GET", "/api/org"), {"id": 1, "name": "Main Org."})
        self.assertEqual(api("GET", "/api/user")["login"], "admin")
        api("PUT", "/api/org/preferences", {"theme": "dark", "mine": [1.50]})
        api("PATCH", "/api/org/preferences", {"timezone": "utc"})
        got = api("GET", "/api/org/preferences")
        self.assertEqual((got["theme"], got["timezone"], got["mine"]), ("dark", "utc", [1.5]))
        self.assertEqual(api("GET", "/api/user/preferences")["theme"], "")
        api.save("Home", "home")
        api("PUT", "/api/user/preferences", {"homeDashboardUID": "home"})
        self.assertEqual(api("GET", "/api/dashboards/home")["redirectUri"], "/d/home/home")
        api("PUT", "/api/org/preferences", {"x": "y" * 70000}, status=413)

    def test_data_sources(self):
        api = self.api
        source = api("GET", "/api/datasources/uid/prometheus")
        self.assertEqual((source["type"], source["isDefault"], source["readOnly"]), ("prometheus", True, True))
        self.assertEqual(api("GET", "/api/datasources/name/Prometheus")["uid"], "prometheus")
        self.assertEqual(api("GET", "/api/datasources/uid/prometheus/health")["status"], "OK")
        self.assertIn("prometheus", [s["uid"] for s in api("GET", "/api/datasources")])
        api("GET", "/api/datasources/uid/other", status=404)
        api("POST", "/api/datasources", {"name": "x"}, status=403)
        through = "/api/datasources/proxy/uid/prometheus/api/v1/query?query=vector(3)"
        self.assertEqual(api("GET", through)["data"]["result"][0]["value"][1], "3")
        got = pt.request(f"http://127.0.0.1:{self.one.main_port}/api/datasources/proxy/uid/prometheus/api/v1/query",
                         "POST", b"query=1%2B1", {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(got.json()["data"]["result"][1], "2")
        labels = api("GET", "/api/datasources/uid/prometheus/resources/api/v1/labels")
        self.assertEqual(labels["status"], "success")

    def test_other_sites_may_not_change_anything(self):
        api = self.api
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
                        {"Origin": f"http://127.0.0.1:{self.one.main_port + 1}"}):
            evil = Api(self.one, **headers)
            evil("POST", "/api/folders", {"title": "x"}, status=403)
            evil("POST", "/api/dashboards/db", {"dashboard": {"title": "x"}}, status=403)
            evil("DELETE", "/api/dashboards/uid/x", status=403)
            evil("PUT", "/api/user/preferences", {}, status=403)
            evil("POST", "/-/reload", status=403)
        # A form can send only these types without asking first.
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            api("POST", "/api/folders", {"title": "x"}, status=415, Content_Type=kind)
        self.assertEqual(api("GET", "/api/folders"), [])
        Api(self.one, **{"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"})(
            "POST", "/api/folders", {"title": "mine"})
        Api(self.one, Origin=f"http://127.0.0.1:{self.one.main_port}")("POST", "/api/folders", {"title": "too"})

    def test_everything_is_there_after_a_kill(self):
        self.api.save("Kept", "kept")
        self.one.kill()
        self.one.start()
        self.assertEqual(self.api("GET", "/api/dashboards/uid/kept")["dashboard"]["title"], "Kept")

    def test_other_programs_are_kept_out_of_the_file(self):
        self.api.save("Mine", "mine")
        with self.assertRaises(sqlite3.OperationalError):
            db = sqlite3.connect(f"{self.one.data}/catalog.db", timeout=0.1)
            db.execute("SELECT count(*) FROM dashboard").fetchone()
        self.one.stop()
        db = sqlite3.connect(f"{self.one.data}/catalog.db")
        self.assertEqual(db.execute("SELECT title FROM dashboard").fetchall(), [("Mine",)])
        db.close()

    def test_a_damaged_catalogue(self):
        self.api.save("Lost", "lost")
        self.one.stop()
        file = pathlib.Path(self.one.data) / "catalog.db"
        file.write_bytes(b"no database at all" * 1000)
        self.one.start()
        self.api("GET", "/api/dashboards/uid/lost", status=404)
        self.assertEqual(len(list(file.parent.glob("catalog.db.damaged-*"))), 1)
        self.assertIn("kept aside", self.one.log())
        self.api.save("New", "new")


if __name__ == "__main__":
    pt.main()
