"""`edgeembed index` again: what is gone leaves, and nothing else does."""

import os
import shutil

import pytest

from edgeembed import Index
from edgeembed.ingest.file_state import FileState, as_notes, read_file_states
from helpers.indexed_folder import age, contents, counts, sources

LEFT = ("trains.txt", "latin1.txt", "people.jsonl/ann", "people.jsonl/bob")


def test_what_is_gone_from_a_named_folder_leaves(run_json, notes, settled):
    (notes / "cats.md").unlink()
    shutil.rmtree(notes / "deep")
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (0, 4, 2, 0)
    assert sources(settled) == {f"{notes}/{name}" for name in LEFT}
    assert counts(run_json("index", notes, "-i", settled)) == (0, 4, 0, 0)


def test_what_is_outside_of_the_named_sources_stays(run_json, notes, settled):
    before = contents(settled)
    shutil.rmtree(notes / "deep")
    (notes / "trains.txt").unlink()
    (notes.parent / "notes2").mkdir()
    (notes.parent / "notes2" / "x.txt").write_text("")
    run_json("index", notes.parent / "notes2", notes / "cats.md", "-i", settled)
    assert contents(settled) == before


def test_a_source_that_is_not_there_removes_nothing(fails, notes, settled):
    before = contents(settled)
    shutil.rmtree(notes)
    assert "expected a file or a folder, found nothing" in fails("index", notes, "-i", settled)
    assert contents(settled) == before


def test_a_file_that_became_a_folder_and_back(run_json, notes, settled):
    (notes / "cats.md").unlink()
    (notes / "cats.md").mkdir()
    (notes / "cats.md" / "new.txt").write_text("The dog.")
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 1, 0)
    assert f"{notes}/cats.md/new.txt" in sources(settled)
    shutil.rmtree(notes / "cats.md")
    (notes / "cats.md").write_text("The cat.")
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 1, 0)
    assert f"{notes}/cats.md/new.txt" not in sources(settled)


def test_a_file_that_became_hidden_or_a_link_leaves(run_json, notes, settled, tmp_path):
    (notes / "cats.md").rename(tmp_path / "cats.md")
    (notes / "cats.md").symlink_to(tmp_path / "cats.md")
    (notes / "deep").rename(notes / ".deep")
    assert counts(run_json("index", notes, "-i", settled)) == (0, 4, 2, 0)
    assert sources(settled) == {f"{notes}/{name}" for name in LEFT}


def test_names_that_look_like_keys_of_others_are_not_mixed_up(run_json, notes, settled):
    names = ["a", "a#0", "a#b.txt", "a.jsonl", "a.jsonl:7.txt", "a:1"]
    for name in names:
        (notes / name).write_text('{"text": "one cat"}')
    run_json("index", notes, "-i", settled)
    for name in names:
        before = set(contents(settled))
        (notes / name).unlink()
        run_json("index", notes, "-i", settled)
        own = f"{notes}/{name}:1#0" if name == "a.jsonl" else f"{notes}/{name}#0"
        assert before - set(contents(settled)) == {own}


def test_the_same_folder_named_in_another_way_does_not_double_its_files(
    run_json, notes, settled, embedded
):
    report = run_json("index", "notes", "-i", settled)
    assert embedded == []
    assert counts(report) == (5, 0, 6, 1)
    assert {k.partition("/")[0] for k in sources(settled)} == {"notes"}


def test_two_folders_of_the_same_name_do_not_hide_each_other(run_json, tmp_path, tiny_path):
    for place in ("one", "two"):
        (tmp_path / place / "x").mkdir(parents=True)
        (tmp_path / place / "x" / "f.txt").write_text(f"the cat of {place}")
        age(tmp_path / place)
    for place in ("one", "two", "one"):
        os.chdir(tmp_path / place)
        run_json("index", "x", "-m", tiny_path, "-i", tmp_path / "i")
        assert [v[0] for v in contents(tmp_path / "i").values()] == [f"the cat of {place}"]


def test_a_file_that_is_named_twice_is_indexed_once(run_json, notes, settled):
    report = run_json("index", notes, notes / "cats.md", notes, "-i", settled, "--all")
    assert report["files"] == 6


def test_an_index_in_the_folder_is_passed_over(run_json, notes, tiny_path):
    os.chdir(notes)
    run_json("index", ".", "-m", tiny_path)
    report = run_json("index", ".")
    assert report["files"] == 6
    assert run_json("verify", "edgeembed.index")["ok"]


def test_an_index_that_remembers_nothing_of_its_files_is_brought_up_to_date(
    run_json, notes, settled
):
    before = contents(settled)
    with Index.open(settled, mode="rw") as index:
        index.upsert([], documents=[], notes=dict.fromkeys(index.notes()))
    (notes / "deep" / "soup.txt").write_text("It is short now.")
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (5, 0, 0, 1)
    assert len(contents(settled)) < len(before)
    assert counts(run_json("index", notes, "-i", settled))[0] == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"place": 1}', '{"x": 1}', "[" * 9000])
def test_a_damaged_record_of_a_file_counts_as_none(run_json, notes, settled, text):
    before = contents(settled)
    with Index.open(settled, mode="rw") as index:
        index.upsert([], documents=[], notes=dict.fromkeys(index.notes(), text))
        assert read_file_states(index.notes()) == {}
    assert counts(run_json("index", notes, "-i", settled)) == (5, 0, 0, 1)
    assert contents(settled) == before


def test_what_is_remembered_comes_back_as_it_was(settled):
    file = FileState(place="/\udce9", size=1, mtime_ns=2, sha256="3", settings="4", model="5")
    with Index.open(settled, mode="rw") as index:
        index.upsert([], documents=[], notes=as_notes({"x": file}))
        assert read_file_states(index.notes())["x"] == file
        index.upsert([], documents=[], notes=as_notes({"x": None}))
        assert "x" not in read_file_states(index.notes())
