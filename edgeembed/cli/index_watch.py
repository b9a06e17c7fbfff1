"""`edgeembed index --watch`: the first run, and one more for each burst of changes."""

from collections.abc import Sequence
from datetime import datetime

from edgeembed import Index
from edgeembed.cli.index_report import is_worth_a_line, print_report, show_failures, show_report
from edgeembed.cli.output import bar_progress, err
from edgeembed.ingest.folders import FoundFiles
from edgeembed.ingest.indexing import IndexingReport, PassageIndexer
from edgeembed.ingest.passages import PassageReader
from edgeembed.ingest.watching import WatchedFolder, watch

# So that one burst of changes is one commit, if it is not very large.
_BURST_PASSAGES = 4096


def follow(
    folders: Sequence[WatchedFolder],
    index: Index,
    reader: PassageReader,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Index the folders, then what changes in them, until Ctrl-C.

    Raises:
        KeyboardInterrupt: during the first run, which is not complete then.
        EdgeEmbedError: a folder is gone, or the index cannot be written.
    """
    steps = watch(folders, index.path)
    report = run_with_bar(PassageIndexer(index, reader), next(steps), everything=everything)
    _tell(report, index, as_json=as_json)
    names = ", ".join(str(folder.source) for folder in folders)
    err.print(f"Watching {names}; Ctrl-C ends it", highlight=False)
    try:
        indexer = PassageIndexer(index, reader, batch=_BURST_PASSAGES)
        for found in steps:
            report = indexer.run(found)
            if is_worth_a_line(report):
                _tell(report, index, as_json=as_json)
    except KeyboardInterrupt:
        # Nothing is lost: what was not committed is found by the next run.
        err.print("Stopped watching", highlight=False)


def run_with_bar(indexer: PassageIndexer, found: FoundFiles, *, everything: bool) -> IndexingReport:
    """Run once, with a progress bar if there is a terminal."""
    with bar_progress() as progress:
        task = progress.add_task("Indexing files", total=len(found.files))
        return indexer.run(found, everything=everything, on_file=lambda: progress.advance(task))


def _tell(report: IndexingReport, index: Index, *, as_json: bool) -> None:
    if as_json:
        print_report(report, index, one_line=True)
        show_failures(report)
    else:
        show_report(report, index, f"{datetime.now():%H:%M:%S}")
