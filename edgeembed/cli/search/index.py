"""`edgeembed index`: index files, folders, JSON records and images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder, Index
from edgeembed.cli.search.index_images import ImageRuns
from edgeembed.cli.search.index_opening import existing_index, open_to_write
from edgeembed.cli.search.index_texts import TextRuns
from edgeembed.cli.search.index_watch import Runs, follow
from edgeembed.cli.shared.options import (
    DEFAULT_INDEX,
    AsJson,
    IndexPath,
    ModelPath,
    TextField,
    VariantName,
)
from edgeembed.cli.shared.output import bar_progress, print_json, remark
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.second_stage import SecondStage, second_stage_bundle
from edgeembed.ingest.sources import NOTHING, Memory, look, read_memory
from edgeembed.ingest.watch import watched_folders
from edgeembed_runtime.bundle.packaged import bundle_directory
from edgeembed_runtime.errors import InputError


def index(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders; records, mails and rows are documents."),
    ] = None,
    model: ModelPath = None,
    index_path: IndexPath = DEFAULT_INDEX,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help="Index by the static table, in a fraction of the time; searches re-score the best "
            "candidates by the model, and keep its vectors.",
        ),
    ] = False,
    deepen: Annotated[
        bool,
        typer.Option("--deepen", help="Encode the rest of a fast index by the model, ahead."),
    ] = False,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=8, help="Tokens per passage; default: the model's best, at most 128."),
    ] = None,
    overlap_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Tokens of whole sentences that neighboring passages share at most; default: the "
            "model's best, or a quarter of a short passage.",
        ),
    ] = None,
    field: TextField = "text",
    everything: Annotated[
        bool, typer.Option("--all", help="Index every file again, changed or not.")
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(
            help="Take only files that fit this pattern, as in .gitignore files, such as '*.md'. "
            "Repeatable."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave out files and folders that fit this pattern, as a line of an "
            ".edgeembedignore file does. Repeatable."
        ),
    ] = None,
    hidden: Annotated[
        bool, typer.Option("--hidden", help="Take hidden files and folders, too.")
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Take what links lead to, too; each file once.")
    ] = False,
    code: Annotated[
        bool,
        typer.Option(
            "--code",
            help="The folders are source code: leave out what .gitignore files do, and what is "
            "packed, generated or of others.",
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running and index changes until Ctrl-C.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Name everything that is left out, and why.")
    ] = False,
    variant: VariantName = "auto",
    as_json: AsJson = False,
) -> None:
    """Index files and folders for `edgeembed search`, or bring an index up to date.

    Texts are split into passages that fit the model. Only files that changed are read again. Files
    that are gone from a folder leave the index, and so do records that left their file. After
    Ctrl-C finished work is kept, and running the command again completes it.

    What is left out is told with the reason: links, hidden files, folders that tools fill, what
    a rule in an .edgeembedignore file leaves out, and files that cannot be read. `edgeembed status`
    tells it again, `edgeembed remove` and `prune` take out what is not wanted any more.

    With --fast, minutes become seconds; the first searches take a little longer, until the model's
    vectors of what they find are kept, or --deepen has made them all.

    Source code is cut into functions, which are found with their names and classes; --code leaves
    out what is not the repository's own.

    With an image bundle, images are indexed: their paths are their keys, and images that cannot be
    read are reported and skipped.

    Examples: edgeembed index ~/notes --model minilm.bundle

    edgeembed index ~/notes --watch

    edgeembed index ~/library --fast

    edgeembed index ~/photos --model image.bundle -i photos.index --watch

    edgeembed index ~/src/shop --code
    """
    if not sources and (watch or not deepen):
        raise InputError("sources: expected files or folders to index, got none")
    if sources:
        _index_sources(
            sources,
            index_path,
            model,
            variant,
            _TextSettings(max_tokens=max_tokens, overlap_tokens=overlap_tokens, field=field),
            WalkSettings(
                include=tuple(include or ()),
                exclude=tuple(exclude or ()),
                hidden=hidden,
                follow_links=follow_links,
                code=code,
            ),
            fast=fast,
            everything=everything,
            watch=watch,
            verbose=verbose,
            as_json=as_json,
        )
    if deepen:
        _deepen(index_path, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class _TextSettings:
    """The options that say how texts become passages."""

    max_tokens: int | None
    overlap_tokens: int | None
    field: str

    def reader(self, encoder: Encoder) -> PassageReader:
        """Reads files into passages for an encoder.

        Raises:
            InputError: an option cannot work with it.
        """
        chunks = ChunkSettings(max_tokens=self.max_tokens, overlap_tokens=self.overlap_tokens)
        # Refuses what cannot work.
        encoder.chunk(
            "a", max_tokens=chunks.tokens(encoder), overlap_tokens=chunks.overlap(encoder)
        )
        return PassageReader(encoder=encoder, chunks=chunks, text_field=self.field)


def _index_sources(
    sources: list[Path],
    index_path: Path,
    model: Path | None,
    variant: str,
    texts: _TextSettings,
    walk: WalkSettings,
    *,
    fast: bool,
    everything: bool,
    watch: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    folders = watched_folders(sources) if watch else []
    # A watch starts with a scan.
    found = None if watch else look(sources, walk, _remembered(index_path))
    with open_to_write(index_path, model, variant, fast=fast, code=walk.code) as opened:
        runs: Runs
        if "image" in opened.encoder.modalities:
            runs = ImageRuns(
                opened.index,
                opened.encoder,
                sources,
                everything=everything,
                verbose=verbose,
                as_json=as_json,
            )
        else:
            reader = texts.reader(opened.encoder)
            runs = TextRuns(
                opened.index, reader, everything=everything, verbose=verbose, as_json=as_json
            )
        if found is None:
            follow(folders, opened.index.path, walk, runs)
        elif not runs.whole(found, str(index_path), one_line=False):
            raise typer.Exit(1)


def _remembered(path: Path) -> Memory:
    existing = existing_index(path)
    if existing is None:
        return NOTHING
    with existing:
        return read_memory(existing)


def _deepen(index_path: Path, *, as_json: bool) -> None:
    with Index.open(index_path) as index:
        bundle = second_stage_bundle(index)
        if bundle is None:
            raise InputError(
                f"--deepen: expected an index that was made with --fast, and {index_path} was not: "
                f"its vectors are the model's own already"
            )
        with SecondStage(index_path, bundle_directory(bundle)) as stage, bar_progress() as progress:
            task = progress.add_task("Encoding passages", total=len(index))
            count = stage.deepen(index, on_batch=lambda n: progress.advance(task, n))
    if as_json:
        print_json({"index": index_path, "deepened": count})
    else:
        remark(f"{index_path}: {count} passages have the model's vectors")
