"""Debian's rsyslog as a sender: lines handed to its TCP input go where its rules say."""
import shutil
import socket
import subprocess

import pharos_test as pt


def start(case, rules):
    """Starts it with these rules; returns a socket for lines. Skips without it."""
    if not shutil.which("rsyslogd"):
        case.skipTest("rsyslog is not installed")
    port = pt.free_port()
    config = case.file("rsyslog.conf", f"""
global(workDirectory="{case.work}")
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{port}")
{rules}
""")
    process = subprocess.Popen(["rsyslogd", "-n", "-f", config, "-i", str(case.work / "pid")],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    case.addCleanup(process.wait)
    case.addCleanup(process.kill)

    def connect():
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=pt.WAIT_S)
        except OSError:
            return None
    s = pt.wait_for("rsyslog", connect)
    case.addCleanup(s.close)
    return s
