#!/usr/bin/env python3
"""Log files under rotation: a real process that writes and rotates while they are read, by rename and by copy
and truncation; kills and restarts; compression; deletion."""
import collections
import gzip
import os
import shutil
import time

import pharos_test as pt
from files_case import Case


class Rotation(Case):
    def test_rename(self):
        self.start([{"include": f"{self.logs}/app.log"}])
        self.writer("rename", 20000, 3000)
        self.expect_numbers(20000)
        self.assertEqual({labels["filename"] for labels, _, _ in self.rows()},
                         {str(self.logs / "app.log")})

    def test_rename_all_names_included(self):
        self.start([{"include": f"{self.logs}/app.log*"}])
        self.writer("rename", 20000, 3000)
        self.expect_numbers(20000)

    def test_copytruncate(self):
        for pattern in ("app.log", "app.log*"):
            with self.subTest(pattern):
                self.start([{"include": f"{self.logs}/{pattern}"}])
                self.writer("copytruncate", 20000, 4000).wait(60)
                self.expect_numbers(20000)
                self.assertEqual(self.pharos.metric("pharos_files_truncated_total"), 4)
                self.pharos.remove()
                shutil.rmtree(self.work / "data")
                shutil.rmtree(self.logs)
                self.logs.mkdir()

    def test_compressed_after_rename(self):
        self.start([{"include": f"{self.logs}/app.log*"}])
        path = self.log("app.log", "".join(f"line {i:06d} of the writer\n" for i in range(500)))
        self.expect_numbers(500)
        os.rename(path, f"{path}.1")
        self.log("app.log", "line 000500 of the writer\n")
        self.expect_numbers(501)
        with open(f"{path}.1", "rb") as plain, gzip.open(f"{path}.1.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        os.unlink(f"{path}.1")
        self.log("app.log", "line 000501 of the writer\n")
        pt.wait_for("the archive to be followed",
                    lambda: self.pharos.metric("pharos_files_lines_total") is not None
                    and self.pharos.metric("pharos_files_followed") >= 2)
        time.sleep(3)
        self.expect_numbers(502)

    def test_deleted(self):
        self.start([{"include": f"{self.logs}/app.log"}])
        f = open(self.logs / "app.log", "w")
        f.write("line 000000 of the writer\n")
        f.flush()
        self.expect_numbers(1)
        os.unlink(self.logs / "app.log")
        f.write("line 000001 of the writer\nline 000002 of the writer")
        f.close()
        self.expect_numbers(3)
        pt.wait_for("it to be let go", lambda: self.pharos.metric("pharos_files_followed") == 0)


class Restart(Case):
    def test_orderly(self):
        """Stops and starts while the writer writes and rotates: nothing lost, nothing twice."""
        self.start([{"include": f"{self.logs}/app.log*"}])
        writer = self.writer("rename", 30000, 7000)
        for _ in range(3):
            time.sleep(0.2)
            self.assertEqual(self.pharos.stop(), 0)
            time.sleep(0.1)
            self.pharos.start()
        writer.wait(60)
        self.expect_numbers(30000)

    def test_killed(self):
        """kill -9 in the midst: nothing lost and nothing twice, whether the table of positions had been saved
        or not: how far a file was read is in the log with its lines, and in the manifest once these are in parts."""
        self.start([{"include": f"{self.logs}/app.log*"}], "store.flush_interval=1s")
        writer = self.writer("rename", 30000, 5000)
        for turn in range(5):
            time.sleep(0.2 + 0.4 * (turn == 2))
            self.pharos.kill()
            if not turn:  # later it has what the store was told to forget
                (self.work / "data" / "files" / "positions").unlink(missing_ok=True)
            self.pharos.start()
        writer.wait(60)
        want = {f"line {i:06d} of the writer" for i in range(30000)}
        pt.wait_for("all lines", lambda: self.count() >= len(want))
        pt.wait_for("nothing behind", lambda: self.pharos.metric("pharos_files_total_lag_bytes") == 0)
        got = collections.Counter(line for _, line, _ in self.rows())
        self.assertEqual(set(got), want)
        self.assertEqual({line: n for line, n in got.items() if n > 1}, {})

    def test_reload(self):
        config = self.file("pharos.yml", f"inputs:\n  files:\n    - include: {self.logs}/a.log\n")
        self.log("a.log", "one\n")
        self.log("b.log", "two\n")
        self.pharos = self.server("telemetry.interval=1h", config=config)
        self.assertEqual(dict(self.lines(1)), {"one": 1})
        config.write_text(f"inputs:\n  files:\n    - include: {self.logs}/*.log\n")
        self.assertEqual(self.pharos.post("/-/reload").status, 200)
        self.assertEqual(dict(self.lines(2)), {"one": 1, "two": 1})


if __name__ == "__main__":
    pt.main()
