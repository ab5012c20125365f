#!/usr/bin/env python3
"""Loki's own declarative test scripts (`pkg/logql/internal/logqltest/testdata/*.logqltest`), asked over
HTTP. Each block of data is a tenant's. What Pharos adds to lines by itself (service_name, detected_level)
is dropped right behind every selector, but where a script names it.

The scripts are not part of this project: they are read from `logqltest` in ../shared/conformance or in
the directory that PHAROS_CONFORMANCE names. `tests/lang/logqltest.expected` says how many evaluations of
each script pass, and it only grows; without it there is nothing to compare with."""
import json
import math
import os
import pathlib
import re
import sys
import time
import unittest
import urllib.parse

import pharos_test as pt

FOLDER = pathlib.Path(os.environ.get(
    "PHAROS_CONFORMANCE", pt.ROOT.parent / "shared" / "conformance")) / "logqltest"
EXPECTED = pt.ROOT / "tests" / "lang" / "logqltest.expected"
S = 10 ** 9
UNITS = {"ns": 1, "us": 10 ** 3, "ms": 10 ** 6, "s": S, "m": 60 * S, "h": 3600 * S, "d": 86400 * S}
ADDED = ("detected_level", "service_name")


def duration(text):
    """ns of a Go duration"""
    if text in ("0", "+0", "-0"):
        return 0
    sign, total = (-1 if text[0] == "-" else 1), 0
    for number, unit in re.findall(r"([\d.]+)(ns|us|ms|s|m|h|d)", text):
        total += round(float(number) * UNITS[unit])
    return sign * total


def quoted_end(text, at):
    """The place behind the string that begins at `at`."""
    quote, i = text[at], at + 1
    while i < len(text) and text[i] != quote:
        i += 2 if text[i] == "\\" and quote == '"' else 1
    return i + 1


def without_comment(line):
    i = 0
    while i < len(line):
        if line[i] in "\"`":
            i = quoted_end(line, i)
        elif line[i] == "#":
            return line[:i].rstrip()
        else:
            i += 1
    return line.rstrip()


def braces_end(text, at):
    """The place behind the } of the { at `at`."""
    i = at + 1
    while text[i] != "}":
        i = quoted_end(text, i) if text[i] in "\"`" else i + 1
    return i + 1


def labels_of(text):
    """{a="b"} as a dict"""
    return {name: json.loads(value) for name, value in
            re.findall(r'"?([A-Za-z_][\w.]*)"?\s*=\s*("(?:[^"\\]|\\.)*")', text)}


def number(text):
    return float(text.replace("Inf", "inf").replace("NaN", "nan"))


def points(text):
    """Values of a row, None for a gap."""
    out = []
    for word in text.split():
        times = re.fullmatch(r"(.+?)(?:([+-])([\d.]+(?:e[+-]?\d+)?))?x(\d+)", word)
        if word == "_":
            out.append(None)
        elif times and times.group(1) == "_":
            out += [None] * (int(times.group(4)) or 1)
        elif times:
            step = float((times.group(2) or "+") + (times.group(3) or "0"))
            out += [number(times.group(1)) + k * step for k in range(int(times.group(4)) + 1)]
        else:
            out.append(number(word))
    return out


def split_script(text):
    """[(line number, head, [indented lines])]"""
    blocks = []
    for at, raw in enumerate(text.splitlines(), 1):
        line = without_comment(raw)
        if not line.strip():
            continue
        if line[0] in " \t":
            blocks[-1][2].append(line.strip())
        else:
            blocks.append((at, line, []))
    return blocks


def entries_of(line):
    """(labels, [(ns, line)], metadata) of a line of `load`"""
    at = braces_end(line, line.index("{"))
    labels, rest = labels_of(line[:at]), line[at:].strip()
    end = quoted_end(rest, 0)
    text, rest = rest[1:end - 1], rest[end:]
    start = duration(re.match(r"\s*@\s*(\S+)", rest).group(1))
    repeat = re.search(r"\[repeat every\s+(\S+)\s+for\s+(\d+)\]", rest)
    every, count = (duration(repeat.group(1)), int(repeat.group(2))) if repeat else (0, 1)
    metadata = re.search(r"\[metadata (.*)\]", rest)
    return labels, [(start + i * every, text.replace("{{.i}}", str(i))) for i in range(count)], \
        labels_of(metadata.group(1)) if metadata else {}


def dropping(query):
    """The query with what Pharos adds dropped behind each selector."""
    out, i = "", 0
    while i < len(query):
        end = i + 1
        if query[i] in "\"`":
            end = quoted_end(query, i)
            out += query[i:end]
        elif query[i] == "{":
            end = braces_end(query, i)
            out += query[i:end] + " | drop " + ", ".join(ADDED) + " |= `` "
        else:
            out += query[i]
        i = end
    return out


def same(a, b):
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


class Scripts(pt.Case):
    def setUp(self):
        super().setUp()
        self.pharos = self.server("telemetry.interval=1h", doors=False)
        self.base = (time.time_ns() - 7200 * S) // (3600 * S) * 3600 * S
        self.tenants = 0

    def ask(self, path, params):
        answer = pt.request(f"{self.pharos.url}/loki/loki/api/v1/{path}?" + urllib.parse.urlencode(params),
                            headers={"X-Scope-OrgID": self.tenant})
        return answer.status, answer.text

    def clear(self):
        self.tenants += 1
        self.tenant = f"t{self.tenants}"
        self.named = ""

    def load(self, lines):
        streams = {}
        for labels, entries, metadata in map(entries_of, lines):
            self.named += " ".join([*labels, *metadata]) + " "
            streams.setdefault(json.dumps(labels), []).extend(
                (ns, line, metadata) for ns, line in entries)
        body = {"streams": [{"stream": json.loads(key), "values": [
            [str(self.base + ns), line, metadata] for ns, line, metadata in sorted(
                entries, key=lambda e: e[0])]} for key, entries in streams.items()]}
        answer = pt.request(self.pharos.url + "/loki/loki/api/v1/push", method="POST",
                            body=json.dumps(body).encode(),
                            headers={"Content-Type": "application/json", "X-Scope-OrgID": self.tenant})
        self.assertEqual(answer.status, 204, answer.text)

    def evaluate(self, head, lines):
        """None, or what is wrong."""
        instant = re.match(r"eval instant at (\S+) (.*)$", head)
        ranged = re.match(r"eval range from (\S+) to (\S+) step (\S+) (.*)$", head)
        query = (instant or ranged).groups()[-1]
        named = [a for a in ADDED if a in self.named or a in query]
        if not named:
            query = dropping(query)
        if instant:
            steps = [duration(instant.group(1))]
            status, text = self.ask("query", {"query": query, "time": self.base + steps[0]})
        else:
            start, end, step = map(duration, ranged.groups()[:3])
            steps = list(range(start, end + 1, step))
            status, text = self.ask("query_range", {
                "query": query, "start": self.base + start, "end": self.base + end,
                "step": step / S})
        return self.judge(lines, steps, status, text, named)

    def judge(self, lines, steps, status, text, named):
        lines = [line for line in lines if not line.startswith("skip ")]
        if lines and lines[0].startswith("expect fail"):
            kind = re.match(r"expect fail(?: (msg|regex): *(.*))?$", lines[0])
            if status == 200:
                return "it did not fail"
            if kind.group(1) == "msg" and kind.group(2).strip('"') not in text:
                return f"other words: {text.strip()}"
            if kind.group(1) == "regex" and not re.search(kind.group(2).strip('"'), text):
                return f"other words: {text.strip()}"
            return None
        if status != 200:
            return f"{status} {text.strip()}"
        data = json.loads(text)["data"]
        if data["resultType"] == "scalar":
            got = number(data["result"][1])
            return None if same(got, number(lines[0])) else f"scalar {got}"
        got = []
        for r in data["result"]:
            values = dict((round(t * S) - self.base, number(v)) for t, v in r.get("values", [r.get("value")]))
            labels = {k: v for k, v in r["metric"].items() if k in named or k not in ADDED}
            # A number is rounded to ms on its way.
            got.append((labels, [next((v for t, v in values.items() if abs(t - step) < 10 ** 6), None)
                                 for step in steps]))
        if lines == ["expect empty"]:
            return f"not empty: {got}" if got else None
        ordered = bool(lines) and lines[0] == "expect ordered"
        wanted = []
        for line in lines[1:] if ordered else lines:
            if line[0] != "{":
                wanted.append(({}, points(line)))
                continue
            end = braces_end(line, 0)
            wanted.append((labels_of(line[:end]), points(line[end:])))
        if not ordered:
            got.sort(key=lambda r: sorted(r[0].items()))
            wanted.sort(key=lambda r: sorted(r[0].items()))
        if len(got) != len(wanted) or any(
                g[0] != w[0] or len(g[1]) != len(w[1]) or not all(map(same, g[1], w[1]))
                for g, w in zip(got, wanted)):
            return f"got {got}"
        return None

    def test_all(self):
        if not FOLDER.is_dir():
            self.skipTest(f"{FOLDER} is not there: Loki's scripts are not part of this project")
        expected = dict(line.split() for line in EXPECTED.read_text().splitlines()
                        if line and line[0] != "#")
        for script in sorted(FOLDER.glob("*.logqltest")):
            passed = total = 0
            words = []
            self.clear()
            for at, head, lines in split_script(script.read_text()):
                if head == "clear":
                    self.clear()
                elif head == "load":
                    self.load(lines)
                else:
                    total += 1
                    wrong = self.evaluate(head, lines)
                    passed += wrong is None
                    if wrong:
                        words.append(f"{script.name}:{at}: {head}\n    {lines}\n    {wrong}")
            with self.subTest(script=script.name):
                if os.environ.get("LOGQLTEST_VERBOSE"):
                    print("\n".join([*words, f"{script.stem} {passed}/{total}"]), file=sys.stderr)
                self.assertEqual(expected.get(script.stem), f"{passed}/{total}", "\n".join(words[:20]))


if __name__ == "__main__":
    pt.main()
