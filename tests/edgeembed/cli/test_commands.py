"""What every command shares: help, documentation, one-line errors, exit codes."""

import re
from pathlib import Path

import pytest
import typer

from edgeembed.cli.app import app
from edgeembed.cli.shared import ending
from edgeembed.cli.shared.interrupts import LINE, Interrupts
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.version import __version__

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(typer.main.get_group(app).commands)


def documented():
    """Every command that the README shows, on a line of its own or in a sentence."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return set(re.findall(r"(?:^|[ |/`])edgeembed ([a-z]+)\b", text, re.MULTILINE))


def test_the_commands_are_these():
    used = ["convert", "demo", "embed", "index", "inspect", "quantize", "search", "verify"]
    more = ["bench", "calibrate", "dedupe", "distill", "doctor", "eval", "export", "map", "train"]
    upkeep = ["prune", "remove", "status"]
    assert sorted([*used, *more, *upkeep, "mcp", "serve"]) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_explained_options(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Example.*edgeembed {name}", result.stdout, re.DOTALL)
    for parameter in typer.main.get_group(app).commands[name].params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), (name, parameter.name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name):
    assert name in documented()


def test_the_readme_shows_no_command_that_is_not_there():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    shown = set(re.findall(r"(?:^|/|\| )edgeembed ([a-z]+)", "\n".join(blocks), re.MULTILINE))
    assert shown
    assert shown <= set(COMMANDS)


def test_the_command_runs_as_a_module_and_prints_its_version(command):
    result = command("--version")
    assert (result.returncode, result.stdout.decode()) == (0, f"edgeembed {__version__}\n")


def test_no_arguments_show_the_commands(run):
    result = run()
    for name in COMMANDS:
        assert name in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "nothing"], "bundle nothing: expected a directory, got nothing"),
        (["verify", "nothing"], "bundle nothing: expected a directory, got nothing"),
        (["embed", "nothing"], "bundle nothing: expected a directory, got nothing"),
        (["search", "cat"], "edgeembed.index"),
        (["search", "cat", "-i", "nothing"], "nothing"),
        (["index", "nothing", "-m", "nothing"], "nothing: expected a file or a folder"),
        (["index", ".", "-m", "nothing"], "bundle nothing: expected a directory"),
        (["convert", "nothing", "out"], "nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_missing_is_named_in_one_line(fails, arguments, message):
    assert message in fails(*arguments)


def test_a_missing_bundle_is_one_line_and_exit_code_1_in_a_real_process(command):
    result = command("inspect", "nothing")
    assert (result.returncode, result.stdout) == (1, b"")
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith("edgeembed: bundle nothing: expected a directory")


def test_debugging_shows_the_traceback_above_the_line(run, monkeypatch):
    monkeypatch.setenv("EDGEEMBED_DEBUG", "1")
    result = run("inspect", "nothing")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "BundleNotFoundError" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("edgeembed: bundle nothing")


def test_an_exception_that_nobody_expected_is_one_line_that_asks_for_a_report(
    run, monkeypatch, tiny_path
):
    def fail(_):
        raise RuntimeError("boom\nand more")

    monkeypatch.setattr(Bundle, "open", fail)
    result = run("inspect", tiny_path)
    assert result.exit_code == 1
    assert result.stderr == (
        "edgeembed: internal error: RuntimeError: boom and more; "
        "set EDGEEMBED_DEBUG=1 to see where, and please report it\n"
    )


def test_memory_that_is_used_up_is_one_line(run, monkeypatch, tiny_path):
    def fail(_):
        raise MemoryError

    monkeypatch.setattr(Bundle, "open", fail)
    result = run("inspect", tiny_path)
    assert (result.exit_code, result.stderr) == (
        1,
        "edgeembed: out of memory; use fewer or shorter inputs\n",
    )


def test_an_interrupt_is_exit_code_130_and_one_line(run, monkeypatch, tiny_path):
    def fail(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Bundle, "open", fail)
    # Those of this process may have told of another test's interrupt.
    monkeypatch.setattr(ending, "INTERRUPTS", Interrupts())
    result = run("inspect", tiny_path)
    assert (result.exit_code, result.stderr) == (130, f"edgeembed: {LINE}\n")


def test_a_reader_that_stops_early_gets_no_traceback(command, tiny_path):
    code = """
import subprocess, sys
program = [sys.executable, "-m", "edgeembed", "embed", sys.argv[1]]
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
with subprocess.Popen(program, **pipes) as writer:
    writer.stdout.close()
    writer.stdin.write(b"cat\\n" * 3000)
    writer.stdin.close()
    sys.stderr.buffer.write(writer.stderr.read())
sys.exit(writer.returncode)
"""
    result = command(tiny_path, code=code)
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert b"BrokenPipe" not in result.stderr


def test_a_user_without_a_home_is_told_how_to_have_one(run, monkeypatch):
    """As in a container whose user is a number; these tests may be run by root."""

    def homeless(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("EDGEEMBED_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    result = run("demo")
    assert result.exit_code == 1
    assert "no folder for a cache: could not determine the home directory" in result.stderr
    assert "HOME=/tmp" in result.stderr
