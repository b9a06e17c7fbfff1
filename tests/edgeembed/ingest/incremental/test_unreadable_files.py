"""`edgeembed index` of files that cannot be read, or change meanwhile."""

import json
import os
import sys

import pytest

from edgeembed import Index
from edgeembed.ingest import text_indexer
from helpers.indexed_folder import OLD, age, contents, counts, sources

# Root may read everything, unless it gives up its capabilities.
POWERLESS = """
import ctypes, sys
ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
sys.argv[0] = "edgeembed"
from edgeembed.cli import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
@pytest.mark.parametrize(("name", "mode"), [("trains.txt", 0), ("deep", 0), ("deep", 0o400)])
def test_what_cannot_be_read_now_is_named_and_stays(command, notes, settled, name, mode):
    before = contents(settled)
    with (notes / "cats.md").open("a") as file:
        file.write("A zeppelin.")
    (notes / "trains.txt").write_text("The train is late.")
    (notes / name).chmod(mode)
    result = command("index", notes, "-i", settled, "--json", code=POWERLESS)
    (notes / name).chmod(0o700)
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    line = result.stderr.decode().splitlines()[-1]
    assert line.startswith("edgeembed: could not ")
    assert name in line
    report = json.loads(result.stdout)
    assert len(report["failed"]) == 1
    assert report["removed"] == 0
    after = contents(settled)
    assert {k: v for k, v in after.items() if name in k} == {
        k: v for k, v in before.items() if name in k
    }
    assert any("zeppelin" in (text or "") for text, _, _ in after.values())


def test_a_record_that_is_wrong_does_not_keep_other_files_out(run, run_json, notes, settled):
    before = contents(settled)
    (notes / "people.jsonl").write_text('{"id": "ann", "text": "Ann sings"}\n{oops')
    (notes / "trains.txt").write_text("The train is late.")
    result = run("index", notes, "-i", settled)
    assert result.exit_code == 1
    assert "edgeembed: " in result.stderr
    assert "people.jsonl, line 2: expected JSON" in result.stderr
    after = contents(settled)
    assert after[f"{notes}/people.jsonl/ann#0"][0] == "Ann sings"
    assert f"{notes}/people.jsonl/bob#0" in before.keys() - after.keys()
    assert after[f"{notes}/trains.txt#0"][0] == "The train is late."
    (notes / "people.jsonl").write_text('{"id": "ann", "text": "Ann sings"}')
    assert run_json("index", notes, "-i", settled)["failed"] == []


@pytest.mark.parametrize(
    "record",
    [
        {"id": True, "text": "x"},
        {"id": "a", "text": "x", "f": "\0"},
        {"id": "a", "text": "x", "n": 10**30},
        {"id": [1], "text": "x"},
    ],
    ids=lambda record: str(sorted(record)),
)
def test_a_record_that_no_index_takes_is_named_with_its_file(run, notes, settled, record):
    (notes / "people.jsonl").write_text(json.dumps(record))
    (notes / "trains.txt").write_text("The train is late.")
    result = run("index", notes, "-i", settled)
    assert result.exit_code == 1
    assert "internal error" not in result.stderr
    assert "people.jsonl" in result.stderr.splitlines()[-1]
    assert contents(settled)[f"{notes}/trains.txt#0"][0] == "The train is late."


def test_a_file_that_changes_while_it_is_read_is_read_again(run_json, notes, settled, monkeypatch):
    original = text_indexer.examined

    def hash_and_change(path):
        found = original(path)
        if path.name == "cats.md":  # what is hashed is not what will be cut
            path.write_text("Dogs.")
            os.utime(path, (OLD + 50, OLD + 50))
        return found

    (notes / "cats.md").write_text("Cats.")
    os.utime(notes / "cats.md", (OLD + 9, OLD + 9))
    with monkeypatch.context() as patch:
        patch.setattr(text_indexer, "examined", hash_and_change)
        run_json("index", notes, "-i", settled)
    (notes / "cats.md").write_text("Cats.")  # the content that was hashed
    age(notes)
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 0, 0)
    assert contents(settled)[f"{notes}/cats.md#0"][0] == "Cats."


def test_records_that_are_appended_while_they_are_read_wait_for_the_next_run(
    run_json, tmp_path, tiny_path, monkeypatch
):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"text": f"the cat {i}"}) + "\n" for i in range(400)]
    path.write_text("".join(lines[:300]))
    upsert = Index.upsert

    def upsert_and_append(self, *arguments, **options):
        with path.open("a") as log:
            log.writelines(lines[300:])
        upsert(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Index, "upsert", upsert_and_append)
        run_json("index", path, "-m", tiny_path)
    assert len(contents("edgeembed.index")) == 300
    run_json("index", path)
    assert len(contents("edgeembed.index")) == 500


def test_a_file_that_vanishes_before_it_is_read_is_gone(run_json, notes, settled, monkeypatch):
    original = text_indexer.examined

    def vanish(path):
        path.unlink()
        return original(path)

    (notes / "cats.md").write_text("Dogs.")
    monkeypatch.setattr(text_indexer, "examined", vanish)
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (0, 5, 1, 0)
    assert report["failed"] == []
    assert f"{notes}/cats.md" not in sources(settled)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf8_is_indexed_under_an_escaped_one(run, run_json, notes, settled):
    path = notes / os.fsdecode(b"caf\xe9.txt")
    path.write_text("A coffee house.")
    os.utime(path, (OLD, OLD))
    assert counts(run_json("index", notes, "-i", settled)) == (1, 6, 0, 0)
    assert f"{notes}/caf\\xe9.txt" in sources(settled)
    assert counts(run_json("index", notes, "-i", settled)) == (0, 7, 0, 0)
    (notes / os.fsdecode(b"\xff.jsonl")).write_text("{")
    result = run("index", notes, "-i", settled, "--json")
    assert result.exit_code == 1
    assert "internal error" not in result.stderr
    path.unlink()
    assert run("index", notes, "-i", settled).exit_code == 1
    assert f"{notes}/caf\\xe9.txt" not in sources(settled)


def test_a_path_that_is_too_long_for_a_key_is_named(run, notes, settled):
    folder = notes
    for _ in range(5):
        folder /= "d" * 240
    folder.mkdir(parents=True)
    (folder / "f.txt").write_text("deep")
    result = run("index", notes, "-i", settled)
    assert result.exit_code == 1
    assert "expected a path of at most 1000 characters" in result.stderr
    assert counts(json.loads(run("index", notes, "-i", settled, "--json").stdout))[1] == 6


def test_loops_of_links_end(run_json, notes, settled):
    (notes / "deep" / "up").symlink_to(notes, target_is_directory=True)
    (notes / "self").symlink_to("self")
    assert counts(run_json("index", notes, "-i", settled)) == (0, 6, 0, 0)
