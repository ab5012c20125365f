"""A real Prometheus beside Pharos, holding the same data: both take the same remote-write bodies.

    peer = prometheus_peer.start(self)
    prometheus_peer.write_both(server, peer, series)
"""
import shutil
import struct
import subprocess
import time

import pharos_test as pt


class Peer:
    def __init__(self, url):
        self.url = url


def start(case, config="", *flags):
    """Skips the test when there is no Prometheus. `config` is the text of its configuration."""
    program = shutil.which("prometheus")
    if not program:
        case.skipTest("prometheus is not installed")
    port = pt.free_port()
    path = case.file(f"prometheus-{port}.yml", config or "global: {}\n")
    log = open(case.work / f"prometheus-{port}.log", "w")
    process = subprocess.Popen(
        [program, f"--config.file={path}", f"--storage.tsdb.path={case.work / f'tsdb-{port}'}",
         f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
         "--enable-feature=native-histograms,exemplar-storage", *flags], stdout=log, stderr=log)
    case.addCleanup(lambda: (process.kill(), process.wait(), log.close()))
    url = f"http://127.0.0.1:{port}"

    def ready():
        assert process.poll() is None, (case.work / f"prometheus-{port}.log").read_text()
        try:
            return pt.request(url + "/-/ready").status == 200
        except OSError:
            return False
    pt.wait_for("Prometheus", ready)
    return Peer(url)


def zigzag(n):
    return n << 1 ^ n >> 63


def histogram(ms, count, total, schema, zero, spans, buckets, zero_threshold=0.001, hint=0):
    """A native histogram of remote write: positive spans (offset, length), and the buckets: floats
    are counts, integers differences to the bucket before."""
    floats = isinstance(count, float)
    body = pt.field(2 if floats else 1, count) + pt.field(3, float(total))
    body += pt.field(4, zigzag(schema)) + pt.field(5, float(zero_threshold))
    body += pt.field(7 if floats else 6, zero)
    for offset, length in spans:
        body += pt.field(11, pt.field(1, zigzag(offset)) + pt.field(2, length))
    if floats:
        body += pt.field(13, b"".join(struct.pack("<d", b) for b in buckets))
    else:
        body += pt.field(12, b"".join(pt.varint(zigzag(b)) for b in buckets))
    return body + pt.field(14, hint) + pt.field(15, ms)


def write_histograms(url, labels, histograms):
    ts = b"".join(pt.field(1, pt.field(1, n) + pt.field(2, v)) for n, v in sorted(labels.items()))
    ts += b"".join(pt.field(4, h) for h in histograms)
    return post(url, pt.field(1, ts))


def post(url, body):
    answer = pt.request(url + "/api/v1/write", method="POST", body=pt.snappy(body), headers={
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0"})
    assert answer.status // 100 == 2, f"{url}: {answer.status} {answer.text}"


def write_both(server, peer, series):
    for url in (server.prometheus_url, peer.url):
        post(url, pt.write_request(series))


def write_histograms_both(server, peer, labels, histograms):
    for url in (server.prometheus_url, peer.url):
        write_histograms(url, labels, histograms)


def now_ms():
    """A whole second."""
    return int(time.time()) * 1000
