#!/usr/bin/env python3
"""kill -9 at any moment loses no acknowledged log line and doubles none: Loki pushes under load, with
flushes and merges every second, the server killed again and again. PHAROS_SEED repeats a run's
choices, PHAROS_KILLS their number (6)."""
import http.client
import json
import os
import random
import threading
import time
import urllib.parse

import pharos_test as pt

SEED = int(os.environ.get("PHAROS_SEED", random.SystemRandom().randrange(1 << 32)))
KILLS = int(os.environ.get("PHAROS_KILLS", 6))
WRITERS = 2
BASE_NS = (int(time.time()) - 600) * 10 ** 9


class Writer(threading.Thread):
    """Pushes numbered lines until the server is gone."""

    def __init__(self, number, server, next_line, acked, rng):
        super().__init__(daemon=True)
        self.number, self.server, self.next_line = number, server, next_line
        self.acked, self.rng = acked, rng
        self.refused = []

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
        lines = range(self.next_line, self.next_line + 1 + self.rng.randrange(20))
        self.next_line = lines.stop
        values = [[str(BASE_NS + n * 1000), f"line {n} of {self.number}",
                   {"n": str(n)}] for n in lines]
        self.rng.shuffle(values)
        body = {"streams": [{"stream": {"app": "kill9", "w": str(self.number)}, "values": values}]}
        connection.request("POST", "/loki/loki/api/v1/push", json.dumps(body),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status == 204:
            self.acked.update(lines)
            return True
        self.refused.append((response.status, text[:200]))
        return False


class Kill9Events(pt.Case):
    def lines(self, server, writer):
        """All of a writer's lines, a page after the other, oldest first."""
        seen, start = [], BASE_NS
        while True:
            query = urllib.parse.urlencode({"query": f'{{w="{writer}"}}', "start": start,
                                            "end": BASE_NS + 3600 * 10 ** 9, "limit": 5000,
                                            "direction": "forward"})
            answer = server.get("/loki/loki/api/v1/query_range?" + query)
            self.assertEqual(answer.status, 200, answer.text[:300])
            page = [(int(ns), line) for s in answer.json()["data"]["result"]
                    for ns, line in s["values"]]
            seen += page
            if len(page) < 5000:
                return seen
            start = max(ns for ns, _ in page) + 1

    def check(self, server, acked, sent, label):
        for w in range(WRITERS):
            seen = {}
            for ns, line in self.lines(server, w):
                n = (ns - BASE_NS) // 1000
                self.assertEqual(line, f"line {n} of {w}", label)
                seen[n] = seen.get(n, 0) + 1
            twice = [n for n, times in seen.items() if times > 1]
            self.assertFalse(twice, f"{label}: writer {w}: twice there: {twice[:5]}")
            lost = acked[w] - seen.keys()
            self.assertFalse(lost, f"{label}: writer {w} lost {len(lost)} acknowledged lines, as "
                                   f"{sorted(lost)[:5]}")
            self.assertTrue(all(n < sent[w] for n in seen), label)

    def test_no_acknowledged_line_is_lost_or_doubled(self):
        print(f"PHAROS_SEED={SEED}", flush=True)
        rng = random.Random(SEED)
        server = self.server("store.flush_interval=1s", "store.event_memory=1MiB", doors=False,
                             start=False)
        acked, sent = [set() for _ in range(WRITERS)], [0] * WRITERS
        for kill in range(KILLS):
            server.start()
            self.check(server, acked, sent, f"seed {SEED}, after kill {kill}")
            writers = [Writer(i, server, sent[i], acked[i], random.Random(rng.random()))
                       for i in range(WRITERS)]
            for w in writers:
                w.start()
            time.sleep(0.05 + rng.random() * 1.5)
            server.kill()
            for w in writers:
                w.join(60)
                self.assertFalse(w.is_alive())
                self.assertEqual(w.refused, [])
            sent = [w.next_line for w in writers]
        server.start()
        self.check(server, acked, sent, f"seed {SEED}, at the end")
        self.assertGreater(sum(len(a) for a in acked), KILLS)
        self.assertGreater(server.metric("pharos_store_event_parts", 'table="logs"'), 0,
                           "nothing was ever flushed")
        self.assertEqual(server.stop(), 0)
        server.start()
        self.check(server, acked, sent, f"seed {SEED}, after a clean stop")
        print(f"{KILLS} kills: {sum(len(a) for a in acked)} acknowledged lines, none lost", flush=True)


if __name__ == "__main__":
    pt.main()
