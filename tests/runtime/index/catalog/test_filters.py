import operator
import re
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeembed import Index
from edgeembed_runtime.errors import InputError

FIELDS = ["a", "b", "with space", "dotted.name", "ünï", "$.x"[1:], "a[0]", "%", "o.x", "o.p.x", "o"]
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0, 0.1, 1e300, 2**53 + 1, 1.1e-17])
NUMPY = st.sampled_from([np.int64(2), np.float32(0.5), np.bool_(True), np.str_("x")])
DATES = st.sampled_from(
    [
        "2024-05-01", "2024-05-01T00:00Z", "2024-05-01 02:00+02:00", "2024-05-01T00:00:00.500",
        "2024-04-30T23:59:59", "2024-02-30", "2024-13-01", "2024-05-01T", "2024-05-01 noon", "now",
        "12:00", "1999-12-31T23:00:00-01:00", date(2024, 5, 1), datetime(2000, 1, 1, tzinfo=UTC),
        np.datetime64("2024-05-01T00:00:00.500"),
    ]
)  # fmt: skip
TEXTS = st.sampled_from(["", "x", "y", "1", "Z", "ü", "'", "[1]", '{"x": 1}', "null"]) | DATES
SCALARS = NUMBERS | st.booleans() | st.none() | TEXTS | NUMPY
LISTS = st.lists(SCALARS, max_size=3)
VALUES = SCALARS | LISTS | st.just([["x"], {"x": 1}]) | st.just({"x": 1})
OBJECTS = st.dictionaries(
    st.sampled_from(["x", "p", "p.x"]),
    VALUES | st.fixed_dictionaries({"x": VALUES}) | st.lists(st.fixed_dictionaries({"x": SCALARS})),
)
METADATA = st.none() | st.dictionaries(
    st.sampled_from(FIELDS), VALUES | OBJECTS | st.lists(OBJECTS | SCALARS, max_size=2), max_size=4
)
ORDERED = NUMBERS | st.booleans() | TEXTS | NUMPY
TESTS = st.fixed_dictionaries(
    {},
    optional={
        "$gt": ORDERED,
        "$gte": ORDERED,
        "$lt": ORDERED,
        "$lte": ORDERED,
        "$eq": SCALARS,
        "$ne": SCALARS,
        "$in": st.lists(SCALARS, max_size=4),
        "$nin": st.lists(SCALARS, max_size=4),
        "$contains": SCALARS,
        "$not_contains": SCALARS,
        "$exists": st.booleans(),
    },
)
LEAVES = st.dictionaries(
    st.sampled_from(FIELDS), SCALARS | TESTS | TESTS.map(lambda test: {"$not": test}), max_size=2
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: {"$and": parts})
        | st.lists(inner, max_size=3).map(lambda parts: {"$or": parts})
        | inner.map(lambda part: {"$not": part})
    ),
    max_leaves=5,
)
ORDERS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
NEGATIONS = {"$ne": "$eq", "$nin": "$in", "$not_contains": "$contains"}


def stored(value):
    """A value as it is in the metadata: JSON."""
    if isinstance(value, dict):
        return {name: stored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [stored(item) for item in value]
    if isinstance(value, np.datetime64):
        return value.item().isoformat()
    value = value.item() if isinstance(value, np.generic) else value
    return value.isoformat() if isinstance(value, date) else value


def instant(text):
    """The instant of a text that is a date, else None."""
    if not isinstance(text, str) or not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        found = datetime.fromisoformat(text.rstrip("T"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def places(metadata, field):
    """The values that a name means."""
    found = [metadata[field]] if field in metadata else []
    names = field.split(".")
    if len(names) == 1 or not all(names):
        return found
    nodes = [metadata]
    for name in names:
        nodes = [each for node in nodes for each in (node if isinstance(node, list) else [node])]
        nodes = [node[name] for node in nodes if isinstance(node, dict) and name in node]
    return found + nodes


def equals(value, wanted):
    if isinstance(value, list | dict) or isinstance(value, str) != isinstance(wanted, str):
        return False
    return value == wanted or (instant(value) is not None and instant(value) == instant(wanted))


def is_ordered(compare, value, wanted):
    if value is None or isinstance(value, list | dict):
        return False
    if isinstance(value, str) != isinstance(wanted, str):
        return False
    if instant(wanted) is not None:
        return instant(value) is not None and compare(instant(value), instant(wanted))
    if isinstance(value, str):
        value, wanted = value.encode(), wanted.encode()
    return compare(value, wanted)


def passes(values, name, wanted):
    """Whether the values at the places of a field pass one test."""
    if name == "$not":
        return not all(passes(values, *each) for each in wanted.items())
    if name in NEGATIONS:
        return not passes(values, NEGATIONS[name], wanted)
    if name == "$exists":
        return bool(values) == wanted
    wanted = stored(wanted)
    lists = [item for value in values if isinstance(value, list) for item in value]
    each = lists + [value for value in values if not isinstance(value, list)]
    match name:
        case "$eq":
            return any(equals(v, wanted) for v in each) or (wanted is None and not values)
        case "$in":
            return any(passes(values, "$eq", item) for item in wanted)
        case "$contains":
            return any(equals(v, wanted) for v in lists)
    return any(is_ordered(ORDERS[name], value, wanted) for value in each)


def matches(metadata, where):
    metadata = stored(metadata or {})
    for name, value in where.items():
        if name == "$and":
            good = all(matches(metadata, part) for part in value)
        elif name == "$or":
            good = any(matches(metadata, part) for part in value)
        elif name == "$not":
            good = not matches(metadata, value)
        else:
            tests = value if isinstance(value, dict) else {"$eq": value}
            good = all(passes(places(metadata, name), *test) for test in tests.items())
        if not good:
            return False
    return True


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Index.create(tmp_path_factory.mktemp("where") / "i", dim=3) as index:
        yield index


@settings(
    max_examples=150, deadline=None, derandomize=True,
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
