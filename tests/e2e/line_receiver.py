"""TCP ports that collect lines, as carbon does."""
import socket
import threading


class Receiver:
    """Reads each connection in a thread of its own by read(conn), which is the subclass's."""

    def __init__(self, case, port=0):
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        case.addCleanup(self.server.close)

    def accept(self):
        while True:
            try:
                conn, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.read, args=(conn,), daemon=True).start()


class Lines(Receiver):
    """All that came, as text."""

    def __init__(self, case, port=0):
        self.text = ""
        super().__init__(case, port)

    def read(self, conn):
        with conn:
            for part in iter(lambda: conn.recv(65536), b""):
                self.text += part.decode()


class Carbon(Receiver):
    """Graphite's lines: {timestamp: {path: value}}; with `whole`, not before their connection has ended."""

    def __init__(self, case, whole=False):
        self.flushes, self.whole = {}, whole
        super().__init__(case)

    def read(self, conn):
        flushes = {} if self.whole else self.flushes
        with conn, conn.makefile("r") as lines:
            for line in lines:
                path, value, ts = line.rsplit(" ", 2)
                flushes.setdefault(int(ts), {})[path] = float(value)
        self.flushes.update(flushes)
