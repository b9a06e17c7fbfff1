"""The command line, run in this process and in one of its own, and folders for it to work on."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from edgeembed.cli.app import app
from edgeembed.cli.shared import output
from helpers import tiny_bundle

NOTES = {
    "cats.md": "The cat sat on the mat.\n\nAnother cat sat on another mat.\n",
    "trains.txt": "The train leaves the station at noon.\nIt never waits for anyone.\n",
    "deep/soup.txt": "A soup of tomatoes and basil is cooked slowly. " * 12,
    "people.jsonl": '{"id": "ann", "text": "Ann plays the guitar", "age": 30}\n'
    '\n{"id": "bob", "text": "Bob swims in the river", "age": 40}\n',
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No settings of the user's, wide output, and a working directory of one's own."""
    for name in [name for name in os.environ if name.startswith("EDGEEMBED_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")
    for console in (output.out, output.err):  # whose width is that of the time of their making
        monkeypatch.setattr(console, "width", 300)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run():
    """Run a command in this process: exit_code, stdout, stderr."""

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)

    return invoke


@pytest.fixture
def run_json(run):
    """Run a command that has to succeed and return what it printed, as JSON."""

    def invoke(*arguments):
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def command():
    """Run `python -m edgeembed` in a process of its own, or Python code in its place."""

    def start(*arguments, stdin=None, code=None, **environment):
        program = ["-m", "edgeembed"] if code is None else ["-c", code]
        return subprocess.run(
            [sys.executable, *program, *(str(a) for a in arguments)],
            input=stdin,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )

    return start


@pytest.fixture
def fails(run):
    """Run a command that has to fail in one line, and return that line."""

    def invoke(*arguments, stdin=None):
        return only_line(run(*arguments, stdin=stdin))

    return invoke


def only_line(result):
    assert result.exit_code == 1, (result.stdout, result.stderr)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if "━" not in line and "0:00:" not in line]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("edgeembed: ")
    assert "Traceback" not in result.stderr
    assert "internal error" not in lines[0]
    return lines[0]


@pytest.fixture
def notes(tmp_path):
    """A folder with texts, records, and what an indexer has to pass over."""
    folder = tmp_path / "notes"
    for name, text in NOTES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\0\0\0")
    (folder / "latin1.txt").write_bytes("naïve café".encode("latin-1"))
    (folder / ".hidden").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "readme.md").write_text("secret")
    return folder


@pytest.fixture
def indexed(run, notes, tiny_path, tmp_path):
    """The index of `notes`."""
    path = tmp_path / "made.index"
    result = run("index", notes, "--model", tiny_path, "--index", path)
    assert result.exit_code == 0, result.stderr
    return path


@pytest.fixture
def other_bundle(tmp_path):
    """A bundle of another vector space."""
    return tiny_bundle.write_tiny_bundle(tmp_path / "other.bundle", space="other")
