"""`edgeembed index`: files, folders, records and images into an index."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.indexes.index_images import ImageRuns
from edgeembed.cli.indexes.index_texts import TextRuns
from edgeembed.cli.indexes.index_watch import Runs, follow
from edgeembed.cli.shared.output import AsJson
from edgeembed.cli.shared.targets import (
    DEFAULT_INDEX,
    IndexPath,
    ModelPath,
    VariantName,
    bundle_path,
    is_index,
)
from edgeembed.ingest.folders import look_through
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.watching import watched_folders
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.bundle.files import default_bundle

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
    everything: Annotated[
        bool, typer.Option("--all", help="Index all files again, also those that did not change.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and index what changes, until Ctrl-C.")
    ] = False,
    variant: VariantName = "auto",
    as_json: AsJson = False,
) -> None:
    """Bring an index up to date with files and folders, for `edgeembed search`.

    Texts are cut into passages that the model takes whole. Only files that changed since are read
    again, and files that are gone from a folder leave the index; JSON records that have a key of
    their own stay. After Ctrl-C what was done stays, and running the command again completes it.

    With a bundle for images it is images that go into the index: their paths are their keys, and
    those that cannot be read are named and skipped.

    Examples: edgeembed index ~/notes --model minilm.bundle

    edgeembed index ~/notes --watch

    edgeembed index ~/photos --model image.bundle -i photos.index --watch
    """
    folders = watched_folders(sources) if watch else []
    found = None if watch else look_through(sources)  # a watch begins with that
    with _open(index_path, model, variant) as opened:
        runs: Runs
        if "image" in opened.encoder.modalities:
            runs = ImageRuns(
                opened.index, opened.encoder, sources, everything=everything, as_json=as_json
            )
        else:
            reader = PassageReader(
                encoder=opened.encoder,
                chunks=_chunk_settings(chunk_tokens, overlap, opened.encoder),
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
        hint = existing.info.get("bundle")
    encoder = _load(model, hint, variant)
    return _Opened(Index.open(path, encoder=encoder, mode="rw"), encoder)


def _load(model: Path | None, hint: str | None, variant: str) -> Encoder:
    """Load what encodes documents: of a bundle for texts and images, the half for images."""
    chosen = bundle_path(model, hint)
    modalities = Bundle.open(chosen).manifest.modalities
    return Encoder.load(chosen, variant=variant, modalities=modalities[-1:])


def bundle_info(encoder: Encoder) -> dict[str, str]:
    """What an index remembers of the bundle that it was made with."""
    # The default bundle may stand elsewhere tomorrow, in another installation.
    default = encoder.path == default_bundle()
    return {"bundle": "" if default else str(encoder.path.absolute())}
