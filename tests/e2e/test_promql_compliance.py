"""The queries of Prometheus' compliance tests, asked of a real Prometheus and of Pharos over the same
data: series of the names and labels of the demo service that they are written for.

Debian's Prometheus is 2.42 and Pharos speaks 3.14. Two queries fail there and not here, on purpose: since
3.0 any UTF-8 text is the name of a label, "~invalid" too. Samples, steps and the steps of subqueries lie
so that none is ever at the left end of a window, which belongs to it no longer since 3.0.
Averages, deviations and what is extrapolated may differ in the tenth digit: sums are compensated.
"""
import itertools
import os
import pathlib
import random
import re
import unittest
import urllib.parse

import prometheus_peer
import pharos_test as pt
from test_promql_differential import LOOSE, difference

CONFORMANCE = pathlib.Path(os.environ.get(
    "PHAROS_CONFORMANCE", pathlib.Path(__file__).resolve().parents[3] / "shared" / "conformance"))
QUERIES = CONFORMANCE / "promql-compliance" / "promql-test-queries.yml"
EVERY_MS, SAMPLES = 5000, 1000

ARITHMETIC, COMPARISONS = ["+", "-", "*", "/", "%", "^"], ["==", "!=", "<", ">", "<=", ">="]
VARIANTS = {
    "range": ["1s", "15s", "1m", "5m", "15m", "1h"],
    "offset": ["1m", "5m", "10m"],
    "quantile": ["-0.5", "0.1", "0.5", "0.75", "0.95", "0.90", "0.99", "1", "1.5"],
    "simpleAggrOp": ["sum", "avg", "max", "min", "count", "stddev", "stdvar"],
    "simpleTimeAggrOp": ["sum", "avg", "max", "min", "count", "stddev", "stdvar", "absent", "last",
                         "present"],
    "topBottomOp": ["topk", "bottomk"],
    "arithBinOp": ARITHMETIC, "compBinOp": COMPARISONS, "binOp": ARITHMETIC + COMPARISONS,
    "simpleMathFunc": ["abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "round"],
    "extrapolatedRateFunc": ["delta", "rate", "increase"],
    "instantRateFunc": ["idelta", "irate"],
    "clampFunc": ["clamp_min", "clamp_max"],
    "dateFunc": ["day_of_month", "day_of_week", "days_in_month", "hour", "minute", "month", "year"],
}
UTF8_SINCE_3 = '"~invalid"'


def templates():
    """(query, should fail) of the file, which is a plain list: no YAML library is needed."""
    out = []
    for line in QUERIES.read_text().splitlines():
        query = re.match(r"\s*(?:- )?query: *(.*?) *$", line)
        if query:
            text = query.group(1)
            if text[0] == "'" == text[-1]:
                text = text[1:-1].replace("''", "'")
            elif text[0] == '"' == text[-1]:
                text = text[1:-1].replace('\\"', '"')
            out.append([text, False])
        elif re.match(r"\s*should_fail: true", line):
            out[-1][1] = True
    return out


def expand(text):
    names = sorted(set(re.findall(r"{{\.(\w+)}}", text)))
    for values in itertools.product(*(VARIANTS[n] for n in names)):
        query = text
        for name, value in zip(names, values):
            query = query.replace("{{.%s}}" % name, value)
        yield query


def make_series(rng, base_ms):
    def times():
        return [base_ms + k * EVERY_MS + 123 for k in range(SAMPLES)]

    def gauge(low, high):
        value = rng.uniform(low, high)
        for _ in range(SAMPLES):
            value = min(max(value + rng.uniform(-1, 1) * (high - low) / 50, low), high)
            yield value

    def counter(rate):
        value = 10.0 ** 6
        for k in range(SAMPLES):
            value = 10.0 if k and rng.random() < 0.002 else value + rng.expovariate(1 / rate)
            yield value

    out = []

    def add(name, values, **labels):
        out.append(({"__name__": name, "job": "demo", **labels}, list(zip(times(), values))))

    for port in 10000, 10001, 10002:
        instance = {"instance": f"demo.promlabs.com:{port}"}
        for kind in "free", "buffers", "cached", "used":
            add("demo_memory_usage_bytes", map(round, gauge(10**8, 10**10)), type=kind, **instance)
        for mode in "idle", "user", "system":
            add("demo_cpu_usage_seconds_total", counter(2), mode=mode, **instance)
        add("demo_num_cpus", [4] * SAMPLES, **instance)
        add("demo_disk_usage_bytes", gauge(10**9, 10**11), **instance)
        last = [(base_ms // 1000) + k * 5 // 317 * 317 for k in range(SAMPLES)]
        add("demo_batch_last_success_timestamp_seconds", last, **instance)
        for path in "/api/bar", "/api/foo":
            total = [10**5] * 5
            rows = {le: [] for le in ("0.001", "0.01", "0.1", "1", "+Inf")}
            for _ in range(SAMPLES):
                below = 0
                for i, le in enumerate(rows):
                    total[i] += rng.randrange(5)
                    below += total[i]
                    rows[le].append(below)
            for le, values in rows.items():
                add("demo_api_request_duration_seconds_bucket", values, le=le, path=path, **instance)
            add("demo_api_request_duration_seconds_count", rows["+Inf"], path=path, **instance)
    out.append(({"__name__": "demo_intermittent_metric", "job": "demo",
                 "instance": "demo.promlabs.com:10000"},
                [(t, k) for k, t in enumerate(times()) if k // 90 % 2]))
    return out


@unittest.skipUnless(QUERIES.exists(), f"no compliance queries at {QUERIES} (set PHAROS_CONFORMANCE)")
class Test(pt.Case):
    def test_every_query(self):
        server = self.server()
        peer = prometheus_peer.start(self)
        base_ms = prometheus_peer.now_ms() // 60000 * 60000 - SAMPLES * EVERY_MS - 60000
        prometheus_peer.write_both(server, peer, make_series(random.Random(7), base_ms))
        end = base_ms // 1000 + SAMPLES * EVERY_MS // 1000
        differences, compared, failing = [], 0, 0
        for text, should_fail in templates():
            for query in expand(text):
                for path, when in (("query", {"time": f"{end - 1000}.777"}),
                                   ("query_range", {"start": f"{end - 1803}.777",
                                                    "end": f"{end - 3}.777", "step": "10"})):
                    params = urllib.parse.urlencode({"query": query, **when})
                    ours, theirs = (pt.request(f"{url}/api/v1/{path}?{params}")
                                    for url in (server.prometheus_url, peer.url))
                    compared += 1
                    if UTF8_SINCE_3 in query:
                        self.assertEqual((ours.status, theirs.status), (200, 422), query)
                        continue
                    failing += ours.status != 200
                    what = difference(ours, theirs, LOOSE)
                    if not what and should_fail and ours.status == 200:
                        what = "does not fail"
                    if what:
                        differences.append(f"{path}: {query}\n  {what[:1000]}")
        self.assertFalse(differences, f"{len(differences)} of {compared} differ:\n"
                         + "\n".join(differences[:20]))
        self.assertGreater(compared, 1000)
        self.assertLess(failing, 40)


if __name__ == "__main__":
    unittest.main()
