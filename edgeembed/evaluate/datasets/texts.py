"""Texts, with labels or without."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgeembed.evaluate.datasets.table import Table, beginning_of_txt, read_table
from edgeembed.ingest.texts import read_texts
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LabeledTexts:
    """Texts and their labels."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def has_labels(table: Table) -> bool:
    """Whether a table has texts and labels: columns so named, or two, the second repetitive."""
    if table.has("text", "label"):
        return True
    if table.has_header or len(table.fields) != 2:
        return False
    return 2 * len(set(table.column("1"))) <= len(table.rows)


def is_plain_text(path: Path) -> bool:
    """Whether a file is a .txt of lines: without tabs, and not of analogies, which start with :."""
    start = beginning_of_txt(path)
    return start is not None and not start.startswith(b":") and b"\t" not in start


def read_labeled_texts(path: Path) -> LabeledTexts:
    """Read text and label; without a header, the first two columns.

    Raises:
        InputError: columns are missing, there is only one label, or a label occurs only once.
    """
    table = read_table(path).named("text", "label")
    labels = table.column("label")
    counts = Counter(labels)
    rarest, count = min(counts.items(), key=lambda item: item[1])
    if len(counts) < 2:
        raise InputError(f"{path}: expected two labels or more, got only {labels[0]!r}")
    if count < 2:
        raise InputError(
            f"{path}: expected two texts of each label or more, got one of {rarest!r}; "
            "leave it out or join labels"
        )
    return LabeledTexts(texts=tuple(table.column("text")), labels=tuple(labels))


def read_plain_texts(path: Path) -> tuple[str, ...]:
    """Read distinct texts, one per line or record; empty ones are skipped.

    Raises:
        InputError: there are fewer than two texts.
    """
    texts = dict.fromkeys(t for t in read_texts(path) if t.strip())
    if len(texts) < 2:
        raise InputError(f"{path}: expected two texts or more, found {len(texts)}")
    return tuple(texts)
