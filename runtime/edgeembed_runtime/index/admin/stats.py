"""Gathers the counts and measurements of an index from a snapshot."""

import contextlib
from pathlib import Path

from edgeembed_runtime.index.base.settings import EXACT
from edgeembed_runtime.index.base.types import IndexStats, SegmentStats
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.documents import blank_docids
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot


def gather_stats(directory: Path, catalog: Catalog, snapshot: Snapshot) -> IndexStats:
    """Describe one generation; loads its ANN files."""
    segments = tuple(_segment_stats(view) for view in snapshot.segments)
    size = 0
    with contextlib.suppress(FileNotFoundError):  # stat only: see the rule on descriptors
        size = catalog.path.stat().st_size
    with catalog.reading(snapshot.generation) as connection:
        blank = blank_docids(connection, snapshot.generation).size
    return IndexStats(
        path=directory,
        documents=snapshot.documents,
        dim=catalog.dim,
        space=catalog.space,
        generation=snapshot.generation,
        bytes=size + sum(segment.bytes for segment in segments),
        tail_rows=int(snapshot.tail.ids.size),
        blank=int(blank),
        segments=segments,
    )


def _segment_stats(view: SegmentView) -> SegmentStats:
    info = view.segment.info
    efforts = info.efforts
    return SegmentStats(
        n=info.n,
        dead=view.rows.dead,
        bytes=sum(file.bytes for file in info.files.values()),
        backend=info.backend if info.backend and view.segment.ann() is not None else EXACT,
        recall=None if efforts is None else efforts.recall,
        recall_bound=None if efforts is None else efforts.bound,
        exact_ms=info.exact_ms,
        ann_ms=info.ann_ms,
        build_parameter=info.build_parameter,
        effort=0 if efforts is None else efforts.near_effort(10),
    )
