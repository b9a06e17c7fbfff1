"""Indexes of every published format must open for ever and find what they found then."""

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from edgeembed import Index

GOLDEN = Path(__file__).parents[1] / "golden"
FORMAT_1, FORMAT_2 = GOLDEN / "index-format-1", GOLDEN / "index-format-2"
FOUND = json.loads((FORMAT_1 / "found.json").read_bytes())
FOUND_2 = json.loads((FORMAT_2 / "found.json").read_bytes())
ROWS = {"annoy": 200, "faiss": 200, "usearch": 200, "codes": 4100}
BACKEND = {"annoy": "annoy", "faiss": "faiss", "usearch": "usearch", "codes": "exact"}


@pytest.fixture(params=sorted(FOUND))
def kind(request):
    """Which of the kinds of segments."""
    if request.param != "codes":
        pytest.importorskip(request.param)
    return request.param


@pytest.mark.parametrize("exact", [True, False])
def test_the_index_of_format_1_finds_what_it_found(kind, exact):
    with Index.open(FORMAT_1 / kind) as index:
        assert index.stats().segments[0].backend == BACKEND[kind]
        for then in FOUND[kind]:
            hits = index.search(then["query"], 5, exact=exact)
            assert [hit.key for hit in hits] == [key for key, _ in then["hits"]]
            scores = [score for _, score in then["hits"]]
            np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-6)
            even = index.search(then["query"], 5, where={"even": True}, exact=exact)
            assert [hit.key for hit in even] == then["even"]


def test_the_index_of_format_1_holds_what_it_held(kind):
    with Index.open(FORMAT_1 / kind) as index:
        assert index.verify().ok
        assert len(index) == ROWS[kind] + 10 - 3
        assert (index.space, dict(index.info)) == ("golden", {"made by": "make_index_format_1.py"})
        assert index.notes() == {"a": "note"}
        gone, first = index.get(["k7", "k1"])
        assert gone is None
        assert (first.document, first.metadata) == ("cat rain 1", {"n": 1, "even": False})
        assert [hit.key for hit in index.search("station 11", 1, mode="keyword")] == ["k11"]


def test_an_index_of_format_1_is_searched_by_words_with_one_warning(kind, caplog):
    with Index.open(FORMAT_1 / kind) as index:
        for query in ("station 11", '"cat 13"', "rain -cat", "snake_case", '"e-mail"', "日本"):
            assert isinstance(index.search(query, mode="keyword"), list)
            hybrid = index.search(query, 3, vector=FOUND[kind][0]["query"])
            assert len(hybrid) == (0 if query == '"e-mail"' else 3 if "13" not in query else 1)
        assert not any(
            hit.document.count("cat") for hit in index.search("rain -cat", mode="keyword")
        )
    (record,) = caplog.records
    assert "made by an older edgeembed, and finds less" in record.message


def test_opening_an_index_of_format_1_for_writing_renews_it_in_one_commit(kind, tmp_path, caplog):
    shutil.copytree(FORMAT_1 / kind, tmp_path / "i")
    with Index.open(tmp_path / "i") as reader:
        generation = reader.generation
        before = [(d.documents, d.vectors.tolist()) for d in reader.batches()]
        found = reader.search(FOUND[kind][0]["query"], 5, exact=True)
        with Index.open(tmp_path / "i", mode="rw") as index:
            assert index.generation == generation + 1
            assert _user_version(tmp_path / "i") == 2
            report = index.verify()
            assert report.ok, report.problems
            assert [(d.documents, d.vectors.tolist()) for d in index.batches()] == before
            index.upsert(
                ["new"], documents=["我住在東京都"], titles=["t"], vectors=np.ones((1, index.dim))
            )
            assert [hit.key for hit in index.search("東京", mode="keyword")] == ["new"]
        # One that was open goes on.
        assert reader.search(FOUND[kind][0]["query"], 5, exact=True) == found
        assert [hit.key for hit in reader.search("station 11", 1, mode="keyword")] == ["k11"]
        reader.refresh()
        assert [hit.key for hit in reader.search("東京", mode="keyword")] == ["new"]
    caplog.clear()
    with Index.open(tmp_path / "i", mode="rw") as index:
        assert index.generation == generation + 2
        index.search("station", mode="keyword")
        index.compact()
        assert index.verify().ok
    assert not caplog.records


def test_a_keyword_table_of_older_terms_is_renewed(tmp_path):
    shutil.copytree(FORMAT_2 / "codes", tmp_path / "i")
    _edit(tmp_path / "i", "UPDATE meta SET v = 0 WHERE k = 'terms'")
    _edit(tmp_path / "i", "INSERT INTO fts(rowid, words) VALUES (80000, 'of older terms')")
    with Index.open(tmp_path / "i") as index:
        assert index.verify().ok
    with Index.open(tmp_path / "i", mode="rw") as index:
        assert index.verify().ok
        assert index.search("older", mode="keyword") == []


@pytest.mark.parametrize("kind", sorted(FOUND_2), indirect=True)
@pytest.mark.parametrize("exact", [True, False])
def test_the_index_of_format_2_finds_what_it_found(kind, exact):
    with Index.open(FORMAT_2 / kind) as index:
        assert index.stats().segments[0].backend == BACKEND[kind]
        for then in FOUND_2[kind]["vectors"]:
            hits = index.search(then["query"], 5, exact=exact)
            assert [hit.key for hit in hits] == [key for key, _ in then["hits"]]
            scores = [score for _, score in then["hits"]]
            np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-6)
            even = index.search(then["query"], 5, where={"even": True}, exact=exact)
            assert [hit.key for hit in even] == then["even"]
        for query, keys in FOUND_2[kind]["words"].items():
            best = index.search(query, 1, mode="keyword")
            assert [hit.key for hit in best] == keys[:1]


@pytest.mark.parametrize("kind", sorted(FOUND_2), indirect=True)
def test_the_index_of_format_2_holds_what_it_held(kind, tmp_path):
    shutil.copytree(FORMAT_2 / kind, tmp_path / "i")
    for mode in ("r", "rw"):
        with Index.open(tmp_path / "i", mode=mode) as index:
            report = index.verify()
            assert report.ok, report.problems
            assert len(index) == ROWS[kind] + 10 - 3 + 4
            assert index.stats().blank == 4
            gone, titled, plain = index.get(["k7", "k5", "o0"])
            assert gone is None
            assert (titled.title, titled.document) == ("Head 5", "train rain 5")
            assert (plain.title, plain.document) == ("Other", "我住在東京都。")
            if mode == "rw":
                index.delete(["k5", "o0"])
                index.compact()
                assert index.verify().ok


def test_the_index_of_format_1_can_be_written_to(kind, tmp_path):
    shutil.copytree(FORMAT_1 / kind, tmp_path / "i")
    with Index.open(tmp_path / "i", mode="rw") as index:
        index.upsert(["new"], documents=["new"], vectors=np.ones((1, index.dim)))
        index.compact()
        assert index.verify().ok
        assert len(index) == ROWS[kind] + 8
        assert index.search(np.ones(index.dim), 1)[0].key == "new"


def test_reading_an_index_changes_nothing_in_it(kind, tmp_path):
    shutil.copytree(FORMAT_1 / kind, tmp_path / "i")
    before = _contents(tmp_path / "i")
    with Index.open(tmp_path / "i") as index:
        index.search(FOUND[kind][0]["query"], 5)
        index.verify()
    assert _contents(tmp_path / "i") == before


def _user_version(path):
    with contextlib.closing(sqlite3.connect(path / "edgeembed.sqlite3")) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def _edit(path, statement):
    with contextlib.closing(sqlite3.connect(path / "edgeembed.sqlite3")) as connection, connection:
        connection.execute(statement)


def _contents(folder):
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
