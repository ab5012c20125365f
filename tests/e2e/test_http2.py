#!/usr/bin/env python3
"""HTTP/2 and gRPC with clients of others: curl, nghttp, h2load, @grpc/grpc-js; and the end of a
server that has requests in hand."""
import base64
import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pharos_test as pt
from npm_clients import node

HEALTH = "/grpc.health.v1.Health/Check"
UNAVAILABLE, UNAUTHENTICATED, UNIMPLEMENTED, NOT_FOUND = 14, 16, 12, 5


class Test(pt.Case):
    def tool(self, *args, timeout=60):
        if not shutil.which(args[0]):
            self.skipTest(f"the program {args[0]} is not installed")
        done = subprocess.run(list(map(str, args)), capture_output=True, text=True, timeout=timeout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.work / "key.pem", "-out", self.work / "cert.pem"],
                       check=True, capture_output=True)
        return [f"doors.prometheus.tls.cert_file={self.work}/cert.pem",
                f"doors.prometheus.tls.key_file={self.work}/key.pem"]

    def grpc(self, port, method=HEALTH, request="", ca="", **options):
        return json.loads(node(self, "grpc_client.cjs", f"localhost:{port}" if ca else
                               f"127.0.0.1:{port}", ca, method, request, json.dumps(options)))

    def test_same_answers_in_both_versions(self):
        server = self.server()
        now = int(time.time())
        now_ms = now * 1000
        server.write([({"__name__": "m", "i": str(i)}, [(now_ms, float(i))]) for i in range(3000)])
        url = f"{server.prometheus_url}/api/v1/query?query=m&time={now}"
        answers = [self.tool("curl", "-sS", flag, "-w", "|%{http_version}|%{http_code}", url, *more)
                   for flag in ("--http1.1", "--http2-prior-knowledge")
                   for more in ((), ("--compressed",))]
        for answer, version in zip(answers, "1122"):
            body, got, status = answer.rsplit("|", 2)
            self.assertEqual((got[0], status), (version, "200"))
            self.assertEqual(len(json.loads(body)["data"]["result"]), 3000)
        write = pt.snappy(pt.write_request([({"__name__": "n"}, [(now_ms, 7.0)])]))
        (self.work / "write").write_bytes(write)
        status = self.tool("curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w",
                           "%{http_code}", "--data-binary", f"@{self.work}/write", "-H",
                           "Content-Encoding: snappy", "-H", "Content-Type: application/x-protobuf",
                           server.prometheus_url + "/api/v1/write")
        self.assertEqual(status, "204")
        self.assertEqual(server.query("n", at=now)[0]["value"][1], "7")
        self.assertGreater(server.metric("pharos_http2_connections_total", 'door="prometheus"'), 0)

    def test_many_requests_at_once(self):
        server = self.server()
        out = self.tool("h2load", "-n", 4000, "-c", 4, "-m", 100, server.url + "/-/healthy")
        self.assertRegex(out, r"4000 succeeded, 0 failed, 0 errored, 0 timeout")
        out = self.tool("nghttp", "-ans", server.url + "/")
        statuses = re.findall(r"^\s*\d+ .* (\d{3}) +[\d.]+K? /", out, re.M)
        self.assertTrue(statuses, out)
        self.assertEqual(set(statuses), {"200"}, out)

    def test_over_tls_the_client_chooses(self):
        server = self.server(*self.certificate())
        url = f"https://localhost:{server.prometheus_port}/-/healthy"
        for flag, want in (("--http2", "2"), ("--http1.1", "1.1")):
            got = self.tool("curl", "-sS", "--cacert", self.work / "cert.pem", flag, "-o",
                            "/dev/null", "-w", "%{http_version} %{http_code}", url)
            self.assertEqual(got, f"{want} 200")
        out = self.tool("h2load", "-n", 1000, "-c", 2, "-m", 20, url)
        self.assertRegex(out, r"1000 succeeded, 0 failed")
        self.assertEqual(self.grpc(server.prometheus_port, ca=f"{self.work}/cert.pem")["reply"],
                         "0801")

    def test_grpc_calls(self):
        server = self.server("doors.prometheus.insecure=true")
        port = server.prometheus_port
        got = self.grpc(port, count=300)
        self.assertEqual(got, {"code": 0, "reply": "0801", "same": True, "count": 300})
        self.assertEqual(self.grpc(port, gzip=True)["reply"], "0801")
        got = self.grpc(port, request="0a03612e62")
        self.assertEqual((got["code"], got["details"]), (NOT_FOUND, "no service a.b here"))
        got = self.grpc(port, method="/a.B/C")
        self.assertEqual((got["code"], got["details"]), (UNIMPLEMENTED, "unknown method /a.B/C"))

    def test_grpc_wants_the_same_credentials(self):
        config = self.file("pharos.yml", "auth:\n  tokens:\n    ci: 0123456789abcdef-token\n")
        server = self.server(config=config)
        port = server.prometheus_port
        self.assertEqual(self.grpc(port)["code"], 0)  # probes have no credentials
        got = self.grpc(port, method="/a.B/C")
        self.assertEqual(got["code"], UNAUTHENTICATED)
        self.assertIn("auth.tokens", got["details"])
        got = self.grpc(port, method="/a.B/C",
                        metadata={"authorization": "Bearer 0123456789abcdef-token"})
        self.assertEqual(got["code"], UNIMPLEMENTED)
        wrong = base64.b64encode(b"ci:wrong").decode()
        got = self.grpc(port, method="/a.B/C", metadata={"authorization": f"Basic {wrong}"})
        self.assertEqual(got["code"], UNAUTHENTICATED)

    def test_limits_are_the_settings(self):
        server = self.server("limits.http.body_bytes=2KiB", "limits.http.streams=3")
        (self.work / "big").write_bytes(b"x" * 5000)
        got = self.tool("curl", "-sS", "--http2-prior-knowledge", "-w", "|%{http_code}",
                        "--data-binary", f"@{self.work}/big",
                        server.prometheus_url + "/api/v1/write")
        self.assertTrue(got.endswith("|413"), got)
        self.assertIn("limits.http.body_bytes", got)
        got = self.grpc(server.prometheus_port, request="00" * 5000)
        self.assertEqual(got["code"], 8)
        self.assertIn("limits.http.body_bytes", got["details"])
        out = self.tool("h2load", "-n", 200, "-c", 1, "-m", 3, server.url + "/-/healthy")
        self.assertRegex(out, r"200 succeeded, 0 failed")

    def test_a_stop_says_goodbye(self):
        server = self.server()
        frame = lambda kind, flags, stream, payload=b"": (
            len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") +
            payload)
        with socket.create_connection(("127.0.0.1", server.main_port), 20) as s:
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(4, 1, 0))
            self.assertTrue(s.recv(4096))
            stopper = threading.Thread(target=server.stop)
            stopper.start()
            data = b""
            while chunk := s.recv(4096):
                data += chunk
            stopper.join()
        # GOAWAY for what may still come, then with the last stream that was taken: none; no error.
        self.assertIn(frame(7, 0, 0, b"\x7f\xff\xff\xff" + bytes(4)), data)
        self.assertIn(frame(7, 0, 0, bytes(8)), data)
        self.assertEqual(server.process.returncode, 0)


if __name__ == "__main__":
    pt.main()
