"""search/*, openapi.yaml, features and status/tsdb/blocks: what Prometheus 3.14 has and Debian's 2.42 does
not. Expected scores follow its definition: sum of squared runs less the gaps, by the pattern's length."""
import json
import time
import unittest
import urllib.parse

import pharos_test as pt

try:
    import yaml
except ImportError:
    yaml = None

NOW = int(time.time())
NAMES = ["http_requests_total", "http_request_size_bytes", "grpc_requests_total", "up", "node_cpu"]


class Search(pt.Case):
    def setUp(self):
        super().setUp()
        self.pharos = self.server("telemetry.interval=1h")
        self.pharos.write([({"__name__": n, "job": f"job{i}", "zone": "Über"}, [(NOW * 1000, 1)])
                           for i, n in enumerate(NAMES)],
                          metadata=[(1, "http_requests_total", "All requests.", "")])

    def ask(self, what, params, method="GET"):
        query = urllib.parse.urlencode(params, doseq=True)
        url = f"{self.pharos.prometheus_url}/api/v1/search/{what}"
        headers = {"X-Scope-OrgID": "default"}
        if method == "GET":
            return pt.request(url + "?" + query, headers=headers)
        return pt.request(url, method, query.encode(),
                          {**headers, "Content-Type": "application/x-www-form-urlencoded"})

    def found(self, what, params, **kwargs):
        answer = self.ask(what, params, **kwargs)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson; charset=utf-8")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        self.assertEqual(lines[-1]["status"], "success")
        return [r for line in lines[:-1] for r in line["results"]], lines

    def test_names(self):
        mine = 'match[]', '{zone="Über"}'
        rows, lines = self.found("metric_names", [mine])
        self.assertEqual([r["name"] for r in rows], sorted(NAMES))
        self.assertEqual((len(lines), lines[-1]["has_more"]), (2, False))
        rows, lines = self.found("metric_names", [mine, ("limit", 3), ("batch_size", 2),
                                                  ("sort_by", "alpha"), ("sort_dir", "dsc")])
        self.assertEqual([r["name"] for r in rows], sorted(NAMES)[:1:-1])
        self.assertEqual([len(line.get("results", ())) for line in lines], [2, 1, 0])
        self.assertTrue(lines[-1]["has_more"])
        rows, _ = self.found("label_names", [mine, ("search[]", "jo"), ("search[]", "zo")])
        self.assertEqual([r["name"] for r in rows], ["job", "zone"])
        rows, _ = self.found("label_values", [mine, ("label", "job"), ("search[]", "job")],
                             method="POST")
        self.assertEqual([r["value"] for r in rows], [f"job{i}" for i in range(5)])
        rows, lines = self.found("metric_names", [mine, ("search[]", "nothing like it")])
        self.assertEqual((rows, len(lines)), ([], 2))
        # Two selectors: each name once.
        rows, _ = self.found("metric_names", [("match[]", "up"), ("match[]", '{job=~"job[0-3]"}')])
        self.assertEqual(len(rows), 4)
        # The last hour, unless told otherwise.
        rows, _ = self.found("metric_names", [mine, ("start", NOW - 9000), ("end", NOW - 8000)])
        self.assertEqual(rows, [])

    def test_scores(self):
        rows, _ = self.found("metric_names", {"search[]": "req", "sort_by": "score", "match[]": '{zone="Über"}',
                                              "include_score": "true", "include_metadata": "true"})
        self.assertEqual([r["name"] for r in rows], ["http_request_size_bytes", "grpc_requests_total",
                                                     "http_requests_total"])
        self.assertAlmostEqual(rows[0]["score"], (9 - 5 / 23 - 15 / 23 / 2) / 9 * 0.999, places=12)
        self.assertAlmostEqual(rows[1]["score"], (9 - 5 / 19 - 11 / 19 / 2) / 9 * 0.999, places=12)
        meta = {r["name"]: r.get("help") for r in rows}
        self.assertEqual((meta["http_requests_total"], meta["grpc_requests_total"]),
                         ("All requests.", None))
        ask = lambda **more: [r["name"] for r in self.found("metric_names", {"match[]": '{zone="Über"}', **more})[0]]
        self.assertEqual(ask(**{"search[]": "HTTP"}), [])
        self.assertEqual(ask(**{"search[]": "HTTP", "case_sensitive": "false"}),
                         ["http_request_size_bytes", "http_requests_total"])
        # Characters in their order are a match, unless the threshold says otherwise.
        self.assertEqual(ask(**{"search[]": "ndc"}), ["node_cpu"])
        self.assertEqual(ask(**{"search[]": "ndc", "fuzz_threshold": 90}), [])
        # Jaro-Winkler: as it stands, or similar when there is a threshold.
        jw = {"search[]": "node_cup", "fuzz_alg": "jarowinkler"}
        self.assertEqual(ask(**jw), [])
        self.assertEqual(ask(**jw, fuzz_threshold=90), ["node_cpu"])

    def test_errors(self):
        for params, words in (
                ({"limit": "0"}, 'invalid limit "0": must be a positive integer'),
                ({"batch_size": "x"}, 'invalid batch_size "x": must be a positive integer'),
                ({"fuzz_threshold": "101"}, 'invalid fuzz_threshold "101": must be 0-100'),
                ({"fuzz_alg": "x"}, 'unsupported fuzz_alg "x": must be one of [subsequence jarowinkler]'),
                ({"case_sensitive": "maybe"}, 'invalid case_sensitive "maybe": must be boolean'),
                ({"sort_dir": "asc"}, "sort_dir is only valid when sort_by is set"),
                ({"sort_by": "score", "sort_dir": "asc", "search[]": "a"},
                 "sort_dir is not supported for sort_by=score"),
                ({"sort_by": "score"}, "sort_by=score requires search[] to be set"),
                ({"sort_by": "size"}, 'invalid sort_by "size" for metric_names'),
                ({"sort_by": "alpha", "sort_dir": "up"}, 'invalid sort_dir "up"'),
                ({"search[]": ["a"] * 33}, "too many search[] terms: got 33, maximum is 32"),
                ({"start": 2, "end": 1}, "end timestamp must not be before start timestamp"),
                ({"match[]": "{"}, "1:2: parse error"),
                ({"match[]": '{a=""}'}, "match[] must contain at least one non-empty matcher")):
            answer = self.ask("metric_names", params)
            self.assertEqual((answer.status, answer.json()["errorType"]), (400, "bad_data"), params)
            self.assertIn(words, answer.json()["error"])
        self.assertEqual(self.ask("label_values", {}).json()["error"],
                         'missing required parameter "label"')


class Described(pt.Case):
    @unittest.skipUnless(yaml, "python3-yaml is not installed")
    def test_openapi(self):
        """The document is whole, and every path in it that is asked without anything is answered."""
        server = self.server("prometheus.admin_api=off")
        get = lambda **q: pt.request(server.prometheus_url + "/api/v1/openapi.yaml?"
                                     + urllib.parse.urlencode(q))
        self.assertEqual(get().headers["Content-Type"], "application/yaml; charset=utf-8")
        old, new = yaml.safe_load(get().text), yaml.safe_load(get(openapi_version="3.2").text)
        self.assertEqual((old["openapi"], new["openapi"]), ("3.1.0", "3.2.0"))
        self.assertEqual(set(new["paths"]) - set(old["paths"]), {"/notifications/live"})
        names = [op["operationId"] for p in new["paths"].values() for op in p.values()]
        self.assertEqual(len(names), len(set(names)))
        for path, operations in old["paths"].items():
            self.assertLessEqual(set(operations), {"get", "put", "post"})
            for method, op in operations.items():
                for name in op["responses"]:
                    self.assertIn(name, ("200", "204", "default"))
                url = server.prometheus_url + "/api/v1" + path.replace("{name}", "job")
                answer = pt.request(url, method.upper(), b"" if method != "get" else None)
                self.assertNotIn(answer.status, (404, 405), (method, path))
                if not any(p["required"] for p in op.get("parameters", ()) if p["in"] == "query") \
                        and method == "get" and "admin" not in path and "values" not in path:
                    self.assertEqual(answer.status, 200, (path, answer.text[:300]))

    def test_features(self):
        server = self.server()
        off = server.prom("features").json()["data"]
        self.assertEqual(list(off), sorted(off))
        for category, features in off.items():
            self.assertEqual(list(features), sorted(features), category)
        self.assertTrue(off["api"]["search"] and off["promql_functions"]["rate"])
        self.assertFalse(off["promql_functions"]["info"] or off["promql"]["fill"]
                         or off["promql_operators"]["limitk"])
        self.assertGreaterEqual(len(off["promql_functions"]), 90)
        on = self.server("promql.experimental=on", data=self.work / "two").prom("features").json()
        self.assertTrue(on["data"]["promql_functions"]["info"]
                        and on["data"]["promql_operators"]["limitk"])

    def test_blocks(self):
        server = self.server("prometheus.admin_api=on", "telemetry.interval=1h")
        server.write([({"__name__": "m", "i": str(i)}, [((NOW - 60 + k) * 1000, k) for k in range(9)])
                      for i in range(3)])
        server.stop()
        server.start()
        blocks = server.prom("status/tsdb/blocks").json()["data"]["blocks"]
        self.assertTrue(blocks)
        for block in blocks:
            self.assertRegex(block["ulid"], r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")
            self.assertEqual((block["version"], block["compaction"]["sources"]), (1, [block["ulid"]]))
            self.assertGreaterEqual(block["compaction"]["level"], 1)
        self.assertEqual(len({b["ulid"] for b in blocks}), len(blocks))
        # Beside its own metrics.
        self.assertGreaterEqual(sum(b["stats"]["numSamples"] for b in blocks), 27)
        self.assertEqual(min(b["minTime"] for b in blocks), (NOW - 60) * 1000)
        self.assertTrue(all(b["maxTime"] > b["minTime"] for b in blocks))


if __name__ == "__main__":
    pt.main()
