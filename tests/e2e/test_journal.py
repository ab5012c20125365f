#!/usr/bin/env python3
"""The journal: files as systemd writes them (made by systemd-journal-remote), followed, over restarts."""
import collections
import json
import os
import shutil
import subprocess
import time
import urllib.parse

import pharos_test as pt

REMOTE = "/lib/systemd/systemd-journal-remote"


class Journal(pt.Case):
    def setUp(self):
        super().setUp()
        if not os.access(REMOTE, os.X_OK):
            self.skipTest("systemd-journal-remote is not installed")
        self.journal = self.work / "journal"
        self.journal.mkdir()
        self.clock_us = time.time_ns() // 1000 - 60 * 10 ** 6

    def write(self, *entries, name="remote-a"):
        """Entries as dicts; bytes in values are sent as they are."""
        out = b""
        for entry in entries:
            self.clock_us += 1000
            fields = {"__REALTIME_TIMESTAMP": str(self.clock_us), "__MONOTONIC_TIMESTAMP": str(self.clock_us),
                      "_BOOT_ID": "4bb6a27b1c0f4f3f8f7f1a2b3c4d5e6f", "_HOSTNAME": "web1", **entry}
            for key, value in fields.items():
                data = value if isinstance(value, bytes) else value.encode()
                if b"\n" in data or isinstance(value, bytes):
                    out += key.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
                else:
                    out += key.encode() + b"=" + data + b"\n"
            out += b"\n"
        subprocess.run([REMOTE, "-o", str(self.journal / f"{name}.journal"), "-"], input=out, check=True,
                       capture_output=True, timeout=pt.WAIT_S)

    def start(self, **more):
        self.pharos = self.server("telemetry.interval=1h", "inputs.journal=" + json.dumps(
            {"directory": str(self.journal), **more}))

    def rows(self, count, query='{service_name=~".+"}'):
        url = self.pharos.url + "/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "limit": 5000, "start": 1, "end": time.time_ns() + 60 * 10 ** 9})

        def ask():
            answer = pt.request(url)
            self.assertEqual(answer.status, 200, answer.text)
            got = [(s["stream"], v[1], int(v[0])) for s in answer.json()["data"]["result"] for v in s["values"]]
            return got if len(got) >= count else None
        return pt.wait_for(f"{count} entries", ask)

    def test_fields(self):
        self.write({"MESSAGE": "it broke", "PRIORITY": "3", "_SYSTEMD_UNIT": "nginx.service", "_PID": "12",
                    "CODE_FILE": "x.c", "_TRANSPORT": "stdout"},
                   {"MESSAGE": "two\nlines", "SYSLOG_IDENTIFIER": "cron", "PRIORITY": "6"},
                   {"MESSAGE": b"bad \xff byte", "_COMM": "tool"})
        first_us = self.clock_us - 2000
        self.start(labels={"env": "test"})
        rows = {line: (labels, ns) for labels, line, ns in self.rows(3)}
        self.assertEqual(set(rows), {"it broke", "two\nlines", "bad \ufffd byte"})
        labels, ns = rows["it broke"]
        self.assertEqual((labels["service_name"], labels["systemd_unit"], labels["host_name"], labels["env"],
                          labels["detected_level"], labels["pid"], labels["code_file"], labels["transport"], ns),
                         ("nginx", "nginx.service", "web1", "test", "error", "12", "x.c", "stdout", first_us * 1000))
        self.assertEqual(rows["two\nlines"][0]["service_name"], "cron")
        self.assertEqual(rows["bad \ufffd byte"][0]["service_name"], "tool")
        self.write({"MESSAGE": "later"}, name="remote-b")
        self.assertIn("later", [line for _, line, _ in self.rows(4)])

    def test_restarts(self):
        entries = [{"MESSAGE": f"entry {i}", "_SYSTEMD_UNIT": "a.service"} for i in range(1800)]
        self.write(*entries[:1000])
        self.start()
        self.count(1000)
        self.assertEqual(self.pharos.stop(), 0)
        self.write(*entries[1000:1400], name="remote-b")
        self.pharos.start()
        self.count(1400)
        self.pharos.kill()
        # The store has it with the entries.
        (self.work / "data" / "journal" / "cursor").unlink()
        self.write(*entries[1400:], name="remote-c")
        self.pharos.start()
        self.count(1800)
        got = self.seen()
        self.assertEqual(len(got), 1800)
        self.assertEqual([e for e, n in got.items() if n > 1], [])

    def seen(self):
        url = self.pharos.url + "/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": '{service_name="a"}', "limit": 50000, "start": 1, "end": time.time_ns() + 60 * 10 ** 9})
        return collections.Counter(v[1] for s in pt.request(url).json()["data"]["result"] for v in s["values"])

    def count(self, count):
        """So many are durable, and the cursor is behind them."""
        cursor = self.work / "data" / "journal" / "cursor"

        def quiet():
            before = cursor.read_bytes() if cursor.exists() else b""
            time.sleep(0.3)
            return before and cursor.read_bytes() == before and sum(self.seen().values()) >= count
        pt.wait_for(f"{count} entries", quiet)

    def test_units_and_age(self):
        self.write({"MESSAGE": "before", "_SYSTEMD_UNIT": "a.service"})
        self.start(units=["a", "b.timer"], max_age="0s")
        pt.wait_for("the cursor", lambda: (self.work / "data" / "journal" / "cursor").exists())
        self.write({"MESSAGE": "of a", "_SYSTEMD_UNIT": "a.service"}, {"MESSAGE": "of b", "_SYSTEMD_UNIT": "b.timer"},
                   {"MESSAGE": "of c", "_SYSTEMD_UNIT": "c.service"}, name="remote-b")
        self.assertEqual({line for _, line, _ in self.rows(2)}, {"of a", "of b"})

    def test_not_there(self):
        shutil.rmtree(self.journal)
        self.start()
        pt.wait_for("the word", lambda: "cannot be read" in self.pharos.log())
        bad = pt.run("check", self.file("pharos.yml", "inputs:\n  journal:\n    unit: x\n"))
        self.assertEqual(bad.returncode, 1)
        self.assertIn("pharos.yml:3:", bad.stdout + bad.stderr)


if __name__ == "__main__":
    pt.main()
