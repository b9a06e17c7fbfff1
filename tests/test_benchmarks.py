"""Every benchmark starts: its imports are right, and --help says what it measures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "benchmarks").rglob("*.py"))
SCRIPTS = [path for path in MODULES if "ArgumentParser" in path.read_text(encoding="utf-8")]

# One process for all, because most import torch. Each script runs as `python SCRIPT --help`.
START = """
import contextlib, importlib, io, json, runpy, sys
scripts, modules = json.load(sys.stdin)
answers = sys.__stdout__
for folder, path in scripts:
    sys.path[0], sys.argv, help = folder, [path, "--help"], io.StringIO()
    with contextlib.redirect_stdout(help):
        try:
            runpy.run_path(path, run_name="__main__")
            code = "no exit"
        except SystemExit as end:
            code = end.code
        except Exception as error:
            code = repr(error)
    print(json.dumps([path, code, help.getvalue()]), file=answers, flush=True)
sys.path[0] = ""
for name in modules:
    importlib.import_module(name)
"""


@pytest.fixture(scope="module")
def started():
    """The exit code and the help of each script; all other modules have been imported."""
    scripts = [(str(path.parent), str(path)) for path in SCRIPTS]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if path not in SCRIPTS
    ]
    done = subprocess.run(
        [sys.executable, "-c", START],
        input=json.dumps([scripts, modules]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return done, {path: (code, text) for path, code, text in answers}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_benchmark_explains_itself(started, script):
    code, text = started[1][str(script)]
    assert code == 0, code
    assert text.startswith("usage: ")


def test_every_other_module_can_be_imported(started):
    assert started[0].returncode == 0, started[0].stderr


def test_the_readme_names_every_benchmark():
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for script in SCRIPTS:
        assert str(script.relative_to(ROOT).as_posix()) in readme
