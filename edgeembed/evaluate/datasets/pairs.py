"""Pairs of texts: with similarity scores, or translations of each other."""

from dataclasses import dataclass
from pathlib import Path

from edgeembed.evaluate.datasets.table import Table, read_table
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ScoredPairs:
    """Pairs of texts and their human similarity scores."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    scores: tuple[float, ...]


def read_scored_pairs(path: Path) -> ScoredPairs:
    """Read text1, text2 and score; without a header the score is the first or the last column.

    Raises:
        InputError: columns are missing, a score is not a number, or all scores are equal.
    """
    table = _scored_pairs_table(read_table(path))
    scores = table.numbers("score")
    if len(set(scores)) < 2:
        raise InputError(
            f"{path}: expected scores that differ, got {len(scores)} times {scores[0]:g}"
        )
    return ScoredPairs(
        left=tuple(table.column("text1")),
        right=tuple(table.column("text2")),
        scores=tuple(scores),
    )


def read_translations(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read text1 and text2, translations of each other.

    Raises:
        InputError: columns are missing, or there is only one pair.
    """
    table = read_table(path).named("text1", "text2")
    if len(table.rows) < 2:
        raise InputError(f"{path}: expected two pairs or more, found one")
    return tuple(table.column("text1")), tuple(table.column("text2"))


def distinct_scores(table: Table) -> set[float] | None:
    """The different scores of a table of scored pairs; None for any other table.

    Raises:
        InputError: a score is not a number.
    """
    bare = not table.has_header and len(table.fields) == 3
    if not bare and not table.has("text1", "text2", "score"):
        return None
    return set(_scored_pairs_table(table).numbers("score"))


def _scored_pairs_table(table: Table) -> Table:
    """The table with the columns text1, text2 and score.

    Raises:
        InputError: it has no such columns.
    """
    first = len(table.fields) >= 3 and all(_is_number(row.values.get("0")) for row in table.rows)
    return table.named(*(("score", "text1", "text2") if first else ("text1", "text2", "score")))


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
