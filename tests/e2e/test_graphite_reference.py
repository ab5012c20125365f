"""The same points into Debian's Graphite and into Pharos; find and render of every function compared.

A difference is either a failure or has its reason in EXPECTED."""
import math
import pathlib
import random
import re
import socket
import time
import unittest
import urllib.parse

import graphite_reference
import png
import pharos_test as pt

NOW = int(time.time()) // 60 * 60 - 120
POINTS = 200

# What differs on purpose, by the function's name; docs/graphite.md has the reasons.
MOVING = "master's windows end with the current point, those of 1.1.8 with the one before"
NEWER = "graphite-web 1.1.8 does not have it yet; master does"
EXPECTED = {
    **{f: MOVING for f in ("movingAverage", "movingMedian", "movingSum", "movingMin", "movingMax", "movingWindow")},
    **{f: NEWER for f in ("compressPeriodicGaps", "lower", "upper")},
    "randomWalk": "random", "randomWalkFunction": "random",
    "groupByTags": "the reference has no tag database here", "seriesByTag": "the same",
    "events": "the reference's events are in its own database",
}

S, ALL, A, B = "s.web1.cpu", "s.*.cpu", "s.*.cpu", "s.*.mem"
TARGETS = {
    "aggregate": [f"aggregate({ALL},'{f}')" for f in ("average", "median", "sum", "min", "max", "diff", "stddev",
                                                      "count", "range", "multiply", "last", "sumSeries", "avg_zero")]
    + [f"aggregate({ALL},'sum',0.9)"],
    "aggregateSeriesLists": [f"aggregateSeriesLists({A},{B},'max')"],
    "aggregateWithWildcards": [f"aggregateWithWildcards(s.*.*,'sum',1)"],
    "applyByNode": ["applyByNode(s.*.cpu,1,'divideSeries(%.cpu,sumSeries(%.*))','% share')"],
    "asPercent": [f"asPercent({A})", f"asPercent({A},1500)", f"asPercent({A},{S})", f"asPercent({A},{B})",
                  "asPercent(s.*.*,None,1)", "asPercent(s.*.cpu,s.web[12].mem,1)"],
    "averageSeries": [f"averageSeries({ALL})"], "avg": [f"avg({ALL},{B})"],
    "averageSeriesWithWildcards": ["averageSeriesWithWildcards(s.*.*,1)"],
    "countSeries": [f"countSeries({ALL})"],
    "diffSeries": [f"diffSeries({ALL})"], "diffSeriesLists": [f"diffSeriesLists({A},{B})"],
    "divideSeries": [f"divideSeries({A},{S})", f"divideSeries({A},missing.such)"],
    "divideSeriesLists": [f"divideSeriesLists({A},{B})"],
    "group": [f"group({A},{B})"],
    "groupByNode": ["groupByNode(s.*.*,1,'sum')", "groupByNode(s.*.*,-1,'averageSeries')", "groupByNode(s.*.*,2)"],
    "groupByNodes": ["groupByNodes(s.*.*,'max',2,0)"],
    "maxSeries": [f"maxSeries({ALL})"], "minSeries": [f"minSeries({ALL})"],
    "multiplySeries": [f"multiplySeries({ALL})", f"multiplySeries({S})"],
    "multiplySeriesLists": [f"multiplySeriesLists({A},{B})"],
    "multiplySeriesWithWildcards": ["multiplySeriesWithWildcards(s.*.*,1)"],
    "pct": [f"pct({A})"],
    "percentileOfSeries": [f"percentileOfSeries({ALL},50)", f"percentileOfSeries({ALL},95,true)"],
    "powSeries": ["powSeries(s.web1.small,s.web2.small)"],
    "rangeOfSeries": [f"rangeOfSeries({ALL})"],
    "reduce": ["reduce(map(s.*.*,1),'divideSeries',2,'cpu','mem')"],
    "reduceSeries": ["reduceSeries(mapSeries(s.*.*,1),'asPercent',2,'cpu','mem')"],
    "stddevSeries": [f"stddevSeries({ALL})"], "sum": [f"sum({ALL})"], "sumSeries": [f"sumSeries({ALL},{B})"],
    "sumSeriesLists": [f"sumSeriesLists({A},{B})"],
    "sumSeriesWithWildcards": ["sumSeriesWithWildcards(s.*.*,1)", "sumSeriesWithWildcards(s.*.*,0,2)"],
    "weightedAverage": [f"weightedAverage({A},{B},1)"],
    **{f: [f"{f}({ALL})"] for f in (
        "absolute", "derivative", "integral", "invert", "isNonNull", "minMax", "nonNegativeDerivative",
        "offsetToZero", "perSecond", "squareRoot", "changed", "cumulative", "sortByMaxima",
        "sortByMinima", "sortByTotal", "aliasByMetric", "drawAsInfinite", "secondYAxis", "stacked", "sortByName")},
    "exp": ["exp(s.*.small)"], "logit": ["logit(s.*.small)"], "sigmoid": ["sigmoid(s.*.small)"],
    "add": [f"add({S},10)", f"add({S},-1.5)"], "offset": [f"offset({S},2.5)"], "scale": [f"scale({S},0.25)"],
    "pow": [f"pow({S},2)", f"pow({S},0.5)"], "round": [f"round({S},1)", f"round({S})", f"round({S},-1)"],
    "scaleToSeconds": [f"scaleToSeconds({S},1)"], "log": [f"log({S})", f"log({S},2)"],
    "delay": [f"delay({S},3)", f"delay({S},-2)"],
    "hitcount": [f"hitcount({S},'5min')", f"hitcount({S},'7min',true)", f"hitcount({S},'1h')"],
    "integralByInterval": [f"integralByInterval({S},'10min')"],
    "interpolate": ["interpolate(s.*.gaps)", "interpolate(s.*.gaps,2)"],
    "keepLastValue": ["keepLastValue(s.*.gaps)", "keepLastValue(s.*.gaps,2)"],
    "sin": ["sin('x',2,30)"], "sinFunction": ["sinFunction('x')"], "time": ["time('t')"],
    "timeFunction": ["timeFunction('t',30)"], "identity": ["identity('i')"],
    "smartSummarize": [f"smartSummarize({S},'10min','max')", f"smartSummarize({S},'5min','sum','hours')"],
    "summarize": [f"summarize({S},'5min')", f"summarize({S},'7min','avg')", f"summarize({S},'5min','last',true)",
                  "summarize(s.*.gaps,'5min','count')"],
    "timeShift": [f"timeShift({S},'10min')", f"timeShift({S},'-1h',false)"],
    "timeSlice": [f"timeSlice({S},'{NOW - 3000}','{NOW - 600}')"],
    "timeStack": [f"timeStack({S},'10min',0,3)"],
    "transformNull": ["transformNull(s.*.gaps)", "transformNull(s.*.gaps,-1)", "transformNull(s.web1.gaps,5,s.web1.cpu)"],
    "nonNegativeDerivative ": ["nonNegativeDerivative(s.*.count,1000)", "perSecond(s.*.count)",
                               "perSecond(s.*.count,1000,3)"],
    "aggregateLine": [f"aggregateLine({ALL})", f"aggregateLine({S},'max',true)"],
    "exponentialMovingAverage": [f"exponentialMovingAverage({S},10)", f"exponentialMovingAverage({S},'5min')"],
    **{f: [f"{f}({S},bootstrapInterval='1h',seasonality='10min')"] for f in (
        "holtWintersAberration", "holtWintersConfidenceArea", "holtWintersConfidenceBands", "holtWintersForecast")},
    "linearRegression": [f"linearRegression({S})", f"linearRegression({S},'{NOW - 3000}','{NOW - 600}')"],
    "movingAverage": [], "movingMax": [], "movingMedian": [], "movingMin": [], "movingSum": [], "movingWindow": [],
    "nPercentile": [f"nPercentile({ALL},90)"], "stdev": [f"stdev({S},5)", "stdev(s.*.gaps,5,0.5)"],
    **{f: [f"{f}({ALL},{n})" for n in (150, 500)] for f in (
        "averageAbove", "averageBelow", "currentAbove", "currentBelow", "maximumAbove", "maximumBelow",
        "minimumAbove", "minimumBelow")},
    "averageOutsidePercentile": [f"averageOutsidePercentile(s.*.*,30)"],
    "exclude": ["exclude(s.*.*,'web[12]')"], "grep": ["grep(s.*.*,'cpu$')"],
    "filterSeries": [f"filterSeries({ALL},'max','>',500)", f"filterSeries({ALL},'last','<=',300)"],
    "highest": [f"highest({ALL},2,'max')", f"highest({ALL})"], "lowest": [f"lowest({ALL},2)"],
    **{f: [f"{f}({ALL},2)"] for f in ("highestAverage", "highestCurrent", "highestMax", "lowestAverage",
                                      "lowestCurrent", "limit", "mostDeviant")},
    "removeBetweenPercentile": [f"removeBetweenPercentile({ALL},30)"],
    "removeEmptySeries": ["removeEmptySeries(s.*.gaps,0.5)", "removeEmptySeries(s.*.*)"],
    "unique": [f"unique({ALL},{S})"],
    "useSeriesAbove": [f"useSeriesAbove({ALL},500,'cpu','mem')"],
    **{f: [f"{f}({ALL},{n})"] for f, n in (("removeAbovePercentile", 60), ("removeBelowPercentile", 40),
                                           ("removeAboveValue", 300), ("removeBelowValue", 300))},
    "sortBy": [f"sortBy({ALL},'max',true)", f"sortBy({ALL})"], "sortByName ": [f"sortByName({ALL},true,true)"],
    "alias": [f"alias({S},'a name')"], "aliasByNode": ["aliasByNode(scale(s.*.cpu,2),1)", "aliasByNode(s.*.*,-1,1)"],
    "aliasByTags": [f"aliasByTags({ALL},1)"],
    "aliasQuery": [f"aliasQuery({ALL},'cpu','mem','mem is %g')"],
    "aliasSub": [f"aliasSub({ALL},'s.(web.).*','\\1 again')"],
    "legendValue": [f"legendValue({ALL},'max','last')", f"legendValue({ALL},'max','si')"],
    "alpha": [f"alpha({S},0.5)"], "areaBetween": ["areaBetween(s.web[12].cpu)"], "color": [f"color({S},'red')"],
    "dashed": [f"dashed({S})", f"dashed({S},2)"], "lineWidth": [f"lineWidth({S},2)"],
    "threshold": ["threshold(12.5,'limit','red')"], "verticalLine": [f"verticalLine('{NOW - 600}','here')"],
    "cactiStyle": [f"cactiStyle({ALL})", f"cactiStyle({ALL},'si','b')"],
    "consolidateBy": [f"consolidateBy({ALL},'max')"], "constantLine": ["constantLine(5)", "constantLine(1.25)"],
    "fallbackSeries": [f"fallbackSeries(missing.such,constantLine(3))", f"fallbackSeries({S},constantLine(3))"],
    "setXFilesFactor": ["summarize(setXFilesFactor(s.*.gaps,0.9),'5min')"],
    "xFilesFactor": ["sumSeries(xFilesFactor(s.*.gaps,0.9))"],
    "substr": [f"substr({ALL},1)", f"substr(scale({S},2),0,-1)"],
    "template": ["template(scale($x.web1.cpu,$y),x='s',y=3)", "template(s.$1.cpu,'web2')"],
    "pipes": [f"{ALL}|scale(2)|sumSeries()"],
    "globs": ["s.web[1-2].{cpu,mem}", "s.*.c?u", "*.web1.*"],
    "steps": ["sumSeries(s.web1.cpu,slow.web1.cpu)", "divideSeries(slow.web1.cpu,s.web1.cpu)"],
}


def points():
    random.seed(7)
    lines = []
    for h in (1, 2, 3, 10):
        count = 0
        for i in range(POINTS):
            t = NOW - 60 * (POINTS - 1 - i)
            count = 0 if i % 50 == 49 else count + random.randrange(40)
            rows = {"cpu": h * 100 + 50 * math.sin(i / 7) + random.random() * 10, "mem": h * 200 + i,
                    "small": random.random() * .9 + .05, "count": count}
            if random.random() < .6 and i % 37 > 6:
                rows["gaps"] = i * h
            lines += [f"s.web{h}.{k} {v!r} {t}\n" for k, v in rows.items()]
            if t % 300 == 0:
                lines.append(f"slow.web{h}.cpu {rows['cpu']!r} {t}\n")
    return "".join(lines).encode()


def same(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=2e-6)


SCHEMAS = """[rolled]
pattern = ^roll\\.
retentions = 60s:1h,5m:6h,15m:2d
[slow]
pattern = ^slow
retentions = 300s:1d
[all]
pattern = .*
retentions = 60s:1d
"""
AGGREGATION = """[max]
pattern = \\.max$
xFilesFactor = 0.1
aggregationMethod = max
[sum]
pattern = \\.sum$
xFilesFactor = 0
aggregationMethod = sum
[last]
pattern = \\.last$
xFilesFactor = 0.7
aggregationMethod = last
[zero]
pattern = \\.zero$
xFilesFactor = 0
aggregationMethod = avg_zero
[default]
pattern = .*
xFilesFactor = 0.5
aggregationMethod = average
"""
ROLLED = {"max": (.1, "max"), "sum": (0, "sum"), "last": (.7, "last"), "zero": (0, "avg_zero"), "avg": (.5, "average")}


def rolled_points():
    """{name: [[ts, value]]} over a day, with gaps that reach every archive's xFilesFactor."""
    random.seed(11)
    series = {name: [] for name in ROLLED}
    for i in range(1440):
        share = (1, .9, .55, .3, 0)[i // 37 % 5]
        for points in series.values():
            if random.random() < share:
                points.append([NOW - 60 * (1439 - i), round(random.random() * 100, 3)])
    return series


PICTURES = [  # the same pixel by pixel
    "target=s.*.cpu&title=CPU+load&vtitle=percent", "target=s.*.mem&areaMode=stacked&lineMode=staircase",
    "target=color(s.web1.cpu,'red')&target=dashed(s.web2.cpu)&target=secondYAxis(s.web1.mem)&"
    "target=threshold(200,'limit','orange')&vtitle=left&vtitleRight=right&rightWidth=2",
    "target=s.*.gaps&lineMode=connected&yMin=0&yMax=900", "target=s.*.gaps&drawNullAsZero=true&colorList=blue,%23ff0000",
    "target=cactiStyle(s.*.cpu)&width=420&bgcolor=black&fgcolor=white&fontSize=8", "target=s.*.mem&logBase=10&minorY=3",
    "target=s.*.mem&graphType=pie&title=Memory", "target=a:1&target=b:2.5&graphType=pie&valueLabels=number&valueLabelsMin=0",
    "target=s.*.cpu&graphOnly=true", "target=s.*.cpu&hideLegend=1&hideAxes=1", "target=s.*.cpu&hideGrid=true&hideYAxis=1",
    "target=drawAsInfinite(s.web1.count)&target=stacked(s.*.small)", "target=s.*.cpu&yAxisSide=right&yUnitSystem=binary",
    "target=areaBetween(s.web[12].cpu)&target=alpha(s.web3.cpu,0.4)&areaAlpha=0.3&tz=Asia/Kathmandu", "target=none.such",
    "target=s.*.cpu&areaMode=first&lineWidth=3&majorGridLineColor=gold&margin=20&xFormat=%25H", "target=s.web1.cpu&yStep=17",
    "target=alias(scale(s.web1.mem,1000000),'mega')&yDivisors=3&uniqueLegend=1&fontBold=1", "target=lineWidth(slow.web1.cpu,4)&minXStep=5",
]


TEMPLATES = pathlib.Path("/usr/share/doc/graphite-web/examples/graphTemplates.conf.example")


def template_pictures():
    """One of each template of graphite-web's example; none where the package's documents are not installed."""
    if not TEMPLATES.exists():
        print("no", TEMPLATES, "to compare templates with")
        return []
    names = [line[1:-1] for line in TEMPLATES.read_text().splitlines() if line.startswith("[")]
    return [f"target=s.*.cpu&target=s.*.mem&title=T&template={name}" for name in names]


class Test(pt.Case):
    def render(self, get, target, start, end, **more):
        q = urllib.parse.urlencode({"target": target, "from": start, "until": end, "format": "json", **more})
        answer = get("/render?" + q)
        if answer.status != 200:
            return f"status {answer.status}: {answer.text[-300:]}"
        return answer.json()

    def difference(self, want, got):
        if isinstance(want, str) or isinstance(got, str):
            return None if isinstance(want, str) and isinstance(got, str) else f"{str(want)[:300]} / {str(got)[:300]}"
        if [s["target"] for s in want] != [s["target"] for s in got]:
            return f"names {[s['target'] for s in want]} / {[s['target'] for s in got]}"
        for w, g in zip(want, got):
            if [p[1] for p in w["datapoints"]] != [p[1] for p in g["datapoints"]]:
                return f"times of {w['target']}: {[p[1] - NOW for p in w['datapoints']][:4]}.. of " \
                       f"{len(w['datapoints'])} / {[p[1] - NOW for p in g['datapoints']][:4]}.. of {len(g['datapoints'])}"
            for p, q in zip(w["datapoints"], g["datapoints"]):
                if not same(p[0], q[0]):
                    return f"{w['target']} at {p[1] - NOW}: {p[0]} / {q[0]}"
            if w["tags"] != g["tags"]:
                return f"tags of {w['target']}: {w['tags']} / {g['tags']}"
        return None

    def test_everything(self):
        if not graphite_reference.is_installed():
            self.skipTest("needs the packages graphite-carbon and graphite-web")
        ref = graphite_reference.Reference(self.work, SCHEMAS, AGGREGATION)
        self.addCleanup(ref.stop)
        ref.start()
        line, http = pt.free_port(), pt.free_port()
        self.server(f"doors.graphite.listen=127.0.0.1:{line}", f"doors.graphite_http.listen=127.0.0.1:{http}",
                    "telemetry.interval=1h", f"graphite.schemas_file={ref.dir}/storage-schemas.conf",
                    f"graphite.aggregation_file={ref.dir}/storage-aggregation.conf")
        data, rolled = points(), rolled_points()
        archives = [[60, 60], [300, 72], [900, 192]]
        graphite_reference.make_whisper([[f"{ref.dir}/whisper/roll/{name}.wsp", archives, xff, method, rolled[name]]
                                         for name, (xff, method) in ROLLED.items()])
        ref.send(data)
        with socket.create_connection(("127.0.0.1", line)) as s:
            s.sendall(data + "".join(f"roll.{name} {v} {t}\n" for name, points in rolled.items()
                                     for t, v in points).encode())
        get = lambda path: pt.request(f"http://127.0.0.1:{http}{path}")
        start, end = NOW - 3600, NOW
        for side in (ref.get, get):
            pt.wait_for("all points", lambda: [p[0] for s in self.render(side, "s.web10.mem", start, end)
                                               for p in s["datapoints"]][-1:] == [2000.0 + POINTS - 1])
            pt.wait_for("the last series", lambda: len(self.render(side, "slow.*.*", start, end)) == 4)
        failures = []
        for name, targets in TARGETS.items():
            for target in targets:
                if name.strip() in EXPECTED:
                    continue
                d = self.difference(self.render(ref.get, target, start, end), self.render(get, target, start, end))
                if d:
                    failures.append(f"{target}: {d}")
        for back in (1800, 3000, 5400, 6 * 3600 - 900, 12 * 3600, 23 * 3600):
            args = ("roll.*", NOW - back, NOW - 120)
            want = self.render(ref.get, *args)
            self.assertEqual(len(want), len(ROLLED))
            d = self.difference(want, self.render(get, *args))
            if d:
                failures.append(f"rolled {back}: {d}")
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu"):
            # time() itself forgets the zone there
            for args in (("constantLine(1)", "midnight yesterday", "noon"), ("constantLine(1)", "01/15/24", "07/15/24"),
                         ("constantLine(1)", "monday", "16:00_20290101"),
                         ("smartSummarize(s.web1.cpu,'1h','sum','hours')", "now-3h", "now")):
                d = self.difference(self.render(ref.get, *args, tz=zone, now=NOW),
                                    self.render(get, *args, tz=zone, now=NOW))
                if d:
                    failures.append(f"{zone} {args}: {d}")
            q = "/render?target=s.web1.cpu&format=csv&tz=" + urllib.parse.quote(zone) + f"&from={NOW - 600}&until={NOW}"
            if ref.get(q).text.splitlines() != get(q).text.splitlines():
                failures.append(q)
        for n in (1, 2, 7, 13, 30, 59, 60, 61):
            for target in (S, f"consolidateBy({S},'sum')", "slow.web1.cpu"):
                args = (target, start, end)
                d = self.difference(self.render(ref.get, *args, maxDataPoints=n), self.render(get, *args, maxDataPoints=n))
                if d:
                    failures.append(f"maxDataPoints={n} {target}: {d}")
        for query in ("*", "s.*", "s.web1.*", "s.web[1-3].{cpu,mem}", "none", "s.web1.cpu", "*.*.c*"):
            for more in ("", "&format=completer", "&wildcards=1", "&format=nodelist&position=1"):
                path = "/metrics/find?query=" + urllib.parse.quote(query) + more
                want = ref.get(path)
                if want.status != 200:  # it fails on a position that a path does not have
                    self.assertEqual(get(path).status, 200)
                    continue
                want, mine = want.json(), get(path).json()
                if isinstance(want, dict) and "metrics" in want:  # in no order there
                    want["metrics"].sort(key=lambda m: (m["name"], m.get("path", "")))
                    mine["metrics"].sort(key=lambda m: (m["name"], m.get("path", "")))
                if not more and query == "*":
                    mine = [n for n in mine if n["text"] in ("roll", "s", "slow")]
                if want != mine and not (query == "*" and more):
                    failures.append(f"{path}: {want} / {mine}")
        for options in PICTURES + template_pictures():
            path = "/render?width=260&height=150&" + options + f"&from={start + 5}&until={end - 7}"
            path = path.replace("width=260&", "") if "width=" in options else path
            want, got = ref.get(path), get(path)
            self.assertEqual((want.status, got.status), (200, 200), (options, want.text[-300:], got.text))
            self.assertEqual(got.headers["Content-Type"], "image/png")
            d = png.differing(want.body, got.body)
            if d != 0:
                failures.append(f"{options}: {d} pixels differ")
        path = "/metrics/expand?query=s.*.cpu&query=s.web1.*"
        if ref.get(path).json() != get(path).json():
            failures.append(path)
        known = set(get("/functions").json())
        source = pathlib.Path("/usr/lib/python3/dist-packages/graphite/render/functions.py").read_text()
        registered = re.search(r"^SeriesFunctions = \{(.*?)^\}", source, re.M | re.S).group(1)
        newer = {name for name, why in EXPECTED.items() if why == NEWER}
        self.assertEqual(known, set(re.findall(r"""["'](\w+)["']\s*:""", registered)) | newer)
        self.assertEqual(len(known), 154)  # of master
        missing = known - {n.strip() for n in TARGETS} - set(EXPECTED) - {"map", "mapSeries"}
        self.assertEqual(missing, set(), "functions that nothing compares")
        self.assertEqual(failures, [], "\n".join(failures))


if __name__ == "__main__":
    unittest.main(verbosity=2)
