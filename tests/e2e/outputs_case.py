"""What the tests of outputs share: receivers, and a Pharos with outputs that StatsD's flushes feed."""
import http.server
import json
import socket
import threading
import time

import pharos_test as pt


class Receiver:
    """An HTTP server that keeps what it gets and answers what it is told."""

    def __init__(self, case, status=204, headers=()):
        self.requests, self.status, self.headers, self.pause = [], status, dict(headers), 0
        me = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                me.requests.append((self.path, dict(self.headers), body))
                time.sleep(me.pause)
                self.send_response(me.status)
                for name, value in me.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)


class Case(pt.Case):
    def open(self, outputs, *sets, **kwargs):
        self.port = pt.free_port()
        self.config = self.file("pharos.yml", "outputs: " + json.dumps(outputs) + "\n")
        self.one = self.server(f"doors.statsd.listen=127.0.0.1:{self.port}", "statsd.admin.listen=off",
                               "statsd.flush_interval=200ms", *sets, config=self.config, **kwargs)
        return self.one

    def send(self, text):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(text.encode(), ("127.0.0.1", self.port))

    def look(self, name):
        return {o["name"]: o for o in self.one.get("/api/pharos/v1/outputs").json()}[name]
