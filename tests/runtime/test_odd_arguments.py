"""Every argument of every public call takes any value: an answer or a typed error, never half done.

A progress function that is handed nonsense, or a class as a callback, is the caller's own code: its
error passes through as it is, and is not looked at here.
"""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest

from edgeembed import (
    EdgeEmbedError,
    EmbeddingCache,
    Encoder,
    Index,
    IndexSettings,
    SearchIndexError,
    calibration_ranges,
)
from edgeembed_runtime.bundle import Bundle
from helpers.odd_values import Color, Text, odd_values
from helpers.tiny_images import photo

DIM = 4
VECTORS = np.eye(DIM)
# What an ordinary call of each method passes.
SEARCH = {"query": VECTORS[0]}
INDEX_CALLS = {
    "get": {"keys": ["a"]},
    "vectors": {"keys": ["a"]},
    "__contains__": {"key": "a"},
    "keys": {},
    "batches": {},
    "search": SEARCH,
    "search_many": {"queries": VECTORS},
    "recommend": {"positive": "a"},
    "upsert": {"keys": ["a"], "documents": ["one"], "vectors": VECTORS[:1]},
    "delete": {"keys": ["none"]},
    "verify": {},
    "backup": {"dst": "a"},
}
WORDS = {"query": "one", "vector": VECTORS[0]}
ENCODER_CALLS = {
    "encode": {"inputs": "cat"},
    "encode_query": {"inputs": ["cat", "dog"]},
    "encode_document": {"inputs": "cat"},
    "encode_iter": {"inputs": ["cat"]},
    "encode_chunks": {"text": "cat"},
    "encode_image": {"images": photo()},
    "encode_image_iter": {"images": [photo()]},
    "classify": {"images": photo(), "labels": ["cat", "dog"]},
    "count_tokens": {"texts": "cat"},
    "knows": {"texts": ["cat"]},
    "chunk": {"text": "cat"},
    "similarity": {"a": VECTORS, "b": VECTORS},
    "usual_prompt": {"role": "query"},
    "most_similar": {"positive": ["cat"]},
    "encode_tokens": {"text": "cat"},
    "token_vectors": {"text": "cat"},
}
# The caller's own code, or an endless stream.
OWN = {("show_progress_bar", "class"), ("show_progress_bar", "function")}
ENDLESS = {"range"}


def parameters_of(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


def outcomes(call, ordinary, names):
    """Call with each odd value for each argument; yields what was neither answer nor typed."""
    for name in names:
        for what, value in odd_values().items():
            if what in ENDLESS or (name, what) in OWN:
                continue
            try:
                found = call(**{**ordinary, name: value})
                if inspect.isgenerator(found):
                    list(found)
            except (EdgeEmbedError, MemoryError):
                continue
            except Exception as error:
                yield f"{name}={what}: {type(error).__name__}: {error}"[:200]


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Index.create(tmp_path / "i", dim=DIM) as index:
        index.upsert(
            ["a", "b", "c", "d"],
            documents=["one", "two", "three", "four"],
            vectors=VECTORS,
            metadatas=[{"x": 1}, {"x": "b"}, None, {"x": None}],
        )
        yield index
        report = index.verify()
        assert report.ok, report.problems


@pytest.fixture(scope="module")
def encoder(dual_path):
    with Encoder.load(dual_path, threads=1) as loaded:
        yield loaded


@pytest.mark.parametrize("method", INDEX_CALLS)
def test_an_index(index, method):
    call = getattr(index, method)
    ordinary = INDEX_CALLS[method]
    assert not list(outcomes(call, ordinary, parameters_of(call)))


def test_a_search_for_words(index):
    assert not list(outcomes(index.search, WORDS, parameters_of(index.search)))


@pytest.mark.parametrize(
    "argument", ["keys", "documents", "vectors", "metadatas", "titles", "delete", "notes"]
)
def test_a_list_of_one_odd_value(index, argument):
    def upsert(value):
        index.upsert(**{**INDEX_CALLS["upsert"], argument: [value]})

    assert not list(outcomes(upsert, {}, ["value"]))


@pytest.mark.parametrize("operator", ["", "$gt", "$in", "$ne", "$exists", "$and", "$not", "$x"])
def test_a_filter(index, operator):
    def search(value):
        index.search(VECTORS[0], where={operator: value})
        index.search(VECTORS[0], where={"x": {operator: value}})

    assert not list(outcomes(search, {}, ["value"]))
    assert not list(outcomes(lambda value: index.batches(where={"x": value}), {}, ["value"]))

    def upsert(value):
        index.upsert(**INDEX_CALLS["upsert"], metadatas=[{"x": value}])

    assert not list(outcomes(upsert, {}, ["value"]))


def test_a_note_and_its_name(index):
    assert not list(outcomes(lambda value: index.upsert([], notes={"n": value}), {}, ["value"]))
    assert not list(outcomes(lambda value: index.upsert([], notes=[(value, "n")]), {}, ["value"]))


@pytest.mark.parametrize(
    "argument", ["dim", "space", "info", "lock_timeout_s", "settings", "encoder"]
)
def test_creating_leaves_a_sound_index_or_none(tmp_path, argument):
    for number, (what, value) in enumerate(odd_values().items()):
        path = tmp_path / str(number)
        given = {} if argument == "encoder" else {"dim": DIM}
        try:
            Index.create(path, **{**given, argument: value}).close()
        except EdgeEmbedError:
            assert not path.exists(), what
            continue
        with Index.open(path) as index:
            assert index.verify().ok


@pytest.mark.parametrize("argument", ["path", "mode", "dim", "space", "info", "encoder"])
def test_opening(index, tmp_path, argument):
    ordinary = {"path": tmp_path / "i", "lock_timeout_s": 0}
    assert not list(outcomes(Index.open, ordinary, [argument]))
    assert not list(outcomes(Index.open, {**ordinary, "mode": "a"}, [argument]))


def test_paths(index, tmp_path):
    assert not list(outcomes(Index.create, {"dim": DIM}, ["path"]))
    assert not list(outcomes(Index.repair, {"path": "i", "dst": "r"}, ["path", "dst", "encoder"]))
    assert not list(outcomes(Bundle.open, {}, ["path"]))
    assert not list(outcomes(EmbeddingCache, {"path": "c"}, ["path", "max_mb"]))
    for path in ("x" * 300, "x/" * 3000):
        for call in (Index.open, Bundle.open, EmbeddingCache, Encoder.load):
            with pytest.raises(EdgeEmbedError):
                call(path)
        with pytest.raises(EdgeEmbedError):
            Index.create(path, dim=DIM)


@pytest.mark.parametrize("method", ENCODER_CALLS)
def test_an_encoder(encoder, method):
    call = getattr(encoder, method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts that are too long
        assert not list(outcomes(call, ENCODER_CALLS[method], parameters_of(call)))


def test_loading(tiny_path):
    names = parameters_of(Encoder.load)
    assert not list(outcomes(Encoder.load, {"path": tiny_path, "threads": 1}, names))


def test_settings_and_records():
    assert not list(outcomes(IndexSettings, {}, parameters_of(IndexSettings)))
    assert not list(outcomes(calibration_ranges, {"vectors": VECTORS}, ["vectors", "margin"]))


def test_an_open_index_is_not_pickled_or_copied(index):
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SearchIndexError, match="send its path"):
            attempt(index)


def test_a_text_of_another_class_is_the_text_it_holds(index):
    for number, key in enumerate([Text("a"), Color.RED, np.str_("a")]):
        index.upsert([key], documents=[key], vectors=VECTORS[:1], metadatas=[{key: key}])
        (found,) = index.get(key)
        assert (found.key, found.document, found.metadata) == ("a", "a", {"a": "a"}), number
        assert type(found.key) is str
        assert [hit.key for hit in index.search(VECTORS[0], where={"a": key})] == ["a"]
