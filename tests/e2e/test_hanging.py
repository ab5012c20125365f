#!/usr/bin/env python3
"""What never comes to an end: a rule's query, a token server, a scrape's target, an output's target. The rest goes on,
a reload is not held up, and a stop ends in bounded time."""
import http.server
import json
import signal
import socket
import threading
import time

import pharos_test as pt

# Sorts 10,800 values at each of some million steps; no test here lives to see the end of it.
ENDLESS = "max_over_time(quantile_over_time(0.5, (vector(1) * time())[3h:1s])[3000000s:1s])"
NO_LIMITS = ("limits.query.samples=100000000000", "limits.query.memory=1GiB", "limits.query.memory_total=1GiB",
             "limits.query.timeout=1h")
BOUND_S = 40  # of a reload and a stop; the hour above is what they must not wait for


class Hanging(pt.Case):
    def black_hole(self):
        """A port that takes connections by its backlog, and never reads or says anything."""
        s = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.addCleanup(s.close)
        return s.getsockname()[1]

    def stops(self, server):
        self.assertEqual(server.stop(timeout=BOUND_S), 0)
        self.assertIn("everything is on the disk", server.log())


class Rules(Hanging):
    def rules(self, text):
        self.file("rules.yml", text)
        return self.file("pharos.yml", "rule_files: [rules.yml]\n")

    def values(self, server, name):
        return [(float(t), float(v)) for r in server.query(f"{name}[1h]") for t, v in r["values"]]

    def health(self, server):
        groups = server.prom("rules").json()["data"]["groups"]
        return {r["name"]: r["health"] for g in groups for r in g["rules"]}

    def test_others_go_on_and_order_is_kept(self):
        config = self.rules(f"""
groups:
- name: ordered
  interval: 500ms
  rules:
  - {{record: before, expr: late}}
  - {{record: late, expr: "quantile_over_time(0.5, vector(1)[100000s:1s]) * 0 + time()"}}
  - {{record: free, expr: time()}}
  - {{record: after, expr: late}}
- name: stuck
  interval: 500ms
  rules:
  - {{record: stuck, expr: "{ENDLESS}"}}
  - {{record: beside, expr: vector(1)}}
  - {{record: behind, expr: stuck or vector(1)}}
- name: stuck too
  interval: 500ms
  rules: [{{record: stuck_too, expr: "{ENDLESS}"}}]
- name: other
  interval: 200ms
  rules: [{{record: other, expr: vector(1)}}]
""")
        server = self.server(*NO_LIMITS, "rules.concurrency=8", "threads.workers=1", config=config)
        pt.wait_for("a rule beside one that takes long", lambda: server.query("beside"))
        pt.wait_for("another group", lambda: len(self.values(server, "other")) >= 10)
        after = pt.wait_for("rules one after the other", lambda: self.values(server, "after")[3:])
        # What reads a rule behind it sees what that gave this time; before it, what it gave the time before.
        for t, v in after:
            self.assertEqual(t, v)
        before = self.values(server, "before")
        self.assertGreater(len(before), 1)
        for t, v in before:
            self.assertLess(v, t)
        health = self.health(server)
        self.assertEqual([health[n] for n in ("stuck", "stuck_too", "behind", "beside")],
                         ["unknown", "unknown", "unknown", "ok"])
        self.assertEqual(server.query("behind"), [])
        # One worker, and it is free: rules do not take from queries and writes.
        server.write([({"__name__": "m"}, [(int(time.time() * 1000), 1.0)])])

        self.rules("groups: [{name: stuck, interval: 500ms, rules: [{record: stuck, expr: vector(2)}]}]\n")
        self.assertEqual(server.post("/-/reload", timeout=BOUND_S).status, 200)
        pt.wait_for("the rule that took its place",
                    lambda: [r["value"][1] for r in server.query("stuck")] == ["2"])
        self.stops(server)

    def test_a_stop_in_the_middle(self):
        config = self.rules(f"""
groups:
- name: g
  interval: 200ms
  rules:
  - {{record: stuck, expr: "{ENDLESS}"}}
  - {{record: beside, expr: vector(1)}}
""")
        server = self.server(*NO_LIMITS, config=config)
        pt.wait_for("the rule beside it", lambda: server.query("beside"))
        # By the signal, with nothing changed: the rule is not disturbed; then changed, and a stop at once.
        server.process.send_signal(signal.SIGHUP)
        pt.wait_for("the reload", lambda: "configuration reloaded" in server.log())
        self.assertEqual(self.health(server)["stuck"], "unknown")
        self.rules("groups: [{name: g, interval: 200ms, rules: [{record: beside, expr: vector(3)}]}]\n")
        server.process.send_signal(signal.SIGHUP)
        self.stops(server)


class TokenServer:
    """Answers /token as `mode` says, and /metrics to whoever has the token."""
    RUBBISH = {"not json": b"<html>no</html>", "no token": b"{}", "not a text": b'{"access_token": 7}',
               "empty": b"", "a header more": b'{"access_token": "a\\rX-Evil: 1"}',
               "list": b"[1]", "cut": b'{"access_token": "a', "deep": b"[" * 100000}

    def __init__(self, case):
        outer = self
        self.mode, self.asked, self.scraped, self.over = "hangs", [], [], threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                mode = outer.mode
                outer.asked.append(mode)
                if mode == "hangs":
                    outer.over.wait()
                elif mode == "trickles":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000000")
                    self.end_headers()
                    try:
                        while not outer.over.wait(0.1):
                            self.wfile.write(b" ")
                    except OSError:
                        pass
                else:
                    self.answer(outer.RUBBISH.get(mode) or json.dumps({"access_token": "good"}).encode()
                                if mode != "empty" else b"")

            def do_GET(self):
                outer.scraped.append(self.headers["Authorization"])
                self.answer(b"works 1\n")

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)
        case.addCleanup(self.over.set)


class Tokens(Hanging):
    def config(self, port, more=""):
        return self.file("pharos.yml", f"""
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
- job_name: guarded
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
  oauth2: {{client_id: id, client_secret: s, token_url: 'http://127.0.0.1:{port}/token'}}
- job_name: hole
  static_configs: [{{targets: ['127.0.0.1:{self.black_hole()}']}}]
- job_name: open
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
{more}""")

    def target(self, server, pool="guarded"):
        return next((t for t in server.prom("targets").json()["data"]["activeTargets"]
                     if t["scrapePool"] == pool and t["health"] != "unknown"), None)

    def error(self, server):
        return (self.target(server) or {"lastError": ""})["lastError"]

    def test_never_an_answer(self):
        for mode in ("hangs", "trickles"):
            with self.subTest(mode):
                tokens = TokenServer(self)
                tokens.mode = mode
                server = self.server("telemetry.interval=1h", config=self.config(tokens.port), data=self.work / mode)
                pt.wait_for("the target's error", lambda: self.error(server))
                self.assertIn(f"oauth2: cannot fetch token from http://127.0.0.1:{tokens.port}/token", self.error(server))
                self.assertEqual(self.target(server)["health"], "down")
                # It is tried again at each interval, and told each time; others are scraped meanwhile.
                pt.wait_for("further tries", lambda: len(tokens.asked) >= 3)
                pt.wait_for("up to be told", lambda: {"0"} == {
                    v for r in server.query('up{job="guarded"}[1h]') for _, v in r["values"]})
                pt.wait_for("the other job", lambda: len(tokens.scraped) >= 3)
                self.assertEqual(set(tokens.scraped), {None})
                self.assertEqual(pt.wait_for("the hole", lambda: self.target(server, "hole"))["health"], "down")
                self.assertEqual(server.post("/-/reload", timeout=BOUND_S).status, 200)
                tokens.mode = "good"
                pt.wait_for("a scrape that works", lambda: "Bearer good" in tokens.scraped)
                pt.wait_for("the end of the error", lambda: self.target(server)["health"] == "up")
                self.assertEqual(self.error(server), "")
                self.stops(server)

    def test_a_change_and_a_stop_while_it_hangs(self):
        tokens = TokenServer(self)
        server = self.server("telemetry.interval=1h", config=self.config(tokens.port))
        pt.wait_for("the server to be asked", lambda: tokens.asked)
        self.config(tokens.port, "  sample_limit: 7\n  metric_relabel_configs: []\n")
        other = TokenServer(self)
        other.mode = "good"
        self.config(other.port)
        self.assertEqual(server.post("/-/reload", timeout=BOUND_S).status, 200)
        pt.wait_for("the other server's token", lambda: "Bearer good" in other.scraped)
        self.config(tokens.port)
        count = len(tokens.asked)
        self.assertEqual(server.post("/-/reload", timeout=BOUND_S).status, 200)
        pt.wait_for("the server to be asked again", lambda: len(tokens.asked) > count)
        self.stops(server)

    def test_rubbish(self):
        tokens = TokenServer(self)
        tokens.mode = "not json"
        server = self.server("telemetry.interval=1h", config=self.config(tokens.port))
        for mode in TokenServer.RUBBISH:
            with self.subTest(mode):
                tokens.mode = mode
                count = len(tokens.asked)
                pt.wait_for("two tries", lambda: len(tokens.asked) >= count + 2)
                self.assertIn("has no access_token", self.error(server))
        tokens.mode = "good"
        pt.wait_for("a scrape that works", lambda: self.target(server)["health"] == "up")
        self.assertLessEqual(set(tokens.scraped), {None, "Bearer good"})
        self.stops(server)


class Outputs(Hanging):
    def test_reload_and_stop_while_targets_hang(self):
        port, hole = pt.free_port(), self.black_hole()

        def config(**more):
            kinds = {"influx": {"type": "influxdb", "url": f"http://127.0.0.1:{hole}"},
                     "rw": {"type": "remote_write", "url": f"http://127.0.0.1:{hole}/write"},
                     "otlp": {"type": "otlp", "url": f"http://127.0.0.1:{hole}"},
                     "carbon": {"type": "graphite", "url": f"tcp://127.0.0.1:{hole}"},
                     "token": {"type": "remote_write", "url": f"http://127.0.0.1:{hole}/write", "http_config": {"oauth2": {
                         "client_id": "a", "client_secret": "b", "token_url": f"http://127.0.0.1:{hole}/token"}}}}
            for k in kinds.values():
                k.update({"from": "statsd", "timeout": "1h", **more})
            return self.file("pharos.yml", json.dumps({"outputs": kinds}) + "\n")
        server = self.server(f"doors.statsd.listen=127.0.0.1:{port}", "statsd.admin.listen=off",
                             "statsd.flush_interval=200ms", config=config())

        def waiting():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"n:1|c", ("127.0.0.1", port))
            looks = {o["name"]: o["queue_samples"] for o in server.get("/api/pharos/v1/outputs").json()}
            return all(n for name, n in looks.items() if name != "carbon")
        pt.wait_for("all to wait", waiting)
        config(queue=100000)
        self.assertEqual(server.post("/-/reload", timeout=BOUND_S).status, 200)
        pt.wait_for("all to wait again", waiting)
        self.stops(server)


if __name__ == "__main__":
    pt.main()
