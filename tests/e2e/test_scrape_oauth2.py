#!/usr/bin/env python3
"""Scraping with OAuth 2 client credentials: a token server, and a target that wants its tokens."""
import base64
import http.server
import json
import threading
import urllib.parse

import pharos_test as pt


class Servers:
    """/token gives tokens for the client `id`, secret `s:e c`; /metrics wants the newest one."""

    def __init__(self, case, credentials_in="header", lifetime=3600):
        outer = self
        self.asked, self.scraped = [], []
        self.token, self.broken = None, False

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body, kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                form = urllib.parse.parse_qs(
                    self.rfile.read(int(self.headers["Content-Length"])).decode())
                given = self.headers["Authorization"] or ""
                ok = given == "Basic " + base64.b64encode(b"id:s%3Ae%20c").decode() \
                    if credentials_in == "header" else \
                    (form.get("client_id"), form.get("client_secret")) == (["id"], ["s:e c"])
                if not ok or outer.broken:
                    self.answer(401, b'{"error":"invalid_client"}')
                    return
                outer.asked.append(form)
                outer.token = f"token-{len(outer.asked)}"
                self.answer(200, json.dumps({"access_token": outer.token, "token_type": "bearer",
                                             "expires_in": lifetime}).encode())

            def do_GET(self):
                outer.scraped.append(self.headers["Authorization"])
                ok = outer.token and self.headers["Authorization"] == "Bearer " + outer.token
                self.answer(200 if ok else 401, b"works 1\n" if ok else b"no", "text/plain")

            def log_message(self, *args):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        case.addCleanup(server.server_close)
        case.addCleanup(server.shutdown)


class Test(pt.Case):
    def scraper(self, servers, secret="client_secret: 's:e c'", targets=1):
        hosts = ", ".join(f"'127.0.0.{i + 1}:{servers.port}'" for i in range(targets))
        config = self.file(f"{servers.port}.yml", f"""
scrape_configs:
- job_name: guarded
  scrape_interval: 1s
  static_configs: [{{targets: [{hosts}]}}]
  oauth2:
    client_id: id
    {secret}
    token_url: http://127.0.0.1:{servers.port}/token
    scopes: [read, "other one"]
    endpoint_params: {{audience: me}}
""")
        return self.server("telemetry.interval=1h", config=config,
                           data=self.work / f"data-{servers.port}")

    def state(self, server):
        return pt.wait_for("a scrape", lambda: [
            t for t in server.prom("targets").json()["data"]["activeTargets"]
            if t["health"] != "unknown"])[0]

    def test_one_token_serves_many_scrapes(self):
        servers = Servers(self)
        self.file("secret", "s:e c\n")
        server = self.scraper(servers, f"client_secret_file: {self.work}/secret")
        self.assertEqual(self.state(server)["lastError"], "")
        pt.wait_for("three scrapes", lambda: len(servers.scraped) >= 3)
        self.assertEqual(servers.asked, [{"grant_type": ["client_credentials"],
                                          "scope": ["read other one"], "audience": ["me"]}])
        self.assertEqual(set(servers.scraped), {"Bearer token-1"})
        self.assertEqual(server.query("works")[0]["value"][1], "1")
        # A token that is not accepted any more is asked for again.
        servers.token = "revoked"
        pt.wait_for("another token", lambda: "Bearer token-2" in servers.scraped)
        yaml = server.prom("status/config").json()["data"]["yaml"]
        self.assertNotIn("s:e c", yaml)

    def test_short_lives_and_credentials_in_the_body(self):
        servers = Servers(self, credentials_in="body", lifetime=11) # used for one second
        server = self.scraper(servers)
        self.assertEqual(self.state(server)["lastError"], "")
        pt.wait_for("a few tokens", lambda: len(servers.asked) >= 3)
        self.assertEqual([a for a in servers.scraped if not a.startswith("Bearer token-")], [])

    def test_refused(self):
        servers = Servers(self)
        servers.broken = True
        server = self.scraper(servers)
        state = self.state(server)
        self.assertEqual(state["health"], "down")
        self.assertIn("oauth2: cannot fetch token", state["lastError"])
        self.assertIn("invalid_client", state["lastError"])
        self.assertEqual(servers.scraped, [])
        servers.broken = False
        pt.wait_for("a scrape that works", lambda: server.query("works"))
        self.assertEqual(server.stop(), 0)

    def test_bad_settings(self):
        for oauth2, words in (("{token_url: 'http://x'}", "oauth2 client_id must be configured"),
                              ("{client_id: a}", "oauth2 token_url must be configured"),
                              ("{client_id: a, token_url: 'http://x', scopes: a}",
                               "scopes takes a list")):
            path = self.file("bad.yml", "scrape_configs:\n- job_name: a\n"
                             f"  oauth2: {oauth2}\n")
            got = pt.run("check", path)
            self.assertEqual(got.returncode, 1)
            self.assertIn(words, got.stdout + got.stderr)


if __name__ == "__main__":
    pt.main()
