#!/usr/bin/env python3
"""docs/loki.md names every construct of LogQL and every endpoint of Loki's door, with tests that have it.

The words of the language are read from the lexer, the parser and the table of template functions; the
endpoints from the door's table. Each has to stand in backticks in the first column of a table of the page, and
each row's last column names files of tests (by the short names that the page's head gives them) and, in
backticks, cases of them. The files and cases have to be there, and each word of the row in one of its files."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "loki.md"
LOGQL = ROOT / "src" / "lang" / "logql"


def words_of_language():
    parser = (LOGQL / "parser.c").read_text() + (LOGQL / "parser_stage.c").read_text()
    lexer = (LOGQL / "lexer.c").read_text()
    words = set(re.findall(r'is_word\(p, "(\w+)"\)', parser))
    for name in ("keywords", "logql__range_names"):
        table = re.search(name + r"\[\w*\] = \{(.*?)\}", parser, re.S).group(1)
        words |= set(re.findall(r'"(\w+)"', table))
    words |= set(re.findall(r'\{"(\w+)", (?:QUERY_|LOGQL_|-1)', parser))
    words |= set(re.findall(r'\{"([^\w"]+)", QUERY_', parser))
    words |= {"--" + flag for flag in re.findall(r'now\.text, "(strict|keep-empty)"', parser)}
    words |= set(re.findall(r'"([^"\w]+)"', re.search(r"twos\[\] = \{(.*?)\}", lexer).group(1)))
    words |= set(re.findall(r'LOGQL_\w*ERROR\w* +"(\w+)"', (LOGQL / "line.h").read_text()))
    table = (LOGQL / "template_functions.c").read_text().split("logql__functions[] = {")[1]
    return words, set(re.findall(r'\{"(\w+)", "', table))


def endpoints():
    text = (ROOT / "src/api/loki/routes.c").read_text()
    return {p.rstrip("/") for p in re.findall(r'\{[A-Z_ |]+, "(/[^"]*)",', text)}


def rows(text):
    """[(first column, last column)] of all tables, whose cells may hold escaped bars"""
    for line in text.splitlines():
        if not line.startswith("|") or set(line) <= set("|- "):
            continue
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) > 1:
            yield cells[0], cells[-1]


def quoted(cell):
    return re.findall(r"``(.+?)``|`([^`]+)`", cell)


def main():
    bad = []
    text = PAGE.read_text()
    files = {}
    for short, names in re.findall(r"^- \*([\w ]+)\*: (.*)$", text, re.M):
        files[short] = [ROOT / f for f in re.findall(r"`([\w/.]+)`", names)]
        bad += [f"docs/loki.md: {f} is not there" for f in files[short] if not f.exists()]
    words, functions = words_of_language()
    known = words | functions | endpoints()
    documented = set()
    for first, last in rows(text):
        row = {a or b for a, b in quoted(first)} & known
        if not row:
            continue
        documented |= row
        shorts = [s.strip() for s in re.sub(r"`[^`]*`", "", last).split(",") if s.strip()]
        tests = ""
        for short in shorts:
            if short not in files:
                bad.append(f"docs/loki.md: {first}: \"{short}\" is no short name of a file of tests")
                continue
            tests += "".join(f.read_text() for f in files[short] if f.exists())
        if not tests:
            bad.append(f"docs/loki.md: {first}: no test is named")
            continue
        for case in re.findall(r"`(\w+)`", last):
            if not re.search(rf"(?:def|void) {case}\(", tests):
                bad.append(f"docs/loki.md: {first}: there is no case {case}")
        for word in sorted(row):
            # Of paths, what is behind the API's prefix, up to a parameter.
            part = re.sub(r"^/(?:loki/api/v1|api/prom|prometheus/api/v1)", "", word).split("/:")[0].strip("/")
            there = re.search(rf"(?<!\w){re.escape(part)}(?!\w)", tests) if word[0].isalnum() else part in tests
            if not there:
                bad.append(f"docs/loki.md: {word} does not occur in the tests named for it")
    bad += [f"docs/loki.md: {word} is in no table" for word in sorted(known - documented)]
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
