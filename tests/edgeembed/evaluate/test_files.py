"""Data sets as people have them, good and bad."""

import json
import os
from pathlib import Path

import pytest

from edgeembed.evaluate import open_tasks
from edgeembed.evaluate.datasets.judgments import read_beir
from edgeembed.evaluate.datasets.pairs import read_scored_pairs
from edgeembed.evaluate.datasets.table import read_table
from edgeembed.evaluate.datasets.texts import read_labeled_texts, read_plain_texts
from edgeembed.evaluate.datasets.word_lists import read_analogies
from edgeembed_runtime.errors import InputError, StorageError

PAIRS = (("a", "b", 1.0), ("c, d", 'e "f"', 2.5))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("first.tsv", ["1.0\ta\tb", '2.5\tc, d\te "f"']),
        ("last.tsv", ["a\tb\t1.0", 'c, d\te "f"\t2.5']),
        ("header.tsv", ["sentence1\tsentence2\tscore", "a\tb\t1.0", 'c, d\te "f"\t2.5']),
        ("other order.tsv", ["score\tword1\tword2", "1.0\ta\tb", '2.5\tc, d\te "f"']),
        (
            "comments.tsv",
            ["# a collection", "# Word 1\tWord 2\tmean", "a\tb\t1", 'c, d\te "f"\t2.5'],
        ),
        ("quoted.csv", ["a,b,1.0", '"c, d","e ""f""",2.5']),
        ("titled.csv", ["Sentence_1,Sentence_2,Similarity", "a,b,1.0", '"c, d","e ""f""",2.5']),
        (
            "records.jsonl",
            [{"text1": a, "text2": b, "score": s, "split": "test"} for a, b, s in PAIRS],
        ),
        ("more columns.tsv", ["id\ttext1\ttext2\tscore", "7\ta\tb\t1", '8\tc, d\te "f"\t2.5']),
        ("spaced.txt", ["a\tb\t1.0", "", 'c, d\te "f"\t2.5']),
    ],
)
def test_scored_pairs_are_read_in_every_usual_form(write, name, lines):
    pairs = read_scored_pairs(write(name, lines))
    assert tuple(zip(pairs.left, pairs.right, pairs.scores, strict=True)) == PAIRS


def test_a_csv_may_have_line_ends_inside_quotes_and_crlf(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'text,label\r\n"two\nlines",x\r\none,y\r\n')
    table = read_table(path).named("text", "label")
    assert table.column("text") == ["two\nlines", "one"]


def test_a_byte_order_mark_is_no_part_of_the_first_field(tmp_path):
    for name, separator in (("x.tsv", "\t"), ("x.csv", ",")):
        path = tmp_path / name
        path.write_text(f"\ufefftext{separator}label\nhello{separator}x\n", encoding="utf-8")
        assert read_table(path).fields == ("text", "label")


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("same.tsv", ["3\ta\tb", "3\tc\td"], "expected scores that differ, got 2 times 3"),
        ("word.tsv", ["text1\ttext2\tscore", "a\tb\t1", "a\tb\tgood"], "line 3: expected a number"),
        ("vast.jsonl", [json.dumps({"text1": "a", "text2": "b", "score": 10**400})], "a number"),
        ("nan.tsv", ["a\tb\t1", "a\tb\tnan"], "line 2: expected a number in 'score', got 'nan'"),
        ("short.tsv", ["1\ta\tb", "2\ta"], "line 2: expected 3 columns, got 2"),
        ("empty.tsv", [""], "expected rows, found none"),
        ("other.tsv", ["text\tlabel", "a\tb"], "columns text1, text2, score, found text"),
        ("null.jsonl",
         [{"text1": None, "text2": "b", "score": 1}, {"text1": "", "text2": "", "score": 2}],
         "line 1: expected a text in 'text1', got None"),
        ("broken.jsonl", ['{"text1": "a"'], "line 1: expected JSON"),
        ("list.jsonl", ["[1]"], "line 1: expected a JSON object"),
        ("quote.csv", ['a,"b,1', "c,d,2"], "line 2"),
    ],
)  # fmt: skip
def test_bad_pairs_are_errors_that_name_file_and_line(write, name, lines, message):
    path = write(name, lines)
    with pytest.raises(InputError, match=message) as caught:
        read_scored_pairs(path)
    assert str(path) in str(caught.value)


def test_text_that_is_not_utf8_is_an_error(tmp_path):
    path = tmp_path / "latin.tsv"
    path.write_bytes("1\tcafé\tb\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 1: expected UTF-8"):
        read_scored_pairs(path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a\tx", "b\tx"], "expected two labels or more, got only 'x'"),
        (["a\tx", "b\tx", "c\ty"], "got one of 'y'"),
    ],
)
def test_labels_that_cannot_be_learnt_are_errors(write, lines, message):
    with pytest.raises(InputError, match=message):
        read_labeled_texts(write("labels.tsv", lines))


def test_plain_texts_are_distinct_and_more_than_one(write):
    assert read_plain_texts(write("t.txt", ["one", "two", "", "one"])) == ("one", "two")
    with pytest.raises(InputError, match="expected two texts or more, found 1"):
        read_plain_texts(write("t.txt", ["one", "one"]))


DOCUMENTS = [{"_id": "1", "text": "a"}, {"_id": "2", "text": "b"}]
QUERIES = [{"_id": "q", "text": "a?"}]


def test_judgments_come_from_the_test_split_or_the_next_there_is(beir, write):
    for split in ("train", "dev", "test"):
        folder = beir(
            DOCUMENTS, QUERIES, [("q", "1", {"train": 1, "dev": 2, "test": 3}[split])], split
        )
        assert read_beir(folder).gains["q"]["1"] == {"train": 1, "dev": 2, "test": 3}[split]


@pytest.mark.parametrize(
    ("documents", "queries", "judgments", "message"),
    [
        ([*DOCUMENTS, DOCUMENTS[0]], QUERIES, [("q", "1", 1)], "the id '1' comes twice"),
        (DOCUMENTS, [*QUERIES, *QUERIES], [("q", "1", 1)], "the id 'q' comes twice"),
        (DOCUMENTS, QUERIES, [("q", "9", 1)], "line 2: unknown document id '9'"),
        (DOCUMENTS, QUERIES, [("x", "1", 1)], "line 2: unknown query id 'x'"),
        (DOCUMENTS, QUERIES, [("q", "1", "yes")], "expected a number in 'score'"),
        ([{"text": "a"}], QUERIES, [("q", "1", 1)], "line 1: expected an _id"),
        ([{"_id": "1"}], QUERIES, [("q", "1", 1)], "expected a text in the field 'text'"),
    ],
)
def test_bad_retrieval_sets_are_errors(beir, documents, queries, judgments, message):
    with pytest.raises(InputError, match=message):
        read_beir(beir(documents, queries, judgments))


def test_a_folder_without_judgments_or_queries_is_an_error(beir):
    folder = beir(DOCUMENTS, QUERIES, [("q", "1", 1)])
    (folder / "queries.jsonl").unlink()
    with pytest.raises(StorageError, match=r"queries\.jsonl"):
        read_beir(folder)
    folder = beir(DOCUMENTS, QUERIES, [("q", "1", 1)])
    (folder / "qrels/test.tsv").unlink()
    with pytest.raises(InputError, match=r"expected test.tsv, dev.tsv or train.tsv"):
        read_beir(folder)


def test_no_query_with_a_relevant_document_is_an_error(beir, chosen):
    model = chosen({"a": [1.0]})
    (task,) = open_tasks([str(beir(DOCUMENTS, QUERIES, [("q", "1", 0)]))], model)
    with pytest.raises(InputError, match="expected a query with a relevant document"):
        task.observe(model, lambda step: None)


@pytest.mark.parametrize(
    ("name", "lines", "kind"),
    [
        ("a.tsv", ["1.5\ta\tb", "2\tc\td"], "similarity"),
        ("b.tsv", ["a\tb\t0", "c\td\t1"], "duplicates"),
        ("c.csv", ["query,document,score", "q,d,1"], "retrieval"),
        ("d.jsonl", [{"query": "q", "positive": ["a"], "negative": "b"}], "reranking"),
        ("e.csv", ["text,label", "a,x", "b,x", "c,y", "d,y"], "classification"),
        ("f.tsv", ["a\tx", "b\tx", "c\ty", "d\ty"], "classification"),
        ("g.txt", ["one line", "another"], "agreement"),
        ("h.jsonl", [{"text": "one"}, {"text": "two"}], "agreement"),
        ("i.txt", [": section", "a b c d"], "analogies"),
        ("j.txt", ["tiger\tcat\t7.35", "old\tnew\t1.58"], "similarity"),
        ("k.json",
         [{"targets": {"a": ["a"], "b": ["b"]}, "attributes": {"c": ["c"], "d": ["d"]}}], "bias"),
    ],
)  # fmt: skip
def test_a_files_kind_is_seen_from_its_form(write, chosen, name, lines, kind):
    (task,) = open_tasks([str(write(name, lines))], chosen({"a": [1]}))
    assert task.kind == kind
    assert task.name == Path(name).stem


def test_a_folder_stands_for_every_file_in_it(write, chosen, tmp_path):
    write("sets/b.tsv", ["1.5\ta\tb", "2\tc\td"])
    write("sets/a.csv", ["text,label", "a,x", "b,x", "c,y", "d,y"])
    write("sets/c.txt", [": section", "a b c d"])
    write("sets/README.md", ["what these are"])
    tasks = open_tasks([str(tmp_path / "sets")], chosen({"a": [1]}))
    assert [(task.kind, task.name) for task in tasks] == [
        ("classification", "a"),
        ("similarity", "b"),
        ("analogies", "c"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.tsv", "expected a file or folder, found nothing; a kind may stand before it"),
        ("similarity:nothing.tsv", "found nothing"),
        ("empty", "expected a data set, or a folder of them"),
        ("two.tsv", "put a kind before it, such as bitext:two.tsv"),
        ("reranking:rank.jsonl", "expected a positive and a negative"),
        ("duplicates:graded.tsv", "expected scores of 0 and 1"),
        ("analogies:three.txt", "line 2: expected four words, got 3"),
        ("bias:one.json", "expected two lists of words by name in 'targets'"),
        ("bias:broken.json", "expected JSON"),
        ("zero-shot:empty", "expected two folders of images or more, found 0"),
    ],
)
def test_what_is_no_task_is_an_error_that_helps(
    write, chosen, tmp_path, monkeypatch, name, message
):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    write("two.tsv", ["eins\tone", "zwei\ttwo"])
    write("rank.jsonl", [{"query": "q", "positive": [], "negative": ["b"]}])
    write("graded.tsv", ["a\tb\t1.5", "a\tc\t0"])
    write("three.txt", [": s", "a b c"])
    write("one.json", [{"targets": {"a": ["a"]}, "attributes": {}}])
    write("broken.json", ["{"])
    with pytest.raises(InputError, match=message):
        open_tasks([name], chosen({"a": [1]}))


def test_the_same_task_twice_is_an_error(write, chosen):
    path = str(write("a.tsv", ["1.5\ta\tb", "2\tc\td"]))
    with pytest.raises(InputError, match="got similarity a twice"):
        open_tasks([path, path], chosen({"a": [1]}))


def test_captions_must_have_their_images(write, chosen, tmp_path):
    write("photos/captions.json", [json.dumps({"a.png": ["x"]})])
    with pytest.raises(InputError, match=r"expected the image a\.png, found nothing"):
        open_tasks([str(tmp_path / "photos")], chosen({"a": [1]}))


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png"])
def test_captions_name_images_of_their_folder_only(name, write, chosen, tmp_path):
    write("photos/captions.json", [json.dumps({name: ["x"]})])
    with pytest.raises(InputError, match="is not in this folder"):
        open_tasks([str(tmp_path / "photos")], chosen({"a": [1]}))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.tsv", read_table),
        ("a.jsonl", read_table),
        ("a.txt", read_analogies),
        ("corpus.jsonl", lambda path: read_beir(path.parent)),
    ],
)
def test_a_data_set_that_is_a_fifo_is_refused_and_not_waited_for(name, read, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(StorageError, match="found a special file"):
        read(tmp_path / name)
