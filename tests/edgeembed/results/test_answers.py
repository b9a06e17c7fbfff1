"""Passages cut into pieces of one look."""

from hypothesis import given
from hypothesis import strategies as st

from edgeembed import Hit
from edgeembed.results.answers import answers_of
from edgeembed.results.duplicates import fold
from edgeembed.results.printable import printable, unwrapped


def answer(query, text, **fields):
    hit = Hit(key="k", score=0.5, document=text, metadata=None, **fields)
    return answers_of(query, fold([hit]))[0]


TEXTS = st.text(st.sampled_from("cat dog.\n! 東\x1b"), max_size=200)


@given(TEXTS, TEXTS)
def test_all_segments_together_are_the_whole_text(query, text):
    shown = "".join(segment.text for segment in answer(query, text).segments())
    assert shown == printable(unwrapped(text))


@given(TEXTS, st.integers(60, 400))
def test_an_excerpt_is_a_part_of_the_text_within_the_limit(text, limit):
    text = text * 4
    shown = "".join(segment.text for segment in answer("a cat.", text).segments(limit))
    assert shown.strip("… ") in printable(unwrapped(text))
    assert len(shown) <= limit + 4


def test_an_excerpt_shows_the_best_sentence_and_its_words():
    text = "Much else is said here. " * 30 + "The cat sat on a mat. " + "And more of it. " * 30
    found = answer("cat on a mat", text)
    segments = list(found.segments(200))
    assert "".join(s.text for s in segments if s.best) == "The cat sat on a mat."
    assert [s.text for s in segments if s.word] == ["cat", "mat"]
    assert segments[0].text == "… " and segments[-1].text == " …"
    assert found.best_sentence == "The cat sat on a mat."


def test_a_passage_that_is_one_sentence_is_not_set_off_as_a_whole():
    assert not any(segment.best for segment in answer("cat", "The cat sat.").segments())


def test_an_image_has_no_text_and_no_highlight():
    found = answer(None, None)
    assert (found.text, found.best_sentence, list(found.segments(100))) == ("", None, [])
