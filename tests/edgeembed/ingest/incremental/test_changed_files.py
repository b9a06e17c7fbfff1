"""`edgeembed index` again: only what changed is read and embedded."""

import os

import pytest

from edgeembed import Index
from edgeembed.ingest import file_state
from edgeembed.ingest.readers import registry
from edgeembed.ingest.readers.base.protocol import Block
from helpers.indexed_folder import OLD, age, contents, counts


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


class Chords:
    name, suffixes, version, trusted = "chords", frozenset({".cho"}), 1, True

    def read(self, source, /):
        yield Block(text=f"version {self.version}")


def test_a_file_is_read_again_when_its_reader_is_another_or_a_later_one(
    run_json, notes, settled, read_files, monkeypatch
):
    monkeypatch.setattr(registry, "_own", {})
    (notes / "song.cho").write_text("[C]")
    age(notes / "song.cho")
    run_json("index", notes, "-i", settled)
    read_files.clear()
    registry.register_reader(Chords())
    for version in (1, 2):
        monkeypatch.setattr(Chords, "version", version)
        for _ in range(2):
            run_json("index", notes, "-i", settled)
        assert contents(settled)[f"{notes}/song.cho#0"][0] == f"version {version}"
    assert read_files == ["song.cho"] * 2


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


YEAR = 365 * 24 * 3600


@pytest.mark.parametrize("jump", [-40 * YEAR, -1, YEAR, 100 * YEAR])
def test_a_change_is_seen_whatever_the_clock_says(run_json, notes, settled, monkeypatch, jump):
    (notes / "cats.md").write_text("A dog.")
    os.utime(notes / "cats.md", (OLD + jump, OLD + jump))
    with monkeypatch.context() as patched:
        patched.setattr(file_state.time, "time_ns", lambda: (OLD + jump) * 10**9)
        assert counts(run_json("index", notes, "-i", settled)) == (1, 5, 0, 0)
    # The clock is right again, and the next change may seem to be the older one.
    (notes / "cats.md").write_text("A cat.")
    os.utime(notes / "cats.md", (OLD, OLD))
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
    assert embedded == ["people\nCid bakes bread", "people\nNobody"]
    assert (report["passages"], report["embedded"]) == (4, 2)


def test_metadata_that_changed_is_replaced_without_embedding(run_json, notes, settled, embedded):
    text = (notes / "people.jsonl").read_text()
    (notes / "people.jsonl").write_text(text.replace('"age": 30', '"age": 31'))
    assert run_json("index", notes, "-i", settled)["embedded"] == 0
    assert embedded == []
    assert contents(settled)[f"{notes}/people.jsonl/ann#0"][1]["age"] == 31


def test_a_moved_folder_keeps_its_vectors(run_json, notes, settled, embedded, tiny_path):
    (notes / "deep").rename(notes / "deeper")
    run_json("index", notes, "-i", settled)
    assert embedded == []
    run_json("index", notes, "-m", tiny_path, "-i", "fresh")
    assert contents(settled) == contents("fresh")


def test_a_renamed_file_is_embedded_under_its_new_name(
    run_json, notes, settled, embedded, tiny_path
):
    (notes / "cats.md").rename(notes / "felines.md")
    report = run_json("index", notes, "-i", settled)
    assert counts(report) == (1, 5, 1, 0)
    assert all(text.startswith("felines") for text in embedded)
    run_json("index", notes, "-m", tiny_path, "-i", "fresh")
    assert contents(settled) == contents("fresh")


def test_all_reads_and_embeds_everything(run_json, notes, settled, read_files, embedded):
    before = contents(settled)
    report = run_json("index", notes, "-i", settled, "--all")
    assert counts(report) == (5, 0, 0, 1)
    assert report["embedded"] == report["passages"] == len(embedded) == len(before)
    assert len(read_files) == 6
    assert contents(settled) == before


@pytest.mark.parametrize(
    "options",
    [["--max-tokens", 12], ["--overlap-tokens", 3], ["--field", "text2"], ["--variant", "int8"]],
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
    assert contents(settled) == fresh
    again = run_json("index", notes, "-i", settled, "--variant", "fp32", *options)
    assert again["unchanged"] == 6
