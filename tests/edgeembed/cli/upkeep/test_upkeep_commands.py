"""`edgeembed status`, `remove` and `prune`: what is in an index, and how it is taken out."""

import json
import shutil

import pytest

from edgeembed import Index
from edgeembed.ingest.sources import read_memory
from helpers.indexed_folder import age, contents, sources


@pytest.fixture
def made(run_json, notes, tiny_path, tmp_path):
    """An index of `notes` and of a single file."""
    (tmp_path / "solo.md").write_text("A kayak.")
    age(notes)
    run_json("index", notes, tmp_path / "solo.md", "-m", tiny_path, "-i", "i")
    return "i"


def folder_of(status, name):
    (found,) = [each for each in status["folders"] if each["name"] == str(name)]
    return found


# -- status ---------------------------------------------------------------------------------------


def test_status_tells_of_every_source(run_json, notes, made, tmp_path):
    status = run_json("status", made)
    found = folder_of(status, notes)
    assert (found["files"], found["failed"], found["pending"], found["gone"]) == (5, 0, 0, 0)
    assert found["left_out"] == {"not text": 1, "hidden": 1, "filled by a tool": 2}
    assert found["when"] > 1_700_000_000
    assert folder_of(status, tmp_path / "solo.md")["passages"] == 1
    assert status["documents"] == len(contents(made))
    names = {each["name"]: each["reason"] for each in status["left_out"]}
    assert names[f"{notes}/node_modules/"] == "filled by a tool"
    assert names[f"{notes}/picture.png"] == "not text"


def test_status_of_a_folder_tells_of_the_folders_in_it(run_json, fails, notes, made, tmp_path):
    status = run_json("status", made, notes)
    assert folder_of(status, f"{notes}/deep")["files"] == 1
    assert folder_of(status, f"{notes}/")["left_out"]["hidden"] == 1
    assert "expected a folder of the index" in fails("status", made, tmp_path / "nowhere")


def test_status_is_a_table_for_people(run, notes, made):
    result = run("status", made, "--verbose")
    assert result.exit_code == 0
    for part in ("last indexed", "node_modules/", "filled by a tool", "write !node_modules/ in"):
        assert part in result.stdout


def test_what_failed_stays_known_and_is_an_exit_code(run, notes, made):
    (notes / "people.jsonl").write_text('{"id": "a", "text": "a"}\n{oops')
    run("index", notes, "-i", made)
    result = run("status", made)
    assert result.exit_code == 1
    assert "people.jsonl" in result.stderr
    (notes / "people.jsonl").unlink()
    run("index", notes, "-i", made)
    assert run("status", made).exit_code == 0


def test_what_is_gone_is_counted(run, run_json, notes, made):
    shutil.rmtree(notes / "deep")
    status = run_json("status", made)
    assert folder_of(status, notes)["gone"] == 1
    assert status["gone"] == [f"{notes}/deep/soup.txt"]
    shutil.rmtree(notes)
    result = run("status", made)
    assert "(gone)" in result.stdout
    assert "edgeembed prune" in result.stderr


def test_an_index_of_passages_of_ones_own_has_a_status(run_json):
    with Index.create("own", dim=3) as index:
        index.upsert(["a"], vectors=[[1, 0, 0]])
    assert run_json("status", "own") == {
        "index": "own",
        "documents": 1,
        "folders": [],
        "left_out": [],
        "failed": [],
        "gone": [],
        "waiting": 0,
    }


# -- remove ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_is_taken_out_with_what_is_noted_of_it(run, notes, made, is_there):
    if not is_there:
        (notes / "cats.md").unlink()
    result = run("remove", made, notes / "cats.md")
    assert result.exit_code == 0
    assert ("1 of the files are still there" in result.stderr) == is_there
    assert f"{notes}/cats.md" not in sources(made)
    with Index.open(made) as index:
        assert f"{notes}/cats.md" not in read_memory(index).files
    assert f"{notes}/trains.txt" in sources(made)


def test_a_folder_is_taken_out_and_is_no_source_any_more(run_json, notes, made, tmp_path):
    removed = run_json("remove", made, notes)
    assert len(removed["files"]) == 6
    assert f"{tmp_path}/solo.md" in sources(made)
    assert not any(name.startswith(str(notes)) for name in sources(made))
    shutil.rmtree(notes)
    assert [each["name"] for each in run_json("status", made)["folders"]] == [
        str(tmp_path / "solo.md")
    ]


def test_what_the_index_has_not_is_named_and_nothing_is_removed(fails, notes, made):
    before = contents(made)
    line = fails("remove", made, notes / "cats.md", notes / "nothing.md")
    assert "nothing.md: expected a file or folder that the index has" in line
    assert "expected files or folders to take out, or --where" in fails("remove", made)
    assert "where: expected JSON" in fails("remove", made, "--where", "{oops")
    assert contents(made) == before


def test_passages_that_fit_a_filter_are_taken_out_and_stay_out(run_json, notes, made):
    before = contents(made)
    assert run_json("remove", made, "--where", '{"age": 30}')["passages"] == 1
    (key,) = before.keys() - contents(made).keys()
    assert before[key][1]["age"] == 30
    removed = run_json("remove", made, notes / "deep", "--where", '{"line": 1}')
    assert removed["passages"] > 1
    assert f"{notes}/deep/soup.txt" not in sources(made)
    assert f"{notes}/cats.md" in sources(made)
    assert run_json("index", notes, "-i", made)["unchanged"] == 6


def test_an_image_is_taken_out(run_json, made, notes):
    with Index.open(made, mode="rw") as index:
        notes_of = index.notes()
        text = notes_of[f"file:{notes}/picture.png"]
        index.upsert(
            [f"{notes}/picture.png"],
            vectors=[[1] * index.dim],
            notes={f"file:{notes}/picture.png": json.dumps({**json.loads(text), "passages": 1})},
        )
    assert run_json("remove", made, notes / "picture.png")["passages"] == 1


# -- prune ----------------------------------------------------------------------------------------


def test_prune_lists_asks_and_removes_what_is_gone(run, fails, run_json, notes, made, tmp_path):
    before = contents(made)
    (tmp_path / "solo.md").unlink()
    (notes / "cats.md").unlink()
    result = run("prune", made, "--dry-run")
    assert result.exit_code == 0
    assert f"gone: {notes}/cats.md" in result.stdout
    assert f"{tmp_path}/solo.md: gone as a whole, 1 files of it" in result.stdout
    assert contents(made) == before
    result = run("prune", made)
    assert result.exit_code == 1
    assert "expected --yes to remove" in result.stderr
    assert contents(made) == before
    report = run_json("prune", made, "--yes")
    assert report["removed"]
    assert sorted(report["gone"]) == [f"{notes}/cats.md", f"{tmp_path}/solo.md"]
    left = sources(made)
    assert f"{notes}/trains.txt" in left
    assert not {f"{notes}/cats.md", f"{tmp_path}/solo.md"} & left
    assert run_json("index", notes, "-i", made)["remarks"] == []


def test_prune_of_what_is_all_there_removes_nothing(run, made):
    before = contents(made)
    result = run("prune", made)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "every file is where it was" in result.stderr
    assert contents(made) == before


def test_a_disk_that_comes_back_before_the_answer_is_not_pruned(run_json, notes, made, tmp_path):
    before = contents(made)
    notes.rename(tmp_path / "away")
    report = run_json("prune", made, "--dry-run")
    assert (len(report["gone"]), report["removed"]) == (6, False)
    (tmp_path / "away").rename(notes)
    assert run_json("prune", made, "--yes")["gone"] == []
    assert contents(made) == before


# -- index ----------------------------------------------------------------------------------------


def test_rules_of_the_command_leave_out_what_was_taken_before(run_json, notes, made):
    report = run_json("index", notes, "-i", made, "--include", "*.md", "--exclude", "deep")
    assert report["files"] == 1
    assert {e["reason"] for e in report["left_out"]} >= {"left out by a rule"}
    assert f"{notes}/cats.md" in sources(made)
    assert f"{notes}/trains.txt" not in sources(made)


def test_a_pattern_without_a_meaning_is_one_line(fails, notes, made):
    assert "--exclude: expected patterns as in" in fails(
        "index", notes, "-i", made, "--exclude", "!"
    )


def test_verbose_names_all_that_is_left_out(run, notes, made):
    for n in range(9):
        (notes / f".h{n}").write_text("")
    short = run("index", notes, "-i", made).stderr
    assert "and 7 more" in short
    long = run("index", notes, "-i", made, "--verbose").stderr
    assert all(f".h{n}" in long for n in range(9))
