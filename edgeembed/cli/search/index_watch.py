"""`edgeembed index --watch`: one run, then another for each burst of changes."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from edgeembed.cli.shared.interrupts import INTERRUPTS
from edgeembed.cli.shared.output import remark
from edgeembed.ingest.discover.found import FoundFiles
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.watch import WatchedFolder, watch

_STOPPED = "Stopped watching"


class Runs(Protocol):
    """Brings an index up to date with files of one kind, and reports what was done."""

    def whole(self, found: FoundFiles, head: str, *, one_line: bool) -> bool:
        """Run on everything, with a progress bar; whether every file could be read.

        `head` starts the report; with `one_line`, JSON is one line.
        """
        ...

    def burst(self, found: FoundFiles, head: str) -> None:
        """Run on what changed; report only if the index changed or a file failed."""
        ...


def follow(
    folders: Sequence[WatchedFolder], index: Path, settings: WalkSettings, runs: Runs
) -> None:
    """Index the folders, then their changes, until Ctrl-C.

    Raises:
        KeyboardInterrupt: during the first run, which is then incomplete.
        EdgeEmbedError: a folder is gone, or the index cannot be written.
    """
    steps = watch(folders, index, settings)
    runs.whole(next(steps), _now(), one_line=True)
    names = ", ".join(str(folder.source) for folder in folders)
    remark(f"Watching {names}; press Ctrl-C to stop")
    INTERRUPTS.expect(_STOPPED)
    try:
        for found in steps:
            runs.burst(found, _now())
    except BaseException:  # whatever became of the interrupt on its way
        if INTERRUPTS.signum is None:
            raise
        # Nothing is lost: the next run finds what was not committed.
        INTERRUPTS.forgive()
        remark(_STOPPED)


def _now() -> str:
    return f"{datetime.now():%H:%M:%S}"
