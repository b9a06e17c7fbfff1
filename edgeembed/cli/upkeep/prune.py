"""`edgeembed prune`: take out of an index what is not on disk any more."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Index
from edgeembed.cli.shared.options import AsJson
from edgeembed.cli.shared.output import print_json, remark, say
from edgeembed.ingest.sources import gone_sources, read_memory
from edgeembed.upkeep.removal import Removal, removal_of_gone
from edgeembed_runtime.errors import InputError

_NAMED = 20


def prune(
    index: Annotated[Path, typer.Argument(help="The index directory.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be removed, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take everything out of an index whose file is gone: list it, ask, remove it.

    A disk that is not connected looks the same: read the list. Nothing but the index is changed.

    Example: edgeembed prune edgeembed.index --dry-run
    """
    with Index.open(index) as opened:
        removal = removal_of_gone(opened)
        folders = [(source.given, count) for source, count in gone_sources(read_memory(opened))]
    if not as_json:
        _list(removal, folders, index)
    if removal.files or removal.sources:
        wanted = not dry_run and (yes or _ask(removal, as_json=as_json))
    else:
        wanted = False
    if wanted:
        with Index.open(index, mode="rw") as opened:
            removal = removal_of_gone(opened)
            removal.apply(opened)
    if as_json:
        passages = len(removal.keys)
        print_json({"index": index, "gone": removal.gone, "passages": passages, "removed": wanted})
    elif wanted:
        remark(f"{index}: {len(removal.gone)} files and {len(removal.keys)} passages removed")


def _list(removal: Removal, folders: list[tuple[str, int]], index: Path) -> None:
    if not removal.gone:
        remark(f"{index}: every file is where it was")
    for given, count in folders:
        say(f"{given}: gone as a whole, {count} files of it in the index")
    for name in removal.gone[:_NAMED]:
        say(f"gone: {name}")
    if len(removal.gone) > _NAMED:
        say(f"and {len(removal.gone) - _NAMED:,} more; --json lists all")


def _ask(removal: Removal, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise InputError("yes: expected --yes to remove, or --dry-run to list; nothing was removed")
    return typer.confirm(f"Remove {len(removal.gone)} files from the index?", err=True)
