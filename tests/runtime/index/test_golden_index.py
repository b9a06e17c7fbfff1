"""Indexes of every published format must open for ever and find what they found then."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeembed import Index

FORMAT_1 = Path(__file__).parents[1] / "golden" / "index-format-1"
FOUND = json.loads((FORMAT_1 / "found.json").read_bytes())
ROWS = {"annoy": 200, "usearch": 200, "codes": 4100}
BACKEND = {"annoy": "annoy", "usearch": "usearch", "codes": "exact"}


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


def _contents(folder):
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
