"""`edgeembed map`: a 2-D map of an index."""

from pathlib import Path
from typing import Annotated, cast

import typer

from edgeembed import Index
from edgeembed.cli.shared.options import JsonSummary, Overwrite
from edgeembed.cli.shared.output import print_json, remark, step_progress
from edgeembed.export.outputs import check_free, write_html
from edgeembed.visualize.map_page import map_page
from edgeembed.visualize.map_points import FOLDER, read_points
from edgeembed.visualize.projection import Method, project


def map_(
    index: Annotated[Path, typer.Argument(help="The index directory.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path(
        "map.html"
    ),
    color: Annotated[
        str | None,
        typer.Option(
            help="Color by this metadata field, such as 'source'; of code, by default, 'folder'."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="pca, or umap: slower, shows clusters (needs umap-learn).")
    ] = "pca",
    limit: Annotated[
        int, typer.Option(min=3, help="Sample this many documents of a larger index.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample and of UMAP.")] = 0,
    overwrite: Overwrite = False,
    as_json: JsonSummary = False,
) -> None:
    """Plot an index as a 2-D map: a dot per document, its text on hover, in one offline HTML file.

    Of source code, a dot is a function: hover shows where it is and its signature.

    Example: edgeembed map edgeembed.index -o map.html --color source
    """
    check_free([output], overwrite=overwrite)
    with step_progress() as progress:
        task = progress.add_task("Reading")
        with Index.open(index) as opened:
            points = read_points(opened, limit=limit, seed=seed)
        progress.update(task, description=f"Placing {len(points.keys):,} documents")
        projection = project(points.vectors, cast(Method, method), seed=seed)
        if color is None and points.is_code and any(FOLDER in each for each in points.metadatas):
            color = FOLDER
        page = map_page(index.absolute().name, points, projection, color)
    write_html(output, page)
    if as_json:
        summary = {"output": output, "documents": len(points.keys), "of": points.total}
        print_json({**summary, "method": method, "explained": projection.explained})
    else:
        remark(f"{output}: {len(points.keys):,} documents")
