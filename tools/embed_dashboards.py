#!/usr/bin/env python3
"""Writes the shipped dashboards as a C source: embed_dashboards.py OUT.c FILE.json...

Each file is checked to be JSON with a uid, a title and the metrics that it needs, and embedded without
white space.
"""
import json
import pathlib
import sys


def main():
    out, files = sys.argv[1], sys.argv[2:]
    text = ['#include "server/shipped.h"\n\nconst struct server_shipped server_shipped[] = {\n']
    for file in sorted(files):
        d = json.loads(pathlib.Path(file).read_text())
        if not (d["uid"] and d["title"] and d["__pharos"]["requires"]):
            sys.exit(f"{file}: uid, title and __pharos.requires are needed")
        body = json.dumps(d, separators=(",", ":"), ensure_ascii=True)
        quoted = body.replace("\\", "\\\\").replace('"', '\\"')
        name, metric = pathlib.Path(file).stem, d["__pharos"]["requires"][0]
        lines = "\n".join(f'     "{part}"' for part in split(quoted))
        text.append(f'    {{"{name}", "{metric}",\n{lines}}},\n')
    text.append(f"}};\nconst size_t server_shipped_count = {len(files)};\n")
    pathlib.Path(out).write_text("".join(text))


def split(quoted, size=2000):
    """Pieces that end between escapes."""
    at = 0
    while at < len(quoted):
        end = min(at + size, len(quoted))
        while end < len(quoted) and quoted[at:end][len(quoted[at:end].rstrip("\\")):].count("\\") % 2:
            end += 1
        yield quoted[at:end]
        at = end


if __name__ == "__main__":
    main()
