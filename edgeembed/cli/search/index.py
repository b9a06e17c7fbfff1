"""`edgeembed index`: index files, folders, JSON records and images."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.search.index_images import ImageRuns
from edgeembed.cli.search.index_texts import TextRuns
from edgeembed.cli.search.index_watch import Runs, follow
from edgeembed.cli.shared.opening import bundle_info, bundle_path, is_index, remembered_bundle
from edgeembed.cli.shared.options import (
    DEFAULT_INDEX,
    AsJson,
    IndexPath,
    ModelPath,
    TextField,
    VariantName,
)
from edgeembed.ingest.files import scan
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.watch import watched_folders
from edgeembed_runtime.bundle import Bundle

_USUAL_OVERLAP = 32


def index(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Files and folders; a .jsonl file has one document per line."),
    ],
    model: ModelPath = None,
    index_path: IndexPath = DEFAULT_INDEX,
    max_tokens: Annotated[
        int | None, typer.Option(min=8, help="Tokens per passage; default: the model's limit.")
    ] = None,
    overlap_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Tokens that neighboring passages share; default: 32, fewer in short passages.",
        ),
    ] = None,
    field: TextField = "text",
    everything: Annotated[
        bool, typer.Option("--all", help="Index every file again, changed or not.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running and index changes until Ctrl-C.")
    ] = False,
    variant: VariantName = "auto",
    as_json: AsJson = False,
) -> None:
    """Index files and folders for `edgeembed search`, or bring an index up to date.

    Texts are split into passages that fit the model. Only files that changed are read again. Files
    that are gone from a folder leave the index; JSON records with a key of their own stay. After
    Ctrl-C finished work is kept, and running the command again completes it.

    With an image bundle, images are indexed: their paths are their keys, and images that cannot be
    read are reported and skipped.

    Examples: edgeembed index ~/notes --model minilm.bundle

    edgeembed index ~/notes --watch

    edgeembed index ~/photos --model image.bundle -i photos.index --watch
    """
    folders = watched_folders(sources) if watch else []
    found = None if watch else scan(sources)  # a watch starts with a scan
    with _open(index_path, model, variant) as opened:
        runs: Runs
        if "image" in opened.encoder.modalities:
            runs = ImageRuns(
                opened.index, opened.encoder, sources, everything=everything, as_json=as_json
            )
        else:
            reader = PassageReader(
                encoder=opened.encoder,
                chunks=_chunk_settings(max_tokens, overlap_tokens, opened.encoder),
                text_field=field,
            )
            runs = TextRuns(opened.index, reader, everything=everything, as_json=as_json)
        if found is None:
            follow(folders, opened.index.path, runs)
        elif not runs.whole(found, str(index_path), one_line=False):
            raise typer.Exit(1)


def _chunk_settings(size: int | None, overlap: int | None, encoder: Encoder) -> ChunkSettings:
    if overlap is None:
        overlap = min(_USUAL_OVERLAP, (size or encoder.max_tokens) // 4, encoder.max_tokens // 4)
    encoder.chunk("a", max_tokens=size, overlap_tokens=overlap)  # refuses what cannot work
    return ChunkSettings(max_tokens=size, overlap_tokens=overlap)


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
        encoder = _load(model, None, variant)
        return _Opened(Index.create(path, encoder=encoder, info=bundle_info(encoder)), encoder)
    with Index.open(path) as existing:
        hint = remembered_bundle(existing)
    encoder = _load(model, hint, variant)
    return _Opened(Index.open(path, encoder=encoder, mode="rw"), encoder)


def _load(model: Path | None, hint: str | None, variant: str) -> Encoder:
    """Load the encoder of documents: of a text-image bundle, the image tower."""
    chosen = bundle_path(model, hint)
    modalities = Bundle.open(chosen).manifest.modalities
    return Encoder.load(chosen, variant=variant, modalities=modalities[-1:])
