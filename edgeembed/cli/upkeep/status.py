"""`edgeembed status`: what is in an index, what is not, and why."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Index
from edgeembed.cli.shared.coverage_table import left_out_rows, left_out_tree
from edgeembed.cli.shared.options import AsJson
from edgeembed.cli.shared.output import print_json, print_table, remark
from edgeembed.cli.shared.streams import show_note, show_problem
from edgeembed.ingest.second_stage import waiting_passages
from edgeembed.ingest.sources import read_memory
from edgeembed.upkeep.status import FolderStatus, Status, status_of


def status(
    index: Annotated[Path, typer.Argument(help="The index directory.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Tell of this folder only, by the folders in it.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Name everything that is left out, and why.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what an index has of the files and folders that it was made of, and what it has not.

    For each of them: when it was indexed, the files that were read, what was left out and why, what
    failed, what is pending after a run that was stopped, and what is gone since; of a fast index,
    how many passages wait for the model. The exit code is 1 if something failed.

    Examples: edgeembed status edgeembed.index

    edgeembed status edgeembed.index ~/notes --verbose
    """
    with Index.open(index) as opened:
        found, documents = status_of(read_memory(opened), folder), len(opened)
        waiting = waiting_passages(opened, index)
    if as_json:
        print_json({**_tree(index, found, documents), "waiting": waiting})
    else:
        _show(found, verbose=verbose)
        remark(f"{index}: it holds {documents} passages")
        if waiting:
            remark(f"{waiting} of them wait for the model; `edgeembed index --deepen` encodes them")
    if any(each.failed for each in found.folders):
        raise typer.Exit(1)


def _show(found: Status, *, verbose: bool) -> None:
    columns = ["folder", "last indexed", "#files", "#passages", "#left out", "#failed", "#pending"]
    print_table([*columns, "#gone"], [_row(each) for each in found.folders])
    rows = left_out_rows(found.left_out, verbose=verbose)
    if rows:
        print_table(["#left out", "why", "which"], rows)
    if found.gone:
        show_note(
            f"{len(found.gone)} files are not where they were; `edgeembed prune` removes them"
        )
    for message in found.failed:
        show_problem(message)


def _row(folder: FolderStatus) -> tuple[object, ...]:
    when = "" if folder.when is None else f"{datetime.fromtimestamp(folder.when):%Y-%m-%d %H:%M}"
    name = folder.name if folder.is_there else f"{folder.name} (gone)"
    left_out = folder.left_out.total()
    return (
        name,
        when,
        *map(_number, (folder.files, folder.passages, left_out)),
        *map(_number, (folder.failed, folder.pending, folder.gone)),
    )


def _number(count: int) -> str:
    return f"{count:,}"


def _tree(index: Path, found: Status, documents: int) -> dict[str, object]:
    return {
        "index": index,
        "documents": documents,
        "folders": [{**vars(e), "left_out": dict(e.left_out)} for e in found.folders],
        "left_out": left_out_tree(found.left_out),
        "failed": found.failed,
        "gone": found.gone,
    }
