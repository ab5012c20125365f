#!/usr/bin/env python3
"""Scraping over TLS with a password or a token: one Pharos scrapes another that asks for both."""
import shutil
import subprocess

import pharos_test as pt

TOKEN = "a-token-of-some-length"


class ScrapeTls(pt.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("the program openssl is not installed")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1,DNS:inner.example", "-keyout",
                        self.work / "key.pem", "-out", self.work / "cert.pem"],
                       check=True, capture_output=True)
        (self.work / "wrong").write_text("not the token")
        (self.work / "token").write_text(TOKEN + "\n")

    def scraped(self, job):
        """up of the job, and what the targets page says of it."""
        up = self.scraper.query(f'up{{job="{job}"}}')
        return up[0]["value"][1] if up else None

    def test_credentials_and_certificates(self):
        target = self.server(f"doors.prometheus.tls.cert_file={self.work}/cert.pem",
                             f"doors.prometheus.tls.key_file={self.work}/key.pem",
                             f"auth.tokens={{scraper: {TOKEN}}}", start=False)
        target.start(wait=False)
        jobs = {
            "good": f"authorization: {{credentials_file: {self.work}/token}}\n"
                    f"    tls_config: {{ca_file: {self.work}/cert.pem}}",
            "wrong_token": f"authorization: {{credentials_file: {self.work}/wrong}}\n"
                           f"    tls_config: {{ca_file: {self.work}/cert.pem}}",
            "wrong_password": "basic_auth: {username: nobody, password: nothing}\n"
                              f"    tls_config: {{ca_file: {self.work}/cert.pem}}",
            "untrusted": f"authorization: {{credentials_file: {self.work}/token}}",
            "unchecked": f"authorization: {{credentials_file: {self.work}/token}}\n"
                         "    tls_config: {insecure_skip_verify: true}",
        }
        trusted = (f"authorization: {{credentials_file: {self.work}/token}}\n"
                   f"    tls_config: {{ca_file: {self.work}/cert.pem, ")
        jobs["named"] = trusted + "server_name: inner.example, min_version: TLS12}"
        jobs["misnamed"] = trusted + "server_name: other.example}"
        jobs["outdated"] = trusted + "min_version: TLS10, max_version: TLS10}"
        config = "scrape_configs:\n"
        for name, how in jobs.items():
            config += (f"  - job_name: {name}\n    scheme: https\n    scrape_interval: 1s\n"
                       f"    scrape_timeout: 1s\n    static_configs: [{{targets: "
                       f"['127.0.0.1:{target.prometheus_port}']}}]\n    {how}\n")
        path = self.work / "scraper.yml"
        path.write_text(config)
        self.scraper = self.server(config=path, data=self.work / "scraper")
        want = {"good": "1", "unchecked": "1", "wrong_token": "0", "wrong_password": "0",
                "untrusted": "0", "named": "1", "misnamed": "0", "outdated": "0"}
        pt.wait_for("every job", lambda: {j: self.scraped(j) for j in want} == want)
        pages = {t["scrapePool"]: t for t in
                 self.scraper.prom("targets").json()["data"]["activeTargets"]}
        self.assertIn("401", pages["wrong_token"]["lastError"])
        self.assertIn("certificate", pages["untrusted"]["lastError"])
        self.assertIn("other.example", pages["misnamed"]["lastError"])
        self.assertEqual(pages["named"]["scrapeUrl"],
                         f"https://127.0.0.1:{target.prometheus_port}/metrics")
        self.assertEqual(pages["good"]["lastError"], "")
        self.assertTrue(self.scraper.query('pharos_build_info{job="good"}'))


if __name__ == "__main__":
    pt.main()
