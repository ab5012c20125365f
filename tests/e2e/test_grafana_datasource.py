#!/usr/bin/env python3
"""The calls that Grafana's Prometheus data source makes, in the shapes it relies on: what it asks
when it is saved, the label browser, metadata, panels with aligned steps, exemplars."""
import gzip
import json
import time
import urllib.parse

import pharos_test as pt
import prometheus_peer

SCRAPE_S = 15
FORM = "application/x-www-form-urlencoded"


def aligned(t, step):
    return t - t % step


class Source:
    """As Grafana's server asks: forms by POST, gzip accepted, its own headers on top."""

    def __init__(self, server):
        self.url = server.prometheus_url + "/api/v1/"
        self.headers = {"Accept-Encoding": "gzip", "User-Agent": "Grafana/11.0.0",
                        "X-Dashboard-Uid": "uid", "X-Panel-Id": "4", "X-Grafana-Org-Id": "1"}

    def post(self, path, params):
        return self.read(pt.request(self.url + path, method="POST",
                                    body=urllib.parse.urlencode(params, doseq=True).encode(),
                                    headers={**self.headers, "Content-Type": FORM}))

    def get(self, path, params=()):
        query = urllib.parse.urlencode(params, doseq=True)
        return self.read(pt.request(self.url + path + ("?" + query if query else ""),
                                    headers=self.headers))

    @staticmethod
    def read(answer):
        body = answer.body
        if answer.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        assert answer.headers["Content-Type"].startswith("application/json"), answer.headers
        return answer.status, json.loads(body)


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        self.pharos = self.server("telemetry.interval=1h")
        self.source = Source(self.pharos)
        self.now = int(time.time())
        self.first = aligned(self.now, SCRAPE_S) - 240 * SCRAPE_S # an hour
        times = [self.first + i * SCRAPE_S for i in range(240)]
        series = []
        for instance in ("a:1", "b:1"):
            series.append(({"__name__": "pages_total", "job": "web", "instance": instance},
                           [(t * 1000, 30 * i) for i, t in enumerate(times)]))
            series.append(({"__name__": "up", "job": "web", "instance": instance},
                           [(t * 1000, 1) for t in times]))
        series.append(({"__name__": "http.latency", "service.name": "shop"},
                       [(t * 1000, 0.5) for t in times]))
        series += [({"__name__": f"metric_{i:04}", "job": "many"}, [(times[-1] * 1000, i)])
                   for i in range(1500)]
        self.pharos.write(series, metadata=[(1, "pages_total", "Pages served.", ""),
                                            (2, "up", "Whether it answers.", "")])

    def good(self, answer):
        status, body = answer
        self.assertEqual((status, body["status"]), (200, "success"), body)
        return body["data"]

    def test_save_and_test(self):
        data = self.good(self.source.post("query", {"query": "1+1", "time": "4"}))
        self.assertEqual(data, {"resultType": "scalar", "result": [4, "2"]})
        build = self.good(self.source.get("status/buildinfo"))
        # No features and no application: the flavour is Prometheus, and no ruler is looked for.
        self.assertNotIn("features", build)
        self.assertNotIn("application", build)
        version = tuple(int(n) for n in build["version"].split("."))
        self.assertGreaterEqual(version, (2, 24, 0)) # label values with match[]
        self.assertIsInstance(self.good(self.source.get("rules"))["groups"], list)
        self.assertIsInstance(self.good(self.source.get("alerts"))["alerts"], list)
        # The probe for exemplars sends milliseconds where seconds are meant.
        data = self.good(self.source.get("query_exemplars", {
            "query": "test", "start": self.now * 1000 - 600000, "end": self.now * 1000}))
        self.assertEqual(data, [])

    def test_metadata(self):
        data = self.good(self.source.get("metadata"))
        self.assertEqual(data["pages_total"],
                         [{"type": "counter", "help": "Pages served.", "unit": ""}])
        self.assertEqual(len(self.good(self.source.get("metadata", {"limit": 1}))), 1)
        data = self.good(self.source.get("metadata", {"metric": "up", "limit": 40000}))
        self.assertEqual(list(data), ["up"])

    def test_label_browser(self):
        span = {"start": self.first, "end": self.now, "limit": 40000}
        names = self.good(self.source.post("labels", span))
        self.assertEqual(names, sorted(names))
        self.assertLessEqual({"__name__", "instance", "job", "service.name"}, set(names))
        names = self.good(self.source.post("labels", {**span, "match[]": '{job="web"}'}))
        self.assertEqual(names, ["__name__", "instance", "job"])
        self.assertEqual(self.good(self.source.get("labels", {**span, "match[]": 'up{job="web"}'})), names)
        values = self.good(self.source.get("label/job/values", span))
        self.assertEqual(values, ["many", "pharos", "web"]) # pharos: what it says of itself
        values = self.good(self.source.get("label/instance/values",
                                           {**span, "match[]": '{__name__="up",job="web"}'}))
        self.assertEqual(values, ["a:1", "b:1"])
        # Names beyond the old characters come escaped, in the path as in the selector.
        values = self.good(self.source.get("label/U__service_2e_name/values", span))
        self.assertEqual(values, ["shop"])
        rows = self.good(self.source.post("series", {
            **span, "match[]": '{"http.latency", "service.name"="shop"}'}))
        self.assertEqual(rows, [{"__name__": "http.latency", "service.name": "shop"}])
        # Pharos' own `up` lies in the span when a second began between its start and `now`.
        rows = self.good(self.source.post("series", {**span, "match[]": ['up{job="web"}', "pages_total"]}))
        self.assertEqual(len(rows), 4)
        # limit=0 means none.
        values = self.good(self.source.get("label/__name__/values", {**span, "limit": 0}))
        self.assertGreaterEqual(len(values), 1503)

    def test_typing_a_name(self):
        """After three letters the editor asks for at most 1,000 names that hold them."""
        status, body = self.source.get("label/__name__/values", {
            "start": self.first, "end": self.now, "limit": 1000,
            "match[]": '{__name__=~".*met.*"}'})
        self.assertEqual((status, len(body["data"])), (200, 1000))
        self.assertEqual(body["warnings"], ["results truncated due to limit"])
        status, body = self.source.get("label/__name__/values", {
            "limit": 1000, "match[]": '{__name__=~".*ages_t.*"}'})
        self.assertEqual((body["data"], "warnings" in body), (["pages_total"], False))

    def test_panels(self):
        """Start and end are aligned to the step; every step has its point, rates have no gaps."""
        for step in (15, 60, 300):
            with self.subTest(step=step):
                # $__rate_interval: the larger of step plus one scrape, and four scrapes.
                rate_interval = max(step + SCRAPE_S, 4 * SCRAPE_S)
                start = aligned(self.first + 600, step)
                end = aligned(self.first + 3000, step)
                query = f"sum by (job) (rate(pages_total[{rate_interval}s]))"
                data = self.good(self.source.post("query_range", {
                    "query": query, "start": f"{start}", "end": f"{end}.000", "step": step,
                    "timeout": "30s", "custom": "kept"}))
                self.assertEqual(data["resultType"], "matrix")
                (row,) = data["result"]
                self.assertEqual(row["metric"], {"job": "web"})
                self.assertEqual([t for t, _ in row["values"]],
                                 list(range(start, end + 1, step)))
                # Two instances, 30 a scrape.
                for _, v in row["values"]:
                    self.assertAlmostEqual(float(v), 4.0, places=9)
                self.assertEqual(self.good(self.source.get("query_range", {
                    "query": query, "start": start, "end": end, "step": step})), data)
                # Incremental querying asks again for the last ten minutes and joins them.
                tail = self.good(self.source.post("query_range", {
                    "query": query, "start": end - 600, "end": end, "step": step}))
                self.assertEqual(tail["result"][0]["values"],
                                 [p for p in row["values"] if p[0] >= end - 600])

    def test_kinds_of_results(self):
        at = self.first + 239 * SCRAPE_S
        query = lambda text, **more: self.good(self.source.post(
            "query", {"query": text, "time": at, **more}))
        vector = query('up{job="web"}')
        self.assertEqual(vector["resultType"], "vector")
        self.assertEqual([r["value"] for r in vector["result"]], [[at, "1"], [at, "1"]])
        self.assertEqual(query('"text"')["resultType"], "string")
        self.assertEqual(query("up[30s]")["resultType"], "matrix")
        scalars = self.good(self.source.post("query_range", {
            "query": "42", "start": at - 30, "end": at, "step": 15}))
        self.assertEqual(scalars["result"], [{"metric": {}, "values": [
            [at - 30, "42"], [at - 15, "42"], [at, "42"]]}])
        empty = self.good(self.source.post("query_range", {
            "query": "nothing", "start": at - 30, "end": at, "step": 15}))
        self.assertEqual(empty, {"resultType": "matrix", "result": []})
        status, body = self.source.post("query", {"query": "rate(up[1m])", "time": at})
        self.assertTrue(body["infos"][0].startswith("PromQL info: metric might not be a counter"))
        status, body = self.source.post("query", {"query": "quantile(2, up)", "time": at})
        self.assertTrue(body["warnings"][0].startswith("PromQL warning: quantile value"))

    def test_native_histograms(self):
        t = self.first * 1000
        prometheus_peer.write_histograms(
            self.pharos.prometheus_url, {"__name__": "native"},
            [prometheus_peer.histogram(t + i * 15000, 5, 12.5, 1, 1, [(0, 2), (1, 1)], [1, 1, -1])
             for i in range(4)])
        data = self.good(self.source.post("query_range", {
            "query": "native", "start": self.first, "end": self.first + 45, "step": 15}))
        (row,) = data["result"]
        self.assertNotIn("values", row)
        self.assertEqual([at for at, _ in row["histograms"]],
                         [self.first + i * 15 for i in range(4)])
        h = row["histograms"][0][1]
        self.assertEqual((h["count"], h["sum"], h["buckets"][0]),
                         ("5", "12.5", [3, "-0.001", "0.001", "1"]))
        data = self.good(self.source.post("query", {"query": "native", "time": self.first}))
        self.assertEqual(set(data["result"][0]), {"metric", "histogram"})

    def test_exemplars(self):
        t = (self.first + 60) * 1000
        self.pharos.write([({"__name__": "latency_bucket", "le": "1"}, [(t, 3)],
                            [({"trace_id": "abc"}, t - 5, 0.5)])])
        data = self.good(self.source.get("query_exemplars", {
            "query": "histogram_quantile(0.9, rate(latency_bucket[1m]))",
            "start": self.first, "end": self.now}))
        self.assertEqual(data, [{
            "seriesLabels": {"__name__": "latency_bucket", "le": "1"},
            "exemplars": [{"labels": {"trace_id": "abc"}, "value": "0.5",
                           "timestamp": (t - 5) / 1000}]}])

    def test_errors_are_shown(self):
        for text, status, kind in (("sum(", 400, "bad_data"),
                                   ('label_replace(up, "x y", "", "", "(")', 400, "bad_data"),
                                   ("up * on() up", 422, "execution")):
            with self.subTest(query=text):
                got, body = self.source.post("query", {"query": text,
                                                       "time": self.first + 60})
                self.assertEqual(body["status"], "error")
                self.assertIsInstance(body["error"], str)
                if kind == "execution":
                    self.assertEqual((got, body["errorType"]), (status, kind))
                else:
                    self.assertIn((got, body["errorType"]), ((400, "bad_data"),
                                                             (422, "execution")))

    def test_with_a_password(self):
        users = self.file("pharos.yml", "auth:\n  tokens: {grafana: 0123456789abcdef}\n")
        server = self.server(config=users, data=self.work / "closed")
        source = Source(server)
        answer = pt.request(source.url + "query?query=1", headers=source.headers)
        self.assertEqual(answer.status, 401)
        source.headers["Authorization"] = "Bearer 0123456789abcdef"
        data = self.good(source.post("query", {"query": "1+1", "time": "4"}))
        self.assertEqual(data["result"], [4, "2"])


if __name__ == "__main__":
    pt.main()
