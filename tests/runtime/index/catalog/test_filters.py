import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeembed import Index
from edgeembed_runtime.errors import InputError

FIELDS = ["a", "b", "with space", "dotted.name", "ünï", "$.x"[1:], "a[0]", "%"]
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0, 0.1, 1e300, 2**53 + 1, 1.1e-17])
SCALARS = NUMBERS | st.booleans() | st.none() | st.sampled_from(["", "x", "y", "1", "Z", "ü", "'"])
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.just({"x": 1})
METADATA = st.none() | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)
ORDERED = NUMBERS | st.booleans() | st.sampled_from(["", "x", "y"])
TESTS = st.fixed_dictionaries(
    {},
    optional={
        "$gt": ORDERED,
        "$gte": ORDERED,
        "$lt": ORDERED,
        "$lte": ORDERED,
        "$ne": SCALARS,
        "$in": st.lists(SCALARS, max_size=4),
        "$exists": st.booleans(),
    },
)
LEAVES = st.dictionaries(st.sampled_from(FIELDS), SCALARS | TESTS, max_size=2)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: {"$and": parts})
        | st.lists(inner, max_size=3).map(lambda parts: {"$or": parts})
        | inner.map(lambda part: {"$not": part})
    ),
    max_leaves=5,
)
MISSING = object()


def equals(value, wanted):
    if wanted is None:
        return value is None or value is MISSING
    if isinstance(value, list | dict) or value is None or value is MISSING:
        return False
    return isinstance(value, str) == isinstance(wanted, str) and value == wanted


def test_one(value, name, wanted):
    match name:
        case "$ne":
            return not equals(value, wanted)
        case "$in":
            return any(equals(value, item) for item in wanted)
        case "$exists":
            return (value is not MISSING) == wanted
    if value is None or value is MISSING or isinstance(value, list | dict):
        return False
    if isinstance(value, str) != isinstance(wanted, str):
        return False
    if isinstance(value, str):
        value, wanted = value.encode(), wanted.encode()
    return {
        "$gt": value > wanted,
        "$gte": value >= wanted,
        "$lt": value < wanted,
        "$lte": value <= wanted,
    }[name]


test_one.__test__ = False


def matches(metadata, where):
    metadata = metadata or {}
    for name, value in where.items():
        if name == "$and":
            good = all(matches(metadata, part) for part in value)
        elif name == "$or":
            good = any(matches(metadata, part) for part in value)
        elif name == "$not":
            good = not matches(metadata, value)
        else:
            held = metadata.get(name, MISSING)
            tests = value.items() if isinstance(value, dict) else None
            good = (
                equals(held, value)
                if tests is None
                else all(test_one(held, op, wanted) for op, wanted in tests)
            )
        if not good:
            return False
    return True


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Index.create(tmp_path_factory.mktemp("where") / "i", dim=3) as index:
        yield index


@settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(METADATA, min_size=1, max_size=6), FILTERS)
def test_filters_agree_with_python(shared, metadatas, where):
    shared.delete(list(shared.keys()))
    keys = [str(i) for i in range(len(metadatas))]
    shared.upsert(
        keys, documents=["word"] * len(keys), vectors=np.ones((len(keys), 3)), metadatas=metadatas
    )
    expected = [key for key, meta in zip(keys, metadatas, strict=True) if matches(meta, where)]
    assert [hit.key for hit in shared.search([1, 1, 1], where=where)] == expected
    found = {hit.key for hit in shared.search("word", mode="keyword", where=where)}
    assert found == set(expected)


@pytest.mark.parametrize(
    "where",
    [
        {'a"': 1}, {'a") OR 1=1 --': 1}, {"a\\": 1}, {"a\0": 1}, {"a\n": 1}, {"": 1},
        {"$where": 1}, {"$": 1}, {"a": {"$regex": "x"}}, {"a": {"b": 1}}, {"a": {1: 2}}, {1: 2},
        {"a": [1]}, {"a": {"$in": "x"}}, {"a": {"$in": [[1]]}}, {"a": {"$exists": 1}},
        {"a": {"$gt": None}}, {"a": float("nan")}, {"a": 2**63}, {"$and": {}}, {"$or": "x"},
        {"$not": []}, [], "a = 1", {"a": "\ud800"}, {"\ud800": 1}, {"a": object()},
        {"$or": [{"a": i} for i in range(201)]},
    ],
)  # fmt: skip
def test_unusable_filters_are_refused(shared, where):
    with pytest.raises(InputError):
        shared.search([1, 1, 1], where=where)


def test_too_deep_filters_are_refused(shared):
    where = {"a": 1}
    for _ in range(2000):
        where = {"$not": where}
    with pytest.raises(InputError, match="levels"):
        shared.search([1, 1, 1], where=where)


@pytest.mark.parametrize("text", ["' OR '1'='1", "x'; DROP TABLE doc; --", "?", ":a", "%", "$.a"])
def test_values_and_fields_are_never_sql(tmp_path, text):
    with Index.create(tmp_path / "i", dim=3) as index:
        index.upsert(["a", "b"], vectors=np.ones((2, 3)), metadatas=[{"f": text}, {"f": "other"}])
        assert [hit.key for hit in index.search([1, 1, 1], where={"f": text})] == ["a"]
        if not text.startswith("$"):
            assert index.search([1, 1, 1], where={text: 1}) == []
        assert [h.key for h in index.search([1, 1, 1], where={"f": {"$in": [text]}})] == ["a"]
        assert index.verify().ok
