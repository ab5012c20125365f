#!/usr/bin/env python3
"""A full disk: ingest stops with a clear answer, reads go on, and all recovers by itself. Needs a
small file system of its own (tmpfs), so it runs as root only."""
import os
import subprocess
import time

import pharos_test as pt

NOW = int(time.time())
SIZE_MIB = 32


class FullDisk(pt.Case):
    def setUp(self):
        super().setUp()
        self.disk = self.work / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs",
                                  str(self.disk)], capture_output=True, text=True)
        if mounted.returncode:
            self.skipTest(f"cannot mount a small tmpfs: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)])

    def fill(self, leave_bytes):
        st = os.statvfs(self.disk)
        size = st.f_bavail * st.f_frsize - leave_bytes
        with open(self.disk / "filler", "wb") as f:
            while size > 0:
                n = min(size, 1 << 20)
                try:
                    f.write(b"\0" * n)
                    f.flush()
                except OSError:
                    break
                size -= n

    def send(self, server, at, value):
        return server.write_raw(pt.snappy(pt.write_request([({"__name__": "m"},
                                                             [(at * 1000, value)])])))

    def values(self, server):
        rows = server.query("m[1h]", at=NOW + 1)
        return [float(v) for r in rows for _, v in r["values"]]

    def check(self, reserve, leave_bytes, *words):
        server = self.server(f"store.disk_reserve={reserve}", "store.flush_interval=1h",
                             data=self.disk / "data", doors=False)
        self.assertEqual(self.send(server, NOW - 100, 1).status, 204)
        self.fill(leave_bytes)

        def refused():
            answer = self.send(server, NOW - 99, 2)
            return answer if answer.status != 204 else None
        answer = pt.wait_for("a refusal", refused)
        self.assertIn(answer.status, (503, 507), answer.text)
        for word in words:
            self.assertIn(word, answer.text)
        for _ in range(20):  # it stays so, and reads go on
            self.assertIn(self.send(server, NOW - 98, 3).status, (503, 507))
            self.assertIn(1.0, self.values(server))
        os.unlink(self.disk / "filler")
        pt.wait_for("ingest to go on", lambda: self.send(server, NOW - 97, 4).status == 204)
        self.assertIn(4.0, self.values(server))
        server.kill()
        server.start()
        values = self.values(server)
        self.assertIn(1.0, values)
        self.assertIn(4.0, values)
        self.assertEqual(server.stop(), 0)

    def test_reserve_is_kept(self):
        self.check("8MiB", 4 << 20, "store.disk_reserve")

    def test_not_a_byte_is_left(self):
        self.check("0", 0)


if __name__ == "__main__":
    pt.main()
