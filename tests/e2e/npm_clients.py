"""Clients from npm that tests drive Pharos with (tests/e2e/package.json)."""
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def install(case):
    """Puts the packages there. Skips without Node.js."""
    if not shutil.which("node") or not shutil.which("npm"):
        case.skipTest("node and npm are not installed")
    installed = HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or \
            installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        done = subprocess.run(["npm", "ci"], cwd=HERE, capture_output=True, text=True, timeout=300)
        case.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def node(case, script, *args):
    """Runs a script with the packages at hand; gives what it prints. Skips without Node.js."""
    install(case)
    done = subprocess.run(["node", HERE / script, *map(str, args)], capture_output=True, text=True,
                          timeout=60)
    case.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout.strip()
