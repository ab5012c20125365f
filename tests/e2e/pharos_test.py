"""What the end-to-end tests share: a server to start and stop, requests, remote write bodies.

    import pharos_test as pt
    class Test(pt.Case):
        def test_it(self):
            server = self.server("limits.series=10")
            server.write([({"__name__": "m"}, [(now_ms, 1.0)])])
            server.query("m")

Servers listen on free loopback ports and store in a temporary directory; they are stopped when the
test ends. Readiness is polled, never slept for. `$PHAROS_BIN` is the program.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = os.environ.get("PHAROS_BIN", str(ROOT / "build" / "pharos"))
WAIT_S = 60  # a slow machine with other work; nothing waits so long unless it is broken
# Doors besides the main and the prometheus one: closed unless a test opens them.
OTHER_DOORS = ("otlp", "otlp_grpc", "statsd", "loki", "graphite", "graphite_pickle",
               "graphite_http", "elastic", "syslog", "gelf", "forward", "lumberjack", "tempo", "zipkin", "jaeger",
               "jaeger_grpc", "jaeger_collector", "jaeger_collector_grpc", "jaeger_compact", "jaeger_binary")


def clean_env(**more):
    """Without settings that the caller's environment may hold."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PHAROS_")}
    env.update(more)
    return env


given_ports = set()


def free_port():
    """A loopback port nobody listens on, below the range that the system gives to outgoing
    connections, and never one that was given before: two doors of one server could share it."""
    while True:
        port = random.randrange(10000, 30000)
        if port in given_ports:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given_ports.add(port)
        return port


def run(*args, timeout=60, **kwargs):
    """Runs the program to its end."""
    kwargs.setdefault("env", clean_env())
    return subprocess.run([BIN, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          **kwargs)


def wait_for(what, condition, seconds=WAIT_S):
    """Polls until the condition holds and gives its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)


def request(url, method=None, body=None, headers=None, timeout=WAIT_S):
    req = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(req, timeout=timeout) as r:
            return Answer(r.status, r.headers, r.read())
    except urllib.error.HTTPError as e:
        with e:
            return Answer(e.code, e.headers, e.read())


# --- remote write 1.0 bodies, by hand: protobuf and snappy's literal-only form ---

def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    if isinstance(payload, float):
        return varint(number << 3 | 1) + struct.pack("<d", payload)
    if isinstance(payload, str):
        payload = payload.encode()
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def snappy(data):
    out = bytearray(varint(len(data)))
    for i in range(0, len(data), 60):
        chunk = data[i:i + 60]
        out.append(len(chunk) - 1 << 2)
        out += chunk
    return bytes(out)


def write_request(series, metadata=()):
    """series: [(labels dict, [(ms, value), ...], exemplars)], exemplars optional:
    [(labels dict, ms, value), ...]; metadata: [(type number, family, help, unit)]"""
    body = b""
    for labels, samples, *exemplars in series:
        ts = b"".join(field(1, field(1, n) + field(2, v)) for n, v in sorted(labels.items()))
        ts += b"".join(field(2, field(1, float(v)) + field(2, int(t))) for t, v in samples)
        for names, t, v in exemplars[0] if exemplars else ():
            e = b"".join(field(1, field(1, n) + field(2, x)) for n, x in sorted(names.items()))
            ts += field(3, e + field(2, float(v)) + field(3, int(t)))
        body += field(1, ts)
    for kind, family, help_text, unit in metadata:
        body += field(3, field(1, kind) + field(2, family) + field(4, help_text) + field(5, unit))
    return body


class Server:
    def __init__(self, data, *sets, config=None, env=None, doors=True):
        self.data = str(data)
        self.sets = list(sets)
        self.config = config
        self.env = env or {}
        self.main_port = free_port()
        self.prometheus_port = free_port() if doors else None
        self.process = None
        self.log_path = os.path.join(tempfile.gettempdir(), f"pharos-{os.getpid()}-{self.main_port}.log")

    def start(self, wait=True):
        args = [BIN, "serve", "--data", self.data]
        if self.config:
            args += ["-c", str(self.config)]
        sets = [f"main.listen=127.0.0.1:{self.main_port}", "host.collect=off"]
        sets.append(f"doors.prometheus.listen=127.0.0.1:{self.prometheus_port}"
                    if self.prometheus_port else "doors.all=off")
        sets += [f"doors.{name}.listen=off" for name in OTHER_DOORS if self.prometheus_port]
        for s in sets + self.sets:
            args += ["--set", s]
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=clean_env(**self.env))
        if wait:
            wait_for("the server to be ready", self.is_ready)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.get("/-/ready").status == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM, timeout=60):
        """Ends it; gives the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(timeout)
        return self.process.returncode if self.process else None

    def kill(self):
        return self.stop(signal.SIGKILL)

    def remove(self):
        self.kill()
        if os.path.exists(self.log_path):
            os.unlink(self.log_path)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.main_port}"

    @property
    def prometheus_url(self):
        return f"http://127.0.0.1:{self.prometheus_port}" if self.prometheus_port \
            else self.url + "/prometheus"

    def get(self, path, **kwargs):
        return request(self.url + path, **kwargs)

    def post(self, path, body=b"", **kwargs):
        return request(self.url + path, method="POST", body=body, **kwargs)

    def prom(self, path, params=(), **kwargs):
        """GET on the Prometheus API; params as dict or pairs."""
        query = urllib.parse.urlencode(params, doseq=True)
        return request(f"{self.prometheus_url}/api/v1/{path}" + ("?" + query if query else ""),
                       **kwargs)

    def query(self, text, at=None, **params):
        """The data of an instant query."""
        answer = self.prom("query", {"query": text, **({"time": at} if at else {}), **params})
        if answer.status != 200:
            raise AssertionError(f"{text}: {answer.status} {answer.text}")
        return answer.json()["data"]["result"]

    def query_range(self, text, start, end, step, **params):
        answer = self.prom("query_range", {"query": text, "start": start, "end": end, "step": step,
                                           **params})
        if answer.status != 200:
            raise AssertionError(f"{text}: {answer.status} {answer.text}")
        return answer.json()["data"]["result"]

    def write_raw(self, body, headers=None):
        base = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                "X-Prometheus-Remote-Write-Version": "0.1.0"}
        return request(self.prometheus_url + "/api/v1/write", method="POST", body=body,
                       headers={**base, **(headers or {})})

    def write(self, series, metadata=(), expect=204):
        answer = self.write_raw(snappy(write_request(series, metadata)))
        if answer.status != expect:
            raise AssertionError(f"write answered {answer.status}: {answer.text}")
        return answer

    def metric(self, name, labels=""):
        """A value of /metrics, or None."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(name) and line[len(name):len(name) + 1] in (" ", "{") \
                    and labels in line:
                return float(line.rsplit(" ", 1)[1])
        return None

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            rest = f.read().rsplit(")", 1)[1].split()
        return (int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK")


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if not os.access(BIN, os.X_OK):
            self.skipTest(f"{BIN} is not there: run `make build`, or set PHAROS_BIN")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="pharos-e2e-"))
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)

    def server(self, *sets, start=True, **kwargs):
        server = Server(kwargs.pop("data", self.work / "data"), *sets, **kwargs)
        self.addCleanup(server.remove)
        return server.start() if start else server

    def file(self, name, text):
        path = self.work / name
        path.write_text(text)
        return path


def main():
    unittest.main(verbosity=2)
