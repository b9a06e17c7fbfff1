"""An independent witness: filters find what mongomock, a MongoDB in Python, finds."""

import mongomock
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeembed import Index

NAMES = ["a", "b", "tags"]
NESTED = ["o.x", "o.p.x", "list.x"]
NUMBERS = st.integers(-2, 3) | st.sampled_from([0.5, 2.0])
TEXTS = st.sampled_from(["", "x", "y", "1", "lisbon"])
SCALARS = NUMBERS | TEXTS
# Left out on purpose: true and false, which count as 1 and 0 here; and what mongomock has otherwise
# than MongoDB at nested names: None, names that lead into a text, and several operators at once.
VALUES = (
    SCALARS | st.none() | st.lists(SCALARS | st.none(), max_size=3) | st.just([["x"], {"y": 1}])
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES,
        "b": VALUES,
        "tags": st.lists(TEXTS, max_size=3),
        "o": st.fixed_dictionaries({}, optional={"x": VALUES}),
        "list": st.lists(st.fixed_dictionaries({"x": VALUES}), min_size=1, max_size=2),
    },
) | st.just({"o": {"p": [{"x": 1}, {"x": ["y"]}]}})


OPERATORS = {
    **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), SCALARS),
    **dict.fromkeys(("$eq", "$ne"), SCALARS | st.none()),
    **dict.fromkeys(("$in", "$nin"), st.lists(SCALARS | st.none(), max_size=3)),
    "$exists": st.booleans(),
}
NESTED_OPERATORS = {
    **OPERATORS,
    **dict.fromkeys(("$eq", "$ne"), SCALARS),
    **dict.fromkeys(("$in", "$nin"), st.lists(SCALARS, max_size=3)),
}
TESTS = st.fixed_dictionaries({}, optional=OPERATORS).filter(bool)
NESTED_TESTS = st.sampled_from(sorted(NESTED_OPERATORS)).flatmap(
    lambda name: st.fixed_dictionaries({name: NESTED_OPERATORS[name]})
)


def asked(names, tests):
    negated = tests.map(lambda test: {"$not": test})
    return st.dictionaries(st.sampled_from(names), SCALARS | tests | negated, max_size=2)


LEAVES = asked(NAMES, TESTS) | asked(NESTED, NESTED_TESTS)
FILTERS = LEAVES | st.sampled_from(["$and", "$or"]).flatmap(
    lambda name: st.lists(LEAVES, min_size=1, max_size=3).map(lambda parts: {name: parts})
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Index.create(tmp_path_factory.mktemp("where") / "i", dim=3) as index:
        yield index


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(METADATA, min_size=4, max_size=12), st.lists(FILTERS, min_size=4, max_size=8))
def test_filters_find_what_mongodb_finds(shared, metadatas, filters):
    shared.delete(list(shared.keys()))
    keys = [f"{i:02}" for i in range(len(metadatas))]
    shared.upsert(keys, vectors=np.ones((len(keys), 3)), metadatas=metadatas)
    collection = mongomock.MongoClient().db.collection
    collection.insert_many({"_id": key, **each} for key, each in zip(keys, metadatas, strict=True))
    for where in filters:
        expected = sorted(found["_id"] for found in collection.find(where))
        assert [hit.key for hit in shared.search([1, 1, 1], k=99, where=where)] == expected, where
