"""`edgeembed search`: the passages nearest in meaning to a query."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from edgeembed import Hit, Index
from edgeembed.cli.shared.opening import load_model, remembered_bundle
from edgeembed.cli.shared.options import DEFAULT_INDEX, AsJson, IndexPath, ModelPath, VariantName
from edgeembed.cli.shared.output import err, print_json, print_table
from edgeembed.visualize.gallery import Row, Shown, write_gallery
from edgeembed_runtime.errors import InputError

_EXCERPT = 160


def search(
    query: Annotated[
        str | None, typer.Argument(help="What to search for, in your own words.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Search for images like this one.")] = None,
    index_path: IndexPath = DEFAULT_INDEX,
    model: ModelPath = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Number of results.")] = 10,
    mode: Annotated[str, typer.Option(help="dense, keyword or hybrid.")] = "dense",
    where: Annotated[
        str | None, typer.Option(help='Metadata filter as JSON: \'{"source": "a.md"}\'.')
    ] = None,
    min_score: Annotated[float | None, typer.Option(help="Drop results below this score.")] = None,
    per_file: Annotated[
        bool, typer.Option("--per-file", help="Show only the best passage of each file.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Find the true neighbors, even in a large index.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write the images found to this HTML page.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show whole passages.")] = False,
    variant: VariantName = "auto",
    as_json: AsJson = False,
) -> None:
    """Search an index that `edgeembed index` made.

    Examples: edgeembed search "how do I cancel my order" -k 5

    edgeembed search "a dog on a beach" -i photos.index --html found.html

    edgeembed search --image dog.jpg -i photos.index
    """
    if (query is None) == (image is None):
        raise InputError("query: expected words to search for, or --image FILE, and not both")
    if mode not in ("dense", "keyword", "hybrid"):
        raise InputError(f"mode: expected dense, keyword or hybrid, got {mode!r}")
    condition = _condition(where)
    with Index.open(index_path) as opened:
        hint = remembered_bundle(opened)
    with (
        load_model(model, hint, variant, "text" if image is None else "image") as encoder,
        Index.open(index_path, encoder=encoder) as opened,
    ):
        began = time.perf_counter()
        hits = opened.search(
            (query or "") if image is None else encoder.encode_image(image),
            k,
            where=condition,
            mode=mode,
            exact=exact,
            min_score=min_score,
            distinct="source" if per_file else None,
        )
        milliseconds = (time.perf_counter() - began) * 1000
        count = len(opened)
    asked = query if image is None else str(image)
    if html is not None:
        shown = (Shown(path=Path(hit.key), note=f"{hit.score:.3f}") for hit in hits)
        write_gallery(html, asked or "", [Row(title="", images=tuple(shown))])
    if as_json:
        print_json({"query": asked, "ms": milliseconds, "hits": [asdict(hit) for hit in hits]})
        return
    show_hits(hits, full=full)
    err.print(f"{len(hits)} of {count} in {milliseconds:.1f} ms", highlight=False)


def show_hits(hits: Sequence[Hit], *, full: bool = False) -> None:
    """Print results as a table: score, location, text."""
    print_table(
        ["#score", "where", "text"],
        [(f"{hit.score:.3f}", _location(hit), _excerpt(hit.document or "", full)) for hit in hits],
    )


def _location(hit: Hit) -> str:
    metadata = hit.metadata or {}
    if "source" in metadata and "line" in metadata:
        return f"{metadata['source']}:{metadata['line']}"
    return hit.key


def _excerpt(text: str, full: bool) -> str:
    if full:
        return text
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 3]}..."


def _condition(where: str | None) -> dict[str, Any] | None:
    if where is None:
        return None
    try:
        condition = json.loads(where)
    except (ValueError, RecursionError) as error:
        raise InputError(f'where: expected JSON such as \'{{"lang": "en"}}\': {error}') from error
    if not isinstance(condition, dict):
        raise InputError(f"where: expected a JSON object, got {type(condition).__name__}")
    return cast(dict[str, Any], condition)
