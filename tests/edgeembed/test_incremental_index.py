"""`edgeembed index` again: only what changed is read and embedded, and what is gone leaves."""

import json
import os
import random
import shutil
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from edgeembed import Encoder, Index
from edgeembed.cli.app import app
from edgeembed.ingest import indexing
from edgeembed.ingest.indexed_files import IndexedFile, as_notes, read_indexed_files

OLD = 1_700_000_000


def age(folder):
    """Make files look as if nobody had touched them for long."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_file() and not path.is_symlink():
            os.utime(path, (OLD, OLD))


def contents(path):
    """Everything that an index holds, by key."""
    with Index.open(path) as index:
        keys = sorted(index.keys())
        return {
            found.key: (found.document, found.metadata, vector.tobytes())
            for found, vector in zip(index.get(keys), index.vectors(keys), strict=True)
        }


def sources(path):
    return {key.rpartition("#")[0] for key in contents(path)}


@pytest.fixture
def settled(run_json, notes, tiny_path):
    """The index of `notes`, whose files are old."""
    age(notes)
    run_json("index", notes, "-m", tiny_path, "-i", "i")
    return "i"


@pytest.fixture
def read_files(monkeypatch):
    """Names of files that were read, in order."""
    names = []
    original = indexing.content_hash
    monkeypatch.setattr(
        indexing, "content_hash", lambda path: (names.append(path.name), original(path))[1]
    )
    return names


@pytest.fixture
def embedded(monkeypatch):
    """Texts that were embedded, in order."""
    texts = []
    original = Encoder.encode_document

    def spy(self, inputs, **options):
        texts.extend(inputs)
        return original(self, inputs, **options)

    monkeypatch.setattr(Encoder, "encode_document", spy)
    return texts


def counts(report):
    return report["indexed"], report["unchanged"], report["removed"], len(report["skipped"])


# -- what is read, and what is embedded ------------------------------------------------------------


def test_unchanged_files_are_not_read(run_json, notes, settled, read_files, embedded):
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (0, 6, 0, 0)
    assert (read_files, embedded) == ([], [])


def test_a_run_that_changes_nothing_writes_nothing(run_json, notes, settled):
    with Index.open(settled) as index:
        before = index.generation
    run_json("index", notes, "-i", settled)
    with Index.open(settled) as index:
        assert index.generation == before


def test_a_touched_file_is_read_once_and_not_embedded(
    run_json, notes, settled, read_files, embedded
):
    os.utime(notes / "cats.md", (OLD + 100, OLD + 100))
    for _ in range(2):
        assert counts(run_json("index", notes, "-i", settled)) == (0, 6, 0, 0)
    assert (read_files, embedded) == (["cats.md"], [])


def test_a_file_that_changed_just_now_is_read_again_as_its_mtime_may_not_tell(
    run_json, notes, settled, read_files
):
    (notes / "cats.md").write_text("A dog.")
    run_json("index", notes, "-i", settled)
    status = (notes / "cats.md").stat()
    (notes / "cats.md").write_text("A cat.")
    os.utime(notes / "cats.md", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 0, 0)
    assert [d for d, _, _ in contents(settled).values() if d in ("A cat.", "A dog.")] == ["A cat."]


def test_of_a_changed_file_only_new_passages_are_embedded(
    run_json, notes, settled, read_files, embedded, tiny_path
):
    soup = (notes / "deep" / "soup.txt").read_text()
    (notes / "deep" / "soup.txt").write_text(soup + "Then the guitar plays at the station. " * 4)
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (1, 5, 0, 0)
    assert read_files == ["soup.txt"]
    assert 0 < len(embedded) == report["embedded"] < report["passages"]
    run_json("index", notes, "-m", tiny_path, "-i", "fresh")
    assert contents(settled) == contents("fresh")


def test_of_changed_records_only_new_ones_are_embedded(run_json, notes, settled, embedded):
    with (notes / "people.jsonl").open("a") as file:
        file.write('\n{"id": "cid", "text": "Cid bakes bread"}\n{"text": "Nobody"}')
    report = run_json("index", notes, "-i", settled)
    assert embedded == ["Cid bakes bread", "Nobody"]
    assert (report["passages"], report["embedded"]) == (4, 2)


def test_metadata_that_changed_is_replaced_without_embedding(run_json, notes, settled, embedded):
    text = (notes / "people.jsonl").read_text()
    (notes / "people.jsonl").write_text(text.replace('"age": 30', '"age": 31'))
    assert run_json("index", notes, "-i", settled)["embedded"] == 0
    assert embedded == []
    assert contents(settled)["ann#0"][1]["age"] == 31


def test_a_renamed_file_and_a_moved_folder_keep_their_vectors(
    run_json, notes, settled, embedded, tiny_path
):
    (notes / "cats.md").rename(notes / "felines.md")
    (notes / "deep").rename(notes / "deeper")
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (2, 4, 2, 0)
    assert embedded == []
    run_json("index", notes, "-m", tiny_path, "-i", "fresh")
    assert contents(settled) == contents("fresh")


def test_all_reads_and_embeds_everything(run_json, notes, settled, read_files, embedded):
    before = contents(settled)
    report = run_json("index", notes, "-i", settled, "--all")
    assert counts(report) == (4, 0, 0, 2)
    assert report["embedded"] == report["passages"] == len(embedded) == len(before)
    assert len(read_files) == 6
    assert contents(settled) == before


@pytest.mark.parametrize(
    "options",
    [["--chunk-tokens", 12], ["--overlap", 3], ["--field", "text2"], ["--variant", "int8"]],
    ids=lambda options: options[0],
)
def test_other_settings_index_everything_again(run_json, notes, settled, options, tiny_path):
    (notes / "people.jsonl").write_text('{"id": "ann", "text": "Ann", "text2": "Bob"}')
    age(notes)
    run_json("index", notes, "-i", settled, "--variant", "fp32")
    report = run_json("index", notes, "-i", settled, "--variant", "fp32", *options)
    assert report["unchanged"] == 0
    run_json("index", notes, "-m", tiny_path, "-i", "fresh", "--variant", "fp32", *options)
    fresh = contents("fresh")
    # A record with a key stays when it leaves its file.
    assert {k: v for k, v in contents(settled).items() if k != "bob#0"} == fresh
    again = run_json("index", notes, "-i", settled, "--variant", "fp32", *options)
    assert again["unchanged"] == 6


# -- what leaves -----------------------------------------------------------------------------------


def test_what_is_gone_from_a_named_folder_leaves(run_json, notes, settled):
    (notes / "cats.md").unlink()
    shutil.rmtree(notes / "deep")
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (0, 4, 2, 0)
    assert sources(settled) == {f"{notes}/trains.txt", "ann", "bob"}
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
    assert sources(settled) == {f"{notes}/trains.txt", "ann", "bob"}


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
    assert counts(report) == (4, 0, 6, 2)
    assert {k.partition("/")[0] for k in sources(settled)} == {"notes", "ann", "bob"}


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
        index.upsert([], [], notes=dict.fromkeys(index.notes()))
    (notes / "deep" / "soup.txt").write_text("It is short now.")
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (4, 0, 0, 2)
    assert len(contents(settled)) < len(before)
    assert counts(run_json("index", notes, "-i", settled))[0] == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"place": 1}', '{"x": 1}', "[" * 9000])
def test_a_damaged_record_of_a_file_counts_as_none(run_json, notes, settled, text):
    before = contents(settled)
    with Index.open(settled, mode="rw") as index:
        index.upsert([], [], notes=dict.fromkeys(index.notes(), text))
        assert read_indexed_files(index) == {}
    assert counts(run_json("index", notes, "-i", settled)) == (4, 0, 0, 2)
    assert contents(settled) == before


def test_what_is_remembered_comes_back_as_it_was(settled):
    file = IndexedFile(place="/\udce9", size=1, mtime_ns=2, sha256="3", settings="4", model="5")
    with Index.open(settled, mode="rw") as index:
        index.upsert([], [], notes=as_notes({"x": file}))
        assert read_indexed_files(index)["x"] == file
        index.upsert([], [], notes=as_notes({"x": None}))
        assert "x" not in read_indexed_files(index)


# -- files that cannot be read, or change meanwhile ------------------------------------------------

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
    assert any("zeppelin" in text for text, _, _ in after.values())


def test_a_record_that_is_wrong_does_not_keep_other_files_out(run, run_json, notes, settled):
    before = contents(settled)
    (notes / "people.jsonl").write_text('{"id": "ann", "text": "Ann sings"}\n{oops')
    (notes / "trains.txt").write_text("The train is late.")
    result = run("index", notes, "-i", settled)
    assert result.exit_code == 1
    assert "edgeembed: " in result.stderr
    assert "people.jsonl, line 2: expected JSON" in result.stderr
    after = contents(settled)
    assert after["ann#0"] == before["ann#0"]
    assert after[f"{notes}/trains.txt#0"][0] == "The train is late."
    (notes / "people.jsonl").write_text('{"id": "ann", "text": "Ann sings"}')
    assert run_json("index", notes, "-i", settled)["failed"] == []
    assert contents(settled)["ann#0"][0] == "Ann sings"


@pytest.mark.parametrize(
    "record",
    [
        {"id": "k" * 2000, "text": "x"},
        {"id": "a\0b", "text": "x"},
        {"id": "a", "text": "x", "f": "\0"},
        {"id": "a", "text": "x", "n": 10**30},
        {"id": "a", "text": "\ud800"},
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
    original = indexing.content_hash

    def hash_and_change(path):
        digest = original(path)
        if path.name == "cats.md":  # what is hashed is not what will be cut
            path.write_text("Dogs.")
            os.utime(path, (OLD + 50, OLD + 50))
        return digest

    (notes / "cats.md").write_text("Cats.")
    os.utime(notes / "cats.md", (OLD + 9, OLD + 9))
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "content_hash", hash_and_change)
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
    original = indexing.content_hash

    def vanish(path):
        path.unlink()
        return original(path)

    (notes / "cats.md").write_text("Dogs.")
    monkeypatch.setattr(indexing, "content_hash", vanish)
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


# -- killed in the middle --------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from edgeembed.cli import main
from edgeembed_runtime.index import writer

when, count = sys.argv.pop(1), int(sys.argv.pop(1))
commits = []
upsert, write_notes = writer.Writer.upsert, writer.write_notes

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

writer.Writer.upsert, writer.write_notes = killed_upsert, killed_notes
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
    arguments = [str(base / "corpus"), "-m", str(tiny_path), "--chunk-tokens", "16"]
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
        for name, file in read_indexed_files(index).items():
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
