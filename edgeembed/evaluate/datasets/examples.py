"""Examples to fine-tune on, from .jsonl, .csv or .tsv files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgeembed.evaluate.datasets.table import Row, Table, read_table
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

if TYPE_CHECKING:
    from edgeembed_converters.fine_tuning.examples import TrainingExample

_ANCHORS, _POSITIVES = ("query", "text1"), ("positive", "document", "text2")
_EXPECTED = (
    "expected the columns 'anchor' (or query, question, text1, sentence1) and 'positive' (or "
    "document, passage, answer, text2, sentence2), and maybe 'negative' or 'score'"
)


@public
def read_examples(path: str | Path) -> "list[TrainingExample]":
    """Read examples for `train` from records (.jsonl), or a table (.csv, .tsv) with a header.

    The fields are `anchor` (or `query`, `question`, `text1`, `sentence1`), `positive` (or
    `document`, `passage`, `answer`, `text2`, `sentence2`), and maybe `negative` or `score`; others
    are left out. In records, positives and negatives may be lists of texts: each positive makes an
    example.

    Raises:
        InputError: a column or a value is missing or of another type; the message names the line.
        StorageError: the file cannot be read.
    """
    table = read_table(Path(path))
    anchor = next((field for field in _ANCHORS if table.has(field)), None)
    positive = next((field for field in _POSITIVES if table.has(field)), None)
    if anchor is None or positive is None:
        first = table.fields if table.has_header else tuple(table.rows[0].values.values())
        found = ", ".join(repr(str(field)[:40]) for field in first)
        raise InputError(f"{path}: {_EXPECTED}, found {found}")
    return list(_examples(table, anchor, positive))


def _examples(table: Table, anchor: str, positive: str) -> "Iterator[TrainingExample]":
    from edgeembed_converters.fine_tuning.examples import TrainingExample

    scores = table.numbers("score") if table.has("score") else [None] * len(table.rows)
    for row, score in zip(table.rows, scores, strict=True):
        (text,) = _texts(table, row, anchor, "anchor", single=True)
        negatives = _texts(table, row, "negative", "negative") if table.has("negative") else []
        for found in _texts(table, row, positive, "positive", single=score is not None):
            yield TrainingExample(
                anchor=text,
                positive=found,
                negatives=tuple(negatives),
                score=score,
                place=f"{table.path}, line {row.line}",
            )


def _texts(table: Table, row: Row, field: str, role: str, *, single: bool = False) -> list[str]:
    value = row.values.get(field)
    found = [value] if isinstance(value, str) or single else value
    is_texts = isinstance(found, list) and all(
        isinstance(t, str) for t in cast(list[object], found)
    )
    if not is_texts or not found:
        expected = "a text" if single else "a text or a list of texts"
        raise InputError(
            f"{table.path}, line {row.line}: expected {expected} for the {role}, got {value!r:.80}"
        )
    return cast(list[str], found)
