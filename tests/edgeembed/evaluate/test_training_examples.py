"""Examples for `train` from files, and the lines that are refused."""

import pytest

from edgeembed import TrainingExample, read_examples
from edgeembed_runtime.errors import InputError


@pytest.fixture
def written(tmp_path):
    """`written(name, text)` is a file."""

    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


A, B = TrainingExample(anchor="a", positive="b"), TrainingExample(anchor="c", positive="d")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pairs.csv", "anchor,positive\na,b\nc,d\n"),
        ("pairs.csv", "Question,Answer\na,b\nc,d\n"),
        ("pairs.tsv", "id\tsentence1\tsentence2\n1\ta\tb\n2\tc\td\n"),
        ("pairs.jsonl", '{"anchor": "a", "positive": "b"}\n\n{"anchor": "c", "positive": "d"}\n'),
        ("pairs.jsonl", '{"query": "a", "document": ["b"]}\n{"query": "c", "document": "d"}\n'),
    ],
)
def test_pairs_are_read_from_records_and_tables(written, name, text):
    assert read_examples(written(name, text)) == [A, B]


def test_each_positive_makes_an_example_and_negatives_stay_together(written):
    line = '{"anchor": "a", "positive": ["b", "c"], "negative": ["d", "e"]}\n'
    path = written("triplets.jsonl", line)
    made = [TrainingExample(anchor="a", positive=each, negatives=("d", "e")) for each in ("b", "c")]
    found = read_examples(path)
    assert found == made
    assert {each.place for each in found} == {f"{path}, line 1"}


def test_scores_are_numbers_in_tables_too(written):
    path = written("scored.csv", 'sentence1,sentence2,score\n"a, or b",c,0.5\n')
    (found,) = read_examples(path)
    assert (found.anchor, found.score) == ("a, or b", 0.5)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pairs.csv", "", "expected rows, found none"),
        ("pairs.csv", "anchor,positive\n", "expected rows, found none"),
        ("pairs.jsonl", "\n\n", "expected rows, found none"),
        ("pairs.csv", "foo,bar\na,b\n", r"expected the columns 'anchor' .* found 'foo', 'bar'$"),
        (
            "pairs.csv",
            "anchor,id\na,b\n",
            r"expected the columns 'anchor' .* found 'anchor', 'id'$",
        ),
        ("pairs.jsonl", '{"anchor": "a"}\n', r"'positive' .* found 'query'$"),
        ("pairs.csv", "anchor,positive\na,b\nc\n", "line 3: expected 2 columns, got 1"),
        (
            "pairs.jsonl",
            '{"anchor": "a", "positive": "b"}\n{"anchor": null, "positive": "b"}\n',
            "line 2: expected a text for the anchor, got None",
        ),
        (
            "pairs.jsonl",
            '{"anchor": "a", "positive": "b"}\n{"anchor": "c"}\n',
            "line 2: expected a text or a list of texts for the positive, got None",
        ),
        ("pairs.jsonl", '{"anchor": 5, "positive": "b"}\n', "text for the anchor, got 5"),
        ("pairs.jsonl", '{"anchor": "a", "positive": 5}\n', "texts for the positive, got 5"),
        ("pairs.jsonl", '{"anchor": "a", "positive": []}\n', r"texts for the positive, got \[\]"),
        ("pairs.jsonl", '{"anchor": "a", "positive": ["b", 5]}\n', "for the positive, got"),
        (
            "pairs.jsonl",
            '{"anchor": "a", "positive": "b", "negative": null}\n',
            "for the negative, got None",
        ),
        ("pairs.csv", "anchor,positive,score\na,b,good\n", "line 2: expected a number in 'score'"),
        ("pairs.jsonl", '["a", "b"]\n', "line 1: expected a JSON object, got list"),
    ],
)
def test_what_is_damaged_is_named_by_its_line(written, name, text, message):
    with pytest.raises(InputError, match=message):
        read_examples(written(name, text))
