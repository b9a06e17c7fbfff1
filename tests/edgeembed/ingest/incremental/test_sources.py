"""Sources of an index: moved and gone ones, what is deleted by others, what changes unseen."""

import os
import re
import shutil

import pytest

from edgeembed import Encoder, Index
from edgeembed.ingest.sources import read_memory
from edgeembed.upkeep.status import status_of
from edgeembed_runtime.errors import InferenceError
from helpers.indexed_folder import OLD, age, contents, counts, sources


def sources_of(path):
    with Index.open(path) as index:
        return {source.given for source in read_memory(index).sources.values()}


def test_a_folder_that_moved_keeps_its_vectors_and_nothing_doubles(
    run_json, notes, settled, embedded, tmp_path
):
    before = contents(settled)
    notes.rename(tmp_path / "archive")
    report = run_json("index", tmp_path / "archive", "-i", settled)
    assert (embedded, report["remarks"]) == ([], [])
    assert report["documents"] == len(before)
    assert {v[0] for v in contents(settled).values()} == {v[0] for v in before.values()}
    assert sources_of(settled) == {str(tmp_path / "archive")}


def test_what_is_left_of_a_folder_that_moved_is_flagged(run, run_json, notes, settled, tmp_path):
    notes.rename(tmp_path / "archive")
    (tmp_path / "archive" / "cats.md").unlink()
    report = run_json("index", tmp_path / "archive", "-i", settled)
    (remark,) = report["remarks"]
    assert f"{notes}: is not there any more; 1 file of it is still in the index" in remark
    assert "edgeembed prune" in remark
    assert f"{notes}/cats.md" in sources(settled)
    (tmp_path / "other").mkdir()
    assert run_json("index", tmp_path / "other", "-i", settled)["remarks"] == [remark]
    assert "Note: " + remark in run("index", tmp_path / "other", "-i", settled).stderr


def test_a_source_that_is_gone_does_not_keep_others_out(run, notes, settled, tmp_path):
    before = contents(settled)
    shutil.rmtree(notes)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("A zebra.")
    result = run("index", notes, tmp_path / "other", "-i", settled)
    assert result.exit_code == 1
    assert "1 failed" in result.stderr
    assert "expected a file or a folder, found nothing; 6 files of it are still" in result.stderr
    assert contents(settled).keys() == {*before, f"{tmp_path}/other/x.txt#0"}


def test_a_file_that_was_named_and_is_gone_leaves(run_json, fails, notes, settled, tmp_path):
    (tmp_path / "solo.md").write_text("A kayak.")
    run_json("index", tmp_path / "solo.md", "-i", settled)
    (tmp_path / "solo.md").unlink()
    assert run_json("index", tmp_path / "solo.md", "-i", settled)["removed"] == 1
    assert f"{tmp_path}/solo.md" not in sources(settled) | sources_of(settled)
    assert "found nothing" in fails("index", tmp_path / "solo.md", "-i", settled)


def test_an_empty_folder_may_be_a_disk_that_is_not_there(run_json, notes, settled, tmp_path):
    before = contents(settled)
    notes.rename(tmp_path / "kept")
    notes.mkdir()
    report = run_json("index", notes, "-i", settled)
    assert report["removed"] == 0
    assert "is empty now; 6 files of it are still in the index" in report["remarks"][0]
    assert contents(settled) == before


def test_a_run_that_is_stopped_has_told_of_its_source(run, notes, tiny_path, monkeypatch):
    upsert, commits = Index.upsert, []

    def stopped(self, *arguments, **options):
        if len(commits) == 2:  # the other files', and the first passages of the long one
            raise KeyboardInterrupt
        commits.append(1)
        upsert(self, *arguments, **options)

    (notes / "long.txt").write_text("the cat. " * 9000)
    with monkeypatch.context() as patch:
        patch.setattr(Index, "upsert", stopped)
        assert run("index", notes, "-m", tiny_path, "-i", "i").exit_code == 130
    assert sources_of("i") == {str(notes)}
    with Index.open("i") as index:
        (found,) = status_of(read_memory(index)).folders
    assert found.pending == 1


def test_sources_within_another_are_one(run_json, notes, settled):
    run_json("index", notes / "deep", notes / "cats.md", "-i", settled)
    run_json("index", notes.parent, "-i", settled)
    assert sources_of(settled) == {str(notes.parent)}


def test_another_content_is_seen_whatever_size_and_mtime_say(run_json, notes, settled):
    text = (notes / "cats.md").read_text()
    (notes / "cats.md").write_text(text.replace("mat", "hat"))
    os.utime(notes / "cats.md", (OLD, OLD))
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 0, 0)
    (notes.parent / "new.md").write_text(text)
    os.utime(notes.parent / "new.md", (OLD, OLD))
    (notes.parent / "new.md").replace(notes / "cats.md")
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 0, 0)
    assert contents(settled)[f"{notes}/cats.md#0"][0].startswith("The cat sat on the mat.")


@pytest.mark.parametrize("name", ["cats.md", "deep/soup.txt"])
def test_a_file_whose_passages_were_deleted_is_indexed_again(run_json, notes, settled, name):
    before = contents(settled)
    with Index.open(settled, mode="rw") as index:
        assert index.delete([f"{notes}/{name}#0"]) == 1
        index.upsert(["own"], documents=["something"], vectors=[[1] * index.dim])
        index.delete("own")
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 0, 0)
    assert contents(settled) == before
    assert counts(run_json("index", notes, "-i", settled)) == (0, 6, 0, 0)


def test_documents_that_others_put_in_are_no_reason_to_read_again(run_json, notes, settled):
    with Index.open(settled, mode="rw") as index:
        index.upsert(["own#0", "x"], documents=["a", "b"], vectors=[[1] * index.dim] * 2)
    assert counts(run_json("index", notes, "-i", settled)) == (0, 6, 0, 0)
    assert {"own#0", "x"} <= contents(settled).keys()


def test_own_outputs_in_the_folder_are_never_indexed(run, run_json, notes, settled):
    before = contents(settled)
    os.chdir(notes)
    i = notes.parent / settled
    for output in ("v.npy", "v.parquet"):
        assert run("export", i, "-o", output).exit_code == 0
    assert run("search", "cat", "-i", i, "--html", "found.html").exit_code == 0
    (notes / "mine.html").write_text("<html><head></head>A kiwi.</html>")
    report = run_json("index", notes, "-i", i)
    own = [e["name"] for e in report["left_out"] if e["reason"] == "written by edgeembed"]
    assert own == [f"{notes}/{name}" for name in ("found.html", "v.jsonl", "v.npy", "v.parquet")]
    assert {key.rpartition("#")[0] for key in contents(i).keys() - before.keys()} == {
        f"{notes}/mine.html"
    }
    age(notes)
    again = run_json("index", notes, "-i", i)
    assert [e["name"] for e in again["left_out"] if e["name"] in own] == own


@pytest.fixture
def picky(monkeypatch):
    """A model that cannot encode some texts."""
    original = Encoder.encode_document

    def encode(self, inputs, **options):
        bad = [text for text in inputs if "zeppelin" in text]
        if bad:
            raise InferenceError(f"a token outside the table: {bad[0][:9]}")
        return original(self, inputs, **options)

    monkeypatch.setattr(Encoder, "encode_document", encode)


def test_a_text_that_cannot_be_encoded_costs_that_text(run, run_json, notes, settled, picky):
    lines = [f'{{"id": "r{n}", "text": "the cat {n}"}}' for n in range(40)]
    lines[7] = '{"id": "r7", "text": "a zeppelin"}'
    (notes / "people.jsonl").write_text("\n".join(lines))
    (notes / "trains.txt").write_text("The train is late.")
    result = run("index", notes, "-i", settled)
    assert result.exit_code == 1
    assert "1 failed" in result.stderr
    assert re.search("people.jsonl, (line 8|r7#0): a token outside the table", result.stderr)
    ids = {key.rpartition("/")[2] for key in contents(settled)}
    assert {"r6#0", "r8#0", "r39#0", "trains.txt#0"} <= ids
    assert "r7#0" not in ids
    age(notes)
    run("index", notes, "-i", settled)
    again = run("index", notes, "-i", settled, "--json")
    assert again.exit_code == 1
    assert '"unchanged": 6' in again.stdout
    lines[7] = '{"id": "r7", "text": "a balloon"}'
    (notes / "people.jsonl").write_text("\n".join(lines))
    assert run_json("index", notes, "-i", settled)["failed"] == []
    assert "r7#0" in {key.rpartition("/")[2] for key in contents(settled)}


def test_an_old_passage_does_not_stand_in_for_one_that_cannot_be_encoded(
    run, notes, settled, picky
):
    (notes / "trains.txt").write_text("A zeppelin is late.")
    assert run("index", notes, "-i", settled).exit_code == 1
    assert f"{notes}/trains.txt" not in sources(settled)


def test_a_model_that_encodes_nothing_ends_the_run(fails, notes, settled, monkeypatch):
    def encode(self, inputs, **options):
        raise InferenceError("out of order")

    monkeypatch.setattr(Encoder, "encode_document", encode)
    for n in range(20):
        (notes / f"{n}.txt").write_text(f"the cat {n}")
    assert "out of order" in fails("index", notes, "-i", settled)
