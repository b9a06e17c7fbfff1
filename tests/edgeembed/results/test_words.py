"""The words of a query in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed.results.words import QueryWords


def marked(query, text):
    return [text[a:b] for a, b in QueryWords(query).find(text)]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        (
            "how do I cancel my order",
            "Cancel the ORDER, or an order.",
            ["Cancel", "ORDER", "order"],
        ),
        ("cancel", "cancels cancelled cancelling canceling", None),
        ("cancelled orders", "cancel an order", ["cancel", "order"]),
        ("cafe", "Café, cafe\u0301 and CAFÉS", ["Café", "cafe\u0301", "CAFÉS"]),
        ("strasse", "Die Straße", ["Straße"]),
        ("to be or not to be", "not a bee", ["not"]),
        ("cat -dog", "a dog and a cat", ["cat"]),
        ("art", "a start", []),
        ("", "anything", []),
        ("東京都", "私は東京に住む", ["東京"]),
        ("猫", "黒猫と猫", ["猫", "猫"]),
        ("नमस्ते", "नमस्ते दुनिया", ["नमस्ते"]),
        ("C++ v2.1", "about c++ and v2.1", ["c", "v2", "1"]),
    ],
)
def test_words_are_found_whatever_their_case_accents_and_endings(query, text, expected):
    assert marked(query, text) == (text.split() if expected is None else expected)


@given(st.text(), st.text())
def test_spans_are_in_the_text_in_order_and_apart(query, text):
    last = 0
    for start, end in QueryWords(query).find(text):
        assert last <= start < end <= len(text)
        last = end


@given(st.text(st.sampled_from("ab \n京都東の"), max_size=40))
def test_a_text_of_the_query_s_own_words_is_found_in_itself(text):
    found = marked(text, text)
    assert bool(found) == bool(text.strip())
