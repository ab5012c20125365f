#!/usr/bin/env python3
"""Subcommands, their words and their exit statuses."""
import json
import time

import pharos_test as pt

NOW = int(time.time())


class CommandLine(pt.Case):
    def expect(self, status, *args, out="", err="", **kwargs):
        got = pt.run(*args, **kwargs)
        self.assertEqual(got.returncode, status, got.stdout + got.stderr)
        self.assertIn(out, got.stdout)
        self.assertIn(err, got.stderr)
        return got

    def test_help_and_version(self):
        self.expect(0, "--help", out="pharos serve")
        self.expect(0, "version", out="pharos ")
        self.expect(0, "serve", "--help", out="limits.series")
        self.expect(0, "help", "config", "--markdown", out="| `limits.series` |")
        self.expect(2, "agent", err="not built yet")
        self.expect(2, "servo", err='did you mean "serve"?')
        self.expect(2, "serve", "--frob", err="--frob")
        self.expect(2, "serve", "--data", err="--data needs a value")
        self.expect(1, "serve", "-c", self.work / "none.yml", err="none.yml")
        self.expect(1, "serve", "--set", "limit.series=5", err='did you mean "limits.series"?')
        self.expect(1, "serve", env=pt.clean_env(PHAROS_FROB="1"), err="PHAROS_FROB")

    def test_check(self):
        good = self.file("pharos.yml", "limits:\n  series: 5\n")
        self.expect(0, "check", good, out="no problems")
        bad = self.file("bad.yml", "limits:\n  serie: 5\n")
        self.expect(1, "check", bad, err="bad.yml:2:3: unknown key")
        self.expect(1, "check", good, bad, out="no problems", err="bad.yml:2:3:")
        self.expect(2, "check", err="a file is needed")
        self.expect(1, "check", self.work / "none", err="none")
        prom = self.file("prometheus.yml", "global:\n  scrape_interval: 15s\nscrape_configs:\n"
                                           "  - job_name: a\n    static_configs:\n"
                                           "      - targets: ['127.0.0.1:1']\n")
        self.expect(0, "check", prom, out="Prometheus configuration, no problems")
        self.file("prometheus.yml", "global:\n  scrape_interval: 15s\nscrap_configs: []\n")
        # A key of neither kind: told as an error with its place either way.
        self.expect(1, "check", prom, err="prometheus.yml:")
        rules = self.file("rules.yml", "groups:\n  - name: g\n    rules:\n"
                                       "      - record: a:b\n        expr: sum(up)\n")
        self.expect(0, "check", rules, out="rule file, no problems")
        self.file("rules.yml", "groups:\n  - name: g\n    rules:\n"
                               "      - record: a:b\n        expr: sum(up\n"
                               "      - alert: x\n        exp: up\n")
        got = self.expect(1, "check", rules, err='rules.yml:5:15: group "g", rule 1, "a:b": could not parse '
                              "expression: 1:7: parse error: ")
        self.assertIn("rules.yml:7:9: unknown key", got.stderr)

    def test_query(self):
        server = self.server()
        server.write([({"__name__": "m", "job": "a"}, [(NOW * 1000, 2.5)]),
                      ({"__name__": "m", "job": "b"}, [(NOW * 1000, 3)])])
        url = ["--url", server.url + "/prometheus"]
        got = self.expect(0, "query", *url, "--time", NOW, "m")
        self.assertEqual([line.split() for line in got.stdout.splitlines()],
                         [['m{job="a"}', "2.5"], ['m{job="b"}', "3"]])
        got = self.expect(0, "query", *url, "--time", NOW, "--json", "m")
        self.assertEqual(len(json.loads(got.stdout)["data"]["result"]), 2)
        got = self.expect(0, "query", *url, "--start", NOW - 10, "--end", NOW, "--step", "5s", "m")
        self.assertIn('m{job="a"}\n', got.stdout)
        self.expect(0, "query", *url, "1 + 1", out="2\n")
        self.expect(0, "query", "1 + 1", out="2\n",
                    env=pt.clean_env(PHAROS_URL=server.url + "/prometheus"))
        self.expect(1, "query", *url, "sum(", err="parse error")
        self.expect(2, "query", err="a query is needed")
        self.expect(2, "query", "--lang", "sql", "x", err="sql")
        self.expect(2, "query", "--end", "now", "x", err="--start")
        self.expect(2, "query", "--start", "soon", "x", err="soon")
        self.expect(1, "query", "--url", f"http://127.0.0.1:{pt.free_port()}", "up", err="http://")


if __name__ == "__main__":
    pt.main()
