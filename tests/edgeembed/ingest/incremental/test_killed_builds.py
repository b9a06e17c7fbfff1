"""A killed `edgeembed index` never lies, and the next one completes it."""

import json
import os
import random
import shutil
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from edgeembed import Index
from edgeembed.cli.app import app
from edgeembed.ingest.file_state import read_file_states
from helpers.indexed_folder import OLD, age, contents

pytestmark = pytest.mark.slow

KILLED = """
import os, signal, sys
from edgeembed.cli import main
from edgeembed_runtime.index.write import commit

when, count = sys.argv.pop(1), int(sys.argv.pop(1))
commits = []
upsert, write_notes = commit.Writer.upsert, commit.write_notes

def die(moment):
    if moment == when and len(commits) == count:
        os.kill(os.getpid(), signal.SIGKILL)

def killed_upsert(self, *arguments):
    commits.append(1)
    die("before")
    upsert(self, *arguments)
    die("after")

def killed_notes(connection, notes):
    write_notes(connection, notes)
    die("inside")

commit.Writer.upsert, commit.write_notes = killed_upsert, killed_notes
sys.argv[0] = "edgeembed"
main()
"""


def make_corpus(folder, seed):
    """Many small files, one that takes several commits, and records with and without keys."""
    draw = random.Random(seed)
    words = ["cat", "dog", "train", "station", "river", "music", "guitar", "soup", "tomato"]

    def text(length):
        return " ".join(draw.choices(words, k=length)) + "."

    folder.mkdir(exist_ok=True)
    for i in range(120):
        (folder / f"{i:03}.txt").write_text(text(40))
    (folder / "large.txt").write_text("\n\n".join(text(25) for _ in range(600)))
    records = [{"text": text(5)} | ({"id": f"k{i}"} if i % 2 else {}) for i in range(300)]
    (folder / "records.jsonl").write_text("\n".join(map(json.dumps, records)))


@pytest.fixture(scope="module")
def changed_corpus(tmp_path_factory, tiny_path):
    """A folder before and after many changes, an index of the first, the contents of the second."""
    base = tmp_path_factory.mktemp("killed")
    make_corpus(base / "corpus", 1)
    age(base / "corpus")
    arguments = [str(base / "corpus"), "-m", str(tiny_path), "--max-tokens", "16"]
    run = CliRunner().invoke(app, ["index", *arguments, "-i", str(base / "old.index")])
    assert run.exit_code == 0, run.stderr
    kept = {i: (base / "corpus" / f"{i:03}.txt").read_text() for i in range(0, 120, 3)}
    make_corpus(base / "corpus", 2)
    for i, text in kept.items():
        (base / "corpus" / f"{i:03}.txt").write_text(text)
    for i in range(1, 30, 3):
        (base / "corpus" / f"{i:03}.txt").unlink()
    age(base / "corpus")
    run = CliRunner().invoke(app, ["index", *arguments, "-i", str(base / "new.index")])
    assert run.exit_code == 0, run.stderr
    return base, arguments, contents(base / "new.index")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("when", "count"), [("before", 2), ("inside", 1), ("inside", 4), ("after", 1), ("after", 3)]
)
def test_a_build_that_is_killed_never_lies_and_is_completed(
    command, run_json, changed_corpus, tmp_path, when, count
):
    base, arguments, expected = changed_corpus
    shutil.copytree(base / "old.index", tmp_path / "i")
    # Half of the files have their old mtime with new content: only if nobody looks at more.
    for path in (base / "corpus").glob("*.*"):
        os.utime(path, (OLD + 60, OLD + 60))
    result = command(when, count, "index", *arguments, "-i", "i", code=KILLED)
    assert result.returncode == -9, result.stderr
    present = contents("i")
    with Index.open("i") as index:
        for name, file in read_file_states(index.notes()).items():
            fresh = {k: v for k, v in expected.items() if k.startswith(f"{name}#")}
            if file.mtime_ns == (OLD + 60) * 10**9 and file.sha256:
                assert {k: v for k, v in present.items() if k.startswith(f"{name}#")} == fresh
    report = run_json("index", *arguments, "-i", "i")
    assert contents("i") == expected
    assert report["failed"] == []
    assert run_json("verify", "i")["ok"]
    assert run_json("index", *arguments, "-i", "i")["unchanged"] == report["files"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_files_that_went_back_to_what_they_were_after_a_kill_are_indexed_as_they_are(
    command, run_json, changed_corpus, tmp_path
):
    base, arguments, _ = changed_corpus
    shutil.copytree(base / "old.index", tmp_path / "i")
    shutil.copytree(base / "corpus", tmp_path / "new")
    try:
        result = command("after", 3, "index", *arguments, "-i", "i", code=KILLED)
        assert result.returncode == -9, result.stderr
        assert contents("i") != contents(base / "old.index")
        make_corpus(base / "corpus", 1)
        age(base / "corpus")
        run_json("index", *arguments, "-i", "i")
        assert contents("i") == contents(base / "old.index")
    finally:
        shutil.rmtree(base / "corpus")
        (tmp_path / "new").rename(base / "corpus")


def test_a_killed_first_build_continues_where_it_was(command, run_json, changed_corpus, embedded):
    _, arguments, expected = changed_corpus
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    result = command("after", 3, "index", *arguments, "-i", "i", code=KILLED)
    assert result.returncode == -9, result.stderr
    done = contents("i")
    assert len(done) > 500
    report = run_json("index", *arguments, "-i", "i")
    assert report["embedded"] == len(embedded) == len(expected) - len(done)
    assert contents("i") == expected


def test_vectors_stay_the_same_however_often_files_change(run_json, notes, settled, tiny_path):
    text = (notes / "deep" / "soup.txt").read_text()
    for i in range(5):
        (notes / "deep" / "soup.txt").write_text(text + "the cat " * i)
        run_json("index", notes, "-i", settled)
    run_json("index", notes, "-m", tiny_path, "-i", "fresh")
    assert contents(settled) == contents("fresh")
    assert np.isfinite([np.frombuffer(v, "<f4") for _, _, v in contents(settled).values()]).all()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_the_index_is_what_a_new_one_would_be(
    run_json, tmp_path, tiny_path, seed
):
    draw = random.Random(seed)
    folder = tmp_path / "any"
    names = [f"{d}{n}" for d in ("", "x/", "y/", "x/z/") for n in ("a.txt", "b.md", "c.jsonl")]
    texts = [
        "",
        "\0",
        "the cat. " * 3,
        "the train. " * 60,
        '{"text": "one"}\n{"text": "two"}',
        "{}",
    ]
    folder.mkdir()
    for step in range(12):
        for _ in range(draw.randrange(1, 5)):
            change(folder, draw, names, texts)
        for path in folder.rglob("*"):  # as old as they may be, so that mtimes count
            if path.is_file() and path.stat().st_mtime > OLD + 1000:
                os.utime(path, (OLD + step, OLD + step))
        shutil.rmtree("fresh", ignore_errors=True)
        # What the index has of a file that cannot be read stays, so such files are left out.
        for path in folder.rglob("*.jsonl"):
            if path.read_text() in ("{}", "\0") or path.read_text().startswith("the"):
                path.unlink()
        run_json("index", folder, "-m", tiny_path, "-i", "kept")
        run_json("index", folder, "-m", tiny_path, "-i", "fresh")
        assert contents("kept") == contents("fresh"), step


def change(folder, draw, names, texts):
    """One random change: write, rename over another, delete, or move a folder."""
    path, other = (folder / name for name in draw.sample(names, 2))
    action = draw.choice(["write", "write", "rename", "delete", "move"])
    if action == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(draw.choice(texts))
    elif action == "rename" and path.exists():
        other.parent.mkdir(parents=True, exist_ok=True)
        path.replace(other)
    elif action == "delete":
        path.unlink(missing_ok=True)
    elif action == "move" and (folder / "x").exists():
        shutil.rmtree(folder / "y", ignore_errors=True)
        (folder / "x").rename(folder / "y")
