"""Keyword search: documents ranked by BM25 over the FTS5 table, words of the title first."""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from edgeembed_runtime.index.catalog.catalog import meta_int
from edgeembed_runtime.index.catalog.documents import VISIBLE, visible_docids
from edgeembed_runtime.index.catalog.filter_sql import Condition
from edgeembed_runtime.index.catalog.rows import typed
from edgeembed_runtime.index.search.fusion import KeywordRanking, Ranking
from edgeembed_runtime.index.search.scope import Scope
from edgeembed_runtime.index.terms.query import KeywordQuery, quoted

_EVERYTHING = Condition(sql="1", values=())
_MAX_LIMIT = 1 << 62
# Weights of the title, the words and the names, and of neighboring words as if they were a word of
# their own; measured (docs/notes/answers.md).
_WEIGHTS = (2.0, 1.0, 0.2)
_NEIGHBORS = 0.1
# FTS5's k1 + 1: what a term adds to BM25 is less than its rarity times this.
_MOST_PER_TERM = 2.2
_LEAST_IDF = 1e-6  # FTS5's own
# Of so few documents, every one that has any of the words is found.
_FEW_DOCUMENTS = 1000
# FTS5 reads this many occurrences in about 10 ms. Beyond them, the commonest words of a query do
# not count: they tell least. Measured on SciFact: nDCG@10 is 0.697 with this limit, 0.696 without.
_MAX_READ = 10_000
# Up to so many rows, looking up afterwards which exist is faster than joining all that match.
_MAX_LOOK_UPS = 2000


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
    include rows that died and are not purged yet. In an index of over 1,000 documents, words that
    more than half of them have tell nothing, and are left out unless there are no others.
    """
    counts = {word: _count(connection, word, documents) for word in query.words}
    bound = _MOST_PER_TERM * sum(_idf(count, documents) for count in counts.values())
    chosen = _telling(counts, documents)
    if not chosen and not query.names:
        return KeywordRanking(pairs=[], bound=bound)
    matching = _limited(" OR ".join((*chosen, *query.names)), query)
    found = dict(_best(connection, matching, k, scope, generation, condition))
    for docid, bonus in _neighbors(connection, query, counts):
        if docid in found:
            found[docid] += _NEIGHBORS * bonus
    best = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
    return KeywordRanking(pairs=best, bound=bound)


def rows_matching(connection: sqlite3.Connection, expression: str) -> list[int]:
    """The document rows that match an FTS5 expression, ascending."""
    rows = connection.execute("SELECT rowid FROM fts WHERE fts MATCH ?", (expression,))
    return sorted(docid for (docid,) in rows)


def _best(
    connection: sqlite3.Connection,
    matching: str,
    k: int,
    scope: Scope,
    generation: int,
    condition: Condition | None,
) -> Ranking:
    """The k best rows in scope, and perhaps some more."""
    excluded = frozenset(scope.excluded.tolist())
    limit = min(k + len(excluded), _MAX_LIMIT)
    with_dead = limit + meta_int(connection, "dead")
    if condition is None and with_dead <= _MAX_LOOK_UPS:
        rows = connection.execute(
            "SELECT rowid, -bm25(fts, ?, ?, ?) AS score FROM fts WHERE fts MATCH ? "
            "ORDER BY score DESC, rowid LIMIT ?",
            (*_WEIGHTS, matching, with_dead),
        )
        rows = list(_scored(rows))
        visible = visible_docids(connection, [docid for docid, _ in rows], generation) - excluded
        # A reader of an older generation does not see the newest rows either.
        if len(visible) >= k or len(rows) < with_dead:
            return [pair for pair in rows if pair[0] in visible]
    where = condition or _EVERYTHING
    rows = connection.execute(
        f"SELECT fts.rowid, -bm25(fts, ?, ?, ?) AS score FROM fts "
        f"JOIN doc ON doc.docid = fts.rowid WHERE fts MATCH ? AND {VISIBLE} AND {where.sql} "
        f"ORDER BY score DESC, fts.rowid LIMIT ?",
        (*_WEIGHTS, matching, generation, generation, *where.values, limit),
    )
    return [pair for pair in _scored(rows) if pair[0] not in excluded]


def _limited(expression: str, query: KeywordQuery) -> str:
    if query.required:
        expression = f"({query.required}) AND ({expression})"
    return f"({expression}) NOT ({query.forbidden})" if query.forbidden else expression


def _telling(counts: Mapping[str, int], documents: int) -> list[str]:
    present = {word: count for word, count in counts.items() if count}
    telling = {word: count for word, count in present.items() if count <= documents / 2}
    return _cheapest(present if documents <= _FEW_DOCUMENTS else telling or present)


def _cheapest(costs: Mapping[str, int]) -> list[str]:
    """The expressions that are read first, in their own order: at least one, if there is any."""
    taken: set[str] = set()
    total = 0
    for expression in sorted(costs, key=lambda each: costs[each]):
        total += costs[expression]
        if taken and total > _MAX_READ:
            break
        taken.add(expression)
    return [expression for expression in costs if expression in taken]


def _neighbors(
    connection: sqlite3.Connection, query: KeywordQuery, counts: Mapping[str, int]
) -> Iterable[tuple[int, float]]:
    costs: dict[str, int] = {}
    for first, second in query.neighbors:
        each = counts[quoted(first)], counts[quoted(second)]
        if all(each):
            costs[quoted(first, second)] = sum(each)
    pairs: Sequence[str] = _cheapest(costs)
    if not pairs:
        return ()
    rows = connection.execute(
        "SELECT rowid, -bm25(fts, ?, ?, ?) FROM fts WHERE fts MATCH ?",
        (*_WEIGHTS, " OR ".join(pairs)),
    )
    return _scored(rows)


def _scored(rows: sqlite3.Cursor) -> Iterator[tuple[int, float]]:
    # A keyword table with other counts than it can have gives no number.
    return cast("Iterator[tuple[int, float]]", typed(rows, int, float))


def _count(connection: sqlite3.Connection, word: str, documents: int) -> int:
    """How many documents have a word: exactly, up to one more than half of them."""
    select = "SELECT count(*) FROM (SELECT 1 FROM fts WHERE fts MATCH ? LIMIT ?)"
    enough = max(_FEW_DOCUMENTS, documents // 2 + 1)
    return int(connection.execute(select, (word, enough)).fetchone()[0])


def _idf(count: int, documents: int) -> float:
    """A word's rarity as FTS5's bm25() has it."""
    found = min(count, documents)
    return max(_LEAST_IDF, math.log((documents - found + 0.5) / (found + 0.5)))
