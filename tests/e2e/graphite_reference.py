"""Debian's carbon-cache and graphite-web on loopback ports, with everything they keep in one directory.

    ref = Reference(directory); ref.start(); ref.send(b"a.b 1 1700000000\\n"); ref.get("/render?...")
"""
import json
import os
import shutil
import socket
import subprocess

import pharos_test as pt

PYTHON = "/usr/bin/python3"  # the one Debian's packages are for
CARBON = """[cache]
STORAGE_DIR = {dir}
LOCAL_DATA_DIR = {dir}/whisper
CONF_DIR = {dir}
LOG_DIR = {dir}
PID_DIR = {dir}
USER =
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
CACHE_WRITE_STRATEGY = naive
ENABLE_TAGS = False
CARBON_METRIC_INTERVAL = 0
"""
SETTINGS = """
import sys
from graphite.settings import *
SECRET_KEY = "reference"
STORAGE_DIR = {dir!r}
CONF_DIR = {dir!r}
LOG_DIR = {dir!r}
WHISPER_DIR = {dir!r} + "/whisper"
STANDARD_DIRS = [WHISPER_DIR]
INDEX_FILE = {dir!r} + "/index"
CARBONLINK_HOSTS = ["127.0.0.1:{query}"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {dir!r} + "/graphite.db"}}}}
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["*"]
MEMCACHE_HOSTS = []
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}}}
DEFAULT_CACHE_DURATION = 0
LOG_ROTATION = False
GRAPHTEMPLATES_CONF = "/usr/share/doc/graphite-web/examples/graphTemplates.conf.example"
LOGGING_CONFIG = None
"""
WEB = """
import os, sys
sys.path.insert(0, sys.argv[1])
os.environ["DJANGO_SETTINGS_MODULE"] = "reference_settings"
import django
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from django.core.wsgi import get_wsgi_application
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass
make_server("127.0.0.1", int(sys.argv[2]), get_wsgi_application(), handler_class=Quiet).serve_forever()
"""


WHISPER = """
import json, sys, whisper
for path, archives, xff, method, points in json.load(sys.stdin):
    whisper.create(path, archives, xff, method)
    for ts, value in points:
        whisper.update(path, value, ts, ts)
"""


def make_whisper(files):
    """[path, [[step, points], ...], xFilesFactor, method, [[ts, value], ...]]: files as they are when each point
    came at its own time."""
    for path, *_ in files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run([PYTHON, "-c", WHISPER], input=json.dumps(files), text=True, check=True)


def read_whisper(path, start, end, now):
    """What whisper.fetch says: {"start", "end", "step", "values"}."""
    code = "import json, sys, whisper\n" \
           "(a, b, s), v = whisper.fetch(sys.argv[1], *map(int, sys.argv[2:]))\n" \
           "print(json.dumps({'start': a, 'end': b, 'step': s, 'values': v}))"
    out = subprocess.run([PYTHON, "-c", code, path, str(start), str(end), str(now)], capture_output=True, text=True,
                         check=True)
    return json.loads(out.stdout)


def is_installed():
    return shutil.which("carbon-cache") is not None and os.path.isdir("/usr/lib/python3/dist-packages/graphite")


class Reference:
    def __init__(self, directory, schemas, aggregation=""):
        self.dir = str(directory)
        self.line, self.pickle, self.query, self.web = (pt.free_port() for _ in range(4))
        self.schemas, self.aggregation = schemas, aggregation
        self.processes = []

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, web=True):
        os.makedirs(self.dir + "/whisper", exist_ok=True)
        conf = self.write("carbon.conf", CARBON.format(dir=self.dir, line=self.line, pickle=self.pickle,
                                                       query=self.query))
        self.write("storage-schemas.conf", self.schemas)
        self.write("storage-aggregation.conf", self.aggregation)
        self.write("reference_settings.py", SETTINGS.format(dir=self.dir, query=self.query))
        web_py = self.write("web.py", WEB)
        with open(os.path.join(self.dir, "out.log"), "w") as log:
            for args in (["carbon-cache", f"--config={conf}", "--nodaemon", f"--logdir={self.dir}", "start"],
                         [PYTHON, web_py, self.dir, str(self.web)])[:2 if web else 1]:
                self.processes.append(subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                       cwd=self.dir))
        pt.wait_for("carbon-cache", lambda: self.is_open(self.line))
        if web:
            pt.wait_for("graphite-web", lambda: self.is_open(self.web))
        return self

    def is_open(self, port):
        for p in self.processes:
            if p.poll() is not None:
                with open(os.path.join(self.dir, "out.log")) as f:
                    raise AssertionError("the reference ended: " + f.read()[-2000:])
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def send(self, data):
        with socket.create_connection(("127.0.0.1", self.line)) as s:
            s.sendall(data)

    def get(self, path):
        return pt.request(f"http://127.0.0.1:{self.web}{path}")

    def stop(self):
        for p in self.processes:
            p.kill()
            p.wait()
