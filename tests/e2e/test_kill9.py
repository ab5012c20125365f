#!/usr/bin/env python3
"""kill -9 at any moment loses no acknowledged sample: the real server under load, with flushes and
merges every second, killed again and again: while it takes writes, while it flushes and while it
reads its log at start. PHAROS_SEED repeats a run's choices, PHAROS_KILLS their number (20)."""
import http.client
import os
import random
import threading
import time

import pharos_test as pt

SEED = int(os.environ.get("PHAROS_SEED", random.SystemRandom().randrange(1 << 32)))
KILLS = int(os.environ.get("PHAROS_KILLS", 20))
WRITERS = 2
SERIES = 4  # of each writer
OVERWRITTEN = 5  # timestamps that are written again and again
# On an hour boundary two hours ago, so that all of it lies within the query's range.
BASE_MS = (int(time.time()) // 3600 - 2) * 3600 * 1000


def value_of(writer, series, at):
    return float(writer * 1000003 + series * 10007 + at)


class Writer(threading.Thread):
    """Sends until the server is gone. What was sent and what was acknowledged outlive it."""

    def __init__(self, number, rng):
        super().__init__(daemon=True)
        self.number, self.rng = number, rng
        self.next_at = 0
        self.sent, self.acked = set(), set()  # at
        self.over_sent = self.over_acked = 0  # the counter written to the overwritten timestamps
        self.refused = []

    def again(self):
        fresh = Writer(self.number, self.rng)
        for name in ("next_at", "sent", "acked", "over_sent", "over_acked", "refused"):
            setattr(fresh, name, getattr(self, name))
        return fresh

    def connect(self, server):
        self.server = server
        return self

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.main_port, timeout=pt.WAIT_S)
        try:
            while self.send(connection):
                pass
        except (OSError, http.client.HTTPException):
            pass  # killed: what was under way is not acknowledged
        finally:
            connection.close()

    def send(self, connection):
        ats = list(range(self.next_at, self.next_at + 1 + self.rng.randrange(20)))
        self.next_at = ats[-1] + 1
        if self.rng.random() < 0.3:
            self.rng.shuffle(ats)
        self.over_sent += 1
        over = self.over_sent
        self.sent.update(ats)
        rows = [({"__name__": "kill9", "w": str(self.number), "s": str(s)},
                 [(BASE_MS + at, value_of(self.number, s, at)) for at in ats])
                for s in range(SERIES)]
        rows.append(({"__name__": "kill9_over", "w": str(self.number)},
                     [(BASE_MS + i, over) for i in range(OVERWRITTEN)]))
        connection.request("POST", "/prometheus/api/v1/write",
                           pt.snappy(pt.write_request(rows)),
                           {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                            "X-Prometheus-Remote-Write-Version": "0.1.0"})
        response = connection.getresponse()
        text = response.read()
        if response.status == 204:
            self.acked.update(ats)
            self.over_acked = over
            return True
        self.refused.append((response.status, text[:200]))
        return False


class Kill9(pt.Case):
    def check(self, server, writers, label):
        """Every acknowledged sample is there with its value, and nothing that was never sent."""
        at = BASE_MS // 1000 + 3 * 3600 - 60
        rows = server.query("kill9[3h]", at=at)
        seen = {(int(r["metric"]["w"]), int(r["metric"]["s"])):
                {round(float(t) * 1000) - BASE_MS: float(v) for t, v in r["values"]} for r in rows}
        for w in writers:
            for s in range(SERIES):
                got = seen.get((w.number, s), {})
                lost = w.acked - got.keys()
                self.assertFalse(lost, f"{label}: writer {w.number} series {s} lost {len(lost)} "
                                       f"acknowledged samples, as {sorted(lost)[:5]}")
                strange = got.keys() - w.sent
                self.assertFalse(strange, f"{label}: {sorted(strange)[:5]} were never sent")
                wrong = [a for a, v in got.items() if v != value_of(w.number, s, a)]
                self.assertFalse(wrong, f"{label}: wrong values at {wrong[:5]}")
        over = {int(r["metric"]["w"]): [float(v) for _, v in r["values"]]
                for r in server.query("kill9_over[3h]", at=at)}
        for w in writers:
            if w.over_acked:
                self.assertEqual(len(over[w.number]), OVERWRITTEN, label)
                for v in over[w.number]:
                    self.assertTrue(w.over_acked <= v <= w.over_sent,
                                    f"{label}: an overwritten sample is {v}, acknowledged was "
                                    f"{w.over_acked}, sent {w.over_sent}")

    def test_no_acknowledged_sample_is_lost(self):
        print(f"PHAROS_SEED={SEED}", flush=True)
        rng = random.Random(SEED)
        server = self.server("store.flush_interval=1s", "store.head_memory=1MiB", doors=False,
                             start=False)
        writers = [Writer(i, random.Random(rng.random())) for i in range(WRITERS)]
        at_start = 0
        for kill in range(KILLS):
            if kill and rng.random() < 0.4:
                # Killed on its way up, wherever it is, one to three times.
                for _ in range(rng.randrange(1, 4)):
                    server.start(wait=False)
                    time.sleep(rng.random() * 0.08)
                    server.kill()
                    at_start += 1
            server.start()
            self.check(server, writers, f"seed {SEED}, after kill {kill}")
            writers = [w.again().connect(server) for w in writers]
            for w in writers:
                w.start()
            time.sleep(0.05 + rng.random() * 1.6)
            server.kill()
            for w in writers:
                w.join(60)
                self.assertFalse(w.is_alive())
                self.assertEqual(w.refused, [])
        server.start()
        self.check(server, writers, f"seed {SEED}, at the end")
        acked = sum(len(w.acked) for w in writers) * SERIES
        self.assertGreater(acked, KILLS)
        self.assertGreater(server.metric("pharos_store_parts"), 0, "nothing was ever flushed")
        self.assertEqual(server.stop(), 0)
        server.start()
        self.check(server, writers, f"seed {SEED}, after a clean stop")
        print(f"{KILLS} kills under load, {at_start} during start: {acked} acknowledged samples, "
              "none lost", flush=True)


if __name__ == "__main__":
    pt.main()
