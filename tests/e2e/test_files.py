#!/usr/bin/env python3
"""Log files: lines, formats and containers' logs, records of several lines, archives, limits, settings."""
import bz2
import gzip
import json
import lzma
import os
import time

import pharos_test as pt
from files_case import Case


class Follow(Case):
    def test_lines(self):
        self.log("shop/app.log", "2024-01-02T03:04:05Z ERROR it broke\n\nno time here\n")
        now = time.strftime("%Y-%m-%dT%H:%M:%S")
        self.log("shop/app.log", f"{now}Z INFO new \xff one\r\nwithout an end", "a")
        self.log("other/x.txt", "not wanted\n")
        self.start([{"include": f"{self.logs}/**/*.log", "labels": {"env": "test"},
                     "path_labels": "/(?P<team>[^/]+)/[^/]*$", "partial_timeout": "1s"}],
                   "retention.logs=forever")
        rows = self.wait(4)
        lines = {line: (labels, ts) for labels, line, ts in rows}
        self.assertEqual(set(lines), {"2024-01-02T03:04:05Z ERROR it broke", "no time here",
                                      f"{now}Z INFO new \u00ff one", "without an end"})
        labels, ts = lines["2024-01-02T03:04:05Z ERROR it broke"]
        self.assertEqual(ts, 1704164645 * 10 ** 9)
        self.assertEqual((labels["env"], labels["team"], labels["service_name"], labels["filename"],
                          labels["detected_level"]),
                         ("test", "shop", "app", str(self.logs / "shop/app.log"), "error"))
        self.assertEqual(lines["no time here"][1], ts)  # that of the line before
        self.log("shop/app.log", " more\nand more\n")  # the rest of a line that waited too long
        self.log("new.log", "a file that came later\n")
        got = self.lines(7)
        for line in (" more", "and more", "a file that came later"):
            self.assertEqual(got[line], 1)
        self.caught_up()
        self.assertEqual(self.pharos.metric("pharos_files_followed"), 2)
        self.assertEqual(self.pharos.metric("pharos_files_lag_bytes", "app.log"), 0)

    def test_formats(self):
        long_id = "0123456789abcdef" * 4
        t = "2024-01-02T03:04:05.123456789Z"

        def docker(text, stream="stdout"):
            return json.dumps({"log": text, "stream": stream, "time": t}) + "\n"
        self.log(f"containers/{long_id}/config.v2.json", json.dumps(
            {"ID": long_id, "Name": "/web-1", "Config": {"Image": "nginx:1", "Labels": {
                "com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}}))
        self.log(f"containers/{long_id}/{long_id}-json.log",
                 docker("whole\n") + docker("par") + docker("err\n", "stderr") + docker("tial\n"))
        self.log("pods/prod_api-7d9_aaaa-bbbb/server/3.log",
                 f"{t} stdout F hello\n{t} stderr P half \n{t} stdout F between\n{t} stderr F a line\n")
        self.log("app.json", '{"ts":1704164645.5,"level":"warn","message":"said","order":7,"trace_id":'
                 '"0102030405060708090a0b0c0d0e0f10"}\nno json\n')
        self.log("utf16.txt", "\ufeffgr\u00fc\u00df\nz\u00fcge\n".encode("utf-16le"))
        self.start([{"include": [f"{self.logs}/containers/*/*-json.log", f"{self.logs}/pods/**/*.log"]},
                    {"include": f"{self.logs}/*.json", "fields": True, "service": "orders"},
                    {"include": f"{self.logs}/*.txt", "encoding": "utf-16le"}], "retention.logs=forever")
        rows = self.wait(10)
        lines = {line: (labels, ts) for labels, line, ts in rows}
        self.assertEqual(set(lines), {"whole", "partial", "err", "hello", "half a line", "between", "said",
                                      "no json", "gr\u00fc\u00df", "z\u00fcge"})
        self.assertEqual(lines["whole"][1], 1704164645123456789)
        labels = lines["partial"][0]
        self.assertEqual((labels["container_name"], labels["service_name"], labels["compose_project"],
                          labels["container_image_name"], labels["log_iostream"]),
                         ("web-1", "web", "shop", "nginx:1", "stdout"))
        labels = lines["half a line"][0]
        self.assertEqual((labels["k8s_namespace_name"], labels["k8s_pod_name"], labels["k8s_container_name"],
                          labels["service_name"], labels["k8s_pod_uid"], labels["log_iostream"]),
                         ("prod", "api-7d9", "server", "server", "aaaa-bbbb", "stderr"))
        labels, ts = lines["said"]
        self.assertEqual((labels["order"], labels["detected_level"], labels["service_name"], ts),
                         ("7", "warn", "orders", 1704164645500000000))

    def test_multiline(self):
        trace = ("ERROR request failed\njava.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n"
                 "Caused by: java.io.IOException\n\t... 3 more\n")
        python = ('ERROR failed\nTraceback (most recent call last):\n  File "x.py", line 1, in <module>\n'
                  "    f()\nValueError: bad\n")
        self.log("java.log", "INFO up\n" + trace + "INFO on\n")
        self.log("python.log", python + "INFO on\n")
        self.log("own.log", "# one\nmore\n# two\nmore\n")
        self.start([{"include": f"{self.logs}/java.log", "multiline": "java"},
                    {"include": f"{self.logs}/python.log", "multiline": {"preset": "python", "timeout": "1s"}},
                    {"include": f"{self.logs}/own.log",
                     "multiline": {"start": "^# ", "timeout": "1s"}}])
        got = self.lines(7)
        self.assertEqual(set(got), {"INFO up", trace.strip(), "INFO on", python.strip(), "# one\nmore",
                                    "# two\nmore"})

    def test_archives_and_end(self):
        self.log("a.log.gz", gzip.compress(b"in gzip\nand more\n") + gzip.compress(b"second member"))
        self.log("b.log.xz", lzma.compress(b"in xz\n"))
        self.log("c.log.bz2", bz2.compress(b"in bzip2\n"))
        self.log("cut.log.gz", gzip.compress(b"cut off, but read\n" * 5)[:-6])
        self.log("end.txt", "before\nhalf")
        entries = [{"include": f"{self.logs}/*.log*"}, {"include": f"{self.logs}/*.txt", "start": "end"}]
        self.start(entries)
        got = self.lines(10)
        self.assertEqual(set(got), {"in gzip", "and more", "second member", "in xz", "in bzip2",
                                    "cut off, but read"})
        self.assertEqual(got["cut off, but read"], 5)
        self.assertEqual(self.pharos.metric("pharos_files_refused_lines_total", "damaged"), 1)
        self.log("end.txt", " a line\nafter\n")
        self.lines(12)
        self.assertEqual(self.pharos.stop(), 0)
        self.log("end.txt", "while down\n")
        self.pharos.start()
        got = self.lines(13)
        self.assertEqual(sum(got.values()), 13)
        self.assertTrue({"half a line", "after", "while down"} < set(got))

    def test_limits(self):
        for i in range(60):
            self.log(f"many/{i}.log", f"first of {i}\n")
        self.log("long.txt", "x" * 5000 + "\nshort\n" + "y" * 2000000 + "\nlast\n")
        self.start([{"include": f"{self.logs}/many/*.log"}, {"include": f"{self.logs}/*.txt"}],
                   "limits.files.open=8", "limits.line_size=1KiB")
        self.lines(64)
        for i in range(60):
            self.log(f"many/{i}.log", f"second of {i}\n")
        got = self.lines(124)
        for i in range(60):
            self.assertEqual((got[f"first of {i}"], got[f"second of {i}"]), (1, 1))
        self.assertEqual((got["x" * 1024], got["short"], got["y" * 1024], got["last"]), (1, 1, 1, 1))
        self.assertEqual(self.pharos.metric("pharos_files_refused_lines_total", "too_long"), 2)
        fds = os.listdir(f"/proc/{self.pharos.process.pid}/fd")
        mine = [fd for fd in fds if str(self.logs) in os.path.realpath(
            f"/proc/{self.pharos.process.pid}/fd/{fd}")]
        self.assertLessEqual(len(mine), 8)

    def test_bad_settings(self):
        for text, says in (
                ("- format: plain", "include is missing"),
                ("- include: var/*.log", "a path from the root"),
                ("- include: '/var/[a.log'", "no ]"),
                ("- include: /x\n      format: xml", "none of auto, plain, json, docker, cri"),
                ("- include: /x\n      multiline: ruby", "java, python and go"),
                ("- include: /x\n      multiline: {start: '('}", "error parsing regexp"),
                ("- include: /x\n      path_labels: 'a(b)'", "no named group"),
                ("- include: /x\n      inclde: /y", "inclde"),
                ("- include: /x\n      zone: Mars", "is no zone")):
            bad = pt.run("check", self.file("pharos.yml", "inputs:\n  files:\n    " + text + "\n"))
            out = bad.stdout + bad.stderr
            self.assertEqual(bad.returncode, 1, text)
            self.assertIn(says, out)
            self.assertRegex(out, r"pharos\.yml:[34]:\d+: ")


if __name__ == "__main__":
    pt.main()
