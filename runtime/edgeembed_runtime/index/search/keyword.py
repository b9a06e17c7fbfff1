"""Keyword search: documents ranked by BM25 over the FTS5 table, words of the title first."""

import math
import sqlite3

from edgeembed_runtime.index.catalog.documents import VISIBLE
from edgeembed_runtime.index.catalog.filters import Condition
from edgeembed_runtime.index.search.fusion import KeywordRanking
from edgeembed_runtime.index.search.scope import Scope
from edgeembed_runtime.index.terms.query import KeywordQuery

_EVERYTHING = Condition(sql="1", values=())
_MAX_LIMIT = 1 << 62
# Weights of the title, the words and the names, and of neighboring words as if they were a word of
# their own; measured (docs/notes/answers.md).
_WEIGHTS = (2.0, 1.0, 0.2)
_NEIGHBORS = 0.1
# FTS5's k1 + 1: what a term adds to BM25 is less than its rarity times this.
_MOST_PER_TERM = 2.2
_LEAST_IDF = 1e-6  # FTS5's own


def rank_by_words(
    connection: sqlite3.Connection,
    query: KeywordQuery,
    k: int,
    scope: Scope,
    *,
    generation: int,
    documents: int,
    condition: Condition | None,
) -> KeywordRanking:
    """Rank the k best rows for a query by -bm25 (higher is better), ties by row.

    The condition is part of the SQL query, so `scope.allowed` is not looked at. Word statistics
    include rows that died and are not purged yet. Words that more than half of the documents have
    tell nothing, and are left out unless there are no others.
    """
    counts = {word: _count(connection, word) for word in query.words}
    telling = [word for word, count in counts.items() if 0 < count <= documents / 2]
    chosen = telling or [word for word, count in counts.items() if count]
    bound = _MOST_PER_TERM * sum(_idf(counts[word], documents) for word in query.words)
    if not chosen and not query.names:
        return KeywordRanking(pairs=[], bound=bound)
    matching = _limited(" OR ".join((*chosen, *query.names)), query)
    where = condition or _EVERYTHING
    excluded = frozenset(scope.excluded.tolist())
    limit = min(k + len(excluded), _MAX_LIMIT)
    rows = connection.execute(
        f"SELECT fts.rowid, -bm25(fts, ?, ?, ?) AS score FROM fts "
        f"JOIN doc ON doc.docid = fts.rowid WHERE fts MATCH ? AND {VISIBLE} AND {where.sql} "
        f"ORDER BY score DESC, fts.rowid LIMIT ?",
        (*_WEIGHTS, matching, generation, generation, *where.values, limit),
    )
    found = {docid: score for docid, score in rows if docid not in excluded}
    for docid, bonus in _neighbors(connection, query):
        if docid in found:
            found[docid] += _NEIGHBORS * bonus
    best = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
    return KeywordRanking(pairs=best, bound=bound)


def rows_matching(connection: sqlite3.Connection, expression: str) -> list[int]:
    """The document rows that match an FTS5 expression, ascending."""
    rows = connection.execute("SELECT rowid FROM fts WHERE fts MATCH ?", (expression,))
    return sorted(docid for (docid,) in rows)


def _limited(expression: str, query: KeywordQuery) -> str:
    if query.required:
        expression = f"({query.required}) AND ({expression})"
    return f"({expression}) NOT ({query.forbidden})" if query.forbidden else expression


def _neighbors(
    connection: sqlite3.Connection, query: KeywordQuery
) -> sqlite3.Cursor | tuple[tuple[int, float], ...]:
    if not query.neighbors:
        return ()
    return connection.execute(
        "SELECT rowid, -bm25(fts, ?, ?, ?) FROM fts WHERE fts MATCH ?",
        (*_WEIGHTS, " OR ".join(query.neighbors)),
    )


def _count(connection: sqlite3.Connection, word: str) -> int:
    select = "SELECT count(*) FROM fts WHERE fts MATCH ?"
    return int(connection.execute(select, (word,)).fetchone()[0])


def _idf(count: int, documents: int) -> float:
    """A word's rarity as FTS5's bm25() has it."""
    found = min(count, documents)
    return max(_LEAST_IDF, math.log((documents - found + 0.5) / (found + 0.5)))
