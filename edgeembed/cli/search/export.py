"""`edgeembed export`: write an index to files that other tools read."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Index
from edgeembed.cli.shared.options import JsonSummary, Overwrite
from edgeembed.cli.shared.output import bar_progress, print_json, remark
from edgeembed.export.npy import export_npy, files_of_npy
from edgeembed.export.outputs import check_free
from edgeembed.export.parquet import export_parquet
from edgeembed_runtime.errors import InputError

_WRITERS = {".npy": export_npy, ".parquet": export_parquet}


def export(
    index: Annotated[Path, typer.Argument(help="The index directory.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="A .parquet file, or .npy with a .jsonl beside it."),
    ],
    overwrite: Overwrite = False,
    as_json: JsonSummary = False,
) -> None:
    """Write the keys, documents, metadata and vectors of an index to a file.

    Parquet has a row per document, its metadata as JSON. With .npy, that file holds the vectors and
    a .jsonl file of the same name the rest, in the same order. Without --overwrite neither replaces
    a file that is there.

    Example: edgeembed export edgeembed.index -o vectors.parquet
    """
    write = _WRITERS.get(output.suffix)
    if write is None:
        raise InputError(f"output {output}: expected a name in .parquet or .npy")
    written = files_of_npy(output) if output.suffix == ".npy" else (output,)
    check_free(written, overwrite=overwrite)
    with Index.open(index) as opened, bar_progress() as progress:
        count, dim, space = len(opened), opened.dim, opened.space
        task = progress.add_task("Exporting", total=count)
        files = write(opened, output, lambda rows: progress.advance(task, rows))
    if as_json:
        print_json({"files": files, "documents": count, "dim": dim, "space": space})
    else:
        names = " and ".join(str(file) for file in files)
        remark(f"{names}: {count:,} documents, vectors of {dim}")
