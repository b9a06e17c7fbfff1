"""Dense search: each segment is scanned exactly, or searched approximately where that is faster."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.index.search.approximate import plan_search
from edgeembed_runtime.index.search.fusion import Ranking
from edgeembed_runtime.index.search.scope import Scope
from edgeembed_runtime.index.segments.snapshot import Snapshot
from edgeembed_runtime.index.vectors.block import Rows
from edgeembed_runtime.index.vectors.topk import TopK, scan


# Damaged vectors are for verify() to name; numpy's warnings about them would name nothing.
@np.errstate(over="ignore", invalid="ignore")
def rank_by_vectors(
    snapshot: Snapshot, queries: NDArray[np.float32], k: int, scope: Scope, *, exact: bool
) -> list[Ranking]:
    """Rank the k best documents for each query; fewer only where fewer are in scope.

    Args:
        snapshot: the generation to search.
        queries: (m, d) float32, unit length.
        k: hits wanted, at least 1.
        scope: the rows that may be found.
        exact: never search approximately.
    """
    tops = [TopK(k) for _ in queries]
    scan(snapshot.tail, _wanted(snapshot.tail, scope), queries, tops)
    for view in snapshot.segments:
        wanted = _wanted(view.rows, scope)
        plan = None if exact else plan_search(view, wanted, k)
        if plan is None:
            scan(view.rows, wanted, queries, tops)
            continue
        for query, top in zip(queries, tops, strict=True):
            found = plan.search(query)
            if found is None:
                scan(view.rows, wanted, query[None], [top])
            else:
                top.offer(*found)
    return [top.pairs() for top in tops]


def _wanted(rows: Rows, scope: Scope) -> NDArray[np.bool_]:
    """(n,) which rows are alive and in scope."""
    if scope.allowed is None and not scope.excluded.size:
        return rows.alive
    wanted = rows.alive.copy()
    if scope.allowed is not None:
        permitted = np.zeros_like(wanted)
        permitted[rows.positions_of(scope.allowed)] = True
        wanted &= permitted
    wanted[rows.positions_of(scope.excluded)] = False
    return wanted
