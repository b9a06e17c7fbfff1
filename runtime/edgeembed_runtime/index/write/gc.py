"""Removing segment files that the catalog does not name; safe at any time for the one writer."""

import logging
from collections.abc import Set
from pathlib import Path

from edgeembed_runtime import storage
from edgeembed_runtime.errors import EdgeEmbedError, IndexReadOnlyError
from edgeembed_runtime.index.ann.registry import ann_suffixes
from edgeembed_runtime.index.base.layout import SEGMENT_ROLES, SEGMENTS, is_segment_file
from edgeembed_runtime.index.catalog.catalog import Catalog

_LOG = logging.getLogger(__name__)


def collect(directory: Path, catalog: Catalog) -> None:
    """Remove orphans of crashes and files that a durable commit has dropped.

    Never raises for a file that cannot be removed (Windows: still mapped by a reader): the next
    writer tries again. Only files are removed that are known to be the index's own: those that the
    catalog once named, and those named like a segment file with a suffix that is known here.
    """
    try:
        with catalog.reading() as connection:
            named = {name for (name,) in connection.execute("SELECT name FROM segfile")}
            dropped = {name for (name,) in connection.execute("SELECT name FROM gc")}
        paths = sorted((directory / SEGMENTS).iterdir())
        unused = [p for p in paths if _is_own(p, dropped) and p.name not in named]
        if unused:
            # A writer that was killed, or met an error, between the removal of SQLite's journal and
            # the sync of its folder left a commit that a power cut could undo.
            storage.sync_directory(directory)
        for path in unused:
            storage.remove_file(path)
        if dropped:
            # Not a new generation: nothing that a reader can see changes.
            catalog.forget(sorted(dropped))
    except IndexReadOnlyError:
        raise
    except (EdgeEmbedError, OSError) as error:
        _LOG.warning("some unused segment files stay until the next writer: %s", error)


def _is_own(path: Path, dropped: Set[str]) -> bool:
    if not is_segment_file(path.name) or (path.is_dir() and not path.is_symlink()):
        return False
    return path.name in dropped or path.suffix[1:] in {*SEGMENT_ROLES, *ann_suffixes()}
