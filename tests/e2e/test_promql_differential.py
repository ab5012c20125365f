"""Generated queries, asked of a real Prometheus and of Pharos over the same data: the same JSON.

Everything follows from one seed, printed with every difference (PHAROS_SEED sets another one,
PHAROS_QUERIES how many). Debian's Prometheus is 2.42 and Pharos speaks 3.14; where these two differ
on purpose the generator keeps away, and this is the whole list:

- Windows and lookback leave out their left end since 3.0. Samples lie at x.123 s, steps of subqueries
  at whole seconds and queries at x.777 s, so that no sample is ever at an end; and there are no
  subqueries in subqueries, whose steps would be.
- A dot matches a newline since 3.0: no label has one.
- Where a window begins with a gap, rate() extrapolates down to zero at most since 3.0 also when the gap
  is long: only gauges have gaps, and counters are far from zero when they begin.
- A NaN alone has no deviation since 3.0 (it was 0), and the date of NaN is what Go's conversion makes of
  it: neither is asked for where there are NaN.
- Rows that become the same by losing their name are merged when they never meet, since 3.0: a
  selector names one metric.
- predict_linear() of a range pinned by @, and timestamp() of a selector with both @ and offset, ran off
  with the steps in 2.42; in 3.14 the samples are the same ones at every step.
- Names of functions, modifiers and syntax newer than 2.42, warnings and infos: not asked for.
- The words of errors: status and errorType are compared.

Values must be the same to the last digit, except where a sum is compensated in one and not in the
other (averages, deviations, regressions, rates) or a function is the C library's here and Go's there:
these within 1e-9. What makes much of a last digit is not asked of such values: sin() has the condition
number x / tan(x), so that of a variance near 1e13, whose last digit is 1/512, no third digit is sure
(it is asked of values that are the same to the digit); nor are differences of them, remainders and
steps (floor, round, changes). To make sums exact in any order all samples are multiples of 1/64.
"""
import json
import math
import os
import random
import struct
import unittest
import urllib.parse

import pharos_test as pt
import prometheus_peer

SEED = int(os.environ.get("PHAROS_SEED", "42"))
QUERIES = int(os.environ.get("PHAROS_QUERIES", "1500"))
SAMPLES, EVERY_MS = 120, 15000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]

# How the values of an expression compare.
LOOSE, EXACT, GRID = 0, 1, 2  # within 1e-9; to the digit; that, and sums of them are exact


def make_series(rng, base_ms):
    def at(k):
        return base_ms + k * EVERY_MS + 123
    out = []

    def counter(labels, step_max):
        value = rng.randrange(10**6, 2 * 10**6)
        samples = []
        for k in range(SAMPLES):
            value = rng.randrange(3) if rng.random() < 0.02 else value + rng.randrange(step_max)
            samples.append((at(k), value))
        out.append((labels, samples))

    for job in "api", "web":
        for instance in "a", "b", "c":
            for code in "200", "500":
                counter({"__name__": "requests_total", "job": job, "instance": instance,
                         "code": code}, 500)
        out.append(({"__name__": "build", "job": job, "version": f"1.{len(job + job)}"},
                    [(at(k), 1) for k in range(SAMPLES)]))
        total = [10**6] * 4
        buckets = {le: [] for le in ("0.1", "0.5", "2", "+Inf")}
        for k in range(SAMPLES):
            below = 0
            for i, le in enumerate(buckets):
                total[i] += rng.randrange(8)
                below += total[i]
                buckets[le].append((at(k), below))
        for le, samples in buckets.items():
            out.append(({"__name__": "latency_bucket", "job": job, "le": le}, samples))
    for i, room in enumerate(("attic", "cellar", "hall", "kitchen", "study")):
        samples, value = [], rng.randrange(-2000, 2000)
        for k in range(SAMPLES):
            value += rng.randrange(-64, 65)
            # The sixth digit tells series apart: nothing depends on how ties are broken.
            if not (i > 2 and k % 50 > 20 + 5 * i) and rng.random() > 0.03:
                samples.append((at(k), value + i / 64))
            elif i == 3 and rng.random() < 0.3:
                samples.append((at(k), STALE))
        out.append(({"__name__": "temperature", "room": room, "floor": str(i % 2)}, samples))
    for i, instance in enumerate("ab"):
        out.append(({"__name__": "flaky", "instance": instance, "job": "api"},
                    [(at(k), math.nan if rng.random() < 0.1 else rng.randrange(50) + i / 64)
                     for k in range(SAMPLES)]))
    return out


class Generator:
    """Texts of expressions with how their values compare."""
    METRICS = {
        "requests_total": {"job": ["api", "web"], "instance": ["a", "b", "c"],
                           "code": ["200", "500"]},
        "temperature": {"room": ["attic", "hall", "kitchen", "none"], "floor": ["0", "1"]},
        "flaky": {"instance": ["a", "b"], "job": ["api"]},
        "build": {"job": ["api", "web"]},
        "latency_bucket": {"job": ["api", "web"], "le": ["0.5", "+Inf"]},
    }
    RANGES = ["1m", "90s", "5m", "11m"]
    WINDOWS = {
        "last_over_time": GRID, "min_over_time": GRID, "max_over_time": GRID,
        "sum_over_time": GRID, "count_over_time": GRID, "present_over_time": GRID,
        "changes": GRID, "resets": GRID, "idelta": GRID, "avg_over_time": LOOSE,
        "stddev_over_time": LOOSE, "stdvar_over_time": LOOSE, "delta": LOOSE, "deriv": LOOSE,
        "quantile_over_time": LOOSE, "predict_linear": LOOSE, "rate": LOOSE, "increase": LOOSE,
        "irate": LOOSE,
    }
    MATH = {"abs": GRID, "ceil": GRID, "floor": GRID, "sgn": GRID, "round": GRID, "sqrt": EXACT,
            "exp": LOOSE, "ln": LOOSE, "log2": LOOSE, "sin": LOOSE, "atan": LOOSE, "deg": LOOSE,
            "hour": GRID, "minute": GRID, "day_of_week": GRID, "days_in_month": GRID}
    DATES = ("hour", "minute", "day_of_week", "days_in_month")
    AGGREGATES = {"sum": GRID, "count": GRID, "min": GRID, "max": GRID, "group": GRID,
                  "avg": LOOSE, "stddev": LOOSE, "stdvar": LOOSE}

    def __init__(self, rng, base_s):
        self.rng = rng
        self.base_s = base_s

    def metric(self):
        return self.rng.choice(list(self.METRICS))

    def labels(self, metric):
        names = list(self.METRICS[metric])
        return self.rng.sample(names, self.rng.randrange(len(names) + 1))

    def matchers(self, metric):
        parts = []
        for name in self.labels(metric)[:1 + (self.rng.random() < 0.3)]:
            if self.rng.random() < 0.5:
                continue
            value = self.rng.choice(self.METRICS[metric][name])
            parts.append(self.rng.choice([
                f'{name}="{value}"', f'{name}!="{value}"', f'{name}=~"{value[:1]}.*"'.replace(
                    '"+.*"', '".+"'), f'{name}!~"{value[:1]}.+"'.replace('"+.+"', '"x"'),
                f'{name}=~"{value}|zzz"'.replace("+Inf", ".Inf"), f'nothing=""']))
        return "{" + ",".join(parts) + "}" if parts else ""

    def times(self):
        r = self.rng.random()
        if r < 0.7:
            return ""
        offset = " offset " + self.rng.choice(["30s", "2m", "-1m", "7m"])
        at = " @ " + self.rng.choice(
            ["start()", "end()", f"{self.base_s + self.rng.randrange(300, 1700)}.777"])
        return offset if r < 0.85 else at if r < 0.95 else at + offset

    def window(self, depth, metric=None):
        """A function over a range or subquery."""
        name = self.rng.choice(list(self.WINDOWS))
        metric = metric or self.metric()
        level = self.WINDOWS[name]
        if name in ("rate", "increase", "irate"):
            metric = metric if metric.endswith(("total", "bucket")) else "requests_total"
        subquery = depth and self.rng.random() < 0.25
        when = self.times() if name != "predict_linear" else ""
        if subquery:
            inner, inner_level = self.vector(depth - 1, metric)
        if subquery and ":" not in inner:
            if name in ("rate", "increase"):  # made of gauges too, where gaps matter
                name = "delta"
            step = self.rng.choice(["", "20s", "1m", "45s"])
            text = f"({inner})[{self.rng.choice(self.RANGES)}:{step}]{when}"
            if name in ("changes", "resets") and inner_level == LOOSE:
                name, level = "count_over_time", GRID
            level = min(level, inner_level) if name != "count_over_time" else GRID
            if inner_level == EXACT and name in ("sum_over_time", "idelta"):
                level = LOOSE
        else:
            text = f"{metric}{self.matchers(metric)}[{self.rng.choice(self.RANGES)}]{when}"
        if name == "quantile_over_time":
            return f"{name}({self.rng.choice(['0.1', '0.5', '0.99', '1.5'])}, {text})", level
        if name == "predict_linear":
            return f"{name}({text}, {self.rng.choice(['60', '-100'])})", level
        return f"{name}({text})", level

    def aggregate(self, depth, metric):
        inner, level = self.vector(depth - 1, metric)
        how = ""
        if self.rng.random() < 0.7:
            how = f" {self.rng.choice(['by', 'without'])} ({', '.join(self.labels(metric))}) "
        name = self.rng.choice(list(self.AGGREGATES) + ["topk", "bottomk", "quantile",
                                                         "count_values"])
        if name in ("stddev", "stdvar"):  # of samples that are numbers
            metric = metric if metric != "flaky" else "temperature"
            inner, level = f"{metric}{self.matchers(metric)}{self.times()}", GRID
        if name in ("topk", "bottomk"):
            # Only of plain samples: these differ from each other, and in both the same.
            return f"{name}{how}({self.rng.randrange(1, 4)}, temperature{self.times()})", GRID
        if name == "quantile":
            return f"{name}{how}({self.rng.choice(['0', '0.3', '0.5', '1'])}, {inner})", LOOSE
        if name == "count_values":
            if level == LOOSE:
                inner, level = f"{metric}{self.matchers(metric)}", GRID
            return f'{name}{how}("v", {inner})', GRID
        own = self.AGGREGATES[name]
        if name in ("count", "group"):
            return f"{name}{how}({inner})", GRID
        if name == "sum" and level != GRID:
            own = LOOSE
        return f"{name}{how}({inner})", min(own, level)

    def binary(self, depth, metric):
        left, a = self.vector(depth - 1, metric)
        kind = self.rng.random()
        compare = self.rng.choice(["==", "!=", ">", "<", ">=", "<="])
        arithmetic = self.rng.choice(["+", "-", "*", "/", "%", "+", "-"])
        bare = f"{metric}{self.matchers(metric)}{self.times()}"
        if kind < 0.25:
            number = self.rng.choice(["2", "0.5", "-3", "1e3"])
            level = min(a, GRID if arithmetic in "+-" else EXACT)
            if arithmetic == "%" and a == LOOSE:
                arithmetic = "+"
            pair = (left, number) if self.rng.random() < 0.5 else (number, left)
            return f"{pair[0]} {arithmetic} {pair[1]}", level
        if kind < 0.4:
            flag = self.rng.choice(["", "bool "])
            return f"{bare} {compare} {flag}{self.rng.choice(['0', '10', '1.5', '-5'])}", GRID
        if kind < 0.55:
            right, b = self.vector(depth - 1, metric)
            op = self.rng.choice(["and", "or", "unless"])
            labels = self.labels(metric)
            how = self.rng.choice(["", f" on ({', '.join(labels)})",
                                   f" ignoring ({', '.join(labels)})"])
            return f"({left}) {op}{how} ({right})", min(a, b)
        if kind < 0.75:
            right, b = self.vector(depth - 1, metric)
            if arithmetic == "%" and min(a, b) == LOOSE:
                arithmetic = "-"
            # What nearly cancels says nothing about 1e-9.
            if arithmetic == "-" and min(a, b) == LOOSE:
                arithmetic = "*"
            level = min(a, b, GRID if arithmetic in "+-" else EXACT)
            if arithmetic == "+" and min(a, b) == LOOSE:
                arithmetic = "*"
            return f"({left}) {arithmetic} ({right})", level
        if kind < 0.85:
            return f"requests_total * on (job) group_left (version) build{self.times()}", EXACT
        if kind < 0.92:
            return f"build / on (job) group_right () latency_bucket{self.times()}", EXACT
        by = self.rng.choice(["job", "instance", "code", "room", "le"])
        return (f"sum by ({by}) ({bare}) {arithmetic} on ({by}) "
                f"{self.rng.choice(['count', 'max', 'min'])} by ({by}) ({metric})"), EXACT

    def call(self, depth, metric):
        inner, level = self.vector(depth - 1, metric)
        which = self.rng.randrange(8)
        if which == 0:
            return f"clamp({inner}, -2, {self.rng.choice(['3', '-9'])})", level
        if which == 1:
            return f'label_replace({inner}, "x", "$1-y", "{self.rng.choice(["job", "room"])}", ' \
                   f'"({self.rng.choice(["a", "."])}.*)")', level
        if which == 2:
            return f'label_join({inner}, "x", "/", "job", "instance", "nothing")', level
        if which == 3:
            return f"absent({inner})", GRID
        if which == 4:
            return f"absent_over_time({metric}{self.matchers(metric)}[{self.rng.choice(self.RANGES)}])", \
                GRID
        if which == 5:
            return f"timestamp({metric}{self.matchers(metric)}{self.times().split(' offset ')[0]})", \
                EXACT
        if which == 6:
            by = self.rng.choice(["le", "job, le"])
            return (f"histogram_quantile({self.rng.choice(['0.1', '0.5', '0.9', '1.2'])}, "
                    f"sum by ({by}) (rate(latency_bucket[{self.rng.choice(self.RANGES)}])))"), LOOSE
        return f"scalar({inner}) + vector(time())", LOOSE

    def vector(self, depth, metric=None):
        metric = metric or self.metric()
        r = self.rng.random()
        if depth <= 0 or r < 0.12:
            return f"{metric}{self.matchers(metric)}{self.times()}", GRID
        if r < 0.37:
            return self.window(depth, metric)
        if r < 0.62:
            return self.aggregate(depth, metric)
        if r < 0.8:
            return self.binary(depth, metric)
        if r < 0.9:
            name = self.rng.choice(list(self.MATH))
            inner, level = self.vector(depth - 1, metric)
            if self.MATH[name] == GRID and level == LOOSE and name != "abs":
                name = "sqrt"  # steps would make much of little
            if name == "sin" and level == LOOSE:
                name = "atan"
            if name in self.DATES:
                return f"{name}(requests_total{self.times()})", GRID
            return f"{name}({inner})", min(level, self.MATH[name])
        if r < 0.93:
            inner, level = self.vector(depth - 1, metric)
            return f"-({inner})", level
        return self.call(depth, metric)


def same_number(a, b, level):
    if a == b or level != LOOSE:
        return a == b
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9)


def key(row):
    return json.dumps(row["metric"], sort_keys=True)


def difference(ours, theirs, level):
    """None when the answers are the same, else what is not."""
    if ours.status != theirs.status:
        return f"status {ours.status}, not {theirs.status}: {ours.text[:300]} / {theirs.text[:300]}"
    a, b = ours.json(), theirs.json()
    if ours.status != 200:
        return None if a["errorType"] == b["errorType"] else f"{a} / {b}"
    a, b = a["data"], b["data"]
    if a["resultType"] != b["resultType"]:
        return f"{a['resultType']}, not {b['resultType']}"
    if a["resultType"] == "scalar":
        a, b = ({"result": [{"metric": {}, "value": r["result"]}]} for r in (a, b))
    rows_a, rows_b = sorted(a["result"], key=key), sorted(b["result"], key=key)
    if [key(r) for r in rows_a] != [key(r) for r in rows_b]:
        return f"series {[key(r) for r in rows_a]}\nnot    {[key(r) for r in rows_b]}"
    for p, q in zip(rows_a, rows_b):
        p_points = p.get("values") or [p["value"]]
        q_points = q.get("values") or [q["value"]]
        if [t for t, _ in p_points] != [t for t, _ in q_points]:
            return f"{key(p)}: times {[t for t, _ in p_points]}\nnot {[t for t, _ in q_points]}"
        for (t, v), (_, w) in zip(p_points, q_points):
            if not same_number(v, w, level):
                return f"{key(p)} at {t}: {v}, not {w}"
    return None


class Test(pt.Case):
    def test_generated_queries(self):
        rng = random.Random(SEED)
        server = self.server()
        peer = prometheus_peer.start(self)
        base_ms = prometheus_peer.now_ms() // 60000 * 60000 - 35 * 60000
        base_s = base_ms // 1000
        prometheus_peer.write_both(server, peer, make_series(rng, base_ms))
        generator = Generator(rng, base_s)
        differences, compared, refused, empty = [], 0, 0, 0

        def compare(text, level, path, **params):
            nonlocal compared, refused, empty
            query = urllib.parse.urlencode({"query": text, **params})
            ours, theirs = (pt.request(f"{url}/api/v1/{path}?{query}")
                            for url in (server.prometheus_url, peer.url))
            compared += 1
            refused += ours.status != 200
            empty += ours.status == 200 and not ours.json()["data"]["result"]
            what = difference(ours, theirs, level)
            if what:
                differences.append(f"seed {SEED}: {text}\n  {path} {params}\n  {what}")

        for i in range(QUERIES):
            text, level = generator.vector(1 + i % 3)
            compare(text, level, "query", time=f"{base_s + rng.randrange(60, 2000)}.777")
            step = rng.choice([7, 30, 61, 300])
            start = base_s + rng.randrange(0, 900)
            compare(text, level, "query_range", start=f"{start}.777",
                    end=f"{start + step * rng.randrange(1, 25)}.777", step=step)
        self.assertFalse(differences, f"{len(differences)} of {compared} differ:\n"
                         + "\n".join(differences[:10]))
        # Errors and empty answers are the same easily: most must be neither.
        self.assertLess(refused, compared / 5)
        self.assertLess(empty, compared / 3)


if __name__ == "__main__":
    unittest.main()
