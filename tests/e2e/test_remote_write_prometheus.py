"""A real Prometheus scrapes a real node_exporter and sends all of it on to Pharos: the same queries
to both must give the same JSON."""
import json
import shutil
import subprocess
import unittest

import pharos_test as pt
from test_scrape_node_exporter import start_exporter

QUERIES = [
    'up{job="node"}',
    'count({job="node"})',
    'count by (__name__) ({job="node", __name__=~"node_.+"})',
    'node_cpu_seconds_total',
    'node_memory_MemTotal_bytes',
    'sum by (mode) (node_cpu_seconds_total)',
    'rate(node_cpu_seconds_total[5s])',
    'increase(node_context_switches_total[5s])',
    'go_gc_duration_seconds',
    'histogram_quantile(0.9, rate(promhttp_metric_handler_requests_total[5s]))',
    'node_filesystem_size_bytes - node_filesystem_free_bytes',
    'topk(3, node_network_receive_bytes_total)',
    'label_replace(up{job="node"}, "port", "$1", "instance", ".*:(.*)")',
    'scrape_samples_scraped{job="node"}',
    'timestamp(up{job="node"})',
]


def start_prometheus(case, exporter_port, write_url):
    program = shutil.which("prometheus")
    if not program:
        case.skipTest("prometheus is not installed")
    port = pt.free_port()
    config = case.work / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"- {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{exporter_port}']}}]}}\n"
        "remote_write:\n"
        f"- url: {write_url}\n"
        "  queue_config: {batch_send_deadline: 500ms}\n"
        "  metadata_config: {send_interval: 2s}\n")
    log = open(case.work / "prometheus.log", "w")
    process = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.tsdb.path={case.work / 'prometheus'}",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    case.addCleanup(lambda: (process.kill(), process.wait(), log.close()))
    return port


def ask(url, path, **params):
    import urllib.parse
    answer = pt.request(f"{url}/api/v1/{path}?{urllib.parse.urlencode(params)}")
    assert answer.status == 200, f"{url} {params}: {answer.status} {answer.text}"
    return answer.json()["data"]


def in_order(data):
    """Results without a defined order, sorted."""
    if isinstance(data, dict) and isinstance(data.get("result"), list):
        rows = sorted(data["result"], key=lambda r: json.dumps(r, sort_keys=True))
        return {"resultType": data["resultType"], "result": rows}
    return data


class Test(pt.Case):
    def test_same_answers(self):
        exporter_port, _ = start_exporter(self)
        server = self.server()
        port = start_prometheus(self, exporter_port, server.prometheus_url + "/api/v1/write")
        theirs, ours = f"http://127.0.0.1:{port}", server.prometheus_url

        def newest(url):
            rows = ask(url, "query", query='timestamp(up{job="node"})')["result"]
            return float(rows[0]["value"][1]) if rows else 0

        def first():
            try:
                return newest(theirs)
            except (OSError, AssertionError):  # not up, or not ready yet
                return 0
        begin = pt.wait_for("Prometheus' first scrape", first)
        end = begin + 8
        pt.wait_for("eight seconds of data at both",
                    lambda: newest(theirs) > end + 1 and newest(ours) > end + 1)
        # Between the scrapes: at a sample's very moment Prometheus 2 counts the left end of a range
        # in, Prometheus 3 and Pharos do not.
        begin, end = begin + 0.25, end + 0.25
        for query in QUERIES:
            with self.subTest(query=query):
                for at in (begin + 4.5, end):
                    self.assertEqual(in_order(ask(ours, "query", query=query, time=at)),
                                     in_order(ask(theirs, "query", query=query, time=at)))
                span = {"query": query, "start": begin, "end": end, "step": "1s"}
                self.assertEqual(in_order(ask(ours, "query_range", **span)),
                                 in_order(ask(theirs, "query_range", **span)))
        for path in ("labels", "label/__name__/values", "label/mode/values"):
            with self.subTest(path=path):
                self.assertEqual(ask(ours, path, **{"match[]": '{job="node"}'}),
                                 ask(theirs, path, **{"match[]": '{job="node"}'}))
        # What Prometheus says about its sending: nothing failed, nothing was dropped.
        metrics = pt.request(theirs + "/metrics").text
        for name in ("prometheus_remote_storage_samples_failed_total",
                     "prometheus_remote_storage_samples_retried_total"):
            lines = [l for l in metrics.splitlines() if l.startswith(name + "{")]
            self.assertTrue(lines and all(l.endswith(" 0") for l in lines), lines)

        def has_metadata():
            return "node_load1" in ask(ours, "metadata", metric="node_load1")
        pt.wait_for("metadata", has_metadata)
        self.assertEqual(ask(ours, "metadata", metric="node_load1"),
                         ask(theirs, "metadata", metric="node_load1"))


if __name__ == "__main__":
    unittest.main()
