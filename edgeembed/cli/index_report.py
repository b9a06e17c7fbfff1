"""What `edgeembed index` says about a run."""

import typer

from edgeembed import Index
from edgeembed.cli.output import err, json_text, print_json
from edgeembed.ingest.indexing import IndexingReport

_NAMED = 3


def show_report(report: IndexingReport, index: Index, head: str) -> None:
    """Remark on one run on stderr: what was done, what has no text, what went wrong."""
    err.print(f"{head}: {_summary(report)}; it holds {len(index)} passages", highlight=False)
    if report.skipped:
        shown = ", ".join(report.skipped[:_NAMED])
        more = len(report.skipped) - _NAMED
        err.print(
            f"Passed over, no text in them: {shown}{f' and {more} more' if more > 0 else ''}",
            highlight=False,
        )
    show_failures(report)


def show_failures(report: IndexingReport) -> None:
    """Name every file that could not be indexed, one a line on stderr."""
    for message in report.failed:
        typer.echo(f"edgeembed: {' '.join(message.split())}", err=True)


def print_report(report: IndexingReport, index: Index, *, one_line: bool = False) -> None:
    """Print one run as JSON on stdout."""
    stats = index.stats()
    tree = {
        "index": stats.path,
        "files": report.files,
        "indexed": report.indexed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": report.skipped,
        "failed": report.failed,
        "passages": report.passages,
        "embedded": report.embedded,
        "passages_removed": report.passages_removed,
        "documents": stats.documents,
        "bytes": stats.bytes,
        "seconds": round(report.seconds, 2),
    }
    if one_line:
        typer.echo(json_text(tree))
    else:
        print_json(tree)


def is_worth_a_line(report: IndexingReport) -> bool:
    """Whether a burst of changes changed anything that people want to know of."""
    return bool(report.indexed or report.removed or report.skipped or report.failed)


def _summary(report: IndexingReport) -> str:
    files = (
        f"{report.indexed} files indexed, {report.unchanged} unchanged, {report.removed} removed"
    )
    if not report.passages:
        return f"{files} in {report.seconds:.1f} s"
    rate = report.embedded / max(report.seconds, 1e-9)
    return (
        f"{files}; {report.embedded} of {report.passages} passages embedded in "
        f"{report.seconds:.1f} s ({rate:.0f}/s)"
    )
