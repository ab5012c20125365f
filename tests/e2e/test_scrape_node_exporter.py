"""Pharos scrapes a real node_exporter, and finds what is on its page, no more and no less."""
import re
import shutil
import subprocess
import unittest

import pharos_test as pt


def start_exporter(case, *flags):
    """A node_exporter on a free loopback port; gives the port."""
    program = shutil.which("prometheus-node-exporter")
    if not program:
        case.skipTest("prometheus-node-exporter is not installed")
    port = pt.free_port()
    process = subprocess.Popen([program, f"--web.listen-address=127.0.0.1:{port}", *flags],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    case.addCleanup(lambda: (process.kill(), process.wait()))

    def answers():
        try:
            return pt.request(f"http://127.0.0.1:{port}/metrics").status == 200
        except OSError:
            return False
    pt.wait_for("node_exporter to answer", answers)
    return port, process


def canonical_bounds(labels):
    """le and quantile as canonical floats, as Prometheus 3 and Pharos store them."""
    out = dict(labels)
    for name in ("le", "quantile"):
        if name in out and re.fullmatch(r"[0-9]+", out[name]):
            out[name] += ".0"
    return out


def page_series(text):
    """The series of a text exposition page, parsed here, with no help of Pharos."""
    series = set()
    for line in text.splitlines():
        m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?', line)
        if line.startswith("#") or not m:
            continue
        labels = {"__name__": m[1]}
        for n, v in re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', m[2] or ""):
            if v:
                labels[n] = v.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
        series.add(frozenset(canonical_bounds(labels).items()))
    return series


# What does not come and go between two requests.
STEADY = re.compile(r"node_(cpu|memory|load|uname|boot|filesystem|disk|vmstat|procs)|go_gc_|go_info")


class Test(pt.Case):
    def test_finds_what_is_on_the_page(self):
        port, exporter = start_exporter(self)
        config = self.work / "pharos.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            f"- {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{port}'],"
            " labels: {env: test}}]}\n"
            f"- {{job_name: gone, static_configs: [{{targets: ['127.0.0.1:{pt.free_port()}']}}]}}\n")
        server = self.server(config=config)
        pt.wait_for("the first scrape", lambda: server.query('up{job="node"} == 1'))
        page = page_series(pt.request(f"http://127.0.0.1:{port}/metrics").text)
        ours = set()
        for row in server.query('{job="node"}'):
            labels = row["metric"]
            self.assertEqual(labels.pop("job"), "node")
            self.assertEqual(labels.pop("instance"), f"127.0.0.1:{port}")
            self.assertEqual(labels.pop("env"), "test")
            ours.add(frozenset(labels.items()))
        steady = {s for s in page if STEADY.match(dict(s)["__name__"])}
        self.assertGreater(len(steady), 100)
        self.assertEqual({s for s in ours if STEADY.match(dict(s)["__name__"])}, steady)
        for name in ("scrape_duration_seconds", "scrape_samples_scraped",
                     "scrape_samples_post_metric_relabeling", "scrape_series_added"):
            self.assertEqual(len(server.query(f'{name}{{job="node"}}')), 1, name)
        pt.wait_for("the failing scrape", lambda: server.query('up{job="gone"} == 0'))

        targets = {t["labels"]["job"]: t
                   for t in server.prom("targets").json()["data"]["activeTargets"]}
        self.assertEqual(targets["node"]["health"], "up")
        self.assertEqual(targets["node"]["lastError"], "")
        self.assertEqual(targets["node"]["scrapeUrl"], f"http://127.0.0.1:{port}/metrics")
        self.assertEqual(targets["gone"]["health"], "down")
        self.assertIn("127.0.0.1", targets["gone"]["lastError"])

        # The exporter goes: its series end, they do not linger for five minutes.
        exporter.kill()
        pt.wait_for("up to fall", lambda: server.query('up{job="node"} == 0'))
        self.assertEqual(server.query('node_load1{job="node"}'), [])

    def test_reload_keeps_and_drops_targets(self):
        port, _ = start_exporter(self)
        targets = self.work / "targets.json"
        targets.write_text('[{"targets": ["127.0.0.1:%d"], "labels": {"from": "file"}}]' % port)
        config = self.work / "pharos.yml"
        config.write_text("global: {scrape_interval: 1s}\n"
                          "scrape_configs:\n"
                          f"- {{job_name: sd, file_sd_configs: [{{files: ['{targets}'],"
                          " refresh_interval: 1s}]}\n")
        server = self.server(config=config)
        pt.wait_for("the scrape", lambda: server.query('up{from="file"} == 1'))
        targets.write_text("[]")
        pt.wait_for("the target to go", lambda: not server.query('up{from="file"}'))
        config.write_text("scrape_configs: [{job_name: sd, statik_configs: []}]\n")
        answer = server.post("/-/reload")
        self.assertNotEqual(answer.status, 200)
        self.assertIn("static_configs", answer.text)


if __name__ == "__main__":
    unittest.main()
