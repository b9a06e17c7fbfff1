"""Where sentences start: punctuation of many languages, and stops that end nothing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.inputs.text.sentences import sentence_starts


def sentences(text):
    starts = [0, *sentence_starts(text), len(text)]
    return [text[a:b].strip() for a, b in itertools.pairwise(starts)]


@pytest.mark.parametrize(
    "parts",
    [
        ["The cat sat.", "It slept!", "Did it?", "Yes."],
        ["lower case is fine.", "so is this."],
        ["Dr. Smith met Mr. J. R. Jones vs. the U.S. Army.", "He won."],
        ["It costs 3.14 euros, e.g. in Porto, i.e. there.", "See Fig. 3 and pp. 4."],
        ["Smith et al. found it.", "So did we."],
        ["The firm is Acme Inc. and it sells.", "Good."],
        ['"Really?" he asked.', '"No!" she said.'],
        ["He said “stop.”", "Then he left."],
        ["(It was late.)", "He slept."],
        ["Well... perhaps.", "Then… no.", "Yes."],
        ["See https://a.b/c?d=e.f for more.", "Then v2.13.1 came."],
        ["3. Butter and milk.", "More."],
        ["Das gilt z.B. für Katzen bzw. Hunde.", "Schluss."],
        ["我喜欢东京。", "你呢？", "「好！」", "走吧。"],
        ["هل هذا صحيح؟", "نعم۔", "حسنا"],
        ["यह एक वाक्य है।", "यह दूसरा है॥", "अंत"],
    ],
)
def test_sentences_are_told_apart(parts):
    spaced = "" if "。" in parts[0] else " "
    assert sentences(spaced.join(parts)) == parts


@given(st.text("aB1. !?。’”)\n", max_size=80))
def test_starts_are_in_order_and_never_on_white_space(text):
    starts = list(sentence_starts(text))
    assert starts == sorted(set(starts))
    assert all(0 < start < len(text) and not text[start].isspace() for start in starts)


@pytest.mark.parametrize("text", ["." * 500_000, ".)" * 250_000, "a." * 250_000, ". " * 250_000])
def test_nothing_but_stops_takes_no_time(text):
    assert len(list(sentence_starts(text))) < len(text)
