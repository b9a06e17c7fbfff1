"""Pairs of texts with scores: sentence or word similarity, duplicates."""

from dataclasses import dataclass
from pathlib import Path

from edgeembed.evaluate.files.table import Table, read_table
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ScoredPairs:
    """Texts side by side, and how alike people find them."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    scores: tuple[float, ...]


def read_scored_pairs(path: Path) -> ScoredPairs:
    """Read text1, text2 and score; without a header the score is the first or the last column.

    Raises:
        InputError: columns are missing, a score is no number, or all scores are the same.
    """
    table = scored_pairs_table(read_table(path))
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


def scored_pairs_table(table: Table) -> Table:
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
