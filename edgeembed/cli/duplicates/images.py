"""`edgeembed dedupe` of images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from edgeembed import Encoder
from edgeembed.cli.shared.opening import load_model
from edgeembed.cli.shared.output import bar_progress, print_json, print_table, remark
from edgeembed.cli.shared.streams import show_note, show_problem
from edgeembed.ingest.files import scan
from edgeembed.ingest.image_indexer import images_of
from edgeembed.ingest.images.kinds import unread_images
from edgeembed.ingest.images.transparency import laid_on
from edgeembed.ingest.near_duplicates import DuplicateGroup, near_duplicates
from edgeembed.visualize.gallery import Row, Shown, write_gallery
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.open import ImageInput


def dedupe_images(
    sources: list[Path],
    model: Path | None,
    variant: str,
    threshold: float,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Find near-duplicate images and print them, also as a page.

    Raises:
        typer.Exit: some could not be read.
    """
    found = scan(sources)
    images = images_of(found, sources).files
    with load_model(model, None, variant, "image") as encoder:
        read = _encode(encoder, [file.path for file in images])
    groups = near_duplicates(read.vectors, threshold, read.on_black) if read.paths else []
    for message in read.failed:
        show_problem(message)
    for message in unread_images(file.path for file in found.files):
        show_note(message)
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
    """The readable images, and the problems of the others."""

    paths: list[Path]
    vectors: NDArray[np.float32]
    """(n, d), as seen on white."""
    on_black: NDArray[np.float32] | None
    """The same as seen on black; None if nothing is transparent."""
    failed: list[str]


def _encode(encoder: Encoder, files: list[Path]) -> _Read:
    paths, vectors, failed = list[Path](), list[NDArray[np.float32]](), list[str]()
    transparent = set[Path]()
    with bar_progress() as progress:
        outcomes = encoder.encode_image_iter(_on_white(files, transparent))
        shown = progress.track(outcomes, total=len(files), description="Encoding images")
        for path, outcome in zip(files, shown, strict=True):
            if isinstance(outcome, InputError):
                failed.append(str(outcome).partition(": ")[2])
            else:
                vectors.append(outcome)
                paths.append(path)
    on_white = np.array(vectors, np.float32).reshape(-1, encoder.dim)
    again = [at for at, path in enumerate(paths) if path in transparent]
    on_black = on_white.copy() if again else None
    if on_black is not None:
        outcomes = encoder.encode_image_iter(_view(paths[at], 0) for at in again)
        for at, outcome in zip(again, outcomes, strict=True):
            if not isinstance(outcome, InputError):  # it was read a moment ago
                on_black[at] = outcome
    return _Read(paths=paths, vectors=on_white, on_black=on_black, failed=failed)


def _on_white(files: list[Path], transparent: set[Path]) -> Iterator[ImageInput]:
    """What to encode of each; those with transparent parts are added to the set."""
    for path in files:
        view = _view(path, 255)
        if view is not path:
            transparent.add(path)
        yield view


def _view(path: Path, ground: int) -> ImageInput:
    """An image on that ground; the path itself where nothing shows through, or is to be read."""
    try:
        laid = laid_on(path, ground)
    except InputError:  # encoding will say what is wrong
        return path
    return path if laid is None else laid


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
