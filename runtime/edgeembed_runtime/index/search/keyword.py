"""Keyword search (FTS5, BM25), its fusion with search by vector, and the check of its table."""

import contextlib
import re
import sqlite3
from collections.abc import Sequence

from edgeembed_runtime.index.catalog.documents import VISIBLE
from edgeembed_runtime.index.catalog.filters import Condition
from edgeembed_runtime.index.search.dense import Ranking

_MAX_TERMS = 64
_WORD = re.compile(r"[^\W_]+")
# Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
# Learning Methods, SIGIR 2009: k = 60.
_RRF_K = 60
# How deep each ranking is read for a fusion: a document found by both lists can overtake.
_FUSION_DEPTH = 100


def fusion_depth(k: int) -> int:
    """How many results of each ranking fuse() needs for k results."""
    return max(_FUSION_DEPTH, 2 * k)


def match_expression(query: str) -> str | None:
    """The words of a text as an FTS5 query: any of them may occur. None where it has no words.

    Each word is quoted, so that nothing of the text acts as FTS5 syntax.
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(query))
    return " OR ".join(f'"{word}"' for word in list(words)[:_MAX_TERMS]) or None


def rank_keywords(
    connection: sqlite3.Connection,
    query: str,
    k: int,
    *,
    generation: int,
    condition: Condition | None,
    excluded: frozenset[int],
) -> Ranking:
    """Best k rows for a text by -bm25 (higher is better), ties by row id.

    Word statistics include rows that died and were not purged yet.
    """
    expression = match_expression(query)
    if expression is None:
        return []
    where = condition or Condition(sql="1", values=())
    rows = connection.execute(
        f"SELECT fts.rowid, -bm25(fts) AS score FROM fts JOIN doc ON doc.docid = fts.rowid "
        f"WHERE fts MATCH ? AND {VISIBLE} AND {where.sql} "
        f"ORDER BY score DESC, fts.rowid LIMIT ?",
        (expression, generation, generation, *where.values, min(k + len(excluded), 1 << 62)),
    )
    return [(docid, score) for docid, score in rows if docid not in excluded][:k]


def fuse(rankings: Sequence[Ranking], k: int) -> Ranking:
    """Reciprocal rank fusion: each ranking adds 1 / (60 + rank) to a row's score."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, (docid, _) in enumerate(ranking, start=1):
            scores[docid] = scores.get(docid, 0.0) + 1 / (_RRF_K + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


def find_word_problem(connection: sqlite3.Connection) -> str | None:
    """Say how the keyword table differs from the texts; None if it does not.

    FTS5 checks by an INSERT, which a reader may not make: so it is made in a copy that SQLite keeps
    in a temporary file.

    Raises:
        sqlite3.Error: the catalog could not be copied.
    """
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = OFF")
        try:
            # FTS5 expects an entry for every row, and has none for a row without a text.
            copy.execute("DELETE FROM doc WHERE text IS NULL")
            copy.execute("INSERT INTO fts(fts, rank) VALUES ('integrity-check', 1)")
        except (sqlite3.DatabaseError, MemoryError) as error:  # a damaged size asks for too much
            return f"the keyword table does not match the texts ({error})"
    return None
