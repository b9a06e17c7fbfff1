"""`edgeembed index` and `edgeembed search`: from a folder of files to answers, and again."""

import json
import shutil

import pytest

from edgeembed import Index
from edgeembed.cli.shared.interrupts import LINE


def keys_of(path):
    with Index.open(path) as index:
        return sorted(index.keys())


def stored(path):
    with Index.open(path) as index:
        return {document.key: document for document in index.get(sorted(index.keys()))}


def test_a_folder_is_indexed_and_what_has_no_text_is_reported(run, notes, tiny_path):
    result = run("index", notes, "-m", tiny_path)
    assert result.exit_code == 0
    assert result.stdout == ""
    left_out = result.stderr.partition("Left out:")[2].splitlines()
    (remark,) = [line for line in left_out if "not text" in line]
    assert "picture.png" in remark
    sources = {key.rpartition("#")[0] for key in keys_of("edgeembed.index")}
    names = {"cats.md", "trains.txt", "deep/soup.txt", "latin1.txt"}
    names |= {"people.jsonl/ann", "people.jsonl/bob"}
    assert sources == {f"{notes}/{name}" for name in names}


def test_the_report_as_json_counts_what_was_done(run_json, notes, tiny_path):
    report = run_json("index", notes, "-m", tiny_path, "-i", "some.index")
    assert report["files"] == 6
    assert report["removed"] == 0
    assert report["passages"] == report["documents"] == len(keys_of("some.index"))
    assert sorted(report["skipped"]) == [f"{notes}/picture.png"]


def test_every_passage_stands_where_its_metadata_says(notes, indexed):
    checked = 0
    for document in stored(indexed).values():
        place = document.metadata
        if place is None or "part" in place:
            continue
        text = (notes / place["source"]).read_text("latin-1")
        assert text[place["start"] : place["end"]] == document.document
        assert text.count("\n", 0, place["start"]) + 1 == place["line"]
        checked += 1
    assert checked > 5


def test_records_keep_their_fields(notes, indexed):
    documents = stored(indexed)
    assert documents[f"{notes}/people.jsonl/ann#0"].metadata["age"] == 30
    assert documents[f"{notes}/people.jsonl/bob#0"].document == "Bob swims in the river"


def test_searching_finds_the_passage_and_remembers_the_model(run_json, indexed, notes):
    found = run_json("search", "the cat sat on the mat", "-i", indexed, "-k", 2)
    assert found["query"] == "the cat sat on the mat"
    assert found["ms"] > 0
    assert len(found["hits"]) == 2
    best = found["hits"][0]
    assert best["key"].startswith(f"{notes}/cats.md#")
    assert best["score"] >= found["hits"][1]["score"]
    assert best["metadata"]["line"] == 1


def test_results_are_shown_as_a_table_with_their_place(run, indexed, notes):
    result = run("search", "The train leaves the station at noon.", "-i", indexed, "-k", 1)
    assert result.exit_code == 0
    assert f"{notes}/trains.txt:1" in result.stdout
    assert "The train leaves the station at noon." in result.stdout
    assert "1 of " in result.stderr


def test_the_index_and_the_model_may_come_from_the_environment(
    run, run_json, notes, tiny_path, tmp_path, monkeypatch
):
    monkeypatch.setenv("EDGEEMBED_MODEL", str(tiny_path))
    monkeypatch.setenv("EDGEEMBED_INDEX", str(tmp_path / "env.index"))
    assert run("index", notes).exit_code == 0
    assert run_json("search", "the cat")["hits"]


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
def test_every_mode_finds_a_word_that_is_there(run_json, notes, indexed, mode):
    hits = run_json("search", "guitar", "-i", indexed, "--mode", mode)["hits"]
    assert f"{notes}/people.jsonl/ann#0" in [hit["key"] for hit in hits]
    if mode == "keyword":
        assert len(hits) == 1


@pytest.mark.parametrize(
    "where", [['{"age": {"$gt": 35}}'], ["age>35"], ["age>=30", '{"age": {"$ne": 30}}']]
)
def test_a_filter_keeps_what_fits(run_json, notes, indexed, where):
    options = [word for each in where for word in ("--where", each)]
    hits = run_json("search", "someone", "-i", indexed, *options)["hits"]
    assert [hit["key"] for hit in hits] == [f"{notes}/people.jsonl/bob#0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--where", "{oops"], "where: expected JSON such as"),
        (["--where", "[1]"], "where: expected a JSON object, got list"),
        (["--where", '{"a": {"$near": 1}}'], "$near"),
        (["--where", "english"], "--where: expected lang=en, 'date>=2024-01-01' or JSON such as"),
        (["--where", "year>=null"], "--where: year: expected a number, a text or a date"),
        (["--where", "mode>=null"], "--where: mode: expected a number, a text or a date"),
        (["--mode", "psychic"], "mode: expected dense, keyword or hybrid, got 'psychic'"),
        (["--variant", "fp16"], "expected auto or one of fp32, int8"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_an_option_that_cannot_be_used_is_named_in_one_line(fails, indexed, options, message):
    assert message in fails("search", "cat", "-i", indexed, *options)


@pytest.mark.parametrize("query", ["", " ", '"', '" OR *', "NEAR(", "a" * 10_000, "東京 \0"])
@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
def test_any_text_may_be_searched_for(run, indexed, query, mode):
    result = run("search", query, "-i", indexed, "--mode", mode, "--json")
    assert "internal error" not in result.stderr
    assert result.exit_code == 0 or len(result.stderr.splitlines()) == 1


def test_texts_with_square_brackets_are_shown_as_they_are(run, tiny_path, tmp_path):
    text = "the cat [/INST] said [bold]:smile:[/bold] and [red]"
    (tmp_path / "a.txt").write_text(text)
    assert run("index", "a.txt", "-m", tiny_path, "--max-tokens", 30).exit_code == 0
    result = run("search", "the cat", "--full")
    assert result.exit_code == 0, result.stderr
    for part in ("[/INST]", "[bold]", ":smile:"):
        assert part in result.stdout


def test_an_empty_index_gives_no_results(run, tiny_path, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    assert run("index", "empty.txt", "-m", tiny_path).exit_code == 0
    result = run("search", "cat")
    assert (result.exit_code, "0 of 0" in result.stderr) == (0, True)


# -- indexing again -------------------------------------------------------------------------------


def test_indexing_the_same_again_changes_nothing(run_json, notes, indexed):
    before = {key: (d.document, d.metadata) for key, d in stored(indexed).items()}
    report = run_json("index", notes, "-i", indexed)
    assert report["removed"] == 0
    assert {k: (d.document, d.metadata) for k, d in stored(indexed).items()} == before


def test_a_file_that_got_shorter_loses_its_old_passages(run_json, notes, indexed):
    before = [key for key in keys_of(indexed) if "soup.txt#" in key]
    (notes / "deep" / "soup.txt").write_text("Now it is a short recipe.")
    report = run_json("index", notes, "-i", indexed)
    assert (report["indexed"], report["unchanged"], report["removed"]) == (1, 5, 0)
    assert report["passages_removed"] == len(before) - 1 > 1
    assert [key for key in keys_of(indexed) if "soup.txt#" in key] == before[:1]


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\0\xffbinary\0"], ids=repr)
def test_a_file_without_text_any_more_loses_all_of_its_passages(run_json, notes, indexed, content):
    before = [key for key in keys_of(indexed) if "soup.txt#" in key]
    (notes / "deep" / "soup.txt").write_bytes(content)
    report = run_json("index", notes / "deep" / "soup.txt", "-i", indexed)
    assert report["removed"] == 0
    assert report["passages_removed"] == len(before) > 1
    assert [key for key in keys_of(indexed) if "soup.txt#" in key] == []
    assert [key for key in keys_of(indexed) if "cats.md#" in key]


def test_a_changed_file_is_found_by_its_new_words(run, run_json, notes, indexed):
    (notes / "cats.md").write_text("A zeppelin flies above the mountains.")
    assert run("index", notes, "-i", indexed).exit_code == 0
    hits = run_json("search", "zeppelin", "-i", indexed, "--mode", "keyword")["hits"]
    assert [hit["key"] for hit in hits] == [f"{notes}/cats.md#0"]
    hits = run_json("search", "mat", "-i", indexed, "--mode", "keyword")["hits"]
    assert hits == []


def test_files_are_added_to_an_index_that_is_there(run, notes, indexed, tmp_path):
    before = keys_of(indexed)
    (tmp_path / "more.txt").write_text("A river runs through the valley.")
    assert run("index", "more.txt", "-i", indexed).exit_code == 0
    assert keys_of(indexed) == sorted([*before, "more.txt#0"])


# -- another model, and other refusals ------------------------------------------------------------


def test_another_space_is_refused_in_one_line_and_nothing_changes(
    fails, indexed, notes, other_bundle
):
    before = keys_of(indexed)
    for arguments in (["index", notes], ["search", "cat"]):
        line = fails(*arguments, "-i", indexed, "-m", other_bundle)
        assert "'tiny'" in line
        assert "'other'" in line
        assert "create a new index" in line
    assert keys_of(indexed) == before


def test_a_remembered_model_that_is_gone_is_named_in_one_line(run, fails, notes, own_bundle):
    assert run("index", notes, "-m", own_bundle).exit_code == 0
    shutil.rmtree(own_bundle)
    assert f"bundle {own_bundle}: expected a directory, got nothing" in fails("search", "cat")


def test_a_folder_with_other_files_is_not_taken_for_an_index(fails, notes, tiny_path):
    before = sorted(p.name for p in notes.iterdir())
    line = fails("index", notes, "-m", tiny_path, "-i", notes)
    assert str(notes) in line
    assert sorted(p.name for p in notes.iterdir()) == before


def test_a_record_that_is_wrong_is_named_and_all_others_are_indexed(run, tiny_path, tmp_path):
    good = [json.dumps({"id": f"k{i}", "text": f"the cat {i}"}) for i in range(300)]
    (tmp_path / "r.jsonl").write_text("\n".join([*good[:150], '{"id": "bad"}', *good[150:]]))
    result = run("index", "r.jsonl", "-m", tiny_path)
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert "edgeembed: r.jsonl, line 151: expected a text in the field 'text', got nothing" in line
    assert len(keys_of("edgeembed.index")) == 300


@pytest.mark.parametrize(
    ("options", "size"), [([], 30), (["--max-tokens", "8"], 8), (["--max-tokens", "500"], 30)]
)
def test_passages_fit_the_model_whatever_size_is_asked_for(run, tiny_path, notes, options, size):
    result = run("index", notes, "-m", tiny_path, *options)
    assert result.exit_code == 0, result.stderr
    longest = max(len(document.document.split()) for document in stored("edgeembed.index").values())
    assert size / 4 <= longest <= size


def test_an_overlap_of_more_than_half_a_passage_is_named(fails, tiny_path, notes):
    line = fails("index", notes, "-m", tiny_path, "--max-tokens", 8, "--overlap-tokens", 5)
    assert "--overlap-tokens: expected 0 to 4, got 5" in line


# -- stopped and refused in the middle ------------------------------------------------------------

STOPPED = """
import os, signal, sys
from edgeembed import Index
from edgeembed.cli import main

upsert, done = Index.upsert, []

def upsert_and_be_stopped(self, *arguments, **options):
    upsert(self, *arguments, **options)
    done.append(1)
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGINT)

Index.upsert = upsert_and_be_stopped
sys.argv[0] = "edgeembed"
main()
"""
LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv[0] = "edgeembed"
from edgeembed.cli import main
main()
"""


@pytest.fixture
def many(tmp_path):
    """A thousand short files."""
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(1000):
        (folder / f"{i:04}.txt").write_text(f"the cat number {i} sat on the mat")
    return folder


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_what_was_committed_stays(command, run_json, many, tiny_path):
    result = command("index", many, "-m", tiny_path, code=STOPPED)
    assert result.returncode == 130
    assert b"Traceback" not in result.stderr
    assert result.stderr.decode().splitlines()[-1] == f"edgeembed: {LINE}"
    assert len(keys_of("edgeembed.index")) == 512
    assert run_json("verify", "edgeembed.index")["ok"]
    report = run_json("index", many)
    assert (report["unchanged"], report["indexed"], report["documents"]) == (512, 488, 1000)


def test_a_disk_without_room_is_one_line_and_the_index_stays_as_it_was(
    command, run_json, indexed, many, tiny_path
):
    pytest.importorskip("resource")
    before = keys_of(indexed)
    limit = (indexed / "edgeembed.sqlite3").stat().st_size + 8192
    result = command(limit, "index", many, "-i", indexed, code=LIMITED)
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert result.stderr.decode().splitlines()[-1].startswith("edgeembed: ")
    assert b"internal error" not in result.stderr
    assert keys_of(indexed) == before
    assert run_json("verify", indexed)["ok"]
    assert run_json("search", "the cat", "-i", indexed)["hits"]
    assert run_json("index", many, "-i", indexed)["documents"] == len(before) + 1000


def test_records_that_left_their_file_leave_the_index(run, tmp_path, tiny_path):
    records = ['{"text": "one"}', '{"text": "two"}', '{"id": "mine", "text": "three"}']
    (tmp_path / "r.jsonl").write_text("\n".join(records))
    assert run("index", "r.jsonl", "-m", tiny_path).exit_code == 0
    assert keys_of("edgeembed.index") == ["r.jsonl/mine#0", "r.jsonl:1#0", "r.jsonl:2#0"]
    (tmp_path / "r.jsonl").write_text(records[0])
    assert run("index", "r.jsonl", "-m", tiny_path).exit_code == 0
    assert keys_of("edgeembed.index") == ["r.jsonl:1#0"]


def test_records_of_two_files_do_not_replace_each_other(run, tmp_path, tiny_path):
    for name in ("jan", "feb"):
        records = [{"id": n, "text": f"the cat number {n} of {name}"} for n in (1, 2, 3)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert run("index", ".", "-m", tiny_path).exit_code == 0
    every = {f"{name}.jsonl/{n}#0" for name in ("jan", "feb") for n in (1, 2, 3)}
    assert set(keys_of("edgeembed.index")) == every
    (tmp_path / "feb.jsonl").unlink()
    assert run("index", ".", "-m", tiny_path).exit_code == 0
    assert set(keys_of("edgeembed.index")) == {f"jan.jsonl/{n}#0" for n in (1, 2, 3)}


def test_of_two_records_with_one_key_the_last_one_counts(run, tmp_path, tiny_path):
    long, short = "the cat sat on the mat. " * 30, "the dog"
    records = [{"id": "k", "text": long}, {"id": "k", "text": short}]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert run("index", "r.jsonl", "-m", tiny_path).exit_code == 0
    assert {key: d.document for key, d in stored("edgeembed.index").items()} == {
        "r.jsonl/k#0": short
    }


def test_only_the_best_passage_of_every_file_is_shown(run_json, indexed):
    every = run_json("search", "a train", "-i", indexed, "-k", 50)["hits"]
    best = run_json("search", "a train", "-i", indexed, "-k", 50, "--per-file")["hits"]
    sources = [hit["metadata"]["source"] for hit in best]
    assert len(sources) == len(set(sources)) < len(every)
    assert best[0] == every[0]


def test_an_index_whose_creation_was_interrupted_is_created_again(run, notes, tiny_path, tmp_path):
    (tmp_path / "i" / "seg").mkdir(parents=True)
    (tmp_path / "i" / "writer.lock").touch()
    (tmp_path / "i" / "edgeembed.sqlite3").touch()
    result = run("index", notes, "-m", tiny_path, "-i", tmp_path / "i")
    assert result.exit_code == 0, result.stderr
    with Index.open(tmp_path / "i") as index:
        assert len(index) > 4
