#!/usr/bin/env python3
"""A door that speaks TLS, and certificates that are renewed without a restart."""
import shutil
import socket
import ssl
import subprocess

import pharos_test as pt


class Tls(pt.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("the program openssl is not installed")

    def certificate(self, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={name}", "-keyout", self.work / "key.pem", "-out",
                        self.work / "cert.pem"], check=True, capture_output=True)

    def shown(self, port):
        """The certificate that the door shows."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port)) as raw, \
                context.wrap_socket(raw) as s:
            s.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn(b"200 OK", s.recv(4096))
            return s.getpeercert(binary_form=True)

    def test_certificates_are_read_again(self):
        self.certificate("first")
        server = self.server(f"doors.prometheus.tls.cert_file={self.work}/cert.pem",
                             f"doors.prometheus.tls.key_file={self.work}/key.pem")
        first = self.shown(server.prometheus_port)
        self.certificate("second")
        self.assertEqual(self.shown(server.prometheus_port), first)
        self.assertEqual(server.post("/-/reload").status, 200)
        second = self.shown(server.prometheus_port)
        self.assertNotEqual(second, first)
        (self.work / "cert.pem").write_text("no certificate")
        server.post("/-/reload")
        self.assertEqual(self.shown(server.prometheus_port), second)
        self.assertIn("certificates not reloaded", server.log())

    def test_missing_files_are_said(self):
        got = pt.run("serve", "--data", self.work / "d", "--set",
                     f"main.listen=127.0.0.1:{pt.free_port()}", "--set",
                     f"main.tls.cert_file={self.work}/none.pem", "--set",
                     f"main.tls.key_file={self.work}/none.key")
        self.assertEqual(got.returncode, 1)
        self.assertIn("none.pem", got.stderr)


if __name__ == "__main__":
    pt.main()
