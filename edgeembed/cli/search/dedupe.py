"""`edgeembed dedupe`: near-duplicate images, and near-clones of functions."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed.cli.duplicates.functions import dedupe_functions
from edgeembed.cli.duplicates.images import dedupe_images
from edgeembed.cli.shared.options import AsJson, ModelPath, Overwrite, VariantName
from edgeembed.export.outputs import check_free
from edgeembed_runtime.errors import InputError

_IMAGES, _FUNCTIONS = 0.95, 0.85


def dedupe(
    sources: Annotated[
        list[Path], typer.Argument(help="Image files and folders; with --code, code or an index.")
    ],
    model: ModelPath = None,
    code: Annotated[
        bool, typer.Option("--code", help="Find near-clones of functions, not images.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Least score: 0.95 by default, of functions 0.85."),
    ] = None,
    least_tokens: Annotated[
        int, typer.Option(min=4, help="With --code: shorter functions are not compared.")
    ] = 40,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of thumbnails to this HTML file.")
    ] = None,
    variant: VariantName = "auto",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find near-duplicate images, or functions that are nearly the same.

    Nothing is deleted. The right threshold depends on the model: look at --html before you trust
    one. Images with transparent parts are compared as they look on white and on black. Images that
    cannot be read are reported and skipped; the exit code is then 1.

    With --code, functions are compared by what they are about and by how they are built, so that a
    copy is found whose names were changed. An index made by `edgeembed index --code` is compared
    without encoding anything.

    Examples: edgeembed dedupe ~/photos --model image.bundle --html duplicates.html

    edgeembed dedupe --code ~/src/shop

    edgeembed dedupe --code shop.index
    """
    check_free([html], overwrite=overwrite)
    if code:
        if html is not None:
            raise InputError("--html: expected images, got --code, whose groups are printed")
        least = _FUNCTIONS if threshold is None else threshold
        dedupe_functions(sources, model, variant, least, least_tokens, as_json=as_json)
    else:
        least = _IMAGES if threshold is None else threshold
        dedupe_images(sources, model, variant, least, html, as_json=as_json)
