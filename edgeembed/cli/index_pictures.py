"""`edgeembed index` of pictures: one run, with a bar, and what it says."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.output import bar_progress, err, print_json
from edgeembed.ingest.folders import look_through
from edgeembed.ingest.pictures import PictureReport, index_pictures, pictures_of


def index_picture_files(
    index: Index, encoder: Encoder, sources: Sequence[Path], *, everything: bool, as_json: bool
) -> bool:
    """Bring an index up to date with pictures; whether all of them could be read."""
    found = pictures_of(look_through(sources), sources)
    with bar_progress() as progress:
        task = progress.add_task("Encoding pictures", total=len(found.files))
        report = index_pictures(
            index,
            encoder,
            found,
            everything=everything,
            on_picture=lambda: progress.advance(task),
        )
    for message in report.failed:
        typer.echo(f"edgeembed: {' '.join(message.split())}", err=True)
    if as_json:
        print_json({"index": index.path, **asdict(report), "documents": len(index)})
    else:
        err.print(f"{index.path}: {_summary(report)}; it holds {len(index)}", highlight=False)
    return not report.failed


def _summary(report: PictureReport) -> str:
    done = f"{report.encoded} pictures encoded in {report.seconds:.1f} s"
    rate = f" ({report.per_second:.0f} pictures/s)" if report.encoded else ""
    moved = f", {report.moved} moved" if report.moved else ""
    broken = f", {len(report.failed)} skipped" if report.failed else ""
    return f"{done}{rate}, {report.unchanged} unchanged{moved}, {report.removed} removed{broken}"
