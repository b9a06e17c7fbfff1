"""`edgeembed index` of texts: runs and their reports."""

from functools import cached_property

from edgeembed import Index
from edgeembed.cli.shared.coverage_table import left_out_tree, show_left_out
from edgeembed.cli.shared.output import bar_progress, print_json, print_json_line, remark
from edgeembed.cli.shared.streams import show_note, show_problem
from edgeembed.ingest.discover.found import FoundFiles, LeftOut
from edgeembed.ingest.passages import PassageReader
from edgeembed.ingest.text_indexer import IndexingReport, PassageIndexer

# One burst of changes is one commit, unless it is very large.
_BURST_PASSAGES = 4096


class TextRuns:
    """See `Runs`."""

    def __init__(
        self,
        index: Index,
        reader: PassageReader,
        *,
        everything: bool,
        verbose: bool,
        as_json: bool,
    ) -> None:
        """With `everything` the first run also indexes files that did not change."""
        self._index = index
        self._reader = reader
        self._everything = everything
        self._verbose = verbose
        self._as_json = as_json

    def whole(self, found: FoundFiles, head: str, *, one_line: bool) -> bool:
        """See `Runs`."""
        indexer = PassageIndexer(self._index, self._reader)
        with bar_progress() as progress:
            task = progress.add_task("Indexing files", total=len(found.files))
            report = indexer.run(
                found, everything=self._everything, on_file=lambda: progress.advance(task)
            )
        self._tell(report, head, one_line=one_line, is_burst=False)
        return not report.failed

    def burst(self, found: FoundFiles, head: str) -> None:
        """See `Runs`."""
        report = self._follower.run(found)
        if report.indexed or report.removed or report.skipped or report.failed:
            self._tell(report, head, one_line=True, is_burst=True)

    @cached_property
    def _follower(self) -> PassageIndexer:
        return PassageIndexer(self._index, self._reader, batch=_BURST_PASSAGES)

    def _tell(self, report: IndexingReport, head: str, *, one_line: bool, is_burst: bool) -> None:
        if self._as_json:
            _print_report(report, self._index, one_line=one_line)
            _show_failures(report)
        else:
            left_out = _of_burst(report) if is_burst else report.left_out
            _show_report(report, self._index, head)
            show_left_out(left_out, verbose=self._verbose)
            _show_failures(report)


def _of_burst(report: IndexingReport) -> list[LeftOut]:
    """What was left out of the files that changed; of folders, the first run has told."""
    names = set(report.skipped)
    return [each for each in report.left_out if each.name in names or each.where]


def _show_report(report: IndexingReport, index: Index, head: str) -> None:
    """Report one run on stderr: what was done, and what of it people should know."""
    remark(f"{head}: {_summary(report)}; it holds {len(index)} passages")
    if report.unknown:
        remark(
            f"{report.unknown} passages have no word that the model knows: only their keywords are "
            f"found; index them with a model of their language"
        )


def _show_failures(report: IndexingReport) -> None:
    """Report every source that is gone, and every file that failed, one per line on stderr."""
    for message in report.remarks:
        show_note(message)
    for message in report.failed:
        show_problem(message)


def _print_report(report: IndexingReport, index: Index, *, one_line: bool) -> None:
    """Print one run as JSON on stdout."""
    stats = index.stats()
    tree = {
        "index": stats.path,
        "files": report.files,
        "indexed": report.indexed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": report.skipped,
        "left_out": left_out_tree(report.left_out),
        "remarks": report.remarks,
        "unknown": report.unknown,
        "failed": report.failed,
        "passages": report.passages,
        "embedded": report.embedded,
        "passages_removed": report.passages_removed,
        "documents": stats.documents,
        "bytes": stats.bytes,
        "seconds": round(report.seconds, 2),
    }
    if one_line:
        print_json_line(tree)
    else:
        print_json(tree)


def _summary(report: IndexingReport) -> str:
    files = (
        f"{report.indexed} files indexed, {report.unchanged} unchanged, {report.removed} removed"
    )
    if report.failed:
        files = f"{files}, {len(report.failed)} failed"
    if not report.passages:
        return f"{files} in {report.seconds:.1f} s"
    rate = report.embedded / max(report.seconds, 1e-9)
    return (
        f"{files}; {report.embedded} of {report.passages} passages embedded in "
        f"{report.seconds:.1f} s ({rate:.0f}/s)"
    )
