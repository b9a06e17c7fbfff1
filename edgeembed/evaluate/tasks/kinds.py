"""What a table of texts is good for, seen from its columns."""

from edgeembed.evaluate.files.pairs import scored_pairs_table
from edgeembed.evaluate.files.table import Table
from edgeembed_runtime.errors import InputError


def kind_of(table: Table) -> str:
    """The kind of task that a table's columns are for.

    Raises:
        InputError: of none, or of more than one; the message says how to name a kind.
    """
    for fields, kind in (
        (("query", "positive", "negative"), "reranking"),
        (("query", "document"), "retrieval"),
        (("text", "label"), "classification"),
    ):
        if table.has(*fields):
            return kind
    if table.has("text1", "text2", "score") or (_bare(table) and len(table.fields) == 3):
        scores = set(scored_pairs_table(table).numbers("score"))
        return "duplicates" if scores <= {0.0, 1.0} else "similarity"
    if table.has("text"):
        return "agreement"
    if _bare(table) and len(table.fields) == 2 and _few(table, "1"):
        return "classification"
    raise InputError(
        f"{table.path}: cannot tell what it is for from its columns, {', '.join(table.fields)}; "
        f"put a kind before it, such as bitext:{table.path.name}"
    )


def _bare(table: Table) -> bool:
    return table.has("0")


def _few(table: Table, field: str) -> bool:
    """Whether values repeat as labels do."""
    return 2 * len(set(table.column(field))) <= len(table.rows)
