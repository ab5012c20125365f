"""Where targets and Alertmanagers are: DNS records from a server of our own, HTTP answers; what fails leaves
what was found before in force."""
import http.server
import json
import socket
import struct
import threading

import pharos_test as pt

TYPES = {"A": 1, "NS": 2, "MX": 15, "AAAA": 28, "SRV": 33}


def name_bytes(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.strip(".").split(".")) + b"\0"


class Dns:
    """Answers from `records`: {(name, type): [rdata, ...]}; None: SERVFAIL; nothing: NXDOMAIN."""
    def __init__(self, case):
        self.records, self.asked = {}, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        case.addCleanup(self.socket.close)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            at, labels = 12, []
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            question = query[12:at + 5]
            found = self.records.get((".".join(labels), kind), ())
            self.asked += 1
            code = 2 if found is None else 0 if found else 3
            rows = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(r)) + r
                            for r in found or ())
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(found or ()), 0,
                                                       0) + question + rows, peer)

    def set(self, name, kind, *rows):
        self.records[name, TYPES[kind]] = list(rows) if rows != (None,) else None


def srv(host, port):
    return struct.pack(">HHH", 0, 0, port) + name_bytes(host)


class Web:
    """Serves a list of target groups, and takes alerts."""
    def __init__(self, case):
        self.groups, self.alerts, web = [], [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body, kind="application/json"):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(json.dumps(web.groups).encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.alerts += json.loads(body)
                self.answer(b"{}")

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(lambda: (self.server.shutdown(), self.server.server_close()))


class Targets(pt.Case):
    def test_dns(self):
        dns = Dns(self)
        a = socket.inet_aton("127.0.0.7")
        dns.set("web.test", "A", a, socket.inet_aton("127.0.0.8"))
        dns.set("six.test", "AAAA", socket.inet_pton(socket.AF_INET6, "fd00::1"))
        dns.set("_m._tcp.test", "SRV", srv("one.test", 9100), srv("two.test", 9200))
        dns.set("test", "MX", struct.pack(">H", 5) + name_bytes("mail.test"))
        dns.set("test", "NS", name_bytes("ns.test"))
        jobs = "".join(f"""
- job_name: {job}
  dns_sd_configs: [{{names: [{names}], type: {kind}, {port} refresh_interval: 1s, server: '{dns.address}'}}]
""" for job, names, kind, port in (("a", "web.test.", "A", "port: 80,"), ("aaaa", "six.test.", "AAAA", "port: 81,"),
                                   ("srv", "_m._tcp.test., none.test.", "SRV", ""),
                                   ("mx", "test.", "mx", "port: 25,"), ("ns", "test.", "NS", "port: 53,")))
        server = self.server(config=self.file("pharos.yml", "scrape_configs:" + jobs))

        def found():
            return sorted((t["scrapePool"], t["discoveredLabels"]["__address__"])
                          for t in server.prom("targets").json()["data"]["activeTargets"])
        want = [("a", "127.0.0.7:80"), ("a", "127.0.0.8:80"), ("aaaa", "[fd00::1]:81"),
                ("mx", "mail.test:25"), ("ns", "ns.test:53"), ("srv", "one.test:9100"),
                ("srv", "two.test:9200")]
        pt.wait_for("all targets", lambda: found() == want)
        meta = {t["scrapePool"]: {k: v for k, v in t["discoveredLabels"].items() if "meta" in k}
                for t in server.prom("targets").json()["data"]["activeTargets"]
                if "two" not in t["discoveredLabels"]["__address__"]}
        self.assertEqual(meta, {
            "a": {"__meta_dns_name": "web.test."}, "aaaa": {"__meta_dns_name": "six.test."},
            "mx": {"__meta_dns_name": "test.", "__meta_dns_mx_record_target": "mail.test."},
            "ns": {"__meta_dns_name": "test.", "__meta_dns_ns_record_target": "ns.test."},
            "srv": {"__meta_dns_name": "_m._tcp.test.", "__meta_dns_srv_record_target": "one.test.",
                    "__meta_dns_srv_record_port": "9100"}})
        # A server that fails changes nothing; a name that is gone takes its targets along.
        dns.set("web.test", "A", None)
        dns.set("_m._tcp.test", "SRV", srv("two.test", 9200))
        pt.wait_for("one target less", lambda: found() == [w for w in want if "one" not in w[1]])
        pt.wait_for("words about it", lambda: "could not resolve" in server.log())
        dns.set("web.test", "A")
        pt.wait_for("no web", lambda: not [f for f in found() if f[0] == "a"])
        self.assertEqual(server.stop(), 0)  # with questions on their way

    def test_bad_configurations(self):
        for text, words in (
                ("{}", "DNS-SD config must contain at least one SRV record name"),
                ("{names: [a], type: TXT}", "invalid DNS-SD records type TXT"),
                ("{names: [a], type: A}", "a port is required in DNS-SD configs"),
                ("{names: [a], refresh_interval: 0s}", "refresh_interval must be above 0"),
                ("{names: [a], server: here}", "server takes an IPv4 address and a port"),
                ("{names: a}", "at least one SRV record name"),
                ("{names: [a], colour: red}", "colour")):
            check = pt.run("check", self.file(
                "bad.yml", f"scrape_configs: [{{job_name: x, dns_sd_configs: [{text}]}}]\n"))
            self.assertEqual(check.returncode, 1, text)
            self.assertIn(words, check.stdout + check.stderr)


class Alertmanagers(pt.Case):
    def test_http_and_dns(self):
        """Alerts reach Alertmanagers that were found, and follow them when they move."""
        dns, catalogue, one, two = Dns(self), Web(self), Web(self), Web(self)
        catalogue.groups = [{"targets": [one.address], "labels": {"team": "x"}}]
        host, port = two.address.split(":")
        dns.set("am.test", "A", socket.inet_aton(host))
        rules = self.file("rules.yml", """
groups:
- name: g
  interval: 1s
  rules: [{alert: Always, expr: vector(1)}]
""")
        config = self.file("prometheus.yml", f"""
global: {{evaluation_interval: 1s}}
rule_files: ['{rules}']
alerting:
  alertmanagers:
  - http_sd_configs: [{{url: 'http://{catalogue.address}/', refresh_interval: 1s}}]
    path_prefix: /am
  - dns_sd_configs: [{{names: [am.test.], type: A, port: {port}, refresh_interval: 1s, server: '{dns.address}'}}]
""")
        server = self.server(f"prometheus.config_file={config}", "rules.resend_delay=1s")
        urls = lambda: sorted(m["url"] for m in server.prom("alertmanagers").json()["data"]
                              ["activeAlertmanagers"])
        want = sorted([f"http://{one.address}/am/api/v2/alerts", f"http://{two.address}/api/v2/alerts"])
        pt.wait_for("both", lambda: urls() == want)
        pt.wait_for("alerts", lambda: one.alerts and two.alerts)
        self.assertEqual(one.alerts[0]["labels"], {"alertname": "Always"})
        three = Web(self)
        catalogue.groups = [{"targets": [three.address]}]
        pt.wait_for("the one that moved", lambda: three.alerts)
        # A reload keeps what is found; without the section nobody is told.
        self.assertEqual(server.post("/-/reload").status, 200)
        pt.wait_for("both again", lambda: len(urls()) == 2)
        config.write_text("global: {}\n")
        self.assertEqual(server.post("/-/reload").status, 200)
        self.assertEqual(urls(), [])
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    pt.main()
