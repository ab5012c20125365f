"""Carbon in, Graphite out: what senders and Grafana's Graphite data source do."""
import json
import pickle
import socket
import struct
import threading
import time
import unittest
import urllib.parse
import xml.etree.ElementTree

import pharos_test as pt

NOW = int(time.time()) // 60 * 60


def send(port, data, wait=True):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(data)
        if wait:
            s.shutdown(socket.SHUT_WR)
            s.recv(1)


class Graphite(pt.Case):
    def setUp(self):
        super().setUp()
        self.line, self.pickle, self.http = pt.free_port(), pt.free_port(), pt.free_port()
        self.s = self.server(f"doors.graphite.listen=127.0.0.1:{self.line}",
                             f"doors.graphite_pickle.listen=127.0.0.1:{self.pickle}",
                             f"doors.graphite_http.listen=127.0.0.1:{self.http}")

    def ask(self, path, params=(), **kwargs):
        query = urllib.parse.urlencode(params, doseq=True)
        return pt.request(f"http://127.0.0.1:{self.http}{path}" + ("?" + query if query else ""), **kwargs)

    def points(self, target, start=NOW - 600, end=NOW, **more):
        """{name: [values]} of a render."""
        answer = self.ask("/render", {"target": target, "from": start, "until": end, "format": "json", **more})
        self.assertEqual(answer.status, 200, answer.text)
        return {s["target"]: [p[0] for p in s["datapoints"]] for s in answer.json()}

    def fill(self):
        lines = "".join(f"servers.web{h}.cpu.load {h * 100 + i} {NOW - 600 + 60 * i}\n"
                        for h in (1, 2) for i in range(11))
        send(self.line, lines.encode())
        pt.wait_for("the points", lambda: self.points("servers.web2.cpu.load"))

    def test_points_in_find_and_render_out(self):
        self.fill()
        self.assertEqual(self.points("servers.*.cpu.load"),
                         {"servers.web1.cpu.load": [101.0 + i for i in range(10)],
                          "servers.web2.cpu.load": [201.0 + i for i in range(10)]})
        self.assertEqual(self.points("sumSeries(servers.*.cpu.load)"),
                         {"sumSeries(servers.*.cpu.load)": [302.0 + 2 * i for i in range(10)]})
        self.assertEqual(self.ask("/metrics/find", {"query": "servers.*"}).json(),
                         [{"text": "web1", "id": "servers.web1", "allowChildren": 1, "expandable": 1, "leaf": 0},
                          {"text": "web2", "id": "servers.web2", "allowChildren": 1, "expandable": 1, "leaf": 0}])
        self.assertEqual(self.ask("/metrics/expand", {"query": "servers.web[2-9].*.{load,x}"}).json(),
                         {"results": ["servers.web2.cpu.load"]})
        self.assertEqual([p for p in self.ask("/metrics/index.json").json() if p.startswith("servers")],
                         ["servers.web1.cpu.load", "servers.web2.cpu.load"])
        # on the main door too, and in PromQL
        self.assertEqual(self.s.get("/graphite/metrics/index.json").status, 200)
        self.assertEqual(len(self.s.query('{__name__=~"servers\\\\..*"}', at=NOW)), 2)

    def test_grafana(self):
        self.fill()
        form = urllib.parse.urlencode({"target": "aliasByNode(servers.*.cpu.load,1)", "from": NOW - 600, "until": NOW,
                                       "format": "json", "maxDataPoints": 5}).encode()
        answer = self.ask("/render", method="POST", body=form,
                          headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual([s["target"] for s in answer.json()], ["web1", "web2"])
        self.assertLessEqual(len(answer.json()[0]["datapoints"]), 6)
        functions = self.ask("/functions").json()
        self.assertEqual(functions["movingAverage"]["group"], "Calculate")
        self.assertRegex(self.ask("/version").text, r"^1\.1\.\d+\n$")
        self.assertEqual(self.ask("/render", {"target": "constantLine(100)", "format": "json", "from": "-1h"})
                         .json()[0]["datapoints"][0][0], 100)

    def test_tags(self):
        send(self.line, b"disk.used;dc=eu;rack=a1 5 %d\ndisk.used;dc=us 7 %d\n" % (NOW - 60, NOW - 60))
        pt.wait_for("the points", lambda: self.points("seriesByTag('name=disk.used')"))
        found = self.ask("/tags/findSeries", {"expr": ["name=disk.used", "dc=~e.*"]}).json()
        self.assertEqual(found, ["disk.used;dc=eu;rack=a1"])
        self.assertEqual(self.ask("/tags/autoComplete/tags", {"expr": "name=disk.used"}).json(), ["dc", "rack"])
        self.assertEqual(self.ask("/tags/autoComplete/values", {"expr": "name=disk.used", "tag": "dc"}).json(),
                         ["eu", "us"])
        self.assertEqual(self.ask("/tags/dc").json()["values"][0]["count"], 1)
        self.assertEqual(list(self.points("groupByTags(seriesByTag('name=disk.used'),'sum','dc')")),
                         ["disk.used;dc=eu", "disk.used;dc=us"])
        self.assertEqual(self.ask("/tags/findSeries", {"expr": "dc!=eu"}).status, 400)
        self.assertEqual(list(self.points("disk.used.dc=us")), ["disk.used.dc=us"])

    def test_deleting_series(self):
        send(self.line, b"d.used;dc=eu 5 %d\nd.used;dc=eu;rack=a 6 %d\nd.used 7 %d\n" % ((NOW - 60,) * 3))
        pt.wait_for("the points", lambda: len(self.points("seriesByTag('name=d.used')")) == 3)
        answer = self.ask("/tags/delSeries", {"path": "d.used;dc=eu"}, method="POST", body=b"")
        self.assertEqual((answer.status, answer.json()), (200, True))
        self.assertEqual(sorted(self.points("seriesByTag('name=d.used')")), ["d.used", "d.used;dc=eu;rack=a"])
        self.assertEqual(self.ask("/tags/delSeries", {"path": "d.used"}, method="POST", body=b"").json(), True)
        self.assertEqual(sorted(self.points("seriesByTag('name=d.used')")), ["d.used;dc=eu;rack=a"])
        for path in ({}, {"path": "a;b"}):
            self.assertEqual(self.ask("/tags/delSeries", path, method="POST", body=b"").status, 400)

    def test_pickle_udp_and_bad_data(self):
        frame = pickle.dumps([("p.a", (NOW - 60, 1.5)), ["p.b", [NOW - 60, "2"]]], protocol=2)
        evil = b"cos\nsystem\n(S'true'\ntR."
        data = b"".join(struct.pack(">I", len(f)) + f for f in (evil, frame))
        send(self.pickle, data)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"u.a 3 %d" % (NOW - 60), ("127.0.0.1", self.line))
        bad = [b"one", b"a b c", b"x.nan nan 1", b"x.t 1 nan", b"\xff\xfe 1 1", b"t;a 1 1", b"\x00" * 70000]
        send(self.line, b"\r\n".join(bad) + b"\r\nlast.good 4 %d" % (NOW - 60))
        for name, value in (("p.a", 1.5), ("p.b", 2.0), ("u.a", 3.0), ("last.good", 4.0)):
            got = pt.wait_for(name, lambda: self.points(name))
            self.assertEqual([v for v in got[name] if v is not None], [value])
        for reason in ("fields", "value", "nan", "timestamp", "name", "tags", "size", "pickle"):
            self.assertGreaterEqual(self.s.metric("pharos_carbon_refused_total", f'reason="{reason}"'), 1, reason)

    def test_slow_senders(self):
        frame = pickle.dumps([("slow.p", (NOW - 60, 5))], protocol=2)
        by_line, by_pickle = (socket.create_connection(("127.0.0.1", p)) for p in (self.line, self.pickle))
        with by_line, by_pickle:
            for one in b"slow.a 1 %d\r\nslow.b 2 %d\nslow.c 3 %d" % (NOW - 60, NOW - 60, NOW - 60):
                by_line.sendall(bytes([one]))
            for one in struct.pack(">I", len(frame)) + frame:
                by_pickle.sendall(bytes([one]))
            for name, value in (("slow.a", 1), ("slow.b", 2), ("slow.p", 5)):
                got = pt.wait_for(name, lambda: self.points(name))
                self.assertEqual([v for v in got[name] if v is not None], [value])
            self.assertEqual(self.points("slow.c"), {})  # its line has no end yet
            by_pickle.sendall(b"\0\0\0\x09half a fr")
        got = pt.wait_for("the line without an end", lambda: self.points("slow.c"))
        self.assertEqual([v for v in got["slow.c"] if v is not None], [3])

    def test_who_says_nothing_for_long_is_closed(self):
        line = pt.free_port()
        self.server(f"doors.graphite.listen=127.0.0.1:{line}", "limits.graphite.idle_timeout=1s", data=self.work / "idle")
        with socket.create_connection(("127.0.0.1", line)) as idle, socket.create_connection(("127.0.0.1", line)) as slow:
            idle.sendall(b"half 1")
            idle.settimeout(0.25)
            closed = False
            for _ in range(40):
                slow.sendall(b"s")
                try:
                    closed = idle.recv(1) == b""
                    break
                except TimeoutError:
                    continue
            self.assertTrue(closed)
            slow.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                slow.recv(1)

    def test_carbon_rules_and_protobuf(self):
        write = self.file
        protobuf, line, http = pt.free_port(), pt.free_port(), pt.free_port()
        rewrite = write("rewrite.conf", "[pre]\n^old\\.(.*)$ = new.\\1\n[post]\n_sum$ =\n")
        s = self.server(
            f"doors.graphite.listen=127.0.0.1:{line}", f"doors.graphite_http.listen=127.0.0.1:{http}",
            f"doors.graphite_protobuf.listen=127.0.0.1:{protobuf}",
            f"graphite.blacklist_file={write('blacklist.conf', 'secret')}",
            f"graphite.whitelist_file={write('whitelist.conf', '^(old|new|web)')}",
            f"graphite.rewrite_rules_file={rewrite}",
            "graphite.aggregation_rules_file=%s" % write("aggregation.conf", "all.<what>_sum (1) = sum web*.<what>\n"),
            data=self.work / "second")
        self.http = http
        points = [("old.a.b", 1), ("web1.secret", 2), ("other", 3), ("web1.hits", 10), ("web2.hits", 20)]
        send(line, "".join(f"{n} {v} {NOW - 60}\n" for n, v in points).encode())
        # Payload { metrics { metric: "web3.hits" points { timestamp value } } }
        point = b"\x08" + pt.varint(NOW - 60) + b"\x11" + struct.pack("<d", 30)
        metric = b"\x0a\x09web3.hits\x12" + pt.varint(len(point)) + point
        payload = b"\x0a" + pt.varint(len(metric)) + metric
        send(protobuf, struct.pack(">I", len(payload)) + payload + struct.pack(">I", 3) + b"\xff\xff\xff")
        pt.wait_for("the aggregate", lambda: 60 in self.points("all.hits").get("all.hits", []))
        self.assertEqual([v for v in self.points("web3.hits")["web3.hits"] if v], [30])
        self.assertEqual(sorted(self.points("{old,new,other,web*,all}.**")),
                         ["all.hits", "new.a.b", "web1.hits", "web2.hits", "web3.hits"])
        for reason in ("blacklist", "whitelist", "protobuf"):
            self.assertEqual(s.metric("pharos_carbon_refused_total", f'reason="{reason}"'), 1, reason)
        # a changed file holds after a reload; a bad one does not, and says where
        rewrite.write_text("[pre]\n^web9\\. = web8.\n")
        self.assertEqual(s.post("/-/reload").status, 200)
        send(line, b"web9.x 5 %d\n" % (NOW - 60))
        pt.wait_for("the new name", lambda: self.points("web8.x"))
        rewrite.write_text("[pre]\n^( = x\n")
        answer = s.post("/-/reload")
        self.assertEqual(answer.status, 500)
        self.assertIn("rewrite.conf:2", answer.text)

    def test_relay_rules(self):
        ports = [pt.free_port() for _ in range(3)]
        got = {port: set() for port in ports}

        def receive(port, listener):
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer, peer.makefile("rb") as f:
                    while len(size := f.read(4)) == 4:
                        frame = f.read(struct.unpack(">I", size)[0])
                        got[port] |= {name for name, _ in pickle.loads(frame)}
        for port in ports:
            listener = socket.create_server(("127.0.0.1", port))
            self.addCleanup(listener.close)
            threading.Thread(target=receive, args=(port, listener), daemon=True).start()
        a, b, c = (f"127.0.0.1:{p}" for p in ports)
        rules = f"[web]\npattern = ^WEB\ndestinations = {a}:a, {b}\ncontinue = true\n" \
                f"[hits]\npattern = hits$\ndestinations = {b}\n[rest]\ndefault = true\ndestinations = {c}\n"
        line = pt.free_port()
        path = self.file("relay-rules.conf", rules)
        self.server(f"doors.graphite.listen=127.0.0.1:{line}", f"graphite.relay_rules_file={path}", "host.collect=off",
                    "telemetry.interval=1h", data=self.work / "relay")
        send(line, "".join(f"{n} 1 {NOW - 60}\n" for n in ("web1.load", "web1.hits", "db.hits", "db.load")).encode())
        want = [{"web1.load", "web1.hits"}, {"web1.load", "web1.hits", "db.hits"}, {"web1.load", "db.load"}]
        pt.wait_for("what goes where", lambda: [got[p] for p in ports] == want)
        for text, words in (("[a]\npattern = x\ndestinations = h:1\n", "default = true"),
                            ("[a]\ndefault = true\n", "destinations are missing"), ("x = 1\n", "[section]"),
                            ("[a]\ndefault = true\ndestinations = host\n", "host:port"),
                            ("[a]\npattern = (\ndestinations = h:1\n[b]\ndefault = true\ndestinations = h:1\n", "regexp")):
            path.write_text(text)
            checked = pt.run("check", path)
            self.assertEqual(checked.returncode, 1)
            self.assertIn(words, checked.stderr)
            self.assertIn("relay-rules.conf:", checked.stderr)

    def test_errors(self):
        for target, words in (("sum(f", "missing"), ("nope(a)", "unknown function: nope"),
                              ("scale(a)", 'Missing required parameter "factor"'),
                              ("scale(a,x)", "parameter"), ("groupByNode(a,0,'nope')", None)):
            answer = self.ask("/render", {"target": target, "format": "json"})
            if words is None:
                self.assertEqual((answer.status, answer.json()), (200, []))
            else:
                self.assertEqual(answer.status, 400, target)
                self.assertIn(words, answer.text)
        self.assertEqual(self.ask("/render", {"target": "a", "from": "-1x", "format": "json"}).status, 400)
        self.assertEqual(self.ask("/render", {"target": "a", "from": "100", "until": "100", "format": "json"}).status,
                         400)
        self.assertEqual(self.ask("/metrics/find").status, 400)

    def test_formats_and_events(self):
        self.fill()
        ask = {"target": "servers.web1.cpu.load", "from": NOW - 180, "until": NOW}
        raw = self.ask("/render", {**ask, "format": "raw"}).text
        self.assertEqual(raw, f"servers.web1.cpu.load,{NOW - 120},{NOW + 60},60|108.0,109.0,110.0\n")
        rows = pickle.loads(self.ask("/render", {**ask, "format": "pickle"}).body)
        self.assertEqual((rows[0]["values"], rows[0]["step"]), ([108.0, 109.0, 110.0], 60))
        self.assertEqual(len(self.ask("/render", {**ask, "format": "csv"}).text.splitlines()), 3)
        self.assertEqual(self.ask("/render", {**ask, "format": "rickshaw"}).json()[0]["datapoints"][0]["y"], 108)
        self.assertEqual(self.ask("/render", {**ask, "format": "dygraph"}).json()["data"][0][1], 108)
        event = {"what": "deploy", "tags": ["app", "v2"], "when": NOW - 100, "data": "by hand"}
        self.assertEqual(self.ask("/events/", method="POST", body=json.dumps(event).encode()).status, 200)
        got = self.ask("/events/get_data", {"from": NOW - 600, "until": NOW, "tags": "app"}).json()
        self.assertEqual([(e["what"], e["when"], e["tags"], e["data"]) for e in got],
                         [("deploy", NOW - 100, ["app", "v2"], "by hand")])
        self.assertEqual(sum(v for v in self.points('events("app")')['events("app")'] if v), 1)

    def test_pictures(self):
        self.fill()
        ask = {"target": "servers.*.cpu.load", "from": NOW - 600, "until": NOW, "title": "Load <&>"}
        svg = self.ask("/render", {**ask, "format": "svg"})
        self.assertEqual(svg.headers["Content-Type"], "image/svg+xml")
        root = xml.etree.ElementTree.fromstring(svg.text)
        self.assertEqual((root.tag.rpartition("}")[2], root.get("width"), root.get("height")), ("svg", "330px", "250px"))
        pdf = self.ask("/render", {**ask, "format": "pdf", "width": 400, "height": 300})
        self.assertEqual((pdf.body[:5], pdf.headers["Content-Type"]), (b"%PDF-", "application/x-pdf"))
        self.assertIn(b"/MediaBox [ 0 0 300 225 ]", pdf.body)
        for options, words in (({"width": "x"}, "width: a number"), ({"width": 30000, "height": 30000}, "25 million"),
                               ({"areaMode": "some"}, "none, first, all, stacked"), ({"bgcolor": "blurple"}, "no color"),
                               ({"yMin": 5, "yMax": 1}, "minimum"), ({"logBase": 10, "target": "constantLine(-1)"}, "above 0"),
                               ({"yDivisors": "0"}, "yDivisors"), ({"target": "color(servers.*.cpu.load,'no')"}, "no color"),
                               ({"graphType": "pie", "target": "a:b"}, "name:number"), ({"fontSize": "1e9"}, "fontSize"),
                               ({"lineMode": "nope"}, "slope, staircase, connected"), ({"minXStep": 0}, "minXStep")):
            answer = self.ask("/render", {**ask, **options})
            self.assertEqual(answer.status, 400, options)
            self.assertIn(words, answer.text)

    def test_series_of_other_doors(self):
        self.s.write([({"__name__": "node_load1", "instance": "web.1:9100", "job": "node"},
                       [((NOW - 60) * 1000, 2.0)])])
        got = pt.wait_for("the series", lambda: self.points("node_load1.*.job=node"))
        self.assertEqual(list(got), ["node_load1.instance=web_1:9100.job=node"])
        self.assertEqual(list(self.points("aliasByTags(seriesByTag('job=node'),'instance')")), ["web.1:9100"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
