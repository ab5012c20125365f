"""StatsD's door with npm's clients, and beside npm's own daemon: the same packets into both, what
they flush compared name by name."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import npm_clients
import pharos_test as pt
from line_receiver import Carbon

# What differs and why: figures about a daemon's own work, not about what was sent.
OWN = ("graphiteStats.", "processing_time", "timestamp_lag", "numStats")

PACKETS = [
    "a.b:1|c", "a.b:2|c|@0.1\nspaces in/name:3|c", "m:1|c:200|ms", "multi:1|c:2|c:3|c",
    "g:10|g\ng:-4|g\ng:+2|g", "neg:-4|g", "g2:5|g|@0.1", "t:1|ms\nt:2|ms\nt:3|ms|@0.5",
    "long:450|ms\nlong:120|ms\nlong:553|ms\nlong:994|ms\nlong:334|ms\nlong:844|ms\nlong:675|ms\nlong:496|ms",
    "one:7|ms", "zero:0|ms", "frac:0.1|ms\nfrac:0.2|ms", "s:a|s\ns:b|s\ns:a|s\ns:|s",
    "tagged:1|c|#env:prod", "tagged:2|c|#env:prod\ntagged:5|ms|#env:prod,host:x",
    "x:1|c|#env:prod|c:abc", "hex:0x10|c", "exp:1e3|c", "unknown:5|zz\nhist:5|h\ndist:5|d", "empty:1|",
    "ms_upper:1|MS", "rate:1|c|@2", "rate2:1|c|@1e-1", "crlf:1|c\r\n",
    "é:1|c", ":1|c", "influx,env=prod:1|c", "spaced: 5 |c", "two.tags:1|c|#b:c,a",
    # all of these are bad lines
    "bad", "a|c", "a:", "a:|c", "a:1", "a:NaN|c", "a:abc|c", "a:1|c|@-1", "a:1|c|@x", "a:-5|ms",
    "m:1:2:3|c", "_e{5,4}:Title|Text", "_sc|svc|0", "x:1|c|T1656581400",
]


class Npm(pt.Case):
    def open(self, *sets):
        self.port = pt.free_port()
        self.one = self.server(f"doors.statsd.listen=127.0.0.1:{self.port}",
                               "statsd.admin.listen=off", *sets)

    def wait_value(self, query, want):
        def now():
            rows = self.one.query(query)
            return rows and float(rows[0]["value"][1]) == want
        pt.wait_for(f"{query} to be {want}", now)

    def test_hot_shots(self):
        self.open("statsd.flush_interval=200ms")
        then = int(time.time()) - 60
        npm_clients.node(self, "statsd_client.cjs", "hot-shots", "127.0.0.1", self.port, then)
        self.wait_value('hs_hits{env="test",route="a b"}', 4)
        self.wait_value('hs_hits{env="test",route=""}', 1)
        self.wait_value("hs_queue", 10)
        self.wait_value("histogram_sum(hs_latency)", 0.25)
        self.wait_value("histogram_sum(hs_size)", 42)
        self.wait_value("histogram_sum(hs_wait)", 0.75)
        self.wait_value("max_over_time(hs_users[1m])", 2)
        self.assertEqual(self.one.query("hs_late[5m]")[0]["values"], [[then, "7"]])
        status = self.one.get("/api/pharos/v1/statsd").json()
        self.assertEqual(status["refused"], [])
        logs = self.one.get("/loki/loki/api/v1/query_range?query=%7Bservice_name%3D%22dogstatsd%22%7D").json()
        rows = {v[1]: s["stream"] for s in logs["data"]["result"] for v in s["values"]}
        event = rows["hs.Deployed: version 2 | blue\nby ann"]
        self.assertEqual((event["detected_level"], event["team"], event["priority"]),
                         ("warn", "web", "low"))
        check = rows["hs.db.ok is critical: no | answer"]
        self.assertEqual((check["status"], check["shard"]), ("critical", "7"))

    def test_node_statsd(self):
        self.open("statsd.flush_interval=200ms")
        npm_clients.node(self, "statsd_client.cjs", "node-statsd", "127.0.0.1", self.port)
        self.wait_value("ns_hits", 1)
        self.wait_value("ns_queue", 3)
        self.wait_value("histogram_sum(ns_latency)", 0.1)
        self.wait_value("histogram_sum(ns_size)", 5)
        self.wait_value('max_over_time(ns_users{k="v"}[1m])', 1)

    def node_daemon(self, carbon, graphite):
        npm_clients.install(self)
        port, admin = pt.free_port(), pt.free_port()
        config = self.file("config.js", "module.exports = 0, " + json.dumps({
            "port": port, "address": "127.0.0.1", "mgmt_port": admin, "mgmt_address": "127.0.0.1",
            "graphiteHost": "127.0.0.1", "graphitePort": carbon.port, "flushInterval": 1000,
            "percentThreshold": [90, 50, -20], "graphite": graphite}))
        config.write_text(config.read_text().replace("module.exports = 0, ", ""))
        log = open(self.work / "node.log", "w")
        self.addCleanup(log.close)
        p = subprocess.Popen(["node", npm_clients.HERE / "node_modules/statsd/stats.js", config],
                             stdout=log, stderr=log)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)

        def is_up():
            try:
                with socket.create_connection(("127.0.0.1", admin)) as s:
                    s.sendall(b"health\n")
                    return b"up" in s.recv(100)
            except OSError:
                return False
        pt.wait_for("npm's statsd", is_up)
        return port

    def send(self, *ports):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for packet in PACKETS:
                for port in ports:
                    s.sendto(packet.encode(), ("127.0.0.1", port))

    def ours(self):
        """{timestamp: {path;tags: value}} of what Pharos stored."""
        flushes = {}
        for row in self.one.query('{__name__=~"stats.*",job=""}[5m]'):
            labels = dict(row["metric"])
            path = labels.pop("__name__")
            path += "".join(f";{k}={v}" for k, v in sorted(labels.items()))
            for t, v in row["values"]:
                flushes.setdefault(t, {})[path] = float(v)
        return flushes

    def whole(self, flushes, received, since):
        """The flush that has all that was sent, if the interval did not end in between."""
        return next((f for t, f in flushes.items()
                     if float(t) >= since and f.get(received) == len(PACKETS)), None)

    def compare(self, received, sets, graphite):
        carbon = Carbon(self, whole=True)
        port = self.node_daemon(carbon, graphite)
        self.open("statsd.flush_interval=1s", "statsd.parser=node", "statsd.names=graphite",
                  "statsd.percentiles=90, 50, -20", *sets)
        theirs = mine = None
        for _ in range(5): # gauges are carried over: only what both have of the same try compares
            time.sleep(1 - time.time() % 1 + 0.1) # early in the interval of Pharos
            since = int(time.time())
            self.send(port, self.port)
            time.sleep(2.2)
            theirs, mine = (self.whole(f, received, since) for f in (dict(carbon.flushes), self.ours()))
            if theirs and mine:
                break
        self.assertTrue(theirs and mine, "no interval held all packets")
        theirs = {sort_tags(k): v for k, v in theirs.items() if not any(o in k for o in OWN)}
        mine = {k.replace("=true", ""): v for k, v in mine.items() if not any(o in k for o in OWN)}
        self.assertGreater(len(theirs), 100)
        self.assertEqual(sorted(theirs), sorted(mine))
        for path, value in theirs.items():
            self.assertAlmostEqual(value, mine[path], delta=abs(value) * 1e-12, msg=path)

    def test_the_legacy_namespace_beside_npm_statsd(self):
        self.compare("stats_counts.statsd.packets_received", [], {"legacyNamespace": True})

    def test_the_new_namespace_beside_npm_statsd(self):
        self.compare("stats.counters.statsd.packets_received.count.h1",
                     ["statsd.legacy_namespace=false", "statsd.global_suffix=h1"],
                     {"legacyNamespace": False, "globalSuffix": "h1"})


def sort_tags(path):
    name, *tags = path.split(";")
    return ";".join([name, *sorted(tags)])


if __name__ == "__main__":
    pt.main()
