"""The Node daemon's own files and its proxy: one config.js for npm's statsd and for Pharos, what both
send to carbon compared; which daemon a name goes to through either proxy."""
import json
import socket
import subprocess
import threading
import time

import npm_clients
import pharos_test as pt
import test_statsd_npm
from line_receiver import Carbon
from test_statsd_npm import OWN, sort_tags

CONFIG = """/* StatsD */
{
  port: %(port)d, // of the door
  address: '127.0.0.1'
, mgmt_port: %(admin)d, mgmt_address: "127.0.0.1",
  graphiteHost: "127.0.0.1", graphitePort: %(carbon)d,
  backends: [ "./backends/graphite" ],
  flushInterval: 1000,
  percentThreshold: [90, 99.9, -20],
  histogram: [ { metric: 'long', bins: [200, 500.5, 'inf'] }, { metric: 'none', bins: [] },
               { metric: '', bins: [1, 2] } ],
  %(more)s
}
"""
PACKETS = test_statsd_npm.PACKETS + ["none:5|ms", "a/b c:1|c|#x:z/w"]


class Base(pt.Case):
    def daemon(self, script, config, admin):
        npm_clients.install(self)
        log = open(self.work / f"{script}.log", "w")
        self.addCleanup(log.close)
        p = subprocess.Popen(["node", npm_clients.HERE / "node_modules/statsd" / script, config],
                             stdout=log, stderr=log)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        pt.wait_for(script, lambda: "up" in self.ask(admin, "health"))

    def ask(self, port, command):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.sendall(command.encode() + b"\n")
                return s.recv(1000).decode()
        except OSError:
            return ""


class Node(Base):
    def compare(self, more, received, flushes):
        """What arrives at two carbons in the flush that has all packets, and the ones after it."""
        carbons, ports = [Carbon(self), Carbon(self)], []
        for i, carbon in enumerate(carbons):
            port, admin = pt.free_port(), pt.free_port()
            text = CONFIG % {"port": port, "admin": admin, "carbon": carbon.port, "more": more}
            config = self.file(f"config{i}.js", text)
            ports.append(port)
            if i:
                own = self.file("pharos.yml", f"statsd:\n  config_file: {config}\n  percentiles: 90, 99.9, -20\n")
                self.one = self.server("doors.graphite.listen=off", config=own, doors=False)
                self.one.stop()
                self.one.sets += ["doors.all=on"] + [f"doors.{name}.listen=off" for name in
                                                     (*pt.OTHER_DOORS, "prometheus") if name != "statsd"]
                self.one.start()
            else:
                self.daemon("stats.js", config, admin)
        for _ in range(5):
            for c in carbons:
                c.flushes.clear()
            time.sleep(1 - time.time() % 1 + 0.1)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for packet in PACKETS:
                    for port in ports:
                        s.sendto(packet.encode(), ("127.0.0.1", port))
            time.sleep(1.4 + flushes)
            theirs, mine = (self.after(dict(c.flushes), received, flushes) for c in carbons)
            differences = theirs and mine and self.differences(theirs, mine)
            if differences == []:
                break
            # Packets came in two intervals, or a flush was late enough for another second.
            time.sleep(3)  # gauges that are deleted when idle go before the next try
        self.assertTrue(theirs and mine, "no interval held all packets")
        self.assertEqual(differences, [])
        self.assertGreater(len(theirs[0]), 20)

    def differences(self, theirs, mine):
        """[(flushes later, path, theirs, ours)]"""
        return [(i, path, t.get(path), m.get(path)) for i, (t, m) in enumerate(zip(theirs, mine))
                for path in sorted(t.keys() | m.keys())
                if path not in t or path not in m or abs(t[path] - m[path]) > abs(t[path]) * 1e-12]

    def after(self, flushes, received, count):
        rows = [{sort_tags(k).replace("=true", ""): v for k, v in flushes[t].items() if not any(o in k for o in OWN)}
                for t in sorted(flushes)]
        full = [i for i, t in enumerate(sorted(flushes)) if flushes[t].get(received) in (len(PACKETS), float(len(PACKETS)))]
        if not full or len(rows) < full[0] + count:
            return None
        return rows[full[0]:full[0] + count]

    def test_one_file_for_both(self):
        self.compare("""deleteIdleStats: true, gaugesMaxTTL: 2, flush_counts: false,
            calculatedTimerMetrics: ['count', 'upper_percent', 'mean_percent', 'median', 'histogram']""",
                     "stats.statsd.packets_received", 3)

    def test_one_file_with_names_as_they_are(self):
        self.compare("""keyNameSanitize: false, deleteTimers: true, prefixStats: 'own',
            graphite: { legacyNamespace: false, globalPrefix: 'pre', prefixCounter: 'c', globalSuffix: 'end' }""",
                     "pre.c.own.packets_received.count.end", 2)

    def test_the_file_is_checked(self):
        for text, words in (("{ port: 8125, flushInterval: 10 * 1000 }", "config.js:1:33: values that have to be computed"),
                            ("{\n  graphite: { globalSuffix: require('os').hostname() } }",
                             'config.js:2:29: "require" has to be computed'),
                            ("{ flushInterval: 'x' }", "config.js:1:18:"),
                            ("{ repeater: [{host: 'a'}] }", "config.js:1:14: {host: ..., port: ...} is expected"),
                            ("{ servers: [{address: '127.0.0.1', port: 1}, {address: '127.0.0.1', port: 2}] }",
                             "on one address"),
                            ("{ histogram: [{metric: 'a', bins: [2, 1]}] }", "bounds of bins ascend")):
            done = pt.run("check", self.file("config.js", text))
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(words, done.stdout + done.stderr)
        done = pt.run("check", self.file("config.js", "{ address: '127.0.0.1', backends: ['./backends/console', 'x-kafka'],\n"
                                                      "  nonsense: 1 }"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("x-kafka: a back end that Pharos does not have", done.stderr)
        self.assertIn("config.js:2: nonsense: no setting", done.stderr)
        own = self.file("pharos.yml", f"statsd:\n  config_file: {self.work}/none.js\n")
        self.assertIn("none.js cannot be read", pt.run("check", own).stderr)

    def test_the_busiest_names_are_logged(self):
        log, port = self.work / "keys.log", pt.free_port()
        self.server(f"doors.statsd.listen=127.0.0.1:{port}", "statsd.admin.listen=off", "statsd.flush_interval=100ms",
                    "statsd.key_flush.interval=100ms", f"statsd.key_flush.log={log}", "statsd.key_flush.percent=50")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"much:1|c\nmuch:1|c\nmuch:1|c\nlittle:1|c", ("127.0.0.1", port))
        pt.wait_for("the log", lambda: log.exists() and "count=3 key=much\n" in log.read_text())
        self.assertNotIn("little", log.read_text())


    def test_npm_statsd_gets_what_is_repeated(self):
        self.repeated("./servers/udp", "")

    def test_npm_statsd_gets_what_is_repeated_over_tcp(self):
        self.repeated("./servers/tcp", "tcp://")

    def repeated(self, server, scheme):
        port, admin, own = pt.free_port(), pt.free_port(), pt.free_port()
        config = self.file("config.js", json.dumps({"port": port, "mgmt_port": admin, "address": "127.0.0.1",
                                                    "mgmt_address": "127.0.0.1", "server": server, "backends": [],
                                                    "flushInterval": 3600000}))
        self.daemon("stats.js", config, admin)
        self.server(f"doors.statsd.listen=127.0.0.1:{own}", "statsd.admin.listen=off", f"statsd.repeat_to={scheme}127.0.0.1:{port}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(3):
                s.sendto(b"repeated.hits:2|c\nrepeated.level:7|g", ("127.0.0.1", own))
        pt.wait_for("the sum", lambda: "'repeated.hits': 6" in self.ask(admin, "counters"))
        self.assertIn("'repeated.level': 7", self.ask(admin, "gauges"))


class Daemon:
    """Takes lines over UDP, and says on its admin port how it is."""

    def __init__(self, case):
        self.health, self.names = "up", set()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.admin = socket.create_server(("127.0.0.1", 0))
        self.port, self.admin_port = self.udp.getsockname()[1], self.admin.getsockname()[1]
        self.largest, self.lines = 0, 0
        for target in (self.take, self.answer):
            threading.Thread(target=target, daemon=True).start()
        case.addCleanup(self.udp.close)
        case.addCleanup(self.admin.close)

    def take(self):
        while True:
            try:
                packet = self.udp.recv(65536)
            except OSError:
                return
            self.largest = max(self.largest, len(packet))
            for line in packet.decode().split("\n"):
                self.lines += 1
                self.names.add(line.split(":")[0])

    def answer(self):
        while True:
            try:
                conn, _ = self.admin.accept()
                with conn:
                    if conn.recv(100).strip() == b"health":
                        conn.sendall(f"health: {self.health}\n".encode())
            except OSError:
                if self.admin.fileno() < 0:
                    return


class Proxy(Base):
    def test_names_go_where_the_node_proxy_sends_them(self):
        daemons = [Daemon(self) for _ in range(3)]
        nodes = [{"host": "127.0.0.1", "port": d.port, "adminport": d.admin_port} for d in daemons]
        theirs, mine = [(pt.free_port(), pt.free_port()) for _ in range(2)]
        config = {"nodes": nodes, "host": "127.0.0.1", "address": "127.0.0.1", "checkInterval": 200,
                  "mgmt_address": "127.0.0.1", "forkCount": 0}
        files = []
        for name, (port, admin) in (("theirs.js", theirs), ("mine.js", mine)):
            files.append(self.file(name, json.dumps({**config, "port": port, "mgmt_port": admin})))
        self.daemon("proxy.js", files[0], theirs[1])
        own = self.file("pharos.yml", f"statsd: {{config_file: {files[1]}}}\ndoors:\n" + "".join(
            f"  {name}: {{listen: 'off'}}\n" for name in (*pt.OTHER_DOORS, "prometheus") if name != "statsd"))
        server = pt.Server(self.work / "data", config=own, doors=True)
        server.prometheus_port = None
        self.addCleanup(server.remove)
        args = ["serve", "--data", str(server.data), "-c", str(own), "--set", f"main.listen=127.0.0.1:{server.main_port}",
                "--set", "host.collect=off"]
        with open(server.log_path, "a") as log:
            server.process = subprocess.Popen([pt.BIN, *args], stdout=log, stderr=log, env=pt.clean_env())
        pt.wait_for("Pharos", server.is_ready)

        def through(port, prefix="app"):  # the Node proxy keeps names it knows with daemons that left
            names = [f"{prefix}.{i}.requests" for i in range(300)] + ["é.x", "with space", "no.colon"]
            lines = [n if n == "no.colon" else f"{n}:1|c|#a:b" for n in names]
            names, lines = (names, lines) if prefix == "app" else (names[:300], lines[:300])
            for d in daemons:
                d.names = set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for i in range(0, len(lines), 30):
                    s.sendto("\n".join(lines[i:i + 30]).encode(), ("127.0.0.1", port))
                    time.sleep(0.002)
            pt.wait_for("all names", lambda: sum(len(d.names) for d in daemons) == len(names))
            return [d.names for d in daemons]
        # A late answer may take a daemon out of the Node proxy's ring for a moment.
        before = pt.wait_for("both to send alike", lambda: (got := through(mine[0])) == through(theirs[0]) and got)
        self.assertTrue(all(len(b) > 30 for b in before))
        self.assertIn(f"127.0.0.1:{daemons[2].port}", self.ask(mine[1], "status"))
        # One that is not up any more leaves the ring, and comes back.
        daemons[2].health = "down"
        for port in (mine[1], theirs[1]):
            pt.wait_for("the ring of two", lambda: f":{daemons[2].port}" not in self.ask(port, "status"))
        tries = iter(range(100))

        def same():  # a late answer may put a daemon back into the Node proxy's ring for a moment
            prefix = f"other{next(tries)}"
            ours = through(mine[0], prefix)
            self.assertEqual(ours[2], set())
            return ours == through(theirs[0], prefix)
        pt.wait_for("both to send alike", same)
        state = {d["daemon"]: d for d in server.get("/api/pharos/v1/statsd").json()["proxy"]}
        self.assertFalse(state[f"127.0.0.1:{daemons[2].port}"]["up"])
        daemons[2].health = "up"
        for port in (mine[1], theirs[1]):
            pt.wait_for("the ring of three", lambda: f":{daemons[2].port}" in self.ask(port, "status"))
        pt.wait_for("the names of before", lambda: through(mine[0]) == before)
        # None: what is sent is refused and counted.
        for d in daemons:
            d.health = "down"
        pt.wait_for("an empty ring", lambda: self.ask(mine[1], "status").endswith("nodes: \n"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"a:1|c\nb:1|c", ("127.0.0.1", mine[0]))
        pt.wait_for("refusals", lambda: server.metric("pharos_statsd_refused_total", 'reason="no_node"') == 2)
        self.assertLessEqual(max(d.largest for d in daemons), 1432)
        server.stop()


if __name__ == "__main__":
    pt.main()
