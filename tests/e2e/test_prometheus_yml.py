"""A prometheus.yml as people have it: remote_write as outputs, beside a real Prometheus; OAuth 2 wherever a
server is reached."""
import base64
import http.server
import json
import threading
import time
import urllib.parse

import pharos_test as pt
import prometheus_peer


class Guarded:
    """/token gives tokens for the client `id` with the secret `secret`; everything else wants the newest
    one. /sd answers with target groups; what is posted elsewhere is kept."""

    def __init__(self, case, lifetime=3600):
        outer = self
        self.tokens, self.posted, self.refused, self.groups = 0, [], 0, []
        self.token = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body=b"", kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def allowed(self):
                ok = outer.token and self.headers["Authorization"] == "Bearer " + outer.token
                if not ok:
                    outer.refused += 1
                    self.answer(401, b"no")
                return ok

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/token":
                    if self.headers["Authorization"] != "Basic " + base64.b64encode(b"id:secret").decode():
                        self.answer(401, b"{}")
                        return
                    outer.tokens += 1
                    outer.form = urllib.parse.parse_qs(body.decode())
                    outer.token = f"token-{outer.tokens}"
                    self.answer(200, json.dumps({"access_token": outer.token, "expires_in": lifetime}).encode())
                elif self.allowed():
                    outer.posted.append((self.path, dict(self.headers), body))
                    self.answer(200)

            def do_GET(self):
                if self.allowed():
                    self.answer(200, json.dumps(outer.groups).encode())

            def log_message(self, *args):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        case.addCleanup(server.server_close)
        case.addCleanup(server.shutdown)
        self.oauth2 = (f"oauth2: {{client_id: id, client_secret_file: secret.txt, "
                       f"token_url: 'http://127.0.0.1:{self.port}/token', scopes: [all]}}")


class PrometheusYml(pt.Case):
    def begin(self, text, *sets):
        path = self.file("prometheus.yml", text)
        self.file("secret.txt", "secret\n")
        done = pt.run("check", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.server("telemetry.interval=1h", f"prometheus.config_file={path}", *sets)

    def test_remote_write_to_prometheus(self):
        peer = prometheus_peer.start(self)
        old = prometheus_peer.start(self)
        pharos = self.begin(f"""
global:
  external_labels: {{site: berlin, job: never}}
remote_write:
- url: {peer.url}/api/v1/write
  name: all
  send_exemplars: true
  send_native_histograms: true
  write_relabel_configs:
  - {{source_labels: [__name__], regex: 'drop_.*', action: drop}}
  - {{regex: secret, action: labeldrop}}
  queue_config: {{capacity: 100, max_shards: 3, max_samples_per_send: 100, batch_send_deadline: 1s}}
  metadata_config: {{send: true}}
- url: {old.url}/api/v1/write
remote_read:
- url: http://127.0.0.1:1/read
""")
        now = int(time.time() * 1000)
        pharos.write([({"__name__": "kept", "job": "j", "secret": "x"}, [(now - 1000, 1), (now, 2)],
                       [({"trace_id": "abc"}, now, 2.0)]),
                      ({"__name__": "drop_this"}, [(now, 1)]), ({"__name__": "plain"}, [(now, 3)])])
        prometheus_peer.write_histograms(pharos.prometheus_url, {"__name__": "lat"}, [
            prometheus_peer.histogram(now, 5, 10.0, 0, 1, [(0, 2)], [2, 0])])
        ask = lambda peer, q: [
            (r["metric"], r["value"][1] if "value" in r else r["histogram"][1]["count"]) for r in
            pt.request(f"{peer.url}/api/v1/query?{urllib.parse.urlencode({'query': q, 'time': now / 1000})}"
                       ).json()["data"]["result"]]
        pt.wait_for("all at the peer", lambda: ask(peer, "kept") and ask(peer, "lat") and ask(old, "plain"))
        self.assertEqual(ask(peer, "kept"), [({"__name__": "kept", "job": "j", "site": "berlin"}, "2")])
        self.assertEqual(ask(peer, "plain"), [({"__name__": "plain", "job": "never", "site": "berlin"}, "3")])
        self.assertEqual(ask(peer, "lat")[0][1], "5")
        self.assertEqual(ask(peer, "drop_this"), [])
        self.assertEqual(ask(old, "kept")[0][0]["secret"], "x")
        self.assertEqual(len(ask(old, "drop_this")), 1)
        exemplars = lambda peer: pt.request(f"{peer.url}/api/v1/query_exemplars?query=kept&start={now // 1000 - 60}"
                                            f"&end={now // 1000 + 60}").json()["data"]
        self.assertEqual([e["labels"] for s in exemplars(peer) for e in s["exemplars"]], [{"trace_id": "abc"}])
        self.assertEqual(exemplars(old), [])
        self.assertEqual(ask(old, "lat"), [])  # not unless it is asked for
        outputs = {o["name"]: o for o in pharos.get("/api/pharos/v1/outputs").json()}
        self.assertEqual(set(outputs), {"remote_write_all", "remote_write_2"})
        self.assertRegex(pharos.log(), "left out.*remote_read.*from its own store only")

    def test_remote_write_2_and_exemplars(self):
        receiver = self.server("telemetry.interval=1h", data=self.work / "receiver")
        pharos = self.begin(f"""
remote_write:
- url: {receiver.prometheus_url}/api/v1/write
  protobuf_message: io.prometheus.write.v2.Request
  send_exemplars: true
""")
        now = int(time.time() * 1000)
        pharos.write([({"__name__": "m", "i": str(i)}, [(now, i)], [({"trace_id": f"t{i}"}, now, float(i))])
                      for i in range(5)])
        pt.wait_for("samples", lambda: len(receiver.query("m", now / 1000)) == 5)
        found = receiver.prom("query_exemplars", {"query": "m", "start": now / 1000 - 10, "end": now / 1000 + 10}).json()
        self.assertEqual(sorted((s["seriesLabels"]["i"], s["exemplars"][0]["labels"]["trace_id"])
                                for s in found["data"]), [(str(i), f"t{i}") for i in range(5)])

    def test_oauth2_everywhere(self):
        write, sd, alerts = Guarded(self), Guarded(self), Guarded(self)
        sd.groups = [{"targets": ["127.0.0.1:1"], "labels": {"from": "sd"}}]
        self.file("rules.yml", "groups: [{name: g, interval: 1s, rules: [{alert: A, expr: vector(1)}]}]")
        pharos = self.begin(f"""
rule_files: [rules.yml]
scrape_configs:
- job_name: found
  scrape_interval: 1h
  http_sd_configs:
  - url: http://127.0.0.1:{sd.port}/sd
    refresh_interval: 1s
    {sd.oauth2}
alerting:
  alertmanagers:
  - static_configs: [{{targets: ['127.0.0.1:{alerts.port}']}}]
    {alerts.oauth2}
remote_write:
- url: http://127.0.0.1:{write.port}/write
  headers: {{X-Scope: mine}}
  {write.oauth2}
""")
        targets = lambda: [t["labels"].get("from") for t in pharos.prom("targets").json()["data"]["activeTargets"]]
        pt.wait_for("targets", lambda: targets() == ["sd"])
        pt.wait_for("alerts", lambda: alerts.posted)
        path, headers, body = alerts.posted[0]
        self.assertEqual((path, json.loads(body)[0]["labels"]["alertname"]), ("/api/v2/alerts", "A"))
        now = int(time.time() * 1000)
        pharos.write([({"__name__": "m"}, [(now, 1)])])
        pt.wait_for("samples", lambda: any(h.get("X-Scope") == "mine" for _, h, _ in write.posted))
        self.assertEqual((write.refused, sd.refused, alerts.refused), (0, 0, 0))
        self.assertEqual(write.form, {"grant_type": ["client_credentials"], "scope": ["all"]})
        # Tokens are asked for once, and again when one is refused: nothing is lost by it.
        self.assertEqual((write.tokens, sd.tokens, alerts.tokens), (1, 1, 1))
        write.token = sd.token = "revoked"
        sd.groups[0]["labels"]["from"] = "later"
        before = len(write.posted)
        pharos.write([({"__name__": "m"}, [(now + 1, 2)])])
        pt.wait_for("samples again", lambda: len(write.posted) > before)
        pt.wait_for("targets again", lambda: targets() == ["later"])
        self.assertEqual((write.tokens, sd.tokens), (2, 2))

    def test_scrape_config_files(self):
        """Their jobs come after those of the file, with paths from their own folder."""
        (self.work / "more").mkdir()
        self.file("more/one.yml", "scrape_configs:\n- job_name: one\n  file_sd_configs: [{files: [targets.json]}]\n"
                                  "  basic_auth: {username: u, password_file: pw}\n")
        self.file("more/targets.json", '[{"targets": ["127.0.0.1:1"]}]')
        self.file("more/two.yml", "scrape_configs: [{job_name: two, static_configs: [{targets: ['127.0.0.1:2']}]}]\n")
        self.file("more/empty.yml", "")
        text = """
scrape_config_files: ['more/*.yml', none.yml]
scrape_configs: [{job_name: own, static_configs: [{targets: ['127.0.0.1:3']}]}]
"""
        server = self.begin(text)
        found = lambda: sorted((t["labels"]["job"], t["labels"]["instance"])
                               for t in server.prom("targets").json()["data"]["activeTargets"])
        pt.wait_for("all jobs", lambda: len(found()) == 3)
        self.assertEqual(found(), [("one", "127.0.0.1:1"), ("own", "127.0.0.1:3"), ("two", "127.0.0.1:2")])
        for name, wrong, words in (
                ("more/two.yml", "scrape_configs: 5\n", "two.yml:1:17: scrape_configs takes a list"),
                ("more/two.yml", "global: {}\n", "two.yml:1:1: "),
                ("more/two.yml", "scrape_configs: [\n", "two.yml:"),
                ("more/two.yml", "scrape_configs: [{job_name: own, static_configs: [{targets: [a]}]}]\n", "own"),
                ("prometheus.yml", "scrape_config_files: 5\n", "takes a list"),
                ("prometheus.yml", "scrape_config_files: ['a*/b.yml']\n", "invalid scrape config file path")):
            path = self.file("prometheus.yml", text)
            self.file(name, wrong)
            done = pt.run("check", path)
            self.assertEqual(done.returncode, 1, wrong)
            self.assertIn(words, done.stderr)
            self.file("more/two.yml", "")

    def test_what_is_wrong_is_said(self):
        entry = "remote_write:\n- url: http://x/write\n"
        for text, words in (
                ("remote_write: 5\n", ":1:15: remote_write takes a list"),
                ("remote_write: [null]\n", "empty or null remote write config section"),
                ("remote_write:\n- name: x\n", ":2:3: url for remote_write is empty"),
                ("remote_write:\n- url: 'tcp://x'\n", ":2:8: outputs.remote_write_1: url: http:// or https:// is expected"),
                (entry + "  headers: {Authorization: x}\n",
                 ":3:13: authorization header must be changed via the basic_auth, authorization or oauth2 parameter"),
                (entry + "  headers: {Content-Type: x}\n", "Content-Type is a reserved header. It must not be changed"),
                (entry + "  write_relabel_configs: [null]\n", "empty or null relabeling rule in remote write config"),
                (entry + "  protobuf_message: v3\n", "unknown type for remote write protobuf message v3"),
                (entry + "  queue_config: {shards: 3}\n", ":3:18: "),
                (entry + "  send_exemplars: maybe\n", "maybe"),
                (entry + "  basic_auth: {username: a}\n  bearer_token: b\n", "at most one of basic_auth, oauth2"),
                (entry + "  oauth2: {client_id: a}\n", "oauth2 token_url must be configured"),
                (entry + "  urll: x\n", "urll"),
                (entry + "  name: a\n- url: http://y\n  name: a\n",
                 'found multiple remote write configs with job name "a"')):
            with self.subTest(text):
                path = self.file("prometheus-bad.yml", text)
                done = pt.run("check", path)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(words, done.stderr)
                self.assertIn("prometheus-bad.yml:", done.stderr)


if __name__ == "__main__":
    pt.main()
