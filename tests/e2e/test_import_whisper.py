"""pharos import whisper: files that Debian's whisper library made, into a running server and out of render again."""
import random
import time
import unittest
import urllib.parse

import graphite_reference
import pharos_test as pt

NOW = int(time.time()) // 3600 * 3600
ARCHIVES = [[60, 120], [300, 288], [3600, 240]]  # two hours, a day, ten days
SCHEMAS = "[all]\npattern = ^(i|p)\\.\nretentions = 60s:2h,5m:1d,1h:10d\n"
AGGREGATION = "[sum]\npattern = \\.sum$\nxFilesFactor = 0\naggregationMethod = sum\n" \
              "[all]\npattern = .*\nxFilesFactor = 0.5\naggregationMethod = average\n"


@unittest.skipUnless(graphite_reference.is_installed(), "needs the package python3-whisper")
class ImportWhisper(pt.Case):
    def setUp(self):
        super().setUp()
        self.http = pt.free_port()
        schemas, aggregation = self.file("schemas.conf", SCHEMAS), self.file("aggregation.conf", AGGREGATION)
        self.s = self.server(f"doors.graphite_http.listen=127.0.0.1:{self.http}", f"graphite.schemas_file={schemas}",
                             f"graphite.aggregation_file={aggregation}")
        self.dir = self.work / "whisper"

    def points(self, seed, seconds=3 * 86400):
        rnd = random.Random(seed)
        return [[t, float(rnd.randrange(1000))] for t in range(NOW - seconds, NOW + 1, 60) if rnd.random() < .9]

    def run_import(self, *more, code=0):
        done = pt.run("import", "whisper", "--url", f"{self.s.url}/prometheus", "--state", self.work / "state", *more,
                      self.dir)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def render(self, target, start, end):
        q = urllib.parse.urlencode({"target": target, "from": start, "until": end, "format": "json", "now": NOW})
        return {s["target"]: [[v, t] for v, t in s["datapoints"]]
                for s in pt.request(f"http://127.0.0.1:{self.http}/render?{q}").json()}

    def test_archives(self):
        series = {"i/web1/cpu": self.points(1), "i/web2/hits/sum": self.points(2)}
        graphite_reference.make_whisper(
            [[f"{self.dir}/{name}.wsp", ARCHIVES, 0 if name.endswith("sum") else .5,
              "sum" if name.endswith("sum") else "average", points] for name, points in series.items()])
        self.assertIn("2 of 2 files", self.run_import())
        for back, step in ((3600, 60), (20 * 3600, 300), (60 * 3600, 3600)):
            for name in series:
                want = graphite_reference.read_whisper(f"{self.dir}/{name}.wsp", NOW - back, NOW - 1800, NOW)
                self.assertEqual(want["step"], step)
                # What lies in the finer archives has been rolled up by whisper as well.
                got = self.render(name.replace("/", "."), NOW - back, NOW - 1800)[name.replace("/", ".")]
                self.assertEqual([t for _, t in got], list(range(want["start"], want["end"], step)), name)
                for (v, t), w in zip(got, want["values"]):
                    if t <= NOW - 86400 < t + step or t <= NOW - 7200 < t + step:
                        continue  # partly in a coarser archive: its points there are left out
                    self.assertEqual(v is None, w is None, (name, back, t - NOW, v, w))
                    if w is not None:
                        self.assertAlmostEqual(v, w, 6, (name, back, t - NOW))

    def test_resuming_names_and_bad_files(self):
        good = [[f"{self.dir}/p/m{i}.wsp", [[60, 1440]], .5, "average", [[NOW - 120, float(i)], [NOW - 60, float(i)]]]
                for i in range(30)]
        tagged = f"{self.dir}/_tagged/abc/def/disk_DOT_used;dc=eu;host=a_DOT_b.wsp"
        graphite_reference.make_whisper(good + [[tagged, [[60, 1440]], .5, "last", [[NOW - 60, 7.0]]]])
        (self.dir / "p" / "empty.wsp").write_bytes(b"")
        (self.dir / "p" / "cut.wsp").write_bytes((self.dir / "p" / "m1.wsp").read_bytes()[:5000])
        (self.dir / "p" / "rubbish.wsp").write_bytes(bytes(range(256)) * 10)
        (self.dir / "_tagged" / "abc" / "def" / "0123abcd.wsp").write_bytes((self.dir / "p" / "m1.wsp").read_bytes())
        said = self.run_import("--dry-run", code=1)
        self.assertIn("31 of 35 files", said)
        # A server that is not there: nothing is marked as done.
        gone = pt.run("import", "whisper", "--url", f"http://127.0.0.1:{pt.free_port()}", "--state",
                      self.work / "other", "--token", "x", self.dir / "p" / "none")
        self.assertEqual(gone.returncode, 1)
        said = self.run_import("--prefix", "old", code=1)
        for words in ("31 of 35 files", "cut off", "no whisper file", "only a hash", "4 files or directories"):
            self.assertIn(words, said)
        self.assertEqual(len(self.render("old.p.m*", NOW - 300, NOW)), 30)
        self.assertEqual(list(self.render("seriesByTag('name=old.disk.used','host=a.b')", NOW - 300, NOW)),
                         ["old.disk.used;dc=eu;host=a.b"])
        # Once more: only what is new.
        graphite_reference.make_whisper([[f"{self.dir}/p/new.wsp", [[60, 1440]], .5, "average", [[NOW - 60, 5.0]]]])
        said = self.run_import("--prefix", "old", code=1)
        self.assertIn("31 of them were done before", said)
        self.assertIn("32 of 36 files, 0.00 M points", said)
        self.assertEqual(len(self.render("old.p.new", NOW - 300, NOW)), 1)


if __name__ == "__main__":
    pt.main()
