#!/usr/bin/env python3
"""Federation: the same text as Prometheus for the same data, and a real Prometheus scraping it."""
import struct
import urllib.parse

import pharos_test as pt
import prometheus_peer

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
PROTOBUF = ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
            "encoding=delimited")


def federate(url, *match, accept="text/plain"):
    query = urllib.parse.urlencode([("match[]", m) for m in match])
    return pt.request(f"{url}/federate?{query}", headers={"Accept": accept})


class Test(pt.Case):
    def setUp(self):
        super().setUp()
        config = "global: {external_labels: {site: lab, zone: z0}}\n"
        self.pharos = self.server(config=self.file("pharos.yml", config), start=True)
        self.config = config

    def fill(self, t):
        return [
            ({"__name__": "a_total", "job": "x", "instance": "i1"}, [(t - 30000, 1), (t, 12345678)]),
            ({"__name__": "a_total", "job": "x", "instance": "i2"}, [(t, 1e-9)]),
            ({"__name__": "a_total", "job": "y", "zone": "own"}, [(t, float("inf"))]),
            ({"__name__": "b", "text": 'say "hi"\\\n'}, [(t, float("nan"))]),
            ({"__name__": "b", "job": "old"}, [(t - 200000, 3)]),
            ({"__name__": "too_old"}, [(t - 400000, 3)]),
            ({"__name__": "stale", "job": "x"}, [(t - 1000, 3), (t, STALE)]),
            ({"__name__": "colon:name", "job": "x"}, [(t, -0.5)]),
        ]

    def test_like_prometheus(self):
        peer = prometheus_peer.start(self, self.config)
        t = prometheus_peer.now_ms()
        prometheus_peer.write_both(self.pharos, peer, self.fill(t))
        prometheus_peer.write_histograms_both(
            self.pharos, peer, {"__name__": "native", "job": "x"},
            [prometheus_peer.histogram(t, 5, 12.5, 1, 1, [(0, 2), (1, 1)], [1, 1, -1])])
        for match in (['{__name__=~".+"}'], ["a_total"], ['{job!="x"}'], ['{job="x"}', "a_total"], ["nothing"], [],
                      ['a_total{zone="own"}', "b"], ["native"]):
            with self.subTest(match=match):
                ours, theirs = federate(self.pharos.prometheus_url, *match), federate(peer.url, *match)
                self.assertEqual((ours.status, theirs.status), (200, 200))
                lines = lambda a: [l for l in a.text.splitlines() if 'job="pharos"' not in l and not l.startswith("# ")]
                self.assertEqual(sorted(lines(ours)), sorted(lines(theirs)))
        ours = federate(self.pharos.prometheus_url, "{")
        self.assertEqual((ours.status, ours.headers["Content-Type"]),
                         (400, "text/plain; charset=utf-8"))
        self.assertEqual(federate(peer.url, "{").status, 400)
        self.assertEqual(federate(self.pharos.prometheus_url, "a_total").text.splitlines()[0],
                         "# TYPE a_total untyped")
        for match in ("a_total", "colon:name"):
            with self.subTest(protobuf=match):
                ours = federate(self.pharos.prometheus_url, match, accept=PROTOBUF)
                theirs = federate(peer.url, match, accept=PROTOBUF)
                self.assertTrue(ours.headers["Content-Type"].startswith(
                    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                    "encoding=delimited"))
                self.assertEqual(len(ours.body), len(theirs.body))
                self.assertEqual(sorted(ours.body), sorted(theirs.body))

    def test_openmetrics(self):
        t = prometheus_peer.now_ms()
        self.pharos.write([({"__name__": "m", "instance": "i"}, [(t, 3)])])
        answer = federate(self.pharos.prometheus_url, "m",
                          accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        self.assertTrue(answer.headers["Content-Type"].startswith(
            "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        self.assertEqual(answer.text, "# TYPE m unknown\n"
                         'm{instance="i",site="lab",zone="z0"} 3.0 '
                         f'{str(t // 1000)[0]}.{str(t // 1000)[1:].rstrip("0")}e+09\n# EOF\n')
        answer = federate(self.pharos.prometheus_url, "m",
                          accept="application/openmetrics-text;q=0.1,text/plain;version=0.0.4")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))

    def test_names_beyond_the_old_ones(self):
        t = prometheus_peer.now_ms()
        self.pharos.write([({"__name__": "http.size", "a.b": "c"}, [(t, 3)])])
        for escaping, line in (
                ("", 'http_size{a_b="c",'), (";escaping=underscores", 'http_size{a_b="c",'),
                (";escaping=allow-utf-8", '{"http.size","a.b"="c",'),
                (";escaping=dots", 'http_dot_size{a_dot_b="c",'),
                (";escaping=values", 'U__http_2E_size{U__a_2E_b="c",')):
            with self.subTest(escaping=escaping):
                text = federate(self.pharos.prometheus_url, '{"http.size"}',
                                accept="text/plain;version=1.0.0" + escaping).text
                self.assertTrue(text.splitlines()[1].startswith(line), text)

    def test_prometheus_scrapes_it(self):
        """Text and protobuf, as Prometheus asks with and without native histograms."""
        t = prometheus_peer.now_ms()
        self.pharos.write(self.fill(t))
        prometheus_peer.write_histograms(
            self.pharos.prometheus_url, {"__name__": "native", "job": "x"},
            [prometheus_peer.histogram(t, 5, 12.5, 1, 1, [(0, 2), (1, 1)], [1, 1, -1])])
        peer = prometheus_peer.start(self, f"""
scrape_configs:
- job_name: federate
  honor_labels: true
  scrape_interval: 1s
  metrics_path: /federate
  params: {{'match[]': ['{{__name__=~"a_total|native|colon:name"}}']}}
  static_configs: [{{targets: ['127.0.0.1:{self.pharos.prometheus_port}']}}]
""")

        def ask(text):
            answer = pt.request(f"{peer.url}/api/v1/query?"
                                + urllib.parse.urlencode({"query": text})).json()
            return answer["data"]["result"]
        up = pt.wait_for("a scrape", lambda: ask('up{job="federate"}'))
        self.assertEqual(up[0]["value"][1], "1")
        rows = pt.wait_for("the series", lambda: ask('{__name__=~"a_total|colon:name"}'))
        self.assertEqual(sorted((r["metric"]["__name__"], r["metric"].get("instance", ""),
                                 r["metric"]["zone"], r["metric"]["site"], r["value"][1])
                                for r in rows),
                         [("a_total", "", "own", "lab", "+Inf"),
                          ("a_total", "i1", "z0", "lab", "12345678"),
                          ("a_total", "i2", "z0", "lab", "1e-09"),
                          ("colon:name", "", "z0", "lab", "-0.5")])
        native = ask("native")
        theirs, ours = (rows[0]["histogram"][1] for rows in (native, self.pharos.query("native")))
        self.assertEqual((theirs["count"], theirs["sum"]), (ours["count"], ours["sum"]))
        # The bounds of Prometheus 2 differ in their last digit.
        buckets = lambda h: [(rule, round(float(low), 9), round(float(high), 9), n)
                             for rule, low, high, n in h["buckets"]]
        self.assertEqual(buckets(theirs), buckets(ours))


if __name__ == "__main__":
    pt.main()
