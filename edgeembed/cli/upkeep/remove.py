"""`edgeembed remove`: take files, folders or single passages out of an index."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Index
from edgeembed.cli.shared.conditions import Where, filter_of
from edgeembed.cli.shared.options import AsJson
from edgeembed.cli.shared.output import print_json, remark
from edgeembed.cli.shared.streams import show_note
from edgeembed.ingest.sources import read_memory
from edgeembed.upkeep.removal import removal_of
from edgeembed_runtime.errors import InputError


def remove(
    index: Annotated[Path, typer.Argument(help="The index directory.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders to take out, whether they are still there or not."),
    ] = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Take files and folders out of an index, or passages that fit a filter; the files stay.

    A file that is still there comes back with the next `edgeembed index` of its folder, unless a
    rule leaves it out. A passage that was taken out by a filter comes back when its file changes.

    Examples: edgeembed remove edgeembed.index ~/notes/secret.md

    edgeembed remove edgeembed.index --where '{"lang": "de"}'
    """
    if not paths and not where:
        raise InputError("paths: expected files or folders to take out, or --where, got neither")
    with Index.open(index, mode="rw") as opened:
        removal = removal_of(opened, paths or [], filter_of(where))
        known = read_memory(opened).files
        removal.apply(opened)
        left = len(opened)
    files, passages = removal.gone, len(removal.keys)
    still = [name for name in files if Path(known[name].place).exists()]
    if as_json:
        print_json({"index": index, "files": files, "passages": passages, "documents": left})
        return
    remark(f"{index}: {len(files)} files and {passages} passages removed; it holds {left}")
    if still:
        show_note(
            f"{len(still)} of the files are still there: leave them out by --exclude or by a rule "
            f"in .edgeembedignore, or the next run brings them back"
        )
