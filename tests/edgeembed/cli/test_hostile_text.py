"""What strangers write - names, texts, manifests - cannot drive the terminal of who looks at it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgeembed.results.printable import printable_json
from helpers import tiny_bundle

ROOT = Path(__file__).parents[3]
CLI = ROOT / "edgeembed" / "cli"
# Escape, a title, a link, a CSI of one byte, another direction, a line that looks like ours.
EVIL = (
    "\x1b]0;OWNED\x07\x1b[2J\x1b[8m\x1b]8;;http://evil\x1b\\ \x9b31m \u202e \u2066 \r "
    "[link=http://evil]a[/link] [bold]b "
)
FAKE = "\nedgeembed: everything is well"
# What the console itself writes for colors, progress bars, and the cursor.
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[hl]|[0-9]*[AK]|2K|1G)|\r\n|\r")
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def on_a_terminal(*arguments):
    """Run a command whose three streams are a terminal: its exit code, and what arrived there."""
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-m", "edgeembed", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(master)
    return process.returncode, shown.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def evil_bundle(tmp_path_factory):
    bundle = tiny_bundle.write_tiny_bundle(tmp_path_factory.mktemp("evil") / "b.bundle")

    def edit(manifest):
        manifest["name"] = EVIL + FAKE
        manifest["source"]["license"] = EVIL + FAKE
        manifest["source"]["id"] = EVIL + FAKE
        manifest["prompts"] = {"query": EVIL}

    tiny_bundle.edit_manifest(bundle, edit)
    return bundle


@pytest.fixture(scope="module")
def evil_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil") / "notes"
    folder.mkdir()
    name = EVIL.replace("/", "_") + FAKE
    (folder / f"{name}.txt").write_text(f"before {EVIL} a cat sat\n" * 3)
    (folder / f"{name}.bin").write_bytes(b"\0\1")
    (folder / "bad.jsonl").write_text(f'{{"{EVIL.encode().hex()}": 1}}\n')
    return folder


def clean(shown):
    rest = OWN.sub("", shown)
    assert DANGEROUS.findall(rest) == [], rest
    assert not re.search(r"^edgeembed: everything is well", rest, re.MULTILINE)
    assert "\x1b]8" not in shown


needs_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


@needs_a_terminal
@pytest.mark.slow
def test_every_command_shows_hostile_names_and_texts_as_text(evil_bundle, evil_folder, tmp_path):
    index = tmp_path / (EVIL.replace("/", "_") + FAKE)
    small = evil_bundle
    runs = [
        ("index", evil_folder, "-m", small, "-i", index),
        ("search", "cat", "-i", index, "-m", small),
        ("search", "cat", "-i", index, "-m", small, "--full", "--context", "1"),
        ("search", EVIL + " cat", "-i", index, "-m", small),
        ("search", "cat", "-i", index, "-m", small, "--json"),
        ("inspect", small),
        ("inspect", index),
        ("inspect", small, "--json"),
        ("inspect", str(index) + "no"),
        ("verify", index),
        ("verify", small),
        ("map", index, "-o", tmp_path / (EVIL.replace("/", "_") + ".html")),
        ("export", index, "-o", tmp_path / (EVIL.replace("/", "_") + ".npy")),
        ("embed", small, next(evil_folder.glob("*.txt"))),
        ("embed", f"--{EVIL}"),
        (EVIL,),
        ("search", "cat", "-i", index, "--where", EVIL),
        ("search", "cat", "-i", index, "-k", EVIL),
    ]
    for arguments in runs:
        code, shown = on_a_terminal(*arguments)
        assert code in (0, 1, 2), (arguments, shown)
        assert "Traceback" not in shown
        assert "internal error" not in shown, (arguments, shown)
        clean(shown)


def test_one_command_shows_a_hostile_manifest_as_text(run, evil_bundle):
    result = run("inspect", evil_bundle)
    assert result.exit_code == 0
    clean(result.stdout)
    assert "OWNED" in result.stdout


def test_json_stays_exact_and_has_no_control_characters(run_json, run, evil_bundle):
    assert run_json("inspect", evil_bundle)["name"] == EVIL + FAKE
    clean(run("inspect", evil_bundle, "--json").stdout)


def test_json_is_escaped_only_where_it_has_to_be():
    assert printable_json('{"a": "ü漢\u200d"}\n') == '{"a": "ü漢\u200d"}\n'
    assert printable_json('"\x9b\u202e\x7f\ud800"') == '"\\u009b\\u202e\\u007f\\ud800"'


PRINTS = {"shared/output.py", "shared/streams.py", "shared/ending.py"}


def test_nothing_is_printed_but_by_the_modules_that_make_it_harmless():
    found = []
    for path in sorted(CLI.rglob("*.py")):
        name = path.relative_to(CLI).as_posix()
        if name in PRINTS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in ("print", "typer.echo", "typer.secho", "click.echo", "Console") or (
                called.endswith((".write", ".writelines")) and called.startswith("sys.std")
            ):
                found.append(f"{name}: {called}")
            if called in ("out.print", "err.print"):
                found.append(f"{name}: {called}")
    assert found == []
