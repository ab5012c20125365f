#!/usr/bin/env python3
"""Checks the direction of the rooms: src/LAYERS against includes, private headers and symbols.

A room may include only "room/file.h" of itself and of the rooms on its LAYERS line, never another
room's *_priv.h, and its archive may use only symbols those rooms define. Third-party headers are
confined to the rooms named in ONLY_IN. Exit status 1 and one line per breach.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# Each library is called from one place only.
ONLY_IN = {
    "uv.h": {"net"}, "llhttp.h": {"net"}, "nghttp2/nghttp2.h": {"net"}, "curl/curl.h": {"net"},
    "resolv.h": {"net"}, "openssl/": {"net"}, "wslay/": {"net"},
    "zstd.h": {"codec"}, "lz4.h": {"codec"}, "libdeflate.h": {"codec"}, "zlib.h": {"codec"},
    "lzma.h": {"codec"}, "bzlib.h": {"codec"}, "snappy-c.h": {"codec"}, "brotli/": {"codec"},
    "systemd/": {"input"}, "xxhash.h": {"base"}, "yaml.h": {"text"}, "pcre2.h": {"text"}, "sqlite3.h": {"store"},
    "cairo": {"api"},
}


def read_layers():
    allow = {}
    for line in (SRC / "LAYERS").read_text().splitlines():
        if ":" in line and not line.startswith("#"):
            room, deps = line.split(":", 1)
            allow[room.strip()] = deps.split()
    return allow


def check_includes(allow, bad):
    names = list(allow)
    for room, deps in allow.items():
        bad += [f"LAYERS: {room} may not use {d}, which is not below it"
                for d in deps if names.index(d) >= names.index(room)]
    for path in sorted(SRC.rglob("*.[ch]")):
        room = path.relative_to(SRC).parts[0]
        where = path.relative_to(ROOT)
        if room not in allow:
            bad.append(f"{where}: {room} is not a room of src/LAYERS")
            continue
        for n, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            third = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            if third:
                for lib, rooms in ONLY_IN.items():
                    if third.group(1).startswith(lib) and room not in rooms:
                        bad.append(f"{where}:{n}: <{third.group(1)}> belongs to {'/'.join(rooms)}")
            ours = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not ours:
                continue
            name = ours.group(1)
            to = name.split("/")[0]
            if "/" not in name or to not in allow:
                bad.append(f'{where}:{n}: include by room path ("room/file.h"), not "{name}"')
            elif to != room and to not in allow[room]:
                bad.append(f"{where}:{n}: {room} may not use {to}")
            elif to != room and name.endswith("_priv.h"):
                bad.append(f"{where}:{n}: {name} is private to {to}")


def symbols(archive, flag):
    out = subprocess.run(["nm", flag, archive], capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in out if line.strip() and not line.endswith(":")}


def check_symbols(allow, bad):
    # The build made last: another may be of older sources.
    for build in sorted(("build-asan", "build"), reverse=True, key=lambda b: max(
            (p.stat().st_mtime for p in (ROOT / b / "src").rglob("lib*.a")), default=0)):
        libs = {r: p for r in allow
                for p in [next((ROOT / build / "src").rglob(f"lib{r}.a"), None)] if p}
        if libs:
            break
    defined = {r: symbols(p, "--defined-only") for r, p in libs.items()}
    for room, path in libs.items():
        for symbol in symbols(path, "--undefined-only"):
            for owner, names in defined.items():
                if owner != room and symbol in names and owner not in allow[room] \
                        and not symbol.startswith(("__", ".")):
                    bad.append(f"lib{room}: uses {symbol} of {owner}")


def main():
    bad = []
    allow = read_layers()
    check_includes(allow, bad)
    check_symbols(allow, bad)
    for line in sorted(set(bad)):
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
