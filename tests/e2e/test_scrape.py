#!/usr/bin/env python3
"""Scraping through the whole program: prometheus.yml, targets, reload."""
import http.server
import threading

import pharos_test as pt


class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"# HELP e2e_jobs Jobs done.\n# TYPE e2e_jobs counter\ne2e_jobs{queue=\"a\"} 42\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Scrape(pt.Case):
    def exporter(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def test_prometheus_yml(self):
        port = self.exporter()
        text = ("global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: {}\n"
                f"    static_configs:\n      - targets: ['127.0.0.1:{port}']\n")
        prom = self.file("prometheus.yml", text.format("e2e"))
        config = self.file("pharos.yml", f"prometheus:\n  config_file: {prom}\n")
        server = self.server(config=config)
        rows = pt.wait_for("the scraped series", lambda: server.query('e2e_jobs{job="e2e"}'))
        self.assertEqual(rows[0]["metric"], {"__name__": "e2e_jobs", "queue": "a", "job": "e2e",
                                             "instance": f"127.0.0.1:{port}"})
        self.assertEqual(rows[0]["value"][1], "42")
        self.assertEqual(server.query('up{job="e2e"}')[0]["value"][1], "1")
        target = server.prom("targets").json()["data"]["activeTargets"][0]
        self.assertEqual(target["health"], "up")
        self.assertEqual(target["scrapeUrl"], f"http://127.0.0.1:{port}/metrics")
        self.assertEqual(target["scrapeInterval"], "1s")
        self.assertEqual(server.prom("scrape_pools").json()["data"], {"scrapePools": ["e2e"]})
        self.assertEqual(server.prom("metadata", {"metric": "e2e_jobs"}).json()["data"]["e2e_jobs"],
                         [{"type": "counter", "help": "Jobs done.", "unit": ""}])

        prom.write_text(text.format("renamed"))
        self.assertEqual(server.post("/-/reload").status, 200)
        pt.wait_for("the renamed job", lambda: server.query('e2e_jobs{job="renamed"}'))

        prom.write_text("scrape_configs:\n  - job_nam: x\n")
        answer = server.post("/-/reload")
        self.assertEqual(answer.status, 500)
        self.assertIn("prometheus.yml:2:5", answer.text)
        self.assertEqual(server.prom("scrape_pools").json()["data"], {"scrapePools": ["renamed"]})

    def test_own_scrape_configs(self):
        port = self.exporter()
        config = self.file("pharos.yml", "global: {scrape_interval: 1s}\nscrape_configs:\n"
                                         "  - job_name: own\n    static_configs:\n"
                                         f"      - targets: ['127.0.0.1:{port}']\n")
        server = self.server(config=config)
        pt.wait_for("the scraped series", lambda: server.query('e2e_jobs{job="own"}'))
        bad = self.file("bad.yml", "scrape_configs:\n  - job_name: own\n    scrape_intervall: 1s\n")
        got = pt.run("serve", "-c", bad, "--data", self.work / "d", "--set",
                     f"main.listen=127.0.0.1:{pt.free_port()}", "--set", "doors.all=off")
        self.assertEqual(got.returncode, 1)
        self.assertIn("bad.yml:3:5", got.stderr)
        self.assertIn("scrape_interval", got.stderr)


if __name__ == "__main__":
    pt.main()
