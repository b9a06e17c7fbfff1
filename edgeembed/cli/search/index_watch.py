"""`edgeembed index`: one run, or with --watch one more for each burst of changes."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from edgeembed.cli.shared.output import err
from edgeembed.ingest.files import FoundFiles
from edgeembed.ingest.watch import WatchedFolder, watch


class Runs(Protocol):
    """Bringing an index up to date with files of one kind, and saying what was done."""

    def whole(self, found: FoundFiles, head: str, *, one_line: bool) -> bool:
        """Run on everything, with a bar; whether all of it could be read.

        `head` begins what is said, and with `one_line` JSON is one line.
        """
        ...

    def burst(self, found: FoundFiles, head: str) -> None:
        """Run on what changed; nothing is said if nobody wants to know."""
        ...


def follow(folders: Sequence[WatchedFolder], index: Path, runs: Runs) -> None:
    """Index the folders, then what changes in them, until Ctrl-C.

    Raises:
        KeyboardInterrupt: during the first run, which is not complete then.
        EdgeEmbedError: a folder is gone, or the index cannot be written.
    """
    steps = watch(folders, index)
    runs.whole(next(steps), _now(), one_line=True)
    names = ", ".join(str(folder.source) for folder in folders)
    err.print(f"Watching {names}; Ctrl-C ends it", highlight=False)
    try:
        for found in steps:
            runs.burst(found, _now())
    except KeyboardInterrupt:
        # Nothing is lost: what was not committed is found by the next run.
        err.print("Stopped watching", highlight=False)


def _now() -> str:
    return f"{datetime.now():%H:%M:%S}"
