import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.index.catalog.fts import FTS_SCHEMA, insert_terms
from edgeembed_runtime.index.terms.query import read_query

SYNTAX = [
    "AND",
    "OR",
    "NOT",
    "NEAR(",
    ")",
    '"',
    "“",
    "”",
    "*",
    "^",
    "-fox",
    ":",
    "{",
    "+",
    "a b",
    "'",
]


@pytest.fixture(scope="module")
def table():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(FTS_SCHEMA)
        insert_terms(connection, [(1, "title", "the fox"), (2, None, "日本語 C++ snake_case")])
        yield connection


@given(st.one_of(st.text(), st.lists(st.sampled_from(SYNTAX)).map(" ".join)))
def test_no_text_is_syntax(table, text):
    query = read_query(text)
    expressions = [*query.words, *query.names, query.required, query.forbidden]
    for expression in filter(None, expressions):
        table.execute("SELECT rowid FROM fts WHERE fts MATCH ?", (expression,)).fetchall()


@pytest.mark.parametrize(
    ("text", "required", "forbidden", "plain"),
    [
        ('"red fox" den', '"red fox"', "", "red fox den"),
        ("“red fox” den", '"red fox"', "", "red fox den"),
        ("„red fox“ den", '"red fox"', "", "red fox den"),
        ('"a b" "c d"', '"a b" AND "c d"', "", "a b c d"),
        ("fox -hen", "", '"hen"', "fox"),
        ('"fox -hen" den', '"fox hen"', "", "fox -hen den"),
        ('"snake_case"', '"snake_case"', "", "snake_case"),
        ('"unclosed fox', "", "", '"unclosed fox'),
        ('5" disk 3" disk', "", "", '5" disk 3" disk'),
        ('" " fox', "", "", '" " fox'),
        ("-fox", "", "", "-fox"),
        ("rm -rf", "", "", "rm -rf"),
        ("--help me", "", "", "--help me"),
        ("2-3 or -1", "", "", "2-3 or -1"),
        ("state-of-the-art", "", "", "state-of-the-art"),
        ("- fox -", "", "", "- fox -"),
    ],
)
def test_operators_count_only_where_they_can_be_meant(text, required, forbidden, plain):
    query = read_query(text)
    assert (query.required, query.forbidden, query.text) == (required, forbidden, plain)


def test_of_a_very_long_query_the_first_words_count_and_the_whole_text():
    text = "fox " * 2000 + "-hen " * 2000 + "w".join(map(str, range(100_000)))
    query = read_query(text)
    assert query.words == ('"fox"',)
    assert len(read_query(" ".join(map(str, range(1000)))).words) == 64
    assert query.text.endswith(text[-1000:])


def test_neighbors_are_words_that_follow_each_other():
    assert read_query("red snake_case C++").neighbors == (
        ("red", "snake"),
        ("snake", "case"),
        ("case", "c++"),
    )
