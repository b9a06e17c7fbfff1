"""Keyword search: documents ranked by BM25 over the FTS5 table."""

import sqlite3
from collections.abc import Sequence

from edgeembed_runtime.index.catalog.documents import VISIBLE
from edgeembed_runtime.index.catalog.filters import Condition
from edgeembed_runtime.index.catalog.fts import match_expression
from edgeembed_runtime.index.search.ranking import Ranking, Scope

_EVERYTHING = Condition(sql="1", values=())
_MAX_LIMIT = 1 << 62


def rank_by_words(
    connection: sqlite3.Connection,
    queries: Sequence[str],
    k: int,
    scope: Scope,
    *,
    generation: int,
    condition: Condition | None,
) -> list[Ranking]:
    """Rank the k best rows for each text by -bm25 (higher is better), ties by row.

    The condition is part of the SQL query, so `scope.allowed` is not looked at. Word statistics
    include rows that died and are not purged yet.
    """
    where = condition or _EVERYTHING
    excluded = frozenset(scope.excluded.tolist())
    limit = min(k + len(excluded), _MAX_LIMIT)

    def rank(query: str) -> Ranking:
        expression = match_expression(query)
        if expression is None:
            return []
        rows = connection.execute(
            f"SELECT fts.rowid, -bm25(fts) AS score FROM fts JOIN doc ON doc.docid = fts.rowid "
            f"WHERE fts MATCH ? AND {VISIBLE} AND {where.sql} "
            f"ORDER BY score DESC, fts.rowid LIMIT ?",
            (expression, generation, generation, *where.values, limit),
        )
        return [(docid, score) for docid, score in rows if docid not in excluded][:k]

    return [rank(query) for query in queries]
