"""Texts of which the encoder knows no word: without a vector, and found by their words alone."""

import sqlite3

import numpy as np
import pytest

from edgeembed import Index, IndexSettings, UnknownTextWarning
from edgeembed_runtime.errors import InputError

KNOWN = ["cat house", "dog house", "mouse boat", "river rain"]
UNKNOWN = ["我住在東京都", "qwertz asdf", "🤔", "ฉันรักแมว"]
SETTINGS = IndexSettings(seal_rows=1000, backend="exact")


def _fill(index):
    index.upsert([f"k{n}" for n in range(4)], documents=KNOWN)
    with pytest.warns(UnknownTextWarning, match="4 texts have no word that the model knows"):
        index.upsert([f"u{n}" for n in range(4)], documents=UNKNOWN)


def _assert_honest(index, known=4, unknown=4):
    assert index.stats().blank == unknown
    report = index.verify()
    assert report.ok, report.problems
    assert {hit.key for hit in index.search("cat", 100)} == {f"k{n}" for n in range(known)}
    for text, key in (("東京", "u0"), ("asdf", "u1"), ("🤔", "u2"), ("แมว", "u3")):
        for mode in ("hybrid", "keyword"):
            (hit,) = index.search(text, mode=mode)
            assert (hit.key, hit.cosine, hit.probability) == (key, None, None)
    both = {hit.key: hit for hit in index.search("cat qwertz", 100)}
    assert both["u1"].cosine is None
    assert both["k0"].cosine is not None
    for row in np.random.default_rng(0).normal(size=(5, index.dim)):
        assert {hit.key[0] for hit in index.search(row, 100)} == {"k"}
        assert {hit.key[0] for hit in index.search(row, 100, exact=True)} == {"k"}


@pytest.fixture
def index(tmp_path, words_encoder):
    with Index.create(tmp_path / "i", encoder=words_encoder, settings=SETTINGS) as index:
        _fill(index)
        yield index


def test_they_are_found_by_words_only(index):
    _assert_honest(index)


def test_they_survive_sealing_and_reopening(index, words_encoder):
    index.compact()
    assert index.stats().tail_rows == 0
    _assert_honest(index)
    with Index.open(index.path, encoder=words_encoder) as reader:
        _assert_honest(reader)


def test_they_survive_a_backup(index, words_encoder, tmp_path):
    index.backup(tmp_path / "copy")
    with Index.open(tmp_path / "copy", encoder=words_encoder) as copy:
        _assert_honest(copy)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_they_survive_a_repair(index, words_encoder, tmp_path, sealed, damaged, again):
    if sealed:
        index.compact()
    index.close()
    if damaged and sealed:
        (file,) = (index.path / "seg").glob("*.f32")
        data = bytearray(file.read_bytes())
        data[-64:] = b"\xff" * 64  # the last row, which is unknown
        file.write_bytes(bytes(data))
    elif damaged:
        connection = sqlite3.connect(index.path / "edgeembed.sqlite3")
        with connection:
            connection.execute("UPDATE tail SET vec = x'00' WHERE docid > 4")
        connection.close()
    encoder = words_encoder if again or (damaged and sealed) else None
    report = Index.repair(index.path, tmp_path / "new", encoder=encoder)
    assert report.lost == []
    assert not set(report.encoded) & {f"u{n}" for n in range(4)}
    with Index.open(tmp_path / "new", encoder=words_encoder) as repaired:
        _assert_honest(repaired)


def test_they_come_in_batches_without_a_vector(index):
    rows = {
        document.key: vector
        for batch in index.batches(3)
        for document, vector in zip(batch.documents, batch.vectors, strict=True)
    }
    for key, vector in rows.items():
        assert np.linalg.norm(vector) == pytest.approx(float(key.startswith("k")), abs=1e-6)


@pytest.mark.parametrize("backend", ["faiss", "usearch", "annoy", "exact"])
def test_approximate_search_never_finds_them(tmp_path, words_encoder, vectors, backend):
    if backend != "exact":
        pytest.importorskip(backend)
    settings = IndexSettings(ann_min_rows=100, backend=backend, recall_floor=0.9)
    with Index.create(tmp_path / "a", encoder=words_encoder, settings=settings) as index:
        _fill(index)
        index.upsert([f"k{n}" for n in range(4, 5000)], vectors=vectors(4996))
        with pytest.warns(UnknownTextWarning):
            index.upsert([f"v{n}" for n in range(300)], documents=["qwertz"] * 300)
        index.compact()
        assert index.stats().blank == 304
        assert index.verify().ok
        for row in vectors(5, seed=3):
            hits = index.search(row, 50)
            assert len(hits) == 50
            assert {hit.key[0] for hit in hits} == {"k"}


@pytest.mark.parametrize("backend", ["faiss", "usearch", "annoy"])
def test_an_index_of_nothing_else_is_sealed(tmp_path, words_encoder, backend):
    pytest.importorskip(backend)
    settings = IndexSettings(ann_min_rows=100, backend=backend)
    with Index.create(tmp_path / "a", encoder=words_encoder, settings=settings) as index:
        with pytest.warns(UnknownTextWarning):
            index.upsert([str(n) for n in range(4200)], documents=["qwertz"] * 4200)
        index.compact()
        assert index.verify().ok
        assert index.search("cat", mode="dense") == []
        assert len(index.search("qwertz")) == 10


def test_one_that_is_written_again_with_a_vector_has_one(index):
    index.upsert(["u0"], documents=["cat"])
    assert index.stats().blank == 3
    assert "u0" in {hit.key for hit in index.search("cat", mode="dense")}
    with pytest.warns(UnknownTextWarning, match="1 text has no word"):
        index.upsert(["k0"], documents=["qwertz"])
    assert "k0" not in {hit.key for hit in index.search("cat", 100, mode="dense")}
    index.upsert(["u1"], documents=["qwertz asdf"], vectors=np.ones((1, 16)))
    assert index.stats().blank == 3


def test_a_title_can_be_what_the_encoder_knows(index):
    index.upsert(["titled"], documents=["qwertz"], titles=["cat"])
    assert index.stats().blank == 4
    assert index.search("cat", 1, mode="dense")[0].key in ("k0", "titled")


def test_vectors_of_zeros_from_outside_are_still_refused(index):
    with pytest.raises(InputError, match="found only zeros"):
        index.upsert(["z"], documents=["cat"], vectors=np.zeros((1, 16)))


def test_the_warning_names_the_line_that_upserted(index):
    with pytest.warns(UnknownTextWarning) as caught:
        index.upsert(["x"], documents=["qwertz"])
    assert caught[0].filename == __file__


def test_a_query_without_a_known_word_is_answered_by_words_only(index):
    (hit,) = index.search("qwertz")
    assert (hit.key, hit.cosine) == ("u1", None)
    assert index.search("entirely unknown") == []
    assert index.search_many(["entirely unknown", "cat"])[1] == index.search("cat")
    with pytest.raises(InputError, match=r"queries\[0\]: expected a word that the model knows"):
        index.search("qwertz", mode="dense")
    with pytest.raises(InputError, match=r"queries\[1\]: expected a word that the model knows"):
        index.search_many(["cat", "qwertz"], mode="dense")


def test_nothing_can_be_recommended_from_what_has_no_vector(index):
    with pytest.raises(InputError, match="positive: expected a document with a vector"):
        index.recommend("u0")
    assert index.recommend(["u0", "k0"]) == index.recommend("k0")
    assert index.recommend("k0", negative="u0") == index.recommend("k0")
