"""StatsD's door: lines over UDP, TCP and Unix sockets into series, logs and the status of the door."""
import random
import socket
import time

import pharos_test as pt


class StatsD(pt.Case):
    def open(self, *sets, **kwargs):
        self.port, self.admin_port = pt.free_port(), pt.free_port()
        self.one = self.server(f"doors.statsd.listen=127.0.0.1:{self.port}",
                               f"statsd.admin.listen=127.0.0.1:{self.admin_port}",
                               "statsd.flush_interval=200ms", *sets, **kwargs)
        return self.one

    def udp(self, text):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(text.encode(), ("127.0.0.1", self.port))

    def value(self, query):
        rows = self.one.query(query)
        return float(rows[0]["value"][1]) if rows else None

    def wait_value(self, query, want):
        pt.wait_for(f"{query} to be {want}", lambda: self.value(query) == want)

    def status(self):
        return self.one.get("/api/pharos/v1/statsd").json()

    def test_every_transport(self):
        self.open(f"statsd.unix_datagram={self.work}/d.sock", f"statsd.unix_stream={self.work}/s.sock")
        self.udp("hits:1|c|#via:udp\n")
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(b"hits:1|c|#via:t")
            s.sendall(b"cp\nhits:1|c|#via:tcp")  # the last line without its end counts as well
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"hits:3|c|#via:dgram", f"{self.work}/d.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(f"{self.work}/s.sock")
            s.sendall(b"hits:4|c|#via:stream\n")
        for via, want in (("udp", 1), ("tcp", 2), ("dgram", 3), ("stream", 4)):
            self.wait_value(f'hits{{via="{via}"}}', want)
        kinds = {row["kind"] for row in self.status()["listeners"]}
        self.assertEqual(kinds, {"udp", "tcp", "unix_datagram", "unix_stream", "admin"})

    def test_kinds_and_refusals(self):
        self.open()
        self.udp("page.views:2|c|@0.5\nqueue:10|g\nqueue:-3|g\nusers:a|s\nusers:b|s\n"
                 "lat:100|ms\nlat:200|ms\nbad line\nx:1|zz\n")
        self.wait_value("page_views", 4)
        self.wait_value("queue", 7)
        self.wait_value("histogram_count(lat)", 2)
        self.wait_value("round(histogram_sum(lat) * 1000)", 300)
        self.wait_value("max_over_time(users[1m])", 2)
        types = self.one.prom("metadata").json()["data"]
        self.assertEqual(types["page_views"][0]["type"], "counter")
        self.assertEqual(types["lat"][0]["type"], "histogram")
        refused = {row["reason"]: row for row in self.status()["refused"]}
        self.assertEqual(refused["bad_type"]["example"], "x:1|zz")
        self.assertIn("name:1|c", refused["no_value"]["expected"])
        self.assertEqual(self.one.metric("pharos_statsd_refused_total", 'reason="bad_type"'), 1)

    def test_what_was_sent_before_a_stop_is_kept(self):
        server = self.open("statsd.flush_interval=1h")
        self.udp("last:5|c\n")
        pt.wait_for("the line", lambda: self.status()["lines"])
        server.stop()
        server.start()
        self.assertEqual(self.value("last"), 5)

    def admin(self, command):
        with socket.create_connection(("127.0.0.1", self.admin_port)) as s:
            s.sendall(command.encode())
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(65536), b"")).decode()

    def test_admin_port(self):
        self.open("statsd.flush_interval=1h")
        self.udp("a.b:3|c\na.c:4|c\n")
        pt.wait_for("the lines", lambda: self.status()["lines"])
        self.assertIn("'a.b': 3,\n  'a.c': 4", self.admin("counters\n"))
        self.assertEqual(self.admin("delcounters a.*\nhealth\n"),
                         "deleted: a.b\ndeleted: a.c\nEND\n\nhealth: up\n")
        self.assertNotIn("a.b", self.admin("counters"))

    def test_a_port_in_use_is_said(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            server = self.server(f"doors.statsd.listen=127.0.0.1:{s.getsockname()[1]}")
            door = {d["name"]: d for d in
                    server.get("/api/pharos/v1/status").json()["doors"]}["statsd"]
        self.assertEqual(door["state"], "failed")
        self.assertIn("is held by", door["detail"])

    def test_packets_go_on_to_others(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.settimeout(pt.WAIT_S)
            self.open(f"statsd.repeat_to=127.0.0.1:{other.getsockname()[1]}, localhost:{pt.free_port()}")
            self.udp("a:1|c\nbad")
            self.assertEqual(other.recv(1000), b"a:1|c\nbad")
            with socket.create_connection(("127.0.0.1", self.port)) as s:
                s.sendall(b"".join(b"name%d:1|c\n" % i for i in range(300)))
            parts = []
            while sum(map(len, parts)) < sum(len("name%d:1|c\n" % i) for i in range(300)):
                parts.append(other.recv(65536))
            self.assertTrue(all(p.endswith(b"\n") and len(p) <= 1432 for p in parts))
            self.wait_value("name299", 1)
            self.assertGreater(self.one.metric("pharos_statsd_repeated_packets_total"), 3)
        done = pt.run("check", self.file("bad.yml", "statsd:\n  repeat_to: nonsense\n"))
        self.assertIn("statsd.repeat_to", done.stdout + done.stderr)

    def refused(self, reason):
        return self.one.metric("pharos_statsd_refused_total", f'reason="{reason}"') or 0

    def test_who_sends(self):
        self.open()
        self.udp("a:1|c\na:2|c\nbad")
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(b"a:1|c\n")
            self.wait_value("a", 4)
            rows = {r["kind"]: r for r in self.status()["senders"]}
        self.assertEqual((rows["UDP"]["address"], rows["UDP"]["points"], rows["UDP"]["refused"]), ("127.0.0.1", 2, 1))
        self.assertEqual((rows["stream"]["address"], rows["stream"]["points"]), ("127.0.0.1", 1))
        self.udp("a:1|c")
        pt.wait_for("the sum", lambda: {r["kind"]: r for r in self.status()["senders"]}["UDP"]["points"] == 3)

    def test_percentiles_over_hosts_and_time(self):
        self.open()
        values = {"a": range(1, 201), "b": range(500, 900, 2)}
        for host, times in values.items():
            for at in range(0, 200, 50):
                self.udp("\n".join(f"lat:{v}|ms|#host:{host}" for v in times[at:at + 50]))
                time.sleep(0.1)
        self.wait_value("sum(histogram_count(lat))", 400)
        whole = sorted(v for times in values.values() for v in times)
        for q in (0.1, 0.3, 0.8, 0.99):
            exact = whole[int(q * (len(whole) - 1))] / 1000
            found = self.value(f"histogram_quantile({q}, sum(lat))")
            self.assertAlmostEqual(found, exact, delta=exact * 0.03, msg=f"{q}")

    # --- bad input: counted, bounded, and whoever sends it goes on ---

    def test_datagrams_as_large_as_they_get(self):
        self.open()
        lines = "\n".join(["large:1|c"] * 6550)
        self.udp(lines)
        self.wait_value("large", 6550)
        self.udp("n" * 65000 + ":1|c\nafter:1|c")
        self.wait_value("after", 1)
        self.assertEqual(self.refused("too_long"), 1)

    def test_rubbish(self):
        self.open()
        noise = random.Random(7)
        packet = "page.views:12|c|@0.5|#a:b,c:d\nqueue:+3|g\nlat:1:2:3|ms\n_e{2,2}:ab|cd|t:error\n_sc|x|1|m:y"
        sent = 0
        for i in range(600):
            if i < len(packet):  # cut off anywhere
                bad = packet[:i].encode()
            else:
                bad = noise.randbytes(noise.randrange(1, 300))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(bad, ("127.0.0.1", self.port))
            sent += 1
            if sent % 50 == 0:  # no more than a socket's buffer holds
                pt.wait_for("the packets", lambda: self.status()["packets"] == sent)
        self.udp("fine:1|c")
        self.wait_value("fine", 1)
        look = self.status()
        self.assertEqual(look["packets"], sent + 1)
        self.assertGreater(sum(r["total"] for r in look["refused"]), 500)

    def test_numbers_that_are_none(self):
        self.open()
        bad = ["NaN", "nan", "inf", "-inf", "Infinity", "0x10", "1e999", "1,5", "--1", "1_0", "", " "]
        self.udp("\n".join(f"x:{v}|{t}" for v in bad for t in ("c", "g", "ms")))
        self.udp("x:1|c|@NaN\nx:1|c|@x\nx:-1|ms\ngood:1|c\r\ngood:1|c\r\n")
        self.wait_value("good", 2)
        self.assertEqual(self.refused("bad_value") + self.refused("no_value"), 36)
        self.assertEqual((self.refused("bad_rate"), self.refused("negative_time")), (2, 1))
        self.assertEqual(self.one.query("x"), [])

    def test_a_connection_survives_what_is_bad(self):
        self.open()
        slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(50)]
        for s in slow:
            self.addCleanup(s.close)
            s.sendall(b"slow:1")  # and nothing more for now
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            for part in (b"half", b":", b"1|", b"c\r", b"\nbad\n:::|||\n\0\xff\n", b"x" * 200000, b"\nhalf:1|c\n"):
                s.sendall(part)
                time.sleep(0.02)
            self.wait_value("half", 2)
            self.assertGreaterEqual(self.refused("too_long"), 1)
            s.sendall(b"half:1|c\n")
            self.wait_value("half", 3)
        for s in slow:
            s.sendall(b"|c\n")
        self.wait_value("slow", 50)

    def test_bytes_that_dribble_and_connections_that_rest(self):
        self.open("limits.statsd.idle_timeout=2s")
        with socket.create_connection(("127.0.0.1", self.port)) as idle, \
                socket.create_connection(("127.0.0.1", self.port)) as slow:
            idle.sendall(b"never.whole:1")
            idle.settimeout(0.05)
            closed = False
            for i in range(200):
                slow.sendall(b"dribbled:1|c\n"[i % 13:i % 13 + 1])
                try:
                    closed = closed or idle.recv(1) == b""
                except TimeoutError:
                    pass
                if closed and i % 13 == 12:
                    break
                if closed:
                    time.sleep(0.05)
            self.assertTrue(closed)
            self.wait_value("dribbled", (i + 1) // 13)  # the one that kept coming is there, whole

    def test_check_reads_the_mapping_file(self):
        bad = self.file("map.yml", "mappings:\n- match: a.b*\n  name: x\n")
        config = self.file("pharos.yml", f"statsd:\n  mapping_file: {bad}\n")
        done = pt.run("check", config)
        self.assertEqual(done.returncode, 1)
        self.assertIn('map.yml:2:10: statsd.mapping_file: match: "a.b*" is no glob', done.stdout + done.stderr)

    def test_a_mapping_file_is_read_again(self):
        path = self.file("map.yml", "mappings:\n- {match: a.*, name: first, labels: {x: $1}}\n")
        server = self.open(f"statsd.mapping_file={path}")
        self.udp("a.b:1|c")
        self.wait_value('first{x="b"}', 1)
        path.write_text("mappings:\n- {match: a.*, name: second, labels: {x: $1}}\n")
        self.assertEqual(server.post("/-/reload").status, 200)
        self.udp("a.b:1|c")
        self.wait_value('second{x="b"}', 1)
        path.write_text("mappings: 5\n")
        self.assertNotEqual(server.post("/-/reload").status, 200)
        self.udp("a.b:1|c")
        self.wait_value('second{x="b"}', 2)

    def test_other_machines_need_a_word(self):
        done = pt.run("serve", "--data", self.work / "d", "--set", "doors.statsd.listen=0.0.0.0:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("set doors.statsd.insecure to true", done.stderr)
        done = pt.run("serve", "--data", self.work / "d", "--set", "statsd.admin.listen=0.0.0.0:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("statsd.admin.listen: 0.0.0.0:0 can be reached", done.stderr)


if __name__ == "__main__":
    pt.main()
