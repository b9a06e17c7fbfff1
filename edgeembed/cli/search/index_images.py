"""`edgeembed index` of images: runs and their reports."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from edgeembed import Encoder, Index
from edgeembed.cli.shared.coverage_table import left_out_tree, show_left_out
from edgeembed.cli.shared.output import bar_progress, print_json, print_json_line, remark
from edgeembed.cli.shared.streams import show_note, show_problem
from edgeembed.ingest.discover.found import FoundFiles
from edgeembed.ingest.image_indexer import ImageReport, images_of, index_images
from edgeembed.ingest.images.kinds import nothing_read, unread_images


class ImageRuns:
    """See `Runs`."""

    def __init__(
        self,
        index: Index,
        encoder: Encoder,
        sources: Sequence[Path],
        *,
        everything: bool,
        verbose: bool,
        as_json: bool,
    ) -> None:
        """With `everything` the first run also encodes images that did not change."""
        self._index = index
        self._encoder = encoder
        self._sources = sources
        self._everything = everything
        self._verbose = verbose
        self._as_json = as_json

    def whole(self, found: FoundFiles, head: str, *, one_line: bool) -> bool:
        """See `Runs`."""
        images = images_of(found, self._sources)
        with bar_progress() as progress:
            task = progress.add_task("Encoding images", total=len(images.files))
            report = self._run(
                images, everything=self._everything, on_image=lambda: progress.advance(task)
            )
        notes = list(unread_images(file.path for file in found.files))
        notes += [] if images.files else [nothing_read(len(found.files))]
        self._tell(report, head, one_line=one_line, notes=notes)
        return not report.failed

    def burst(self, found: FoundFiles, head: str) -> None:
        """See `Runs`."""
        report = self._run(images_of(found, self._sources), everything=False, on_image=lambda: None)
        if report.encoded or report.moved or report.removed or report.failed:
            self._tell(report, head, one_line=True)

    def _run(
        self, images: FoundFiles, *, everything: bool, on_image: Callable[[], None]
    ) -> ImageReport:
        return index_images(
            self._index, self._encoder, images, everything=everything, on_image=on_image
        )

    def _tell(
        self, report: ImageReport, head: str, *, one_line: bool, notes: Sequence[str] = ()
    ) -> None:
        if not (one_line or self._as_json):
            show_left_out(report.left_out, verbose=self._verbose)
        for message in report.remarks:
            show_note(message)
        for message in report.failed:
            show_problem(message)
        for message in notes:
            show_note(message)
        if self._as_json:
            tree = {
                "index": self._index.path,
                **asdict(report),
                "left_out": left_out_tree(report.left_out),
                "documents": len(self._index),
            }
            tree |= {"unread": list(notes)}
            if one_line:
                print_json_line(tree)
            else:
                print_json(tree)
        else:
            remark(f"{head}: {_summary(report)}; it holds {len(self._index)}")


def _summary(report: ImageReport) -> str:
    done = f"{report.encoded} images encoded in {report.seconds:.1f} s"
    rate = f" ({report.per_second:.0f} images/s)" if report.encoded else ""
    moved = f", {report.moved} moved" if report.moved else ""
    broken = f", {len(report.failed)} skipped" if report.failed else ""
    return f"{done}{rate}, {report.unchanged} unchanged{moved}, {report.removed} removed{broken}"
