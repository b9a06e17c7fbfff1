"""Examples that are refused, and how a part of them is held out."""

import pytest

from edgeembed import TrainingExample
from edgeembed_converters.fine_tuning.examples import checked_examples
from edgeembed_converters.fine_tuning.held_out import parts_of
from edgeembed_runtime.errors import InputError


def pair(number, **options):
    return TrainingExample(anchor=f"question {number}", positive=f"answer {number}", **options)


def checked(items):
    return checked_examples(items, "examples")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "examples: expected pairs of texts, got none"),
        (["a", "b"], r"examples\[0\]: expected a TrainingExample, got str"),
        ([pair(1), TrainingExample(anchor=None, positive="a")], r"\[1\]: .* 'anchor', got None"),  # pyright: ignore[reportArgumentType]
        ([TrainingExample(anchor="a", positive=7)], r"'positive', got 7"),  # pyright: ignore[reportArgumentType]
        ([TrainingExample(anchor="a", positive="  ")], "'positive', got an empty one"),
        ([pair(1, negatives=["a"])], "negatives: expected a tuple of texts, got list"),
        ([pair(1, negatives=("a", None))], "'negative', got None"),
        ([pair(1, negatives=("answer 1",))], "a negative that differs from the positive"),
        ([pair(1, score=5.0)], "score from -1 to 1, as a cosine is, got 5; divide"),
        ([pair(1, score=float("nan"))], "a number in 'score', got nan"),
        ([pair(1, score=True)], "a number in 'score', got True"),
        ([pair(1, score="0.5")], "a number in 'score', got '0.5'"),
        ([pair(1, score=1.0, negatives=("a",))], "a score or negatives, got both"),
        ([pair(1), pair(2, score=0.5)], r"\[1\]: expected pairs, .* got one of scored pairs"),
        ([pair(1, negatives=("a",)), pair(2)], r"expected triplets, .* got one of pairs"),
    ],
)
def test_what_is_damaged_is_named(items, message):
    with pytest.raises(InputError, match=message):
        checked(items)


def test_the_file_and_the_line_are_named_where_they_are_known():
    with pytest.raises(InputError, match=r"^pairs.csv, line 7: expected a text in 'anchor'"):
        checked([TrainingExample(anchor="", positive="a", place="pairs.csv, line 7")])


def test_the_same_example_counts_once():
    assert len(checked([pair(1, place="a"), pair(2), pair(1, place="b")]).items) == 2


def test_a_tenth_is_held_out_and_the_seed_says_which():
    examples = checked(pair(n) for n in range(100))
    parts, again, other = (parts_of(examples, None, 1000, seed) for seed in (0, 0, 1))
    assert (len(parts.train), len(parts.held_out)) == (90, 10)
    assert {*parts.train, *parts.held_out} == set(examples.items)
    assert parts == again != other
    assert len(parts_of(examples, None, 5, 0).held_out) == 5


def test_examples_that_share_a_text_are_on_one_side():
    items = [
        TrainingExample(anchor=f"question {n // 2}", positive=f"answer {(n + 1) // 2 % 40}")
        for n in range(60)
        if n % 6
    ]
    parts = parts_of(checked(items), None, 1000, 0)
    texts = [{t for item in part for t in (item.anchor, item.positive)} for part in
             (parts.train, parts.held_out)]  # fmt: skip
    assert texts[0].isdisjoint(texts[1])
    assert len(parts.held_out) >= 2


def test_nothing_left_to_hold_out_is_said_with_the_ways_out():
    same_answer = [TrainingExample(anchor=f"question {n}", positive="yes") for n in range(100)]
    with pytest.raises(InputError, match="share no text with the others, found 0; give more"):
        parts_of(checked(same_answer), None, 1000, 0)
    with pytest.raises(InputError, match=r"at least 4 different ones, got 1; .*to measure on"):
        parts_of(checked([pair(1)]), None, 1000, 0)
    with pytest.raises(InputError, match="held_out: expected at least 2 examples, got 1"):
        parts_of(checked(pair(n) for n in range(100)), None, 1, 0)


def test_examples_to_measure_on_may_be_given():
    train, other = checked(pair(n) for n in range(4)), checked(pair(n) for n in range(4, 8))
    assert parts_of(train, other, 1000, 0).held_out == other.items
    with pytest.raises(InputError, match="evaluate_on: expected at least 2"):
        parts_of(train, checked([pair(9)]), 1000, 0)
    with pytest.raises(InputError, match="evaluate_on: expected pairs"):
        parts_of(train, checked(pair(n, score=1.0) for n in range(4)), 1000, 0)
