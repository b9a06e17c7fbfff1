"""Ingest: which files are read, what is text, how documents become passages."""

import io
import itertools
import json
import os
from pathlib import Path

import pytest

from edgeembed import Encoder
from edgeembed.ingest.discover.found import FoundFile, LeftOut
from edgeembed.ingest.files import find_files
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.readers.base.protocol import Block, Reason
from edgeembed.ingest.texts import (
    format_of,
    read_json,
    read_lines,
    read_records,
    read_texts,
    text_of,
)
from edgeembed.ingest.titles import file_title, joined_title
from edgeembed_runtime.errors import InputError, StorageError


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32") as made:
        yield made


@pytest.fixture
def reader(encoder):
    return PassageReader(encoder=encoder, chunks=ChunkSettings(max_tokens=12, overlap_tokens=3))


def found(path):
    return FoundFile(path=path, name=path.name)


def test_folders_are_walked_in_a_stable_order_past_hidden_and_tool_folders(notes):
    names = [file.path.relative_to(notes).as_posix() for file in find_files([notes])]
    assert names == [
        "cats.md",
        "latin1.txt",
        "people.jsonl",
        "picture.png",
        "trains.txt",
        "deep/soup.txt",
    ]


def test_a_file_that_is_named_is_taken_even_if_it_is_hidden(notes):
    assert [f.path for f in find_files([notes / ".hidden"])] == [notes / ".hidden"]


def test_the_name_of_a_file_is_its_path_as_given(notes):
    os.chdir(notes.parent)
    names = [file.name for file in find_files([notes.relative_to(notes.parent)])]
    assert names[0] == "notes/cats.md"


def test_links_in_a_folder_are_passed_over(notes, tmp_path):
    (tmp_path / "outside.txt").write_text("outside")
    (notes / "link.txt").symlink_to(tmp_path / "outside.txt")
    (notes / "loop").symlink_to(notes, target_is_directory=True)
    names = [file.path.name for file in find_files([notes])]
    assert "link.txt" not in names
    assert len(names) == 6


def test_a_source_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="nowhere: expected a file or a folder, found nothing"):
        list(find_files([tmp_path / "nowhere"]))


def test_lines_lose_their_ends_only():
    stream = io.BytesIO(b"a\r\n\n  b  \nlast")
    assert list(read_lines(stream, "f")) == [(1, "a"), (2, ""), (3, "  b  "), (4, "last")]


def test_a_line_that_is_no_utf8_is_named_with_its_byte():
    with pytest.raises(InputError, match=r"f, line 2: expected UTF-8, got byte 0xff"):
        list(read_lines(io.BytesIO(b"good\nbad \xff\n"), "f"))


def test_records_are_objects_and_empty_lines_are_passed_over():
    stream = io.BytesIO(b'{"text": "a"}\n\n  \n{"text": "b"}')
    assert list(read_records(stream, "f")) == [(1, {"text": "a"}), (4, {"text": "b"})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 1: expected JSON"),
        (b"[1]", "line 1: expected a JSON object, got list"),
        (b'"a"', "line 1: expected a JSON object, got str"),
        (b"[" * 100_000, "line 1: expected JSON"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_line_that_is_no_record_is_named(line, message):
    with pytest.raises(InputError, match=message):
        list(read_records(io.BytesIO(line), "f"))


@pytest.mark.parametrize(
    ("record", "got"),
    [({}, "nothing"), ({"text": None}, "nothing"), ({"text": 5}, "int"), ({"t": "x"}, "nothing")],
)
def test_a_record_without_its_text_names_the_field_and_what_there_is(record, got):
    with pytest.raises(InputError, match=rf"f, line 7: .*field 'text', got {got}; the record has"):
        text_of(record, "text", "f", 7)


def test_the_format_follows_the_file_name(tmp_path):
    assert [format_of(tmp_path / n) for n in ("a.jsonl", "a.NDJSON", "a.json", "a.txt", "a")] == [
        "jsonl",
        "jsonl",
        "lines",
        "lines",
        "lines",
    ]


def test_a_file_that_cannot_be_read_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="could not read"):
        list(read_texts(tmp_path / "nowhere"))


def test_passages_know_their_place(reader, tmp_path):
    text = "The cat sat on the mat.\n\nA dog ran in the rain.\n\n" * 6
    (tmp_path / "a.md").write_text(text)
    passages = list(reader.read(found(tmp_path / "a.md")))
    assert len(passages) > 5
    assert [p.key for p in passages] == [f"a.md#{i}" for i in range(len(passages))]
    for passage in passages:
        place = passage.metadata
        assert place["source"] == "a.md"
        assert text[place["start"] : place["end"]] == passage.text
        assert place["line"] == text.count("\n", 0, place["start"]) + 1
        assert reader.encoder.count_tokens(passage.text) <= 12 + 2


def test_passages_know_the_headings_above_them_and_their_title(reader, tmp_path):
    path = tmp_path / "2024-07_Lisbon-trip.md"
    path.write_text("No heading yet.\n\n# Lisbon\n\nRain.\n\n## Getting there\n\nBy train, slowly.")
    named = FoundFile(path=path, name="/home/ann/notes/Portugal/2024-07_Lisbon-trip.md")
    passages = list(reader.read(named))
    headings = [p.metadata.get("headings") for p in passages]
    assert headings[:3] == [None, ["Lisbon"], ["Lisbon", "Getting there"]]
    start = "2024-07 Lisbon trip"
    assert [p.title for p in passages][:3] == [
        start,
        f"{start} > Lisbon",
        f"{start} > Lisbon > Getting there",
    ]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("a.md", "a"),
        ("./../a_b.tar.gz", "a b.tar"),
        ("/a.md", "a"),
        (".hidden", ".hidden"),
        ("one/two/three/e-mail 2024-07.txt", "e mail 2024-07"),
    ],
)
def test_the_title_of_a_file_is_its_name_as_words(name, title):
    assert file_title(name) == title


def test_the_folders_of_a_file_are_words_that_find_it(reader, tmp_path):
    path = tmp_path / "2024-07 Lisbon trip.md"
    path.write_text("The cat.")
    file = FoundFile(path=path, name=str(path), below=f"a/b/big_plans/Portugal-tours/{path.name}")
    (passage,) = reader.read(file)
    assert passage.title == "2024-07 Lisbon trip"
    assert passage.long_title == "b > big plans > Portugal tours > 2024-07 Lisbon trip"
    assert passage.metadata["folder"] == "a/b/big_plans/Portugal-tours"


def test_a_title_repeats_nothing_and_is_bounded():
    assert joined_title("trip", ("Trip", "", "Train")) == "trip > Train"
    assert joined_title("", ()) == ""
    assert len(joined_title("a" * 5000, ())) == 120


@pytest.mark.parametrize(
    ("field", "title"), [('"Ann"', "r > Ann"), ("5", "r"), ("null", "r"), ('"  "', "r")]
)
def test_the_title_of_a_record_is_that_of_its_file_and_its_field_if_it_is_a_text(
    reader, tmp_path, field, title
):
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"id": "ann", "text": "the cat", "title": {field}}}')
    (passage,) = reader.read(found(path))
    assert passage.title == title
    assert "title" in passage.metadata


def test_passages_have_128_tokens_and_share_a_sentence_by_default(encoder):
    assert (ChunkSettings().tokens(encoder), ChunkSettings().overlap(encoder)) == (32, 8)
    assert ChunkSettings(max_tokens=12).overlap(encoder) == 3
    assert ChunkSettings(overlap_tokens=0).overlap(encoder) == 0
    reader = PassageReader(encoder=encoder, chunks=ChunkSettings())
    passages = list(reader.cut(found(Path("a")), [Block(text="the cat sat on the mat. " * 40)]))
    assert max(encoder.count_tokens(p.text) for p in passages) <= encoder.max_tokens
    places = [(p.metadata["start"], p.metadata["end"]) for p in passages]
    shared = {a[1] - b[0] for a, b in itertools.pairwise(places)}
    assert shared == {len("the cat sat on the mat.")}


def left_out(path, reason, detail=""):
    return LeftOut(name=path.name, place=str(path), reason=reason, detail=detail)


def test_files_without_text_are_remembered_and_give_no_passages(reader, tmp_path):
    (tmp_path / "b.bin").write_bytes(b"\0")
    (tmp_path / "e.txt").write_bytes(b" \n")
    assert list(reader.read(found(tmp_path / "b.bin"))) == []
    assert list(reader.read(found(tmp_path / "e.txt"))) == []
    assert reader.left_out == [
        left_out(tmp_path / "b.bin", Reason.NOT_TEXT, "binary"),
        left_out(tmp_path / "e.txt", Reason.EMPTY),
    ]


def test_records_keep_their_key_and_their_other_fields(reader, tmp_path):
    records = [
        {"id": "ann", "text": "the cat", "age": 3, "source": "wikipedia", "end": "2024"},
        {"_id": 7, "text": "the dog", "line": 70},
        {"id": None, "text": "no key"},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    passages = list(reader.read(found(path)))
    assert [p.key for p in passages] == ["r.jsonl/ann#0", "r.jsonl/7#0", "r.jsonl:3#0"]
    assert [p.text for p in passages] == ["the cat", "the dog", "no key"]
    assert passages[0].metadata == {
        "age": 3,
        "source": "wikipedia",
        "part": "ann",
        "line": 1,
        "start": 0,
        "end": "2024",
        "_place": {"source": "r.jsonl", "end": 7},
    }
    assert passages[1].metadata["line"] == 70
    assert passages[1].metadata["_place"] == {"line": 2}
    assert passages[2].metadata == {"source": "r.jsonl", "line": 3, "start": 0, "end": 6}


def test_a_bad_record_is_named_and_the_others_are_read(reader, tmp_path):
    lines = ['{"id": ["a"], "text": "x"}', "{oops", '{"text": "the cat"}', '{"t": "the dog"}']
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    assert [p.text for p in reader.read(found(tmp_path / "r.jsonl"))] == ["the cat"]
    assert [(s.reason, s.where) for s in reader.left_out] == [
        (Reason.DAMAGED, "line 1"),
        (Reason.DAMAGED, "line 2"),
        (Reason.DAMAGED, "line 4"),
    ]
    assert reader.left_out[0].detail == "expected a text or a number as key, got list"
    assert "expected a text in the field 'text', got nothing; the record has t" in str(
        reader.left_out
    )


def test_of_two_records_of_one_id_the_last_is_kept_and_it_is_said(reader, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"id": 1, "text": "the cat"}\n{"id": 1, "text": "the dog"}')
    passages = list(reader.read(found(path)))
    assert [(p.key, p.number) for p in passages] == [("r.jsonl/1#0", 0)] * 2
    assert [(s.reason, s.where) for s in reader.left_out] == [(Reason.REPEATED, "line 1")]


def test_a_file_without_an_end_is_refused_and_not_read_into_memory():
    zeros = Path("/dev/zero")
    if not zeros.exists():
        pytest.skip("this system has no such device")
    with pytest.raises(InputError, match="line 1: expected at most 64 MB"):
        list(read_texts(zeros))
    with pytest.raises(InputError, match="expected at most 256 MB of JSON"):
        read_json(zeros)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for(reader, tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match=r"pipe\.txt: expected a file, got a pipe"):
        list(read_texts(tmp_path / "pipe.txt"))
    with pytest.raises(InputError, match="expected a file, got a pipe"):
        read_json(tmp_path / "pipe.txt")
    assert list(reader.read(found(tmp_path / "pipe.txt"))) == []
    assert [skip.reason for skip in reader.left_out] == [Reason.SPECIAL]


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="this system names no descriptors")
def test_a_pipe_that_the_shell_has_opened_is_read_to_its_end():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(b"one\ntwo\n")
    assert list(read_texts(Path(f"/dev/fd/{reading}"))) == ["one", "two"]
    os.close(reading)


def test_of_many_bad_records_the_first_are_named_and_the_others_counted(reader, tmp_path):
    (tmp_path / "r.jsonl").write_text("{oops\n" * 1000)
    assert list(reader.read(found(tmp_path / "r.jsonl"))) == []
    assert len(reader.left_out) == 101
    assert reader.left_out[99].where == "line 100"
    assert reader.left_out[100].where == "900 more places"


def test_keys_of_documents_deep_in_a_long_path_fit_an_index(reader, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps({"id": "k" * 180 + c, "text": "the cat"}) for c in "ab"))
    passages = list(reader.read(FoundFile(path=path, name="n" * 1000)))
    assert len({passage.key for passage in passages}) == 2
    assert all(len(passage.key) <= 1024 for passage in passages)
