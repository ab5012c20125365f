#!/usr/bin/env python3
"""Who there is and what they may do, as Grafana's clients read it; data sources of provisioning files."""
import base64
import time

import pharos_test as pt
from test_dashboards import Api

PASSWORD = "a good password"
TOKEN = "a-token-of-enough-length"


class People(pt.Case):
    def start(self, config, **kwargs):
        server = pt.Server(self.work / "data", config=self.file("pharos.yml", config), doors=False, **kwargs)
        self.addCleanup(server.remove)
        return server.start()

    def test_users_and_tokens(self):
        hash_ = pt.run("password", input=PASSWORD + "\n").stdout.strip().splitlines()[-1].split()[-1]
        one = self.start(f"auth:\n  users:\n    ann: '{hash_}'\n    bob: '{hash_}'\n  tokens:\n    ci: {TOKEN}\n")
        ann = Api(one, Authorization="Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode())
        ci = Api(one, Authorization=f"Bearer {TOKEN}")
        self.assertEqual([u["login"] for u in ann("GET", "/api/users")], ["ann", "bob"])
        self.assertEqual([u["login"] for u in ann("GET", "/api/users?query=bo")], ["bob"])
        found = ann("GET", "/api/users/search?perpage=10&page=1")
        self.assertEqual((found["totalCount"], [u["id"] for u in found["users"]]), (2, [1, 2]))
        self.assertEqual(ann("GET", "/api/users/lookup?loginOrEmail=bob")["id"], 2)
        self.assertEqual(ann("GET", "/api/users/2")["login"], "bob")
        ann("GET", "/api/users/3", status=404)  # a token is no user
        ann("GET", "/api/users/lookup?loginOrEmail=eve", status=404)
        self.assertEqual([(u["userId"], u["login"], u["role"]) for u in ann("GET", "/api/org/users")],
                         [(1, "ann", "Admin"), (2, "bob", "Admin")])
        self.assertEqual((ann("GET", "/api/user")["id"], ci("GET", "/api/user")["login"]), (1, "ci"))
        accounts = ann("GET", "/api/serviceaccounts/search")
        self.assertEqual([(a["id"], a["name"], a["login"]) for a in accounts["serviceAccounts"]],
                         [(3, "ci", "sa-ci")])
        self.assertEqual(ann("GET", "/api/serviceaccounts/3")["name"], "ci")
        ann("GET", "/api/serviceaccounts/1", status=404)
        self.assertEqual(ann("GET", "/api/teams/search")["totalCount"], 0)
        self.assertEqual(ann("GET", "/api/user/teams"), [])
        for method, path in (("POST", "/api/serviceaccounts"), ("POST", "/api/teams"), ("POST", "/api/admin/users"),
                             ("POST", "/api/serviceaccounts/3/tokens"), ("POST", "/api/auth/keys"),
                             ("PUT", "/api/users/1"), ("POST", "/api/folders/general/permissions")):
            self.assertIn("auth.tokens", ann(method, path, {}, status=403)["message"], path)

    def test_permissions(self):
        api = Api(self.start("{}\n"))
        self.assertEqual([u["login"] for u in api("GET", "/api/users")], ["admin"])
        api.save("D", "d")
        api("POST", "/api/folders", {"title": "F", "uid": "f"})
        for path in ("/api/dashboards/uid/d/permissions", "/api/folders/f/permissions"):
            self.assertEqual([(p["role"], p["permission"], p["permissionName"]) for p in api("GET", path)],
                             [("Admin", 4, "Admin")])
        for path in ("/api/access-control/dashboards/d", "/api/access-control/folders/f"):
            self.assertEqual([(p["builtInRole"], p["permission"]) for p in api("GET", path)], [("Admin", "Admin")])
        for path in ("/api/dashboards/uid/x/permissions", "/api/folders/x/permissions",
                     "/api/access-control/dashboards/x", "/api/access-control/folders/x"):
            api("GET", path, status=404)
        for path in ("/api/dashboards/uid/d/permissions", "/api/folders/f/permissions", "/api/access-control/folders/f",
                     "/api/access-control/folders/f/users/1", "/api/access-control/dashboards/d/builtInRoles/Viewer"):
            self.assertIn("public dashboard", api("POST", path, {"permissions": []}, status=403)["message"], path)
        rights = api("GET", "/api/access-control/user/permissions")
        self.assertEqual(rights["dashboards:write"], ["dashboards:*"])
        self.assertTrue(api("GET", "/api/access-control/user/actions")["folders:create"])
        self.assertEqual(set(rights), set(api("GET", "/api/access-control/user/actions")))


class Provisioned(pt.Case):
    def test_data_sources_are_other_names(self):
        sources = self.work / "provisioning" / "datasources"
        sources.mkdir(parents=True)
        (sources / "all.yaml").write_text("""
apiVersion: 1
datasources:
- {name: Company metrics, type: prometheus, uid: PBFA97CFB590B2093, url: 'http://prometheus:9090', isDefault: true}
- {name: Logs of $WHERE, type: loki, url: 'http://loki:3100'}
- {name: Victoria, type: victoriametrics-metrics-datasource, uid: vm}
- {name: Old, type: opentsdb, url: 'http://x'}
""")
        one = self.server(f"dashboards.provisioning={self.work / 'provisioning'}", "telemetry.interval=1h",
                          doors=False, env={"WHERE": "berlin"})
        api, now = Api(one), int(time.time())
        one.write([({"__name__": "m", "job": "j"}, [((now - 30) * 1000, 5)])])
        listed = {d["name"]: d for d in api("GET", "/api/datasources")}
        self.assertEqual({n: (d["uid"], d["type"]) for n, d in listed.items()
                          if n in ("Company metrics", "Logs of berlin", "Victoria", "Old")},
                         {"Company metrics": ("PBFA97CFB590B2093", "prometheus"),
                          "Logs of berlin": ("Logs of berlin", "loki"), "Victoria": ("vm", "prometheus")})
        self.assertEqual([n for n, d in listed.items() if d["isDefault"]], ["Company metrics"])
        self.assertEqual(len({d["id"] for d in listed.values()}), len(listed))
        uid = "/api/datasources/uid/PBFA97CFB590B2093"
        self.assertEqual(api("GET", uid)["name"], "Company metrics")
        self.assertEqual(api("GET", f"/api/datasources/{listed['Company metrics']['id']}")["uid"], "PBFA97CFB590B2093")
        self.assertEqual(api("GET", uid + "/health")["status"], "OK")
        self.assertEqual(api("GET", "/api/datasources/id/Company%20metrics")["id"], listed["Company metrics"]["id"])
        self.assertEqual(api("GET", uid + "/resources/api/v1/label/job/values?match[]=m")["data"], ["j"])
        self.assertEqual(api("GET", "/api/datasources/proxy/uid/PBFA97CFB590B2093/api/v1/query?query=sum(m)")["data"]
                         ["result"][0]["value"][1], "5")
        self.assertEqual(api("GET", "/api/datasources/uid/Logs%20of%20berlin/resources/labels")["status"], "success")
        got = api("POST", "/api/ds/query", {"from": "now-5m", "to": "now", "queries": [
            {"refId": "A", "datasource": {"uid": "PBFA97CFB590B2093"}, "expr": "m", "instant": True},
            {"refId": "B", "datasource": "Company metrics", "expr": "m", "instant": True}]})["results"]
        self.assertEqual([got[r]["frames"][0]["data"]["values"][1] for r in "AB"], [[5], [5]])
        api("GET", "/api/datasources/uid/nothing", status=404)
        (sources / "all.yaml").write_text("datasources: [{name: x}]\n")
        done = pt.run("serve", "--data", self.work / "other", "--set", f"dashboards.provisioning={self.work / 'provisioning'}",
                      "--set", "doors.all=off", "--set", f"main.listen=127.0.0.1:{pt.free_port()}")
        self.assertIn("a data source needs a name and a type", done.stderr + done.stdout)


if __name__ == "__main__":
    pt.main()
