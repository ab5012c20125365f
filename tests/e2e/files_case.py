"""What the tests of log files share: a directory of logs, a writer that rotates, and what was stored."""
import collections
import json
import subprocess
import sys
import time
import urllib.parse

import pharos_test as pt

# Writes numbered lines and rotates every so many, by rename or by copy and truncation.
WRITER = r"""
import os, shutil, sys, time
path, mode, total, every = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
out, kept = open(path, "ab", buffering=0), 0
for i in range(total):
    out.write(b"line %06d of the writer\n" % i)
    if i % 50 == 49:
        time.sleep(0.001)
    if i % every == every - 1 and i + 1 < total:
        kept += 1
        if mode == "rename":
            os.rename(path, f"{path}.{kept}")
            out.close()
            out = open(path, "ab", buffering=0)
        else:
            shutil.copyfile(path, f"{path}.{kept}")
            os.truncate(path, 0)
"""


class Case(pt.Case):
    def setUp(self):
        super().setUp()
        self.logs = self.work / "logs"
        self.logs.mkdir()

    def start(self, entries, *sets):
        """entries: of inputs.files, as JSON."""
        self.pharos = self.server("telemetry.interval=1h", "inputs.files=" + json.dumps(entries), *sets)
        return self.pharos

    def log(self, name, text, mode="a"):
        path = self.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        with open(path, mode + "b") as f:
            f.write(data)
        return path

    def rows(self, query='{service_name=~".+"}'):
        """[(labels, line)] of everything stored."""
        url = self.pharos.url + "/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "limit": 100000, "start": 1, "end": time.time_ns() + 60 * 10 ** 9})
        answer = pt.request(url)
        self.assertEqual(answer.status, 200, answer.text)
        return [(s["stream"], v[1], int(v[0])) for s in answer.json()["data"]["result"]
                for v in s["values"]]

    def wait(self, count, query='{service_name=~".+"}', seconds=pt.WAIT_S):
        def ask():
            rows = self.rows(query)
            return rows if len(rows) >= count else None
        return pt.wait_for(f"{count} lines of {query}", ask, seconds)

    def lines(self, count, query='{service_name=~".+"}'):
        return collections.Counter(line for _, line, _ in self.wait(count, query))

    def writer(self, mode, total, every):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(self.logs / "app.log"), mode,
                                    str(total), str(every)])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def count(self):
        answer = pt.request(self.pharos.url + "/loki/loki/api/v1/query?" + urllib.parse.urlencode(
            {"query": 'sum(count_over_time({service_name=~".+"}[1h]))', "time": time.time_ns()}))
        self.assertEqual(answer.status, 200, answer.text)
        result = answer.json()["data"]["result"]
        return int(float(result[0]["value"][1])) if result else 0

    def expect_numbers(self, total, seconds=pt.WAIT_S):
        """Each of the writer's lines exactly once."""
        want = {f"line {i:06d} of the writer" for i in range(total)}
        pt.wait_for(f"{total} lines", lambda: self.count() >= total, seconds)
        got = collections.Counter(line for _, line, _ in self.rows())
        missing, wrong = sorted(want - set(got)), sorted(x for x in got if got[x] > 1 or x not in want)
        self.assertEqual((len(missing), missing[:3]), (0, []))
        self.assertEqual((len(wrong), wrong[:3], wrong[-3:]), (0, [], []))

    def caught_up(self):
        pt.wait_for("nothing behind", lambda: self.pharos.metric("pharos_files_total_lag_bytes") == 0)
