"""Relevance judgments: queries, documents, and which document answers which query."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeembed.evaluate.datasets.table import read_table
from edgeembed.ingest.texts import read_records, text_of
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

TO_EVALUATE = ("test", "dev", "train")
"""Splits in the order in which they are looked for; also `TO_FIT`."""
TO_FIT = ("train", "dev", "test")


@dataclass(frozen=True, kw_only=True)
class Judgments:
    """Queries and documents by id, and gains by query id and document id.

    A document begins with its title, if `titles` has one for its id.
    """

    queries: Mapping[str, str]
    documents: Mapping[str, str]
    gains: Mapping[str, Mapping[str, float]]
    titles: Mapping[str, str] = field(default_factory=dict[str, str])

    def body(self, document: str) -> str:
        """A document without its title."""
        return self.documents[document].removeprefix(self.titles.get(document, "")).lstrip()


@dataclass(frozen=True, kw_only=True)
class RankedQuery:
    """A query with positive and negative documents."""

    query: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def is_beir(path: Path) -> bool:
    """Whether a folder is in BEIR's form."""
    return (path / "corpus.jsonl").is_file()


def read_judgments(path: Path, splits: Sequence[str] = TO_EVALUATE) -> Judgments:
    """Read a folder in BEIR's form, or a table of queries and documents.

    Raises:
        InputError: it is neither; see read_beir and read_judged_pairs.
        StorageError: it cannot be read.
    """
    return read_beir(path, splits) if path.is_dir() else read_judged_pairs(path)


def read_beir(folder: Path, splits: Sequence[str] = TO_EVALUATE) -> Judgments:
    """Read a folder in BEIR's form: corpus.jsonl, queries.jsonl, qrels/test.tsv (or dev, train).

    A document is its title, a space and its text, as in BEIR (https://github.com/beir-cellar/beir).
    Of the splits, the first that exists is read.

    Raises:
        InputError: a file is missing, an id comes twice, or a judgment names an unknown id.
    """
    titles: dict[str, str] = {}
    documents = _texts_by_id(folder / "corpus.jsonl", titles)
    queries = _texts_by_id(folder / "queries.jsonl")
    path = _qrels(folder, splits)
    table = read_table(path).named("query-id", "corpus-id", "score")
    gains: dict[str, dict[str, float]] = defaultdict(dict)
    for row, gain in zip(table.rows, table.numbers("score"), strict=True):
        query, document = table.text(row, "query-id"), table.text(row, "corpus-id")
        for found, known, what in ((query, queries, "query"), (document, documents, "document")):
            if found not in known:
                raise InputError(f"{path}, line {row.line}: unknown {what} id {found!r}")
        gains[query][document] = gain
    return Judgments(queries=queries, documents=documents, gains=gains, titles=titles)


def read_judged_pairs(path: Path) -> Judgments:
    """Read query, document and an optional score (default 1); all documents form one corpus.

    Raises:
        InputError: columns are missing or a score is not a number.
    """
    table = read_table(path)
    columns = ("query", "document", "score")
    table = table.named(*columns[: 3 if len(table.fields) > 2 else 2])
    scores = table.numbers("score") if table.has("score") else [1.0] * len(table.rows)
    queries, documents = table.column("query"), table.column("document")
    gains: dict[str, dict[str, float]] = defaultdict(dict)
    for query, document, score in zip(queries, documents, scores, strict=True):
        gains[query][document] = score
    return Judgments(
        queries=dict(zip(queries, queries, strict=True)),
        documents=dict(zip(documents, documents, strict=True)),
        gains=gains,
    )


def read_ranked_queries(path: Path) -> tuple[RankedQuery, ...]:
    """Read query, positive and negative; each of the latter is a text or a list of texts.

    Raises:
        InputError: columns are missing, or a query lacks a positive or a negative document.
    """
    table = read_table(path).named("query", "positive", "negative")
    queries = [
        RankedQuery(
            query=table.text(row, "query"),
            positive=tuple(table.texts(row, "positive")),
            negative=tuple(table.texts(row, "negative")),
        )
        for row in table.rows
    ]
    for row, item in zip(table.rows, queries, strict=True):
        if not item.positive or not item.negative:
            raise InputError(
                f"{path}, line {row.line}: expected a positive and a negative document or more"
            )
    return tuple(queries)


def _texts_by_id(path: Path, titles: dict[str, str] | None = None) -> dict[str, str]:
    """The texts by id; with `titles`, which are put there, behind their titles."""
    texts: dict[str, str] = {}
    with storage_errors("read", path), open_plain_file(path, follow_links=True) as stream:
        for line, record in read_records(stream, str(path)):
            key = _id(record, path, line)
            if key in texts:
                raise InputError(f"{path}, line {line}: the id {key!r} comes twice")
            text = text_of(record, "text", str(path), line)
            head = None if titles is None else record.get("title")
            texts[key] = f"{head} {text}".strip() if isinstance(head, str) and head else text
            if titles is not None and isinstance(head, str) and head.strip():
                titles[key] = head.strip()
    if not texts:
        raise InputError(f"{path}: expected records, found none")
    return texts


def _id(record: dict[str, Any], path: Path, line: int) -> str:
    key = record.get("_id", record.get("id"))
    if not isinstance(key, str | int):
        raise InputError(f"{path}, line {line}: expected an _id, got {key!r:.80}")
    return str(key)


def _qrels(folder: Path, splits: Sequence[str]) -> Path:
    for split in splits:
        if (path := folder / "qrels" / f"{split}.tsv").is_file():
            return path
    expected = " or ".join(f"{split}.tsv" for split in splits).replace(
        " or ", ", ", len(splits) - 2
    )
    raise InputError(f"{folder / 'qrels'}: expected {expected}, found none")
