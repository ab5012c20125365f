#!/usr/bin/env python3
"""Syslog's door: util-linux' logger, rsyslog forwarding as it is configured everywhere, TLS, and what is
refused."""
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse

import pharos_test as pt
import rsyslog


class Case(pt.Case):
    def start(self, *sets):
        self.port = pt.free_port()
        self.pharos = self.server("telemetry.interval=1h",
                                  f"doors.syslog.listen=127.0.0.1:{self.port}", *sets)

    def lines(self, query, count):
        """{line: labels} once there are as many."""
        url = self.pharos.url + "/loki/loki/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "limit": 5000, "end": time.time_ns() + 60 * 10 ** 9})

        def ask():
            answer = pt.request(url)
            self.assertEqual(answer.status, 200, answer.text)
            got = {v[1]: s["stream"] for s in answer.json()["data"]["result"] for v in s["values"]}
            return got if len(got) >= count else None
        return pt.wait_for(f"{count} lines of {query}", ask)

    def tcp(self, data):
        with socket.create_connection(("127.0.0.1", self.port), timeout=pt.WAIT_S) as s:
            s.sendall(data)


class Logger(Case):
    def test_logger(self):
        if not shutil.which("logger"):
            self.skipTest("logger is not installed")
        self.start()
        ways = {"udp5424": ["--udp", "--rfc5424"], "udp3164": ["--udp", "--rfc3164"],
                "tcp5424": ["--tcp", "--rfc5424"], "tcp3164": ["--tcp", "--rfc3164"],
                "octets": ["--tcp", "--octet-count", "--rfc5424"]}
        for name, options in ways.items():
            sd = [] if "3164" in name else ["--msgid", "M1", "--sd-id", "shop@1", "--sd-param", 'order="42"']
            subprocess.run(["logger", "--server", "127.0.0.1", "--port", str(self.port), *options, *sd,
                            "--tag", "shop", "--id=77", "--priority", "local3.err", f"said by {name}"],
                           check=True, timeout=pt.WAIT_S)
        got = self.lines('{service_name="shop"}', len(ways))
        self.assertEqual(set(got), {f"said by {name}" for name in ways})
        for line, labels in got.items():
            self.assertEqual((labels["facility"], labels["detected_level"], labels["procid"]),
                             ("local3", "error", "77"), line)
            if "3164" not in line:
                self.assertEqual((labels["shop_1_order"], labels["msgid"]), ("42", "M1"), line)
        self.assertEqual(self.pharos.metric("pharos_syslog_messages_total", "udp"), 2)
        self.assertEqual(self.pharos.metric("pharos_syslog_messages_total", "tcp"), 3)


class Rsyslog(Case):
    def test_forwarding(self):
        self.start()
        forward = f'action(type="omfwd" target="127.0.0.1" port="{self.port}" '
        rules = f"""
if $programname == "new" then {forward} protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
if $programname == "plain" then {forward} protocol="tcp" template="RSYSLOG_ForwardFormat")
if $programname == "old" then {forward} protocol="udp" template="RSYSLOG_TraditionalForwardFormat")
"""
        with rsyslog.start(self, rules) as s:
            stamp = time.strftime("%b %e %H:%M:%S")
            for i in range(1000):
                for app in ("new", "plain", "old"):
                    if app != "old" or i < 50:
                        s.sendall(f"<12>{stamp} web1 {app}[5]: line {i} of {app}\n".encode())
        for app, count in (("new", 1000), ("plain", 1000), ("old", 50)):
            got = self.lines(f'{{service_name="{app}", host_name="web1"}}', count)
            self.assertEqual(set(line.strip() for line in got),
                             {f"line {i} of {app}" for i in range(count)})
            labels = next(iter(got.values()))
            self.assertEqual((labels["procid"], labels["detected_level"], labels["peer"]),
                             ("5", "warn", "127.0.0.1"))


class Raw(Case):
    def test_tls(self):
        cert, key = self.work / "cert.pem", self.work / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                        cert, "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
        self.start(f"doors.syslog.tls.cert_file={cert}", f"doors.syslog.tls.key_file={key}")
        context = ssl.create_default_context(cafile=cert)
        context.check_hostname = False
        with socket.create_connection(("127.0.0.1", self.port), timeout=pt.WAIT_S) as plain, \
                context.wrap_socket(plain) as s:
            s.sendall(b"16 <13>secret: text<13>secret: more\n")
        self.assertEqual(set(self.lines('{service_name="secret"}', 2)), {"text", "more"})

    def test_bad_input(self):
        self.start("limits.line_size=1KiB")
        self.tcp(b"<13>a: " + b"x" * 20000 + b"\n<13>a: after a long line\n")
        self.tcp(b"20000 <13>a: " + b"y" * 19993 + b"24 <13>a: after a large one")
        self.tcp(b"<13>a: bad \xff\xfe bytes\n\n\n<13>a: without an end")
        got = self.lines('{service_name="a"}', 4)
        self.assertEqual(set(got), {"after a long line", "after a large one", "without an end",
                                    "bad \ufffd\ufffd bytes"})
        self.assertEqual(self.pharos.metric("pharos_syslog_refused_total", "too_long"), 2)
        self.assertEqual(self.pharos.metric("pharos_syslog_refused_total", "empty"), 2)

    def test_zone(self):
        self.start("syslog.zone=+05:00")
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(time.time() + 5 * 3600 - 5))
        self.tcp(f"<13>{stamp} h zoned: now\n".encode())
        self.lines('{service_name="zoned"}', 1)
        bad = pt.run("check", self.file("bad.yml", "syslog:\n  zone: Mars\n"))
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn("syslog.zone", bad.stdout + bad.stderr)


if __name__ == "__main__":
    pt.main()
