"""`edgeembed index`: files, folders and records into an index."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from edgeembed import Encoder, Index
from edgeembed.cli.output import AsJson, bar_progress, err, print_json
from edgeembed.cli.targets import (
    DEFAULT_INDEX,
    IndexPath,
    ModelPath,
    VariantName,
    is_index,
    load_model,
)
from edgeembed.ingest.folders import FoundFile, find_files
from edgeembed.ingest.indexing import IndexingReport, PassageIndexer
from edgeembed.ingest.passages import ChunkSettings, PassageReader

_USUAL_OVERLAP = 32


def index(
    sources: Annotated[
        list[Path], typer.Argument(help="Files and folders; .jsonl files hold one document a line.")
    ],
    model: ModelPath = None,
    index_path: IndexPath = DEFAULT_INDEX,
    chunk_tokens: Annotated[
        int | None, typer.Option(min=8, help="Tokens per passage; by default all the model takes.")
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Tokens that two passages in a row share; by default 32, or fewer in short ones.",
        ),
    ] = None,
    field: Annotated[str, typer.Option(help="Where a JSON record has its text.")] = "text",
    variant: VariantName = "auto",
    as_json: AsJson = False,
) -> None:
    """Index the texts of files and folders, for `edgeembed search`.

    Texts are cut into passages that the model takes whole. A file that was indexed before is
    replaced. Every batch is committed: after Ctrl-C what was done stays, and running the command
    again completes it.

    Example: edgeembed index ~/notes --model minilm.bundle
    """
    files = list(find_files(sources))
    with _open(index_path, model, variant) as opened:
        reader = PassageReader(
            encoder=opened.encoder,
            chunks=_chunk_settings(chunk_tokens, overlap, opened.encoder),
            text_field=field,
        )
        report = _run(PassageIndexer(index=opened.index, reader=reader), files)
        stats = opened.index.stats()
    if as_json:
        print_json(
            {
                "index": stats.path,
                "files": report.files,
                "passages": report.passages,
                "removed": report.removed,
                "skipped": reader.skipped,
                "documents": stats.documents,
                "bytes": stats.bytes,
                "seconds": round(report.seconds, 2),
            }
        )
        return
    _remark(report, reader, stats.documents, index_path)


def _chunk_settings(size: int | None, overlap: int | None, encoder: Encoder) -> ChunkSettings:
    if overlap is None:
        overlap = min(_USUAL_OVERLAP, (size or encoder.max_tokens) // 4, encoder.max_tokens // 4)
    return ChunkSettings(max_tokens=size, overlap_tokens=overlap)


def _run(indexer: PassageIndexer, files: list[FoundFile]) -> IndexingReport:
    with bar_progress() as progress:
        task = progress.add_task("Indexing files", total=len(files))
        return indexer.run(files, on_file=lambda: _advance(progress, task))


def _advance(progress: Progress, task: TaskID) -> None:
    progress.advance(task)


def _remark(
    report: IndexingReport, reader: PassageReader, documents: int, index_path: Path
) -> None:
    rate = report.passages / max(report.seconds, 1e-9)
    err.print(
        f"{index_path}: {report.passages} passages of {report.files} files in "
        f"{report.seconds:.1f} s ({rate:.0f}/s); it holds {documents} now",
        highlight=False,
    )
    if reader.skipped:
        shown = ", ".join(reader.skipped[:3])
        more = "" if len(reader.skipped) <= 3 else f" and {len(reader.skipped) - 3} more"
        err.print(f"Passed over, no text in them: {shown}{more}", markup=False, highlight=False)


class _Opened:
    """An index and the encoder it writes with, closed together."""

    def __init__(self, index: Index, encoder: Encoder) -> None:
        self.index = index
        self.encoder = encoder

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.index.close()
        self.encoder.close()


def _open(path: Path, model: Path | None, variant: str) -> _Opened:
    if not is_index(path):
        encoder = load_model(model, None, variant)
        return _Opened(Index.create(path, encoder=encoder, info=bundle_info(encoder)), encoder)
    with Index.open(path) as existing:
        hint = existing.info.get("bundle")
    encoder = load_model(model, hint, variant)
    return _Opened(Index.open(path, encoder=encoder, mode="rw"), encoder)


def bundle_info(encoder: Encoder) -> dict[str, str]:
    """What an index remembers of the bundle that it was made with."""
    return {"bundle": str(encoder.path.absolute())}
