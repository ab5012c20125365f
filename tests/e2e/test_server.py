#!/usr/bin/env python3
"""The life of a server: write, query, restart; reload; doors in use; auth; bad requests."""
import base64
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

import pharos_test as pt

NOW = int(time.time())


class Life(pt.Case):
    def test_write_query_restart_query(self):
        server = self.server()
        t = NOW * 1000
        server.write([({"__name__": "e2e_metric", "job": "a"}, [(t - 1000, 1.5), (t, 2.5)]),
                      ({"__name__": "e2e_metric", "job": "b"}, [(t, 7)])],
                     metadata=[(1, "e2e_metric", "a test", "seconds")])

        def check():
            rows = server.query('e2e_metric{job="a"}', at=NOW)
            self.assertEqual(rows, [{"metric": {"__name__": "e2e_metric", "job": "a"},
                                     "value": [NOW, "2.5"]}])
            self.assertEqual(server.query("sum(e2e_metric)", at=NOW)[0]["value"][1], "9.5")
            matrix = server.query_range("e2e_metric", NOW - 1, NOW, 1)
            self.assertEqual([(r["metric"]["job"], [v for _, v in r["values"]]) for r in matrix],
                             [("a", ["1.5", "2.5"]), ("b", ["7"])])
            self.assertEqual(server.prom("series", {"match[]": "e2e_metric"}).json()["data"],
                             [{"__name__": "e2e_metric", "job": "a"},
                              {"__name__": "e2e_metric", "job": "b"}])
            self.assertEqual(server.prom("label/job/values",
                                         {"match[]": "e2e_metric"}).json()["data"], ["a", "b"])
            self.assertEqual(server.prom("label/U__job/values",
                                         {"match[]": "e2e_metric"}).json()["data"], ["a", "b"])
            self.assertEqual(server.prom("labels", {"match[]": "e2e_metric"}).json()["data"],
                             ["__name__", "job"])
            self.assertEqual(server.prom("metadata", {"metric": "e2e_metric"}).json()["data"],
                             {"e2e_metric": [{"type": "counter", "help": "a test",
                                              "unit": "seconds"}]})
        check()
        self.assertEqual(server.stop(), 0)
        server.start()
        check()
        server.kill()
        server.start()
        check()

    def test_exemplars(self):
        server = self.server()
        t = NOW * 1000
        server.write([({"__name__": "h_bucket", "le": "1"}, [(t, 3)],
                       [({"trace_id": "abc"}, t - 5, 0.5)]),
                      ({"__name__": "h_bucket", "le": "2"}, [(t, 4)])])
        want = [{"seriesLabels": {"__name__": "h_bucket", "le": "1"},
                 "exemplars": [{"labels": {"trace_id": "abc"}, "value": "0.5",
                                "timestamp": (t - 5) / 1000}]}]
        self.assertEqual(server.prom("query_exemplars", {"query": "sum("}).status, 400)
        for query in ("h_bucket", "histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m])))",
                      'h_bucket{le="1"} / h_bucket'):
            with self.subTest(query=query):
                answer = server.prom("query_exemplars", {"query": query, "start": NOW - 60,
                                                         "end": NOW})
                self.assertEqual(answer.json()["data"], want)

    def test_limit_cuts_and_says_so(self):
        server = self.server()
        server.write([({"__name__": "m", "i": str(i)}, [(NOW * 1000, i)]) for i in range(5)])
        answer = server.prom("query", {"query": "m", "time": NOW, "limit": 2}).json()
        self.assertEqual(len(answer["data"]["result"]), 2)
        self.assertEqual(answer["warnings"], ["results truncated due to limit"])
        answer = server.prom("series", {"match[]": "m", "limit": 3}).json()
        self.assertEqual(len(answer["data"]), 3)
        self.assertEqual(answer["warnings"], ["results truncated due to limit"])

    def test_kept_answers_are_right_under_late_samples(self):
        server = self.server("prometheus.admin_api=on")
        end = NOW // 60 * 60 - 600
        server.write([({"__name__": "kept", "i": str(i)},
                       [((end - 3600 + k * 60) * 1000, i * k) for k in range(60)])
                      for i in range(20)])
        ask = {"query": "sum(kept)", "start": end - 1800, "end": end - 60, "step": 60}

        def answer(**more):
            got = server.prom("query_range", {**ask, **more})
            self.assertEqual(got.status, 200, got.text)
            return got.json()["data"]["result"]

        def from_cache():
            return server.metric("pharos_query_cache_steps_total", 'from="cache"')

        first = answer()
        self.assertEqual(answer(), first)
        self.assertEqual(from_cache(), 30)
        self.assertEqual(answer(nocache=1), first)
        self.assertEqual(from_cache(), 30)
        server.write([({"__name__": "kept", "i": "late"}, [((end - 600) * 1000, 1e6)])])
        second = answer()
        self.assertEqual(from_cache(), 50)
        self.assertEqual(second, answer(nocache=1))
        self.assertNotEqual(second, first)
        self.assertEqual(second[0]["values"][:20], first[0]["values"][:20])
        deleted = server.prom("admin/tsdb/delete_series", {"match[]": 'kept{i="19"}'},
                              method="POST")
        self.assertEqual(deleted.status, 204, deleted.text)
        self.assertNotEqual(answer(), second)
        self.assertEqual(answer(), answer(nocache=1))

    def test_large_results_come_whole(self):
        server = self.server()
        start = NOW - 5000
        server.write([({"__name__": "wide", "i": f"{i:04}"},
                       [((start + k * 50) * 1000, i + k) for k in range(100)]) for i in range(200)])
        rows = server.query_range("wide", start, start + 4999, 1)
        self.assertEqual(len(rows), 200)
        self.assertTrue(all(len(r["values"]) == 5000 for r in rows))
        self.assertEqual(rows[7]["values"][0], [start, "7"])
        self.assertEqual(rows[199]["values"][-1], [start + 4999, str(199 + 99)])

    def test_tells_about_itself(self):
        server = self.server("telemetry.interval=1s")
        self.assertIn("# TYPE pharos_ingest_samples_total counter", server.get("/metrics").text)
        self.assertEqual(server.metric("pharos_config_last_reload_successful"), 1)
        rows = pt.wait_for("self-telemetry", lambda: server.query('up{job="pharos"}'))
        self.assertTrue(rows[0]["metric"]["instance"].endswith(f":{server.main_port}"))
        # A sample can be read before it is on the disk and counted.
        status = pt.wait_for("counted samples", lambda: (
            lambda s: s if s["ingest"]["samples_total"] > 0 else None)(
                server.get("/api/pharos/v1/status").json()))
        self.assertEqual(status["data_dir"], os.path.realpath(server.data))
        doors = {d["name"]: d for d in status["doors"]}
        self.assertEqual(doors["prometheus"]["state"], "open")
        self.assertEqual(doors["prometheus"]["listen"], f"127.0.0.1:{server.prometheus_port}")
        self.assertEqual(doors["loki"]["state"], "off")
        self.assertTrue(any(x["name"] == "limits.series" and x["used"] > 0
                            for x in status["limits"]))

    def test_small_and_quick(self):
        begun = time.monotonic()
        server = self.server()
        took = time.monotonic() - begun
        print(f"start to ready: {took:.3f} s, RSS {server.rss_bytes() >> 20} MiB", flush=True)

    def test_series_limit_refuses_new_series_only(self):
        server = self.server("limits.series=500")
        first = [({"__name__": "m", "i": str(i)}, [(NOW * 1000, i)]) for i in range(900)]
        answer = server.write_raw(pt.snappy(pt.write_request(first)))
        self.assertEqual(answer.status, 400)
        self.assertIn("limits.series", answer.text)
        kept = server.prom("series", {"match[]": "m"}).json()["data"]
        self.assertGreater(len(kept), 0)
        server.write([(dict(kept[0]), [(NOW * 1000 + 1, 5)])])
        self.assertGreater(server.metric("pharos_ingest_refused_samples_total", "series_limit"), 0)

    def test_tenants_are_apart(self):
        server = self.server()
        body = pt.snappy(pt.write_request([({"__name__": "mine"}, [(NOW * 1000, 1)])]))
        self.assertEqual(server.write_raw(body, {"X-Scope-OrgID": "team-a"}).status, 204)
        self.assertEqual(server.query("mine", at=NOW), [])
        answer = server.prom("query", {"query": "mine", "time": NOW},
                             headers={"X-Scope-OrgID": "team-a"})
        self.assertEqual(len(answer.json()["data"]["result"]), 1)
        self.assertEqual(server.prom("query", {"query": "1"},
                                     headers={"X-Scope-OrgID": "a/b"}).status, 400)


class Reload(pt.Case):
    def test_good_and_bad(self):
        config = self.file("pharos.yml", "limits:\n  query:\n    timeout: 1m\n")
        server = self.server(config=config)
        flags = lambda: server.prom("status/flags").json()["data"]
        self.assertEqual(flags()["limits.query.timeout"], "1m")

        config.write_text("limits:\n  query:\n    timeout: 7s\n  series: 123\n")
        server.process.send_signal(signal.SIGHUP)
        pt.wait_for("the reload", lambda: flags()["limits.query.timeout"] == "7s")
        pt.wait_for("the log", lambda: "limits.series" in server.log())
        self.assertEqual(server.metric("pharos_config_last_reload_successful"), 1)

        config.write_text("limits:\n  query:\n    timeout: soon\n")
        answer = server.post("/-/reload")
        self.assertEqual(answer.status, 500)
        self.assertIn("pharos.yml:3:14: limits.query.timeout", answer.text)
        self.assertEqual(server.metric("pharos_config_last_reload_successful"), 0)
        self.assertEqual(flags()["limits.query.timeout"], "7s")
        self.assertFalse(server.prom("status/runtimeinfo").json()["data"]["reloadConfigSuccess"])

        config.write_text("limits:\n  query:\n    timeout: 9s\n")
        self.assertEqual(server.post("/-/reload").status, 200)
        self.assertEqual(flags()["limits.query.timeout"], "9s")
        self.assertEqual(server.metric("pharos_config_last_reload_successful"), 1)


class Doors(pt.Case):
    def test_port_in_use_is_a_warning_that_names_the_holder(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = self.server(start=False)
            server.prometheus_port = port
            server.start()
            doors = {d["name"]: d for d in server.get("/api/pharos/v1/status").json()["doors"]}
            self.assertEqual(doors["prometheus"]["state"], "failed")
            self.assertIn(str(os.getpid()), doors["prometheus"]["detail"])
            self.assertIn("level=warn", server.log())
            # The same routes are there under the main door.
            self.assertEqual(server.get("/prometheus/-/healthy").status, 200)

    def test_main_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            server = self.server(start=False)
            server.main_port = taken.getsockname()[1]
            server.start(wait=False)
            server.process.wait(pt.WAIT_S)
            self.assertEqual(server.process.returncode, 1)
            self.assertIn("main.listen", server.log())
            self.assertIn("--set main.listen=127.0.0.1:PORT", server.log())

    def test_memory_of_a_large_query_is_given_back(self):
        server = self.server("telemetry.interval=1s", doors=False)
        now = time.time_ns()
        for batch in range(20):
            values = [[str(now - (batch * 1000 + i) * 1000000), f'{{"id":"{batch}-{i}-{"x" * 60}"}}'] for i in range(1000)]
            body = {"streams": [{"stream": {"app": "a"}, "values": values}]}
            server.post("/loki/api/v1/push", json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        with open(f"/proc/{server.process.pid}/clear_refs", "w") as f:
            f.write("5")  # the peak from here on
        before = server.rss_bytes()
        query = {"query": "sum by (id) (count_over_time({app=\"a\"} | json [5m]))", "start": now - 3600 * 10**9, "end": now, "step": 30}
        server.get("/loki/api/v1/query_range?" + urllib.parse.urlencode(query))
        with open(f"/proc/{server.process.pid}/status") as f:
            peak = next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))
        self.assertGreater(peak, before + (40 << 20))
        pt.wait_for("the memory to be given back", lambda: server.rss_bytes() < before + (peak - before) // 2)

    def test_all_off_leaves_the_prefix(self):
        server = self.server(doors=False)
        server.write([({"__name__": "m"}, [(NOW * 1000, 3)])])
        self.assertEqual(server.query("m", at=NOW)[0]["value"][1], "3")
        self.assertEqual(server.get("/loki/loki/api/v1/labels").status, 200)
        self.assertEqual(server.get("/loki/api/v1/labels").status, 200)

    def test_second_server_on_the_same_data_is_refused(self):
        server = self.server()
        second = self.server(start=False)
        second.start(wait=False)
        self.assertEqual(second.process.wait(pt.WAIT_S), 1)
        self.assertNotEqual(second.log(), "")
        self.assertEqual(server.get("/-/ready").status, 200)


class Auth(pt.Case):
    def test_basic_and_bearer(self):
        made = subprocess.run([pt.BIN, "password"], input="open sesame\n", text=True,
                              capture_output=True, check=True).stdout.strip()
        config = self.file("pharos.yml", f"auth:\n  users:\n    ali: {made}\n"
                                         "  tokens:\n    ci: 0123456789abcdef\n")
        server = self.server(config=config)
        self.assertEqual(server.get("/-/healthy").status, 200)
        denied = server.get("/api/pharos/v1/status")
        self.assertEqual(denied.status, 401)
        self.assertIn("Basic", denied.headers["WWW-Authenticate"])
        self.assertEqual(server.prom("labels").status, 401)
        self.assertEqual(server.write_raw(b"").status, 401)
        basic = lambda s: {"Authorization": "Basic " + base64.b64encode(s.encode()).decode()}
        for _ in range(2):
            self.assertEqual(server.prom("labels", headers=basic("ali:open sesame")).status, 200)
        self.assertEqual(server.prom("labels", headers=basic("ali:wrong")).status, 401)
        self.assertEqual(server.prom("labels", headers=basic("eve:open sesame")).status, 401)
        bearer = {"Authorization": "Bearer 0123456789abcdef"}
        self.assertEqual(server.get("/metrics", headers=bearer).status, 200)
        self.assertNotIn("0123456789abcdef",
                         server.prom("status/config", headers=bearer).text)
        config.write_text("log: {level: info}\n")
        self.assertEqual(server.post("/-/reload", headers=bearer).status, 200)
        self.assertEqual(server.get("/api/pharos/v1/status").status, 200)

    def test_open_address_needs_auth(self):
        got = pt.run("serve", "--data", self.work / "d", "--set", "main.listen=0.0.0.0:0")
        self.assertEqual(got.returncode, 1)
        self.assertIn("auth.users", got.stderr)
        self.assertIn("main.insecure", got.stderr)


class BadRequests(pt.Case):
    def test_all_kinds(self):
        server = self.server()
        rows = [
            ({"query": "sum("}, "query", 400, "bad_data", "parse error"),
            ({}, "query", 400, "bad_data", 'invalid parameter "query"'),
            ({"query": "up", "time": "soon"}, "query", 400, "bad_data",
             'invalid parameter "time": cannot parse "soon" to a valid timestamp'),
            ({"query": "up", "timeout": "x"}, "query", 400, "bad_data", '"timeout"'),
            ({"query": "up", "limit": "-1"}, "query", 400, "bad_data", '"limit"'),
            ({"query": "up"}, "query_range", 400, "bad_data", 'invalid parameter "start"'),
            ({"query": "up", "start": 5, "end": 1, "step": 1}, "query_range", 400, "bad_data",
             "end timestamp must not be before start time"),
            ({"query": "up", "start": 1, "end": 5, "step": 0}, "query_range", 400, "bad_data",
             "zero or negative query resolution step widths are not accepted"),
            ({"query": "up", "start": 0, "end": 11001, "step": 1}, "query_range", 400, "bad_data",
             "exceeded maximum resolution of 11,000 points per timeseries"),
            ({"query": "up[5m]", "start": 0, "end": 1, "step": 1}, "query_range", 400, "bad_data",
             "query"),
            ({}, "series", 400, "bad_data", "no match[] parameter provided"),
            ({"match[]": "{"}, "series", 400, "bad_data", 'invalid parameter "match[]"'),
            ({"match[]": '{a=""}'}, "series", 400, "bad_data",
             'invalid parameter "match[]": match[] must contain at least one non-empty matcher'),
            ({"match[]": '{a=""}'}, "labels", 400, "bad_data",
             "match[] must contain at least one non-empty matcher"),
            ({}, "nothing", 404, "not_found", "/api/v1/nothing"),
        ]
        for params, path, status, kind, text in rows:
            with self.subTest(path=path, params=params):
                answer = server.prom(path, params)
                self.assertEqual(answer.status, status, answer.text)
                body = answer.json()
                self.assertEqual(body["status"], "error")
                self.assertEqual(body["errorType"], kind)
                self.assertIn(text, body["error"])

    def test_methods(self):
        server = self.server()
        url = server.prometheus_url + "/api/v1/query"
        answer = pt.request(url, method="DELETE")
        self.assertEqual(answer.status, 405)
        self.assertEqual(answer.headers["Allow"], "GET, HEAD, POST, OPTIONS")
        answer = pt.request(url, method="OPTIONS", headers={"Origin": "http://x"})
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
        answer = pt.request(url, method="POST", body=b"query=1%2B1",
                            headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(answer.json()["data"]["resultType"], "scalar")
        self.assertEqual(pt.request(server.url + "/-/reload").status, 405)

    def test_bad_writes(self):
        server = self.server()
        self.assertEqual(server.write_raw(b"\xff\xff\xff\xff").status, 400)
        self.assertEqual(server.write_raw(pt.snappy(b"\x0a\xff")).status, 400)
        ok = pt.snappy(pt.write_request([({"__name__": "m"}, [(NOW * 1000, 1)])]))
        self.assertEqual(server.write_raw(ok, {"Content-Type": "text/plain"}).status, 415)
        self.assertEqual(server.write_raw(ok, {"Content-Encoding": "lzma"}).status, 415)
        no_name = pt.write_request([({"a": "b"}, [(NOW * 1000, 1)])])
        self.assertEqual(server.write_raw(pt.snappy(no_name)).status, 400)
        future = pt.write_request([({"__name__": "m"}, [((NOW + 86400) * 1000, 1)])])
        answer = server.write_raw(pt.snappy(future))
        self.assertEqual(answer.status, 400)
        self.assertIn("limits.future", answer.text)
        self.assertEqual(server.get("/-/ready").status, 200)

    def test_prometheus_shapes(self):
        server = self.server()
        for path, keys in {"rules": ["groups"], "alerts": ["alerts"],
                           "alertmanagers": ["activeAlertmanagers", "droppedAlertmanagers"],
                           "targets": ["activeTargets", "droppedTargets"],
                           "scrape_pools": ["scrapePools"],
                           "status/buildinfo": ["version", "revision", "goVersion"],
                           "status/runtimeinfo": ["startTime", "storageRetention"],
                           "status/config": ["yaml"], "status/tsdb": ["headStats"],
                           "status/flags": ["data"]}.items():
            with self.subTest(path=path):
                answer = server.prom(path)
                self.assertEqual(answer.status, 200)
                for key in keys:
                    self.assertIn(key, answer.json()["data"])


if __name__ == "__main__":
    pt.main()
