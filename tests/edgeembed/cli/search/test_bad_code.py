"""Repositories with what no parser likes: each costs a line in the summary, never the run."""

import json
import os
import random
import threading
from pathlib import Path

import pytest

pytest.importorskip("tree_sitter_language_pack")

SOUND = "def cat(mat):\n    return mat\n"
# Stands in front of the library in the reading process: one grammar crashes it, one never ends.
STRANGE_GRAMMARS = """\
import importlib.machinery, importlib.util, os, sys, time
here = os.path.dirname(__file__)
others = [path for path in sys.path if path != here]
spec = importlib.machinery.PathFinder.find_spec(__name__, others)
__path__ = spec.submodule_search_locations
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

def get_parser(name):
    if name == "go":
        os.abort()
    while name == "ruby":
        time.sleep(1)
    return real.get_parser(name)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "sound.py").write_text(SOUND)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def index(run, run_json, tiny_path, tmp_path):
    """Index the repository: the report, and the symbols that were found by file."""

    def make():
        result = run(
            *("index", "repo", "--code", "--model", tiny_path, "-i", "code.index", "--json")
        )
        assert "Traceback" not in result.stderr
        report = json.loads(result.stdout)
        return report, symbols(run_json)

    return make


def symbols(run_json):
    hits = run_json("search", "cat", "-i", "code.index", "-k", "1000", "--mode", "dense")["hits"]
    found: dict[str, set[str | None]] = {}
    for hit in hits:
        found.setdefault(hit["metadata"]["source"], set()).add(hit["metadata"].get("symbol"))
    return found


def left_out(report):
    return {each["name"]: each["reason"] for each in report["left_out"]}


def test_files_that_no_parser_likes_cost_themselves_only(index, repository):
    (repository / "latin.py").write_bytes("def café():\n    return 'é'\n".encode("latin-1"))
    (repository / "binary.py").write_bytes(b"\0\1\2\3" * 100)
    (repository / "broken.py").write_text("def cat(:\n  pass\n)]\ndef rain():\n    return 1\n")
    (repository / "nested.c").write_text("int f() { return " + "(" * 10_000 + ")" * 10_000 + "; }")
    (repository / "deep.js").write_text("[" * 10_000)
    (repository / "cat.zig").write_text("fn cat(mat: i32) i32 {\n    return mat;\n}\n")
    (repository / "empty.py").write_text("")
    (repository / "one.py").write_text("x")
    report, found = index()
    assert found["repo/sound.py"] == {"cat"}
    assert "rain" in found["repo/broken.py"]
    assert "café" in found["repo/latin.py"]
    assert found["repo/cat.zig"] == {None}
    assert left_out(report)["repo/binary.py"] == "not text"
    assert left_out(report)["repo/empty.py"] == "empty"
    assert {"repo/nested.c", "repo/deep.js"} <= {*found, *left_out(report)}
    assert report["failed"] == []


def test_fifty_megabytes_of_packed_code_are_left_out_by_their_beginning(index, repository):
    with (repository / "app.js").open("w") as file:
        for _ in range(50):
            file.write("var a=b(c);" * 95_000)
    report, found = index()
    assert left_out(report)["repo/app.js"] == "generated code"
    assert found == {"repo/sound.py": {"cat"}}


def test_links_in_a_circle_are_told_and_not_followed(index, run, repository):
    (repository / "up").symlink_to("..")
    (repository / "self.py").symlink_to("self.py")
    (repository / "ring").mkdir()
    (repository / "ring/ring").symlink_to("../ring")
    (repository / "gone.py").symlink_to("nowhere.py")
    report, found = index()
    assert found == {"repo/sound.py": {"cat"}}
    for name in ("repo/up", "repo/self.py", "repo/ring/ring", "repo/gone.py"):
        assert left_out(report)[name] == "link"
    again = run("index", "repo", "--code", "--follow-links", "-i", "code.index")
    assert "Traceback" not in again.stderr


def test_a_repository_that_changes_meanwhile_is_complete_after_the_next_run(index, repository):
    chance = random.Random(0)
    for number in range(30):
        (repository / f"f{number}.py").write_text(f"def first{number}(cat):\n    return cat\n")
    ended = threading.Event()

    def change():
        while not ended.is_set():
            number = chance.randrange(40)
            path = repository / f"f{number}.py"
            match chance.randrange(4):
                case 0:
                    path.unlink(missing_ok=True)
                case 1:
                    path.unlink(missing_ok=True)
                    path.mkdir(exist_ok=True)
                    path.rmdir()
                case 2:
                    path.write_text(f"def f{number}(cat):\n    return {chance.random()}\n")
                case _:
                    if path.exists():
                        path.replace(repository / "moved.py")

    writer = threading.Thread(target=change)
    writer.start()
    try:
        for _ in range(3):
            report, _ = index()
            assert all("repo/" in each for each in report["failed"])
    finally:
        ended.set()
        writer.join()
    report, found = index()
    assert report["failed"] == []
    assert {Path(name) for name in found} == {
        path.relative_to(repository.parent) for path in repository.glob("*.py")
    }
    for name, names in found.items():
        text = Path(name).read_text()
        assert all(symbol is None or f"def {symbol}(" in text for symbol in names)


@pytest.mark.slow
def test_grammars_that_crash_or_never_end_cost_their_files(
    command, run_json, repository, tiny_path, tmp_path
):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/tree_sitter_language_pack.py").write_text(STRANGE_GRAMMARS)
    (repository / "a.go").write_text("package p\nfunc F() {}\n")
    (repository / "b.rb").write_text("def m\nend\n")
    (repository / "z.py").write_text(SOUND.replace("cat", "rain"))
    paths = os.pathsep.join([str(tmp_path / "strange"), os.environ.get("PYTHONPATH", "")])
    done = command(
        *("index", "repo", "--code", "--model", tiny_path, "-i", "code.index", "--json"),
        PYTHONPATH=paths,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    told = left_out(report)
    assert told["repo/a.go"] == "damaged"
    assert told["repo/b.rb"] in ("damaged", "too large")
    assert symbols(run_json) == {"repo/sound.py": {"cat"}, "repo/z.py": {"rain"}}
