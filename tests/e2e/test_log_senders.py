#!/usr/bin/env python3
"""GELF, Fluentd's forward protocol and Lumberjack: npm's clients, acknowledgements that wait for the disk, the
handshake with a shared key, and what is refused."""
import gzip
import hashlib
import json
import socket
import struct
import subprocess
import time
import urllib.parse
import zlib

import npm_clients
import pharos_test as pt


def pack(v):
    """MessagePack of the few kinds that are sent here."""
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if v is None:
        return b"\xc0"
    if isinstance(v, int):
        return struct.pack(">bq", -45, v)  # d3
    if isinstance(v, float):
        return b"\xcb" + struct.pack(">d", v)
    if isinstance(v, str):
        return b"\xdb" + struct.pack(">I", len(v.encode())) + v.encode()
    if isinstance(v, bytes):
        return b"\xc6" + struct.pack(">I", len(v)) + v
    if isinstance(v, EventTime):
        return b"\xd7\x00" + struct.pack(">II", *divmod(v.ns, 10 ** 9))
    if isinstance(v, (list, tuple)):
        return b"\xdd" + struct.pack(">I", len(v)) + b"".join(map(pack, v))
    return b"\xdf" + struct.pack(">I", len(v)) + b"".join(pack(k) + pack(x) for k, x in v.items())


class EventTime:
    def __init__(self, ns):
        self.ns = ns


class Case(pt.Case):
    def start(self, door, *sets):
        self.port = pt.free_port()
        self.pharos = self.server("telemetry.interval=1h", f"doors.{door}.listen=127.0.0.1:{self.port}", *sets)

    def rows(self, count, query='{service_name=~".+"}'):
        """[(labels, line, ns)] once there are as many."""
        url = self.pharos.url + "/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "limit": 5000, "start": 1, "end": time.time_ns() + 60 * 10 ** 9})

        def ask():
            answer = pt.request(url)
            self.assertEqual(answer.status, 200, answer.text)
            got = [(s["stream"], v[1], int(v[0])) for s in answer.json()["data"]["result"] for v in s["values"]]
            return got if len(got) >= count else None
        return pt.wait_for(f"{count} lines of {query}", ask)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=pt.WAIT_S)
        self.addCleanup(s.close)
        return s

    def certificate(self):
        cert, key = self.work / "cert.pem", self.work / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                        cert, "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
        return cert, key


class Gelf(Case):
    def test_npm(self):
        self.start("gelf")
        for kind in ("gelf-udp", "gelf-tcp"):
            self.assertEqual(npm_clients.node(self, "log_senders_client.cjs", kind, self.port), "ok")
        rows = self.rows(4)
        for kind in ("gelf-udp", "gelf-tcp"):
            labels, line, ns = next(r for r in rows if r[1] == "no stock" and r[0]["kind"] == kind)
            self.assertEqual((labels["service_name"], labels["order"], labels["user"], labels["detected_level"]),
                             ("shop", "42", "\u00e4 \"quoted\"", "error"))
            self.assertLess(abs(ns - time.time_ns()), 60 * 10 ** 9)
        self.assertEqual(sum(len(line) == 12005 for _, line, _ in rows), 2)  # in chunks over UDP

    def test_raw(self):
        self.start("gelf", "limits.gelf.message_size=64KiB", "retention.logs=forever")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(udp.close)

        def message(text, **more):
            return json.dumps({"version": "1.1", "host": "web1", "short_message": text, **more}).encode()

        def send(data):
            udp.sendto(data, ("127.0.0.1", self.port))
        send(message("plain", timestamp=1704164645.25, level=4, _n=1.5))
        send(gzip.compress(message("by gzip")))
        send(zlib.compress(message("by zlib", full_message="by zlib\nand more", facility="f")))
        chunked = message("in chunks")
        cut = len(chunked) // 3 + 1
        parts = [b"\x1e\x0fabcdefgh" + bytes([i, 3]) + chunked[i * cut:(i + 1) * cut] for i in range(3)]
        for i in (2, 0, 1, 0):  # in any order, one twice
            send(parts[i])
        send(b"\x1e\x0fabcdefgh\x05\x03x")
        send(b"no json")
        send(b'{"version":"1.1","host":"web1"}')
        send(gzip.compress(b'{"short_message":"' + b"x" * 100000 + b'"}'))
        with self.connect() as s:
            s.sendall(message("over tcp") + b"\0" + b"x" * 200000 + b"\0" + message("behind it") + b"\0\n" +
                      message("without an end"))
        rows = {line: (labels, ns) for labels, line, ns in self.rows(7)}
        self.assertEqual(set(rows), {"plain", "by gzip", "by zlib", "in chunks", "over tcp", "behind it",
                                     "without an end"})
        labels, ns = rows["plain"]
        self.assertEqual((labels["host_name"], labels["detected_level"], labels["n"], ns),
                         ("web1", "warn", "1.5", 1704164645250000000))
        self.assertEqual((rows["by zlib"][0]["full_message"], rows["by zlib"][0]["service_name"]),
                         ("by zlib\nand more", "f"))
        self.assertEqual(self.pharos.metric("pharos_gelf_refused_total", "invalid"), 3)
        self.assertEqual(self.pharos.metric("pharos_gelf_refused_total", "too_long"), 2)


class Forward(Case):
    def test_npm(self):
        self.start("forward")
        modes = ["Message", "Forward", "PackedForward", "CompressedPackedForward"]
        for kind in ["fluent-logger"] + modes:
            self.assertEqual(npm_clients.node(self, "log_senders_client.cjs", kind, self.port), "ok")
        # Each client waits for its acknowledgement, so all is there.
        rows = {line: labels for labels, line, _ in self.rows(10)}
        self.assertEqual(set(rows), {"no stock", "started"} | {f"{n} by {m}" for n in ("first", "second")
                                                               for m in modes})
        labels = rows["no stock"]
        self.assertEqual((labels["fluent_tag"], labels["service_name"], labels["order_id"], labels["tags"],
                          labels["detected_level"]), ("shop.app", "shop.app", "42", '["a",1]', "error"))

    def test_shared_key(self):
        self.start("forward", "forward.shared_key=sesame")
        for kind in ("fluent-logger", "PackedForward"):
            said = npm_clients.node(self, "log_senders_client.cjs", kind, self.port, "sesame")
            self.assertEqual(said.splitlines()[-1], "ok")
        self.rows(4)
        with self.connect() as s:
            self.assertIn(b"HELO", s.recv(4096))
            digest = hashlib.sha512(b"saltmewrong").hexdigest()
            s.sendall(pack(["PING", "me", "salt", digest, "", ""]))
            self.assertIn(b"shared_key mismatch", s.recv(4096))
            self.assertEqual(s.recv(10), b"")
        with self.connect() as s:  # no way around it
            s.recv(4096)
            s.sendall(pack(["tag", 1704164645, {"message": "unasked"}]))
            while s.recv(4096):
                pass
        self.assertEqual(self.pharos.metric("pharos_forward_refused_total", "shared_key"), 2)
        self.assertEqual(len(self.rows(4)), 4)

    def test_raw(self):
        self.start("forward", "retention.logs=forever")
        when = EventTime(1704164645123456789)
        entries = b"".join(pack([when, {"log": f"packed {i}", "kubernetes": {"pod_name": "p"}}]) for i in range(3))
        with self.connect() as s:
            s.sendall(pack(["app", when, {"message": "one"}, {"chunk": "c1"}]))
            self.assertEqual(s.recv(100), b"\x81\xa3ack\xa2c1")
            data = pack(["app", entries, {"chunk": "c2", "size": 3}])
            for i in range(0, len(data), 7):
                s.sendall(data[i:i + 7])
            self.assertEqual(s.recv(100), b"\x81\xa3ack\xa2c2")
            s.sendall(pack(None) + pack(["app", [[[when, {}], {"msg": "with metadata"}], [1704164645, {"a": 1}]]]))
        rows = {line: (labels, ns) for labels, line, ns in self.rows(6)}
        self.assertEqual(set(rows), {"one", "packed 0", "packed 1", "packed 2", "with metadata", '{"a":1}'})
        labels, ns = rows["packed 1"]
        self.assertEqual((labels["k8s_pod_name"], labels["service_name"], ns), ("p", "app", when.ns))
        for bad in (b"\xc1", pack({"no": "message"}), pack(["tag", 5]), pack([1, 2, 3]),
                    pack(["tag", b"\xff\xff", {}]), pack(["tag", gzip.compress(b"x")[:-3], {"compressed": "gzip"}]),
                    b"GET / HTTP/1.1\r\n\r\n"):
            with self.connect() as s:
                s.sendall(bad)
                self.assertEqual(s.recv(100), b"", bad)
        self.assertEqual(self.pharos.metric("pharos_forward_refused_total", "invalid"), 7)

    def test_acknowledged_survives_kill(self):
        self.start("forward")
        with self.connect() as s:
            for i in range(50):
                s.sendall(pack(["app", [[time.time_ns() // 10 ** 9, {"message": f"{i} {k}"}] for k in range(100)],
                                {"chunk": str(i)}]))
            got = b""
            while got.count(b"ack") < 25:
                got += s.recv(65536)
            self.pharos.kill()
            acknowledged = got.count(b"ack")
        self.pharos.start()
        lines = {line for _, line, _ in self.rows(100 * acknowledged)}
        self.assertTrue({f"{i} {k}" for i in range(acknowledged) for k in range(100)} <= lines)


def frame(kind, *parts):
    return b"2" + kind + b"".join(struct.pack(">I", p) if isinstance(p, int) else p for p in parts)


def event(number, **fields):
    body = json.dumps(fields).encode()
    return frame(b"J", number, len(body), body)


class Lumberjack(Case):
    def test_beat(self):
        """A Beat's two windows, the second compressed."""
        self.start("lumberjack", "retention.logs=forever")
        beat = {"@metadata": {"beat": "filebeat", "version": "8.19.0"}, "@timestamp": "2024-01-02T03:04:05.123Z",
                "host": {"name": "web1"}, "agent": {"type": "filebeat"}, "log": {"file": {"path": "/x"}}}
        with self.connect() as s:
            s.sendall(frame(b"W", 2) + event(1, message="first ERROR", **beat))
            s.sendall(event(2, message="second", **beat))
            self.assertEqual(s.recv(6), frame(b"A", 2))
            inner = b"".join(event(i, message=f"packed {i}", **beat) for i in range(1, 101))
            packed = zlib.compress(inner)
            data = frame(b"W", 100) + frame(b"C", len(packed), packed)
            s.sendall(data[:50])
            time.sleep(0.05)
            s.sendall(data[50:])
            self.assertEqual(s.recv(6), frame(b"A", 100))
            s.sendall(frame(b"W", 1) + frame(b"J", 1, 7, b"no json"))
            self.assertEqual(s.recv(6), frame(b"A", 1))
        rows = {line: (labels, ns) for labels, line, ns in self.rows(102)}
        labels, ns = rows["first ERROR"]
        self.assertEqual((labels["host_name"], labels["service_name"], labels["log_file_path"],
                          labels["detected_level"], ns),
                         ("web1", "filebeat", "/x", "error", 1704164645123000000))
        self.assertNotIn("_metadata_version", labels)
        self.assertEqual(len(rows), 102)
        self.assertEqual(self.pharos.metric("pharos_lumberjack_refused_total", "event"), 1)

    def test_npm_over_tls(self):
        cert, key = self.certificate()
        self.start("lumberjack", f"doors.lumberjack.tls.cert_file={cert}", f"doors.lumberjack.tls.key_file={key}")
        script = """
            const client = require("lumberjack-protocol").client(
              {host: "127.0.0.1", port: Number(process.argv[1]), rejectUnauthorized: false}, {windowSize: 5});
            let sent = 0;
            client.on("connect", () => { for (let i = 0; i < 10; i++)
              client.writeDataFrame({line: `line ${i}`, host: "web2", order: String(i)}); });
            setTimeout(() => { client.close(); process.exit(0); }, 700);"""
        npm_clients.install(self)
        done = subprocess.run(["node", "-e", script, str(self.port)], cwd=npm_clients.HERE, capture_output=True,
                              text=True, timeout=pt.WAIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {line: labels for labels, line, _ in self.rows(10)}
        self.assertEqual(set(rows), {f"line {i}" for i in range(10)})
        self.assertEqual((rows["line 3"]["order"], rows["line 3"]["host_name"]), ("3", "web2"))

    def test_bad_frames(self):
        self.start("lumberjack", "limits.lumberjack.frame_size=64KiB")
        for bad, reason in ((b"GET / HTTP/1.1\r\n\r\n", "invalid"), (frame(b"X", 1), "invalid"),
                            (frame(b"W", 1) + frame(b"J", 1, 1 << 30), "too_long"),
                            (frame(b"C", 4, b"junk"), "invalid"),
                            (frame(b"C", *(lambda z: (len(z), z))(zlib.compress(b"2J" + b"\0" * 300000))), "too_long")):
            before = self.pharos.metric("pharos_lumberjack_refused_total", reason)
            with self.connect() as s:
                s.sendall(bad)
                self.assertEqual(s.recv(10), b"", bad[:20])
            self.assertEqual(self.pharos.metric("pharos_lumberjack_refused_total", reason), before + 1, bad[:20])


if __name__ == "__main__":
    pt.main()
