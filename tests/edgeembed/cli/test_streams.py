"""Standard streams that are closed, full, or left by their reader: one line, and an exit code."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shell is a POSIX one")


def shell(line, **environment):
    """Run a line in which $E is the command."""
    return subprocess.run(
        ["/bin/sh", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        env={**os.environ, "E": f"{sys.executable} -m edgeembed", **environment},
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("$E inspect static > /dev/full", "could not write standard output: the disk is full"),
        ("$E inspect static --json > /dev/full", "could not write standard output: the disk"),
        ("$E --help > /dev/full", "could not write standard output: the disk is full"),
        ("$E inspect static >&-", "could not write standard output: it is closed"),
        ("$E embed static <&-", "could not read standard input"),
    ],
)
def test_a_stream_that_cannot_be_used_is_one_line_and_exit_code_1(line, message):
    if "/dev/full" in line and not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("this system has no /dev/full")
    result = shell(line)
    assert result.returncode == 1
    (shown,) = result.stderr.splitlines()
    assert shown.startswith(f"edgeembed: {message}")


def test_too_few_descriptors_to_start_with_is_one_line_and_exit_code_1():
    for count in range(3, 10):
        result = shell(f"ulimit -n {count}; $E --version")
        if result.returncode == 1 and "edgeembed:" in result.stderr:
            (shown,) = result.stderr.splitlines()
            assert "Too many open files" in shown
            return
    pytest.fail("no limit lets Python start and not the command")


def test_a_library_that_does_not_load_is_one_line_and_exit_code_1(command):
    code = """
import sys
from edgeembed.cli import main

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            try:
                raise ImportError("libblas.so: failed to map segment")
            except ImportError as error:
                raise ImportError("a page of advice\\n" * 9) from error

sys.meta_path.insert(0, Refuse())
sys.argv = ["edgeembed", "--version"]
main()
"""
    result = command(code=code)
    assert result.returncode == 1
    (shown,) = result.stderr.decode().splitlines()
    assert shown.startswith("edgeembed: could not load a library: libblas.so: failed to map")


def test_a_closed_or_full_standard_error_changes_nothing():
    for line in ("$E inspect static --json 2>&-", "$E inspect static --json 2>/dev/full"):
        result = shell(line)
        assert (result.returncode, result.stdout[:1]) == (0, "{")


def test_without_any_stream_a_file_is_written_all_the_same(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    assert shell("$E embed static a.txt -o a.npy <&- >&- 2>&-").returncode == 0
    assert (tmp_path / "a.npy").read_bytes()[:6] == b"\x93NUMPY"


def test_a_reader_that_leaves_is_no_error_to_speak_of(tmp_path):
    (tmp_path / "a.txt").write_text("a\n" * 3000)
    result = shell("$E embed static a.txt | head -1 | wc -l")
    assert (result.stdout.strip(), result.stderr) == ("1", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_the_stream_has_not_are_escaped(tmp_path, encoding):
    (tmp_path / "ü漢.txt").write_text("naïve 漢字\n", encoding="utf-8")
    result = shell(
        "$E index *.txt -m static -i i && $E search naïve -i i", PYTHONIOENCODING=encoding
    )
    assert result.returncode == 0, result.stderr
    assert "\\u6f22" in result.stdout


def test_words_that_are_no_text_are_refused_and_names_of_files_are_not(tmp_path):
    result = shell("$E search $(printf '\\377') -i i")
    assert result.returncode == 1
    assert "query: expected UTF-8" in result.stderr
    with open(os.fsencode(tmp_path) + b"/\xff.txt", "wb") as file:  # noqa: PTH123
        file.write(b"a cat\n")
    assert shell("$E embed static *.txt -o a.jsonl").returncode == 0
    assert shell("$E index . -m static -i i").returncode == 0
