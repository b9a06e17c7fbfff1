"""Removes segment files that the catalog does not name; the one writer may do so at any time."""

import logging
from collections.abc import Set
from pathlib import Path

from edgeembed_runtime import storage
from edgeembed_runtime.errors import EdgeEmbedError, IndexReadOnlyError, IndexReplacedError
from edgeembed_runtime.index.ann.registry import ann_suffixes
from edgeembed_runtime.index.base.layout import SEGMENT_ROLES, SEGMENTS, is_segment_file
from edgeembed_runtime.index.catalog.catalog import Catalog

_LOG = logging.getLogger(__name__)


def collect(directory: Path, catalog: Catalog) -> None:
    """Remove files that crashes left behind, or that a durable commit has dropped.

    A file that cannot be removed (Windows: still mapped by a reader) is no error: the next writer
    tries again. Only the index's own files are removed: what the catalog once named, and names of
    segment files with a suffix that is known here.
    """
    try:
        with catalog.reading() as connection:
            named = {name for (name,) in connection.execute("SELECT name FROM segfile")}
            dropped = {name for (name,) in connection.execute("SELECT name FROM gc")}
        paths = sorted((directory / SEGMENTS).iterdir())
        unused = [p for p in paths if _is_own(p, dropped) and p.name not in named]
        if unused:
            # If a writer was killed, or failed, after SQLite's journal was removed and before the
            # folder was synced, a power cut could still undo its commit.
            storage.sync_directory(directory)
        for path in unused:
            catalog.require_same_files()
            storage.remove_file(path)
        if dropped:
            # No new generation: nothing changes that a reader can see.
            catalog.forget(sorted(dropped))
    except (IndexReadOnlyError, IndexReplacedError):
        raise
    except (EdgeEmbedError, OSError) as error:
        _LOG.warning("some unused segment files stay until the next writer: %s", error)


def _is_own(path: Path, dropped: Set[str]) -> bool:
    if not is_segment_file(path.name) or (path.is_dir() and not path.is_symlink()):
        return False
    return path.name in dropped or path.suffix[1:] in {*SEGMENT_ROLES, *ann_suffixes()}
