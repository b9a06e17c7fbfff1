"""`edgeembed index` of pictures: runs, and what they say."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.output import bar_progress, err, json_text, print_json, show_problem
from edgeembed.ingest.folders import FoundFiles
from edgeembed.ingest.pictures import PictureReport, index_pictures, pictures_of


class PictureRuns:
    """See `Runs`."""

    def __init__(
        self,
        index: Index,
        encoder: Encoder,
        sources: Sequence[Path],
        *,
        everything: bool,
        as_json: bool,
    ) -> None:
        """With `everything` the first run encodes pictures that did not change, too."""
        self._index = index
        self._encoder = encoder
        self._sources = sources
        self._everything = everything
        self._as_json = as_json

    def whole(self, found: FoundFiles, head: str, *, one_line: bool) -> bool:
        """See `Runs`."""
        pictures = pictures_of(found, self._sources)
        with bar_progress() as progress:
            task = progress.add_task("Encoding pictures", total=len(pictures.files))
            report = self._run(
                pictures, everything=self._everything, on_picture=lambda: progress.advance(task)
            )
        self._tell(report, head, one_line=one_line)
        return not report.failed

    def burst(self, found: FoundFiles, head: str) -> None:
        """See `Runs`."""
        report = self._run(
            pictures_of(found, self._sources), everything=False, on_picture=lambda: None
        )
        if report.encoded or report.moved or report.removed or report.failed:
            self._tell(report, head, one_line=True)

    def _run(
        self, pictures: FoundFiles, *, everything: bool, on_picture: Callable[[], None]
    ) -> PictureReport:
        return index_pictures(
            self._index, self._encoder, pictures, everything=everything, on_picture=on_picture
        )

    def _tell(self, report: PictureReport, head: str, *, one_line: bool) -> None:
        for message in report.failed:
            show_problem(message)
        if self._as_json:
            tree = {"index": self._index.path, **asdict(report), "documents": len(self._index)}
            if one_line:
                typer.echo(json_text(tree))
            else:
                print_json(tree)
        else:
            err.print(f"{head}: {_summary(report)}; it holds {len(self._index)}", highlight=False)


def _summary(report: PictureReport) -> str:
    done = f"{report.encoded} pictures encoded in {report.seconds:.1f} s"
    rate = f" ({report.per_second:.0f} pictures/s)" if report.encoded else ""
    moved = f", {report.moved} moved" if report.moved else ""
    broken = f", {len(report.failed)} skipped" if report.failed else ""
    return f"{done}{rate}, {report.unchanged} unchanged{moved}, {report.removed} removed{broken}"
