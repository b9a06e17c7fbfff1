"""Texts with labels, plain texts, and pairs of translations."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgeembed.evaluate.files.table import Table, read_table
from edgeembed.ingest.texts import format_of, read_texts
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """Texts and the label of each."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def read_labeled_texts(path: Path) -> LabelledTexts:
    """Read text and label; without a header they are the first two columns.

    Raises:
        InputError: columns are missing, there is one label only, or one that comes only once.
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
    return LabelledTexts(texts=tuple(table.column("text")), labels=tuple(labels))


def read_plain_texts(path: Path) -> tuple[str, ...]:
    """Read distinct texts: one a line, or one a record; empty ones are left out.

    Raises:
        InputError: fewer than two texts.
    """
    texts = dict.fromkeys(t for t in read_texts(path, format_of(path), "text") if t.strip())
    if len(texts) < 2:
        raise InputError(f"{path}: expected two texts or more, found {len(texts)}")
    return tuple(texts)


def read_translations(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read text1 and text2, which mean the same.

    Raises:
        InputError: columns are missing, or there is one pair only.
    """
    table: Table = read_table(path).named("text1", "text2")
    if len(table.rows) < 2:
        raise InputError(f"{path}: expected two pairs or more, found one")
    return tuple(table.column("text1")), tuple(table.column("text2"))
