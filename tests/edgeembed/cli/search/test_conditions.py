import pytest

from edgeembed.cli.shared.conditions import filter_of
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.catalog.filters import compile_where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lang=en", {"lang": {"$eq": "en"}}),
        ("lang==en", {"lang": {"$eq": "en"}}),
        ("lang!=en", {"lang": {"$ne": "en"}}),
        ("year>=2020", {"year": {"$gte": 2020}}),
        ("year<=2020.5", {"year": {"$lte": 2020.5}}),
        ("n>-1e3", {"n": {"$gt": -1000.0}}),
        ("date<2024-01-01", {"date": {"$lt": "2024-01-01"}}),
        ("date>=2024-01-01T12:30+02:00", {"date": {"$gte": "2024-01-01T12:30+02:00"}}),
        ("draft=true", {"draft": {"$eq": True}}),
        ("tag=null", {"tag": {"$eq": None}}),
        ("author.name=Ann Lee", {"author.name": {"$eq": "Ann Lee"}}),
        (" year = 2020 ", {"year": {"$eq": 2020}}),
        ('zip="01234"', {"zip": {"$eq": "01234"}}),
        ("zip='2020'", {"zip": {"$eq": "2020"}}),
        ("zip=01234", {"zip": {"$eq": "01234"}}),
        ("lang=", {"lang": {"$eq": ""}}),
        ("formula=a=b", {"formula": {"$eq": "a=b"}}),
        ("name=NaN", {"name": {"$eq": "NaN"}}),
        ("name=[1]", {"name": {"$eq": "[1]"}}),
        ("größe=5", {"größe": {"$eq": 5}}),
        ('{"a": {"$gt": 1}}', {"a": {"$gt": 1}}),
        (' {"a": 1} ', {"a": 1}),
    ],
)
def test_a_condition_is_typed_short_or_as_json(text, expected):
    found = filter_of([text])
    assert found == expected
    compile_where(found)


def test_several_conditions_must_all_hold():
    assert filter_of(["a=1", '{"b": 2}']) == {"$and": [{"a": {"$eq": 1}}, {"b": 2}]}
    assert filter_of([]) is filter_of(None) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lang", "expected lang=en"),
        ("", "expected lang=en"),
        ("=en", "expected lang=en"),
        ("lang!en", "expected lang=en"),
        ("year>=", "expected a value after >="),
        ('name="a', "expected a text in quotes"),
        ("name='a", "expected a quote at the end"),
        ("{oops", "expected JSON such as"),
        ("[1]", "expected a JSON object, got list"),
        ("[" * 100_000, "expected JSON such as"),
    ],
)
def test_what_is_no_condition_is_refused(text, message):
    with pytest.raises(InputError, match=f"^where: {message}"):
        filter_of([text])
