#!/usr/bin/env python3
"""Dashboards and folders as resources below /apis, as grafanactl, Terraform and kubectl speak: discovery,
create, read, update with a version, delete, paging, errors; and the same things seen by the classic API."""
import json
import shutil
import subprocess

import pharos_test as pt

DASHBOARDS = "/apis/dashboard.grafana.app/v1/namespaces/default/dashboards"
FOLDERS = "/apis/folder.grafana.app/v1/namespaces/default/folders"


def dashboard(name=None, title="One", folder=None, api="v1", **spec):
    metadata = {"name": name} if name else {}
    if folder:
        metadata["annotations"] = {"grafana.app/folder": folder}
    return {"apiVersion": f"dashboard.grafana.app/{api}", "kind": "Dashboard", "metadata": metadata,
            "spec": {"title": title, "panels": [], "schemaVersion": 41, **spec}}


def folder(name, title, parent=None):
    metadata = {"name": name}
    if parent:
        metadata["annotations"] = {"grafana.app/folder": parent}
    return {"apiVersion": "folder.grafana.app/v1", "kind": "Folder", "metadata": metadata, "spec": {"title": title}}


class Apis(pt.Case):
    def setUp(self):
        super().setUp()
        self.pharos = super().server("dashboards.shipped=off")

    def send(self, path, method="GET", body=None, status=200, **headers):
        data = json.dumps(body).encode() if body is not None else None
        answer = pt.request(self.pharos.url + path, method, data, {"Content-Type": "application/json", **headers})
        self.assertEqual(answer.status, status, answer.text)
        return answer.json()

    def test_discovery(self):
        names = [g["name"] for g in self.send("/apis")["groups"]]
        self.assertEqual(names, ["dashboard.grafana.app", "folder.grafana.app"])
        group = self.send("/apis/folder.grafana.app")
        self.assertEqual((group["kind"], group["preferredVersion"]["version"]), ("APIGroup", "v1"))
        resources = self.send("/apis/dashboard.grafana.app/v2beta1")["resources"]
        self.assertEqual([(r["name"], r["kind"], r["namespaced"]) for r in resources], [("dashboards", "Dashboard", True)])
        self.assertEqual(self.send("/apis/iam.grafana.app", status=404)["reason"], "NotFound")
        self.send("/apis/folder.grafana.app/v9", status=404)
        self.assertIn("no path", pt.request(self.pharos.url + "/apis/a/b/c/d/e").text)

    def test_life_of_a_dashboard(self):
        self.send(FOLDERS, "POST", folder("team", "Team"), 201)
        made = self.send(DASHBOARDS, "POST", dashboard("one", folder="team", uid="ignored", id=7, version=9), 201)
        self.assertEqual(made["metadata"]["resourceVersion"], "1")
        self.assertEqual(made["spec"], {"title": "One", "panels": [], "schemaVersion": 41})
        got = self.send(DASHBOARDS + "/one")
        self.assertEqual(got, made)
        self.assertEqual(got["metadata"]["annotations"]["grafana.app/folder"], "team")
        self.assertEqual(got["metadata"]["annotations"]["grafana.app/createdBy"], "user:admin")
        classic = self.send("/api/dashboards/uid/one")
        self.assertEqual((classic["meta"]["folderUid"], classic["dashboard"]["uid"]), ("team", "one"))
        self.assertEqual(self.send(DASHBOARDS + "/one/dto")["access"]["url"], "/d/one/one")

        got["spec"]["title"] = "Uno"
        self.assertEqual(self.send(DASHBOARDS + "/one", "PUT", got)["metadata"]["resourceVersion"], "2")
        conflict = self.send(DASHBOARDS + "/one", "PUT", got, 409)
        self.assertEqual((conflict["kind"], conflict["reason"], conflict["code"]), ("Status", "Conflict", 409))
        del got["metadata"]["resourceVersion"]
        del got["metadata"]["annotations"]  # to the root
        moved = self.send(DASHBOARDS + "/one", "PUT", got)
        self.assertNotIn("grafana.app/folder", moved["metadata"]["annotations"])
        self.assertEqual([v["version"] for v in self.send("/api/dashboards/uid/one/versions")["versions"]], [3, 2, 1])

        self.assertEqual(self.send(DASHBOARDS + "/one", "DELETE")["status"], "Success")
        self.assertEqual(self.send(DASHBOARDS + "/one", status=404)["reason"], "NotFound")
        self.send(DASHBOARDS + "/one", "DELETE", status=404)
        self.send(DASHBOARDS + "/one", "PUT", got, 404)

    def test_versions(self):
        v2 = {"apiVersion": "dashboard.grafana.app/v2beta1", "kind": "Dashboard", "metadata": {"name": "new"},
              "spec": {"title": "New", "elements": {}, "layout": {"kind": "GridLayout", "spec": {"items": []}}}}
        at = DASHBOARDS.replace("/v1/", "/v2beta1/")
        self.assertEqual(self.send(at, "POST", v2, 201)["spec"], v2["spec"])
        self.assertEqual(self.send(at + "/new")["spec"], v2["spec"])
        other = self.send(DASHBOARDS + "/new")
        self.assertEqual(other["status"]["conversion"]["storedVersion"], "v2beta1")
        self.assertTrue(other["status"]["conversion"]["failed"])
        self.send(DASHBOARDS, "POST", dashboard("old"), 201)
        self.assertNotIn("status", self.send(DASHBOARDS.replace("/v1/", "/v0alpha1/") + "/old"))
        self.assertEqual(self.send(at + "/old")["status"]["conversion"]["storedVersion"], "v1")

    def test_pages(self):
        for i in range(7):
            self.send(DASHBOARDS, "POST", dashboard(f"d{i}", f"Title {9 - i}"), 201)
        seen, token = [], ""
        for _ in range(3):
            page = self.send(f"{DASHBOARDS}?limit=3&continue={token}")
            seen += [i["metadata"]["name"] for i in page["items"]]
            token = page["metadata"].get("continue", "")
        self.assertEqual((seen, token), ([f"d{i}" for i in range(7)], ""))
        self.assertEqual((page["kind"], len(self.send(DASHBOARDS)["items"])), ("DashboardList", 7))

    def test_folders(self):
        self.send(FOLDERS, "POST", folder("a", "A"), 201)
        self.send(FOLDERS, "POST", folder("b", "B", "a"), 201)
        self.assertEqual(self.send("/api/folders/b")["parentUid"], "a")
        moved = self.send(FOLDERS + "/b", "PUT", folder("b", "Bee"))
        self.assertEqual((moved["spec"]["title"], "grafana.app/folder" in moved["metadata"]["annotations"]), ("Bee", False))
        self.assertEqual([i["metadata"]["name"] for i in self.send(FOLDERS)["items"]], ["a", "b"])
        self.send(FOLDERS + "/a", "PUT", folder("a", "A", "a"), 400)
        self.send(FOLDERS + "/a", "DELETE")
        self.send(FOLDERS + "/a", status=404)

    def test_refused(self):
        self.send(DASHBOARDS, "POST", dashboard("one"), 201)
        self.assertEqual(self.send(DASHBOARDS, "POST", dashboard("one"), 409)["reason"], "AlreadyExists")
        for body, words in ((dashboard("x", api="v1beta1"), 'at this path it is "dashboard.grafana.app/v1"'),
                            (dashboard("x", title=""), "spec.title is missing"),
                            (dashboard("a b"), "metadata.name has 1 to 40"),
                            (dashboard("x", folder="none"), 'there is no folder "none"'),
                            ({**dashboard("x"), "spec": 3}, "no object spec"),
                            ([], "the body is apiVersion")):
            answer = self.send(DASHBOARDS, "POST", body, 400)
            self.assertEqual((answer["kind"], answer["reason"]), ("Status", "BadRequest"))
            self.assertIn(words, answer["message"])
        self.assertIn("the body names", self.send(DASHBOARDS + "/one", "PUT", dashboard("two"), 400)["message"])
        self.send(DASHBOARDS.replace("default", "org-2"), status=403)
        self.send(DASHBOARDS.replace("default", "org-1"))
        self.send(DASHBOARDS + "?watch=true", status=405)
        self.send(DASHBOARDS + "?labelSelector=a%3Db", status=400)
        self.send(DASHBOARDS, "POST", dashboard("evil"), 403, Origin="http://evil.example")
        self.send(DASHBOARDS + "?dryRun=All", "POST", dashboard("dry"))
        self.assertEqual([i["metadata"]["name"] for i in self.send(DASHBOARDS)["items"]], ["one"])
        generated = dashboard()
        generated["metadata"]["generateName"] = "gen-"
        self.assertRegex(self.send(DASHBOARDS, "POST", generated | {"spec": {"title": "G"}}, 201)["metadata"]["name"], "^gen-.{10}$")

    def test_merge_patches(self):
        body = '{"apiVersion":"dashboard.grafana.app/v1","kind":"Dashboard","metadata":{"name":"one"},"spec":{"title":"One",' \
            '"big":12345678901234567890,"panels":[{"id":1}],"deep":{"a":1,"b":{"c":2,"d":3}},"gone":true}}'
        pt.request(self.pharos.url + DASHBOARDS, "POST", body.encode(), {"Content-Type": "application/json"})
        patch = lambda body, status=200, kind="application/merge-patch+json", path=DASHBOARDS + "/one": self.send(
            path, "PATCH", body, status, **{"Content-Type": kind})
        got = patch({"spec": {"title": "Two", "gone": None, "deep": {"b": {"c": None, "e": {"x": None, "y": 1}}}, "panels": []}})
        self.assertEqual(got["spec"], {"big": 12345678901234567890, "title": "Two", "panels": [],
                                       "deep": {"a": 1, "b": {"d": 3, "e": {"y": 1}}}})
        self.assertEqual(got["metadata"]["resourceVersion"], "2")
        self.assertIn("12345678901234567890", pt.request(self.pharos.url + DASHBOARDS + "/one").text)
        self.send(FOLDERS, "POST", folder("team", "Team"), 201)
        patch({"metadata": {"annotations": {"grafana.app/folder": "team"}}})
        self.assertEqual(self.send("/api/dashboards/uid/one")["meta"]["folderUid"], "team")
        self.assertEqual(patch({"spec": {"title": "Crew"}}, path=FOLDERS + "/team")["spec"]["title"], "Crew")
        patch({"metadata": {"resourceVersion": "1"}, "spec": {"title": "Late"}}, 409)
        patch({"metadata": {"name": "other"}}, 400)
        patch({"spec": {"title": ""}}, 400)
        patch({"spec": None}, 400)
        patch([1], 400)
        patch({"spec": {}}, 404, path=DASHBOARDS + "/none")
        for kind in ("application/json-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"):
            self.assertIn("application/merge-patch+json", patch([], 415, kind)["message"])
        deep = {"x": 1}
        for _ in range(150):
            deep = {"d": deep}
        patch({"spec": deep}, 400)
        self.assertEqual(self.send(DASHBOARDS + "/one")["spec"]["title"], "Two")
        self.assertEqual(patch({"spec": {"title": "Dry"}}, path=DASHBOARDS + "/one?dryRun=All")["spec"]["title"], "Dry")
        self.assertEqual(self.send(DASHBOARDS + "/one")["spec"]["title"], "Two")

    def test_kubectl(self):
        if not shutil.which("kubectl"):
            self.skipTest("kubectl is not there")
        paths = [self.file("folder.json", json.dumps(folder("team", "Team"))),
                 self.file("one.json", json.dumps(dashboard("one", folder="team")))]

        def run(*args):
            return subprocess.run(["kubectl", "--kubeconfig=/dev/null", f"--cache-dir={self.work}/cache", "--server", self.pharos.url,
                                   *map(str, args)], capture_output=True, text=True, timeout=60)
        for path in paths:
            made = run("create", "--validate=false", "-f", path)
            self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(json.loads(run("get", "dashboards", "one", "-o", "json").stdout)["spec"]["title"], "One")
        replaced = run("replace", "--validate=false", "-f", self.file("two.json", json.dumps(dashboard("one", "Two"))))
        self.assertEqual(replaced.returncode, 0, replaced.stderr)
        self.assertEqual(run("get", "dashboards", "-o", "name").stdout, "dashboard.dashboard.grafana.app/one\n")
        patched = run("patch", "dashboard", "one", "--type", "merge", "-p", '{"spec": {"title": "Three", "tags": ["a"]}}')
        self.assertEqual(patched.returncode, 0, patched.stderr)
        for title in ("Four", "Five"):
            applied = run("apply", "--validate=false", "-f", self.file("four.json", json.dumps(dashboard("one", title))))
            self.assertEqual(applied.returncode, 0, applied.stderr)
        self.assertEqual((self.send(DASHBOARDS + "/one")["spec"]["title"], self.send(DASHBOARDS + "/one")["spec"]["tags"]),
                         ("Five", ["a"]))
        # What a manifest says no more is taken away, what others added stays.
        kept = dashboard("one", "Nine")
        kept["spec"]["description"] = "for a while"
        self.assertEqual(run("apply", "--validate=false", "-f", self.file("with.json", json.dumps(kept))).returncode, 0)
        self.assertEqual(self.send(DASHBOARDS + "/one")["spec"]["description"], "for a while")
        without = run("apply", "--validate=false", "-f", self.file("without.json", json.dumps(dashboard("one", "Nine"))))
        self.assertEqual((without.returncode, without.stderr), (0, ""))
        self.assertNotIn("description", self.send(DASHBOARDS + "/one")["spec"])
        self.assertEqual(self.send(DASHBOARDS + "/one")["spec"]["tags"], ["a"])
        for kind, name in (("dashboard", "one"), ("folder", "team")):
            self.assertEqual(run("label", kind, name, "owner=me").returncode, 0)
            self.assertEqual(run("annotate", kind, name, "note=hello").returncode, 0)
            self.assertEqual(run("get", kind, name, "-o", "jsonpath={.metadata.labels.owner} {.metadata.annotations.note}").stdout, "me hello")
            self.assertEqual(run("label", kind, name, "owner-").returncode, 0)
            self.assertEqual(run("get", kind, name, "-o", "jsonpath={.metadata.labels.owner} {.metadata.annotations.note}").stdout, " hello")
        self.assertEqual(run("apply", "--validate=false", "-f", self.file("six.json", json.dumps(dashboard("six", "Six")))).returncode, 0)
        self.assertEqual(run("delete", "dashboard", "one", "six").returncode, 0)
        self.assertIn("NotFound", run("get", "dashboard", "one").stderr)
        # A later one of the same name begins anew.
        self.assertEqual(run("create", "--validate=false", "-f", paths[1]).returncode, 0)
        self.assertNotIn("note", self.send(DASHBOARDS + "/one")["metadata"]["annotations"])


if __name__ == "__main__":
    pt.main()
