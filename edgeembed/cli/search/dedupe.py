"""`edgeembed dedupe`: near-duplicate images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from edgeembed import Encoder
from edgeembed.cli.shared.opening import load_model
from edgeembed.cli.shared.options import AsJson, ModelPath, Overwrite, VariantName
from edgeembed.cli.shared.output import bar_progress, print_json, print_table, remark
from edgeembed.cli.shared.streams import show_problem
from edgeembed.export.outputs import check_free
from edgeembed.ingest.files import scan
from edgeembed.ingest.image_duplicates import DuplicateGroup, near_duplicates
from edgeembed.ingest.image_indexer import images_of
from edgeembed.visualize.gallery import Row, Shown, write_gallery
from edgeembed_runtime.errors import InputError


def dedupe(
    sources: Annotated[list[Path], typer.Argument(help="Image files and folders.")],
    model: ModelPath = None,
    threshold: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Min cosine of near-duplicates."),
    ] = 0.95,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of thumbnails to this HTML file.")
    ] = None,
    variant: VariantName = "auto",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find near-duplicate images: resized, recompressed, or from one burst.

    Nothing is deleted. The right threshold depends on the model: look at --html before you trust
    one. Images that cannot be read are reported and skipped; the exit code is then 1.

    Example: edgeembed dedupe ~/photos --model image.bundle --html duplicates.html
    """
    check_free([] if html is None else [html], overwrite=overwrite)
    files = [file.path for file in images_of(scan(sources), sources).files]
    with load_model(model, None, variant, "image") as encoder:
        read = _encode(encoder, files)
    groups = near_duplicates(read.vectors, threshold) if read.paths else []
    for message in read.failed:
        show_problem(message)
    if html is not None:
        write_gallery(html, "Images that show nearly the same", _rows(groups, read.paths))
    if as_json:
        print_json(_tree(groups, read, threshold))
    else:
        _show(groups, read)
    if read.failed:
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The readable images, their (n, d) vectors, and the problems of the others."""

    paths: list[Path]
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    failed: list[str]


def _encode(encoder: Encoder, files: list[Path]) -> _Read:
    paths, vectors, failed = list[Path](), np.empty((len(files), encoder.dim), np.float32), []
    with bar_progress() as progress:
        outcomes = encoder.encode_image_iter(files)
        shown = progress.track(outcomes, total=len(files), description="Encoding images")
        for path, outcome in zip(files, shown, strict=True):
            if isinstance(outcome, InputError):
                failed.append(str(outcome).partition(": ")[2])
            else:
                vectors[len(paths)] = outcome
                paths.append(path)
    return _Read(paths=paths, vectors=vectors[: len(paths)], failed=failed)


def _rows(groups: list[DuplicateGroup], paths: list[Path]) -> list[Row]:
    return [
        Row(
            title=f"Group {number}",
            images=tuple(
                Shown(path=paths[at], note=f"{cosine:.3f}")
                for at, cosine in zip(group.members, group.cosines, strict=True)
            ),
        )
        for number, group in enumerate(groups, 1)
    ]


def _tree(groups: list[DuplicateGroup], read: _Read, threshold: float) -> dict[str, object]:
    return {
        "images": len(read.paths),
        "threshold": threshold,
        "groups": [
            [
                {"path": read.paths[at], "cosine": cosine}
                for at, cosine in zip(group.members, group.cosines, strict=True)
            ]
            for group in groups
        ],
        "failed": read.failed,
    }


def _show(groups: list[DuplicateGroup], read: _Read) -> None:
    rows = [
        (number, f"{cosine:.3f}", read.paths[at])
        for number, group in enumerate(groups, 1)
        for at, cosine in zip(group.members, group.cosines, strict=True)
    ]
    if rows:
        print_table(["#group", "#cosine", "image"], rows)
    alike = sum(len(group.members) for group in groups)
    remark(f"{len(read.paths)} images, {alike} of them in {len(groups)} groups")
