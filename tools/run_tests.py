#!/usr/bin/env python3
"""Runs every test of the project and ends with the line `N passed, N failed` (and skipped ones).

    tools/run_tests.py             all stages, what `make test` does
    tools/run_tests.py unit e2e    only these stages
    tools/run_tests.py e2e -k kill only files whose name holds "kill"

Stages: rules (layers, lint, logql_docs), unit (cmocka under ASan and UBSan), threads (the threaded rooms under
TSan), fuzz (each target on its corpus and then briefly on), e2e (the real binary with real
programs), ui (unit and browser tests). Exit status 1 when anything failed.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
THREADED_SUITES = ["base", "os", "net", "store", "query", "input", "alert"]
FUZZ_SECONDS = 1
STAGE_TIMEOUT_S = 900  # of one program: only against what hangs


class Report:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, name, passed, failed, skipped, seconds, output=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        state = "FAILED" if failed else "ok"
        detail = f"{passed} passed" + (f", {failed} failed" if failed else "")
        detail += f", {skipped} skipped" if skipped else ""
        print(f"{state:6} {name:44} {detail} ({seconds:.1f} s)", flush=True)
        if failed and output:
            print("\n".join("    " + line for line in output.splitlines()[-60:]), flush=True)
        for line in output.splitlines():
            if "# SKIP" in line or "... skipped" in line or line.startswith("SKIP"):
                print(f"       {line.strip()}", flush=True)


def run(cmd, env=None, timeout=STAGE_TIMEOUT_S, cwd=ROOT):
    started = time.monotonic()
    try:
        p = subprocess.run(cmd, cwd=cwd, env={**os.environ, **(env or {})}, text=True,
                           errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, timeout=timeout)
        return p.returncode, p.stdout, time.monotonic() - started
    except subprocess.TimeoutExpired as e:
        out = e.stdout.decode(errors="replace") if isinstance(e.stdout, bytes) else e.stdout or ""
        return 124, out + f"\nended after {timeout} s", time.monotonic() - started


def stage_rules(report, only):
    for name in ("layers.py", "lint", "logql_docs.py"):
        code, out, seconds = run([str(ROOT / "tools" / name)])
        report.add(f"rules/{name}", int(code == 0), int(code != 0), 0, seconds, out)


def meson_suite(report, build, suites, label, only):
    """One meson run; the cases are counted from its JUnit report."""
    cmd = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs",
           "--timeout-multiplier", "6"]
    for s in suites:
        cmd += ["--suite", s]
    code, out, seconds = run(cmd, timeout=1500)
    junit = ROOT / build / "meson-logs" / "testlog.junit.xml"
    total = [0, 0, 0]
    failures = []
    if junit.exists():
        for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
            for case in suite.iter("testcase"):
                if case.find("skipped") is not None:
                    total[2] += 1
                elif case.find("failure") is not None or case.find("error") is not None:
                    total[1] += 1
                    failures.append(f"{suite.get('name')}: {case.get('name')}")
                else:
                    total[0] += 1
    if code and not total[1]:
        total[1] = 1
    report.add(label, *total, seconds, "\n".join(failures) + "\n" + out if total[1] else "")


def stage_unit(report, only):
    meson_suite(report, "build-asan", [], "unit (ASan, UBSan)", only)


def stage_threads(report, only):
    listed = run(["meson", "test", "-C", "build-tsan", "--list", "--no-rebuild"])[1]
    suites = [s for s in THREADED_SUITES if re.search(rf"pharos:{s}\b", listed)]
    meson_suite(report, "build-tsan", suites, "threads (TSan)", only)


def stage_fuzz(report, only):
    for target in sorted((ROOT / "build-fuzz" / "fuzz").glob("fuzz_*")):
        if target.is_dir() or not os.access(target, os.X_OK) or (only and only not in target.name):
            continue
        corpus = ROOT / "fuzz" / "corpus" / target.name.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory() as work:
            seeds = os.path.join(work, "seeds")
            shutil.copytree(corpus, seeds) if corpus.is_dir() else os.mkdir(seeds)
            code, out, seconds = run(
                [str(target), seeds, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
                 "-rss_limit_mb=2048", "-print_final_stats=0", f"-artifact_prefix={work}/"],
                env={"ASAN_OPTIONS": "detect_leaks=1"}, timeout=120)
        has_seeds = corpus.is_dir() and any(corpus.iterdir())
        if not has_seeds:
            code, out = 1, out + f"\nno seed inputs in {corpus.relative_to(ROOT)}"
        report.add(f"fuzz/{target.name}", int(code == 0), int(code != 0), 0, seconds, out)


def count_unittest(code, out):
    ran = re.search(r"^Ran (\d+) tests? in", out, re.M)
    ran = int(ran.group(1)) if ran else 0
    bad = sum(int(n) for n in re.findall(r"(?:failures|errors|unexpected successes)=(\d+)", out))
    skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", out))
    if code and not bad:
        bad = 1
    return max(ran - bad - skipped, 0), bad, skipped


def count_tap(code, out):
    passed = len(re.findall(r"^ok\b(?!.*# SKIP)", out, re.M))
    skipped = len(re.findall(r"^ok\b.*# SKIP", out, re.M))
    failed = len(re.findall(r"^not ok\b", out, re.M))
    if (code or not passed + skipped) and not failed:
        failed = 1
    return passed, failed, skipped


def stage_e2e(report, only):
    env = {"PHAROS_BIN": str(ROOT / "build" / "pharos"), "PYTHONDONTWRITEBYTECODE": "1"}
    for test in sorted((ROOT / "tests" / "e2e").glob("test_*.py")):
        if only and only not in test.name:
            continue
        code, out, seconds = run([sys.executable, str(test), "-v"], env=env)
        report.add(f"e2e/{test.name}", *count_unittest(code, out), seconds, out)


def stage_ui(report, only):
    code, out, seconds = run(["npm", "run", "--silent", "test:tap"], cwd=ROOT / "ui")
    report.add("ui/unit", *count_tap(code, out), seconds, out)
    code, out, seconds = run([str(ROOT / "tests" / "ui" / "run")],
                             env={"PHAROS_BIN": str(ROOT / "build" / "pharos")})
    report.add("ui/browser", *count_tap(code, out), seconds, out)


STAGES = {"rules": stage_rules, "unit": stage_unit, "threads": stage_threads, "fuzz": stage_fuzz,
          "e2e": stage_e2e, "ui": stage_ui}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="stage", help=" ".join(STAGES))
    parser.add_argument("-k", dest="only", help="only files whose name holds this")
    args = parser.parse_args()
    unknown = [s for s in args.stages if s not in STAGES]
    if unknown:
        parser.error(f"no stage {unknown[0]}; there are: {' '.join(STAGES)}")
    report = Report()
    started = time.monotonic()
    for stage in args.stages or STAGES:
        STAGES[stage](report, args.only)
    print(f"took {time.monotonic() - started:.0f} s")
    tail = f", {report.skipped} skipped" if report.skipped else ""
    print(f"{report.passed} passed, {report.failed} failed{tail}")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
