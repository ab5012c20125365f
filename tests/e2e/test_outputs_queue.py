#!/usr/bin/env python3
"""What waits for an output's target: one that is slow, hangs, refuses or is away; over restarts, crashes and damage."""
import socket
import time

import pharos_test as pt
from line_receiver import Lines
from outputs_case import Case, Receiver


class Queue(Case):
    def test_several_each_with_its_queue_and_one_that_hangs(self):
        there, port = Lines(self), pt.free_port()
        hanging = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog, reads nothing
        self.addCleanup(hanging.close)
        self.open({"there": {"type": "graphite", "url": f"tcp://127.0.0.1:{there.port}", "from": "statsd"},
                   "hangs": {"type": "influxdb", "url": f"http://127.0.0.1:{hanging.getsockname()[1]}",
                             "from": "statsd", "timeout": "200ms"},
                   "later": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "from": "statsd"}})
        self.addCleanup(self.one.kill)  # a stop would wait for the one that hangs
        self.send("one:1|c")
        pt.wait_for("a line", lambda: "stats_counts.one 1 " in there.text)
        pt.wait_for("failures", lambda: self.look("hangs")["failing"] and self.look("later")["failing"])
        self.assertIn(f"127.0.0.1:{port}: connecting", self.look("later")["last_error"])
        later = Lines(self, port)
        pt.wait_for("what waited", lambda: "stats_counts.one 1 " in later.text)
        pt.wait_for("the end of the trouble", lambda: not self.look("later")["failing"])
        self.assertGreater(self.look("hangs")["queue_samples"], 0)

    def test_a_full_queue_gives_up_its_oldest(self):
        port = pt.free_port()
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "queue": 4096, "disk_queue": 0, "from": "statsd"}})
        for i in range(20):
            self.send("\n".join(f"first{i}.{k}:1|c" for k in range(20)))
            time.sleep(0.05)
        pt.wait_for("drops", lambda: self.look("g")["dropped"]["queue_full"] > 0)
        self.assertLessEqual(self.look("g")["queue_bytes"], 4096)
        self.assertGreater(self.one.metric("pharos_output_dropped_samples_total", 'output="g",reason="queue_full"'), 0)

    def test_what_is_refused_is_not_sent_again(self):
        to = Receiver(self, status=400)
        self.open({"rw": {"type": "remote_write", "url": to.url, "from": "statsd"}}, "statsd.flush_interval=1h")
        self.send("hits:1|c")
        pt.wait_for("the line", lambda: self.one.get("/api/pharos/v1/statsd").json()["lines"])
        self.one.stop()
        self.assertEqual(len(to.requests), 1)
        self.assertIn("HTTP status 400", self.one.log())

    def test_overload_is_waited_for(self):
        to = Receiver(self, status=503, headers={"Retry-After": "1"})
        self.open({"rw": {"type": "remote_write", "url": to.url, "from": "statsd"}}, "statsd.flush_interval=300ms",
                  "statsd.expire=300ms")
        self.send("hits:1|c")
        pt.wait_for("a try", lambda: to.requests)
        to.status = 204
        pt.wait_for("success", lambda: self.look("rw")["sent_samples"] > 0)
        self.assertEqual(sum(self.look("rw")["dropped"].values()), 0)

    def test_a_slow_target_gets_all_of_it_once(self):
        slow, quick = Receiver(self), Lines(self)
        slow.pause = 0.3
        self.open({"slow": {"type": "influxdb", "url": slow.url, "from": "statsd", "compress": False},
                   "quick": {"type": "graphite", "url": f"tcp://127.0.0.1:{quick.port}", "from": "statsd"}},
                  "statsd.flush_interval=100ms", "statsd.expire=100ms")
        for i in range(12):
            self.send(f"n{i}:1|c")
            pt.wait_for("the other one", lambda: f"stats_counts.n{i} 1 " in quick.text)
        self.assertGreater(self.look("slow")["queue_samples"], 0)
        pt.wait_for("all of it", lambda: not self.look("slow")["queue_samples"])
        lines = b"".join(body for _, _, body in slow.requests).decode().splitlines()
        self.assertEqual(len(set(lines)), len(lines))
        for i in range(12):
            self.assertTrue([line for line in lines if line.startswith(f"n{i} ")], lines)
        self.assertEqual(len(lines), self.look("slow")["sent_samples"])
        self.assertEqual((self.look("slow")["failed_requests"], sum(self.look("slow")["dropped"].values())), (0, 0))

    def test_a_damaged_queue_is_counted_and_goes_on(self):
        port = pt.free_port()
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "from": "statsd"}},
                  "statsd.expire=200ms")

        def kept():
            return b"".join(p.read_bytes() for p in (self.work / "data" / "outputs").glob("g/*.seg"))
        for name in ("first", "second"):
            self.send(f"{name}:7|c")
            pt.wait_for("the disk", lambda: f"stats_counts.{name} 7".encode() in kept())
        self.one.kill()
        (segment,) = (self.work / "data" / "outputs" / "g").glob("*.seg")
        data = bytearray(segment.read_bytes())
        data[data.index(b"second")] ^= 1
        segment.write_bytes(data)
        there = Lines(self, port)
        self.one.start()
        pt.wait_for("what was whole", lambda: "stats_counts.first 7 " in there.text)
        self.send("third:7|c")
        pt.wait_for("what comes later", lambda: "stats_counts.third 7 " in there.text)
        self.assertNotIn("econd", there.text)
        self.assertEqual(self.look("g")["lost_segments"]["damaged"], 1)
        self.assertEqual(self.one.metric("pharos_output_lost_segments_total", 'output="g",reason="damaged"'), 1)
        self.assertIn("what waited on the disk is lost in part", self.one.log())

    def test_what_waits_survives_a_restart(self):
        port = pt.free_port()
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "from": "statsd"}})
        self.send("kept:7|c")
        pt.wait_for("the queue", lambda: self.look("g")["queue_samples"] and self.look("g")["failing"])
        self.assertEqual(self.one.stop(), 0)
        there = Lines(self, port)
        self.one.start()
        pt.wait_for("what was kept", lambda: "stats_counts.kept 7 " in there.text)
        pt.wait_for("the files to go", lambda: not list((self.work / "data" / "outputs").iterdir()))

    def test_what_waited_for_a_second_survives_a_crash(self):
        port = pt.free_port()
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "from": "statsd"}})
        self.send("kept:7|c")
        pt.wait_for("the disk", lambda: self.look("g")["queue_disk_bytes"] and self.look("g")["failing"])
        self.one.kill()
        there = Lines(self, port)
        self.one.start()
        pt.wait_for("what was kept", lambda: "stats_counts.kept 7 " in there.text)

    def test_what_is_beyond_memory_waits_on_the_disk(self):
        port, names = pt.free_port(), 400
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "queue": 16384, "from": "statsd"}},
                  "statsd.flush_interval=100ms", "statsd.expire=100ms")
        for i in range(20):
            self.send("\n".join(f"n{i}.{k}:1|c" for k in range(names // 20)))
            # A flush for each: within one, names have no order.
            pt.wait_for("its flush", lambda: self.one.query(f"n{i}_0[5m]"))
        pt.wait_for("the disk", lambda: self.look("g")["queue_disk_bytes"] > 16384)
        self.assertLessEqual(self.look("g")["queue_bytes"], 2 * 16384)
        there = Lines(self, port)
        pt.wait_for("all of it", lambda: all(f"stats_counts.n{i}.0 1 " in there.text for i in range(20)))
        self.assertEqual(sum(self.look("g")["dropped"].values()), 0)
        at = [there.text.index(f"stats_counts.n{i}.0 1 ") for i in range(20)]
        self.assertEqual(at, sorted(at))
        pt.wait_for("the files to go", lambda: not list((self.work / "data" / "outputs").iterdir()))

    def test_a_full_disk_queue_gives_up_its_oldest(self):
        port = pt.free_port()
        self.open({"g": {"type": "graphite", "url": f"tcp://127.0.0.1:{port}", "queue": 4096, "disk_queue": 8192,
                         "from": "statsd"}}, "statsd.flush_interval=100ms")
        for i in range(30):
            self.send("\n".join(f"first{i}.{k}:1|c" for k in range(20)))
            time.sleep(0.05)
        pt.wait_for("drops", lambda: self.look("g")["dropped"]["queue_full"] > 0)
        pt.wait_for("the bound", lambda: 0 < self.look("g")["queue_disk_bytes"] <= 8192)


if __name__ == "__main__":
    pt.main()
