#!/usr/bin/env python3
"""The Pushgateway's paths: what prom-client pushes, grouping, replacing, deleting, failures, and
values that stay current over time and restarts."""
import base64
import json
import time

import pharos_test as pt
from npm_clients import node
from test_scrape_protobuf import family, label, prometheus_type

BATCH = '{job="batch"}'


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        self.server_ = self.server("prometheus.push_interval=1s", "telemetry.interval=1h")

    def send(self, method, path, body=b"", **headers):
        return pt.request(self.server_.prometheus_url + "/metrics/" + path, method=method,
                          body=body.encode() if isinstance(body, str) else body,
                          headers={"Content-Type": "text/plain", **headers})

    def values(self, text=BATCH, times=False):
        """name and labels (without job) to value."""
        out = {}
        for r in self.server_.query(text):
            m = dict(r["metric"])
            name = m.pop("__name__")
            m.pop("job", None)
            if times or not name.startswith("push_"):
                out[name + "".join(f",{k}={v}" for k, v in sorted(m.items()))] = r["value"][1]
        return out

    def groups(self):
        return pt.request(self.server_.prometheus_url + "/api/v1/metrics").json()["data"]

    def test_prom_client(self):
        url, group = self.server_.prometheus_url, json.dumps({"instance": "one", "odd": "a/b c"})
        self.assertEqual(node(self, "push_client.cjs", url, "push", group, 3), "200")
        where = ",instance=one,{}odd=a/b c"
        full = {
            "batch_runs_total" + ",instance=one,kind=full,odd=a/b c": "3",
            "batch_seconds_bucket" + where.format("le=1.0,"): "1",
            "batch_seconds_bucket" + where.format("le=5.0,"): "1",
            "batch_seconds_bucket" + where.format("le=+Inf,"): "2",
            "batch_seconds_sum" + where.format(""): "7.5",
            "batch_seconds_count" + where.format(""): "2",
            "batch_bytes,instance=one,odd=a/b c,quantile=0.5": "10",
            "batch_bytes_sum" + where.format(""): "10",
            "batch_bytes_count" + where.format(""): "1",
        }
        self.assertEqual(self.values(), full)
        self.assertEqual(node(self, "push_client.cjs", url, "pushAdd", group, 42), "200")
        rows = {"batch_rows" + where.format(""): "42"}
        self.assertEqual(self.values(), {**full, **rows})
        (listed,) = self.groups()
        self.assertEqual(listed["labels"], {"job": "batch", "instance": "one", "odd": "a/b c"})
        self.assertTrue(listed["last_push_successful"])
        self.assertEqual(listed["batch_rows"]["metrics"],
                         [{"labels": {"instance": "one", "job": "batch", "odd": "a/b c"},
                           "value": "42"}])
        self.assertEqual(listed["batch_seconds"]["type"], "HISTOGRAM")
        self.assertEqual(listed["batch_seconds"]["metrics"][0]["buckets"],
                         {"1.0": "1", "5.0": "1", "+Inf": "2"})
        self.assertEqual(listed["batch_bytes"]["metrics"][0]["quantiles"], {"0.5": "10"})
        self.assertEqual(self.server_.prom("metadata", {"metric": "batch_rows"}).json()["data"],
                         {"batch_rows": [{"type": "gauge", "help": "Rows.", "unit": ""}]})
        self.assertEqual(node(self, "push_client.cjs", url, "delete", group), "202")
        self.assertEqual(self.values(times=True), {})
        self.assertEqual(self.groups(), [])

    def test_put_and_post(self):
        a = "# TYPE a counter\na{job=\"own\",x=\"1\"} 1\na{x=\"2\"} 2\n"
        self.assertEqual(self.send("PUT", "job/batch", a + "b 3\n").status, 200)
        self.assertEqual(self.values(), {"a,x=1": "1", "a,x=2": "2", "b": "3"})
        # The grouping key wins over a metric's own labels, and a metric keeps its own instance.
        self.assertEqual(self.values('{job="own"}'), {})
        self.assertEqual(self.send("POST", "job/batch", "# TYPE a counter\na{x=\"3\"} 4\n").status,
                         200)
        self.assertEqual(self.values(), {"a,x=3": "4", "b": "3"})
        self.assertEqual(self.send("PUT", "job/batch", 'c{instance="i"} 5\n').status, 200)
        self.assertEqual(self.values(), {"c,instance=i": "5"})
        # Another group with the same job is another group.
        self.assertEqual(self.send("PUT", "job/batch/shard/2", "c 6\n").status, 200)
        self.assertEqual(self.values(), {"c,instance=i": "5", "c,shard=2": "6"})
        self.assertEqual(self.send("DELETE", "job/batch").status, 202)
        self.assertEqual(self.values(), {"c,shard=2": "6"})
        self.assertEqual(self.send("DELETE", "job/nothing").status, 202)
        # Nothing pushed: only the time is left.
        self.assertEqual(self.send("PUT", "job/batch/shard/2", "").status, 200)
        self.assertEqual(self.values(), {})
        times = self.values(times=True)
        self.assertAlmostEqual(float(times["push_time_seconds,shard=2"]), time.time(), delta=60)
        self.assertEqual(times["push_failure_time_seconds,shard=2"], "0")

    def test_base64(self):
        b64 = lambda s: base64.urlsafe_b64encode(s.encode()).decode()
        for job, path, labels in (
                ("a/b", "job@base64/" + b64("a/b"), {}),
                ("j", "job/j/path@base64/" + b64("/var/tmp"), {"path": "/var/tmp"}),
                ("k", "job/k/path@base64/" + b64("/var/tmp").rstrip("="), {"path": "/var/tmp"}),
                ("l", "job/l/empty@base64/=", {}),
                ("m", "job/m/name/%CE%A0%CF%81", {"name": "Πρ"})):
            with self.subTest(path=path):
                self.assertEqual(self.send("PUT", path, "m 1\n").status, 200)
                (row,) = self.server_.query(f'm{{job="{job}"}}')
                self.assertEqual(row["metric"], {"__name__": "m", "job": job, **labels})

    def test_protobuf(self):
        body = family("runs_total", 0, label("kind", "x") + pt.field(3, pt.field(1, 7.0)),
                      text="Runs.")
        self.assertEqual(self.send("PUT", "job/batch", body,
                                   **{"Content-Type": prometheus_type}).status, 200)
        self.assertEqual(self.values(), {"runs_total,kind=x": "7"})

    def test_refusals(self):
        self.assertEqual(self.send("PUT", "job/other", "# TYPE a gauge\na 1\n").status, 200)
        for path, body, words in (
                ("job/batch", "a 1 1700000000000\n", "must not have timestamps"),
                ("job/batch", "a{ 1\n", ""),
                ("job/batch", "a 1\na 2\n", "given twice"),
                ("job/batch", "# TYPE a counter\na 1\n", "a is a counter here and a gauge"),
                ("job/batch/odd", "a 1\n", "odd number of components"),
                ("job/batch/__x/y", "a 1\n", 'improper label name "__x"'),
                ("job@base64/=", "a 1\n", "job name is required"),
                ("job/batch/x@base64/!!", "a 1\n", "base64")):
            with self.subTest(path=path, body=body):
                answer = self.send("PUT", path, body)
                self.assertEqual(answer.status, 400, answer.text)
                self.assertIn(words, answer.text)
        self.assertEqual(self.values(), {})
        # What contradicts other metrics is on record as a failed push.
        times = self.values(times=True)
        self.assertEqual(times["push_time_seconds"], "0")
        self.assertAlmostEqual(float(times["push_failure_time_seconds"]), time.time(), delta=60)
        self.assertFalse([g for g in self.groups() if g["labels"] == {"job": "batch"}][0]
                         ["last_push_successful"])
        self.assertEqual(self.send("GET", "job/batch").status, 405)

    def test_values_stay_current(self):
        self.send("PUT", "job/batch/shard/1", "# HELP a Text.\n# TYPE a counter\na 1\n")
        self.send("PUT", "job/batch/shard/2", "a 2\n".join(("# TYPE a counter\n", "")))
        stamp = lambda: [float(r["value"][1]) for r in self.server_.query("timestamp(a)")]
        first = max(stamp())
        pt.wait_for("two more rounds", lambda: min(stamp()) > first + 1)
        self.assertEqual(self.values(), {"a,shard=1": "1", "a,shard=2": "2"})
        pushed = self.values("push_time_seconds", times=True)
        for stop in (self.server_.stop, self.server_.kill):
            stop()
            before = time.time()
            self.server_.start()
            pt.wait_for("values after a restart", lambda: stamp() and min(stamp()) > before)
            self.assertEqual(self.values(), {"a,shard=1": "1", "a,shard=2": "2"})
            self.assertEqual(self.values("push_time_seconds", times=True), pushed)
        # A damaged file is put aside, the others stay.
        self.server_.stop()
        path = sorted((self.work / "data" / "pushed").iterdir())[0]
        path.write_bytes(path.read_bytes()[:-1] + b"\x00")
        self.server_.start()
        self.assertEqual(len(self.groups()), 1)
        self.assertTrue(path.with_suffix(".group.damaged").exists())
        self.assertIn("damaged", self.server_.log())

    def test_wipe_and_tenants(self):
        self.send("PUT", "job/batch", "a 1\n", **{"X-Scope-OrgID": "t1"})
        self.send("PUT", "job/batch", "a 2\n")
        self.assertEqual(self.values(), {"a": "2"})
        wipe = lambda: pt.request(self.server_.prometheus_url + "/api/v1/admin/wipe", method="PUT",
                                  body=b"")
        self.assertEqual(wipe().status, 404)
        self.server_.stop()
        self.server_.sets.append("prometheus.admin_api=on")
        self.server_.start()
        self.assertEqual(wipe().status, 202)
        self.assertEqual(self.groups(), [])
        other = pt.request(self.server_.prometheus_url + "/api/v1/metrics",
                           headers={"X-Scope-OrgID": "t1"}).json()["data"]
        self.assertEqual(len(other), 1)


if __name__ == "__main__":
    pt.main()
