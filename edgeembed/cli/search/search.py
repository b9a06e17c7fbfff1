"""`edgeembed search`: the passages nearest in meaning to a query."""

import dataclasses
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from edgeembed import Encoder, Index
from edgeembed.cli.search.open_file import open_file
from edgeembed.cli.search.show_answers import lines_of, print_blocks
from edgeembed.cli.shared.conditions import Where, filter_of
from edgeembed.cli.shared.options import (
    DEFAULT_INDEX,
    AsJson,
    IndexPath,
    ModelPath,
    Overwrite,
    VariantName,
)
from edgeembed.cli.shared.output import out, print_json, print_line, remark
from edgeembed.cli.shared.streams import show_note
from edgeembed.export.outputs import check_free
from edgeembed.ingest.second_stage import DEPTH
from edgeembed.results.answers import Answer, answers_of, nothing_fits
from edgeembed.results.page import write_page
from edgeembed.results.passages_at import passages_at
from edgeembed.search.opened import OpenedIndex
from edgeembed.search.settings import SearchSettings
from edgeembed.visualize.gallery import Row, Shown, write_gallery
from edgeembed_runtime.bundle import Modality
from edgeembed_runtime.errors import InputError, MissingExtraError, TruncationWarning
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.reranker import profile_of
from edgeembed_runtime.index.search.query import LIKELIHOODS, SEARCH_MODES, Likelihood

_MAX_CONTEXT = 5
_IS_CODE = '{"language": {"$exists": true}}'


def search(
    query: Annotated[
        str | None, typer.Argument(help="What to search for, in your own words.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Search for images like this one.")] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:LINE",
            help="Search for passages like the one there, such as src/app.py:12.",
        ),
    ] = None,
    code: Annotated[
        bool, typer.Option("--code", help="Find only source code, not the texts around it.")
    ] = False,
    index_path: IndexPath = DEFAULT_INDEX,
    model: ModelPath = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Number of results.")] = 10,
    mode: Annotated[
        str | None,
        typer.Option(help="dense, keyword or hybrid; default: hybrid, and dense for an image."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="The share of meaning in hybrid, 0 to 1; default: the model's."
        ),
    ] = None,
    where: Where = None,
    min_score: Annotated[
        str | None,
        typer.Option(help="Drop results below this score, or below likely or possible."),
    ] = None,
    per_file: Annotated[
        bool, typer.Option("--per-file", help="Show only the best passage of each file.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Find the true neighbors, even in a large index.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write what was found to this HTML page.")
    ] = None,
    context: Annotated[
        int,
        typer.Option(
            min=0, max=_MAX_CONTEXT, help="Show so many passages before and after each result."
        ),
    ] = 0,
    full: Annotated[bool, typer.Option("--full", help="Show whole passages.")] = False,
    open_rank: Annotated[
        int | None,
        typer.Option("--open", min=1, help="Open the file of this result by the system's viewer."),
    ] = None,
    overwrite: Overwrite = False,
    variant: VariantName = "auto",
    as_json: AsJson = False,
) -> None:
    """Search an index that `edgeembed index` made; without a query, as you type.

    On a terminal every result is a block of text; elsewhere it is one line: place, score and text,
    with tabs between.

    Examples: edgeembed search "how do I cancel my order" -k 5

    edgeembed search

    edgeembed search "winter tires" --context 1 --html found.html

    edgeembed search "winter tires" --open 1

    edgeembed search "train times" --where lang=en --where 'date>=2024-01-01'

    edgeembed search --image dog.jpg -i photos.index

    edgeembed search --code "where are uploads retried" --where language=Python

    edgeembed search --like src/upload.py:40
    """
    if mode is not None and mode not in SEARCH_MODES:
        raise InputError(f"mode: expected dense, keyword or hybrid, got {mode!r}")
    asked = [given for given in (query, like, image) if given is not None]
    plain = not (as_json or html or open_rank) and _is_terminal()
    as_one_types = not asked and plain
    if len(asked) != 1 and not as_one_types:
        raise _no_query()
    check_free([html], overwrite=overwrite)
    settings = SearchSettings(
        k=k,
        mode=mode,
        where=filter_of([*(where or ()), *([_IS_CODE] if code else ())]),
        weight=weight,
        exact=exact,
        min_score=_min_score(min_score),
        per_file=per_file,
        context=max(context, 1) if as_one_types else context,
    )
    only: Modality = "text" if image is None else "image"
    with OpenedIndex.open(index_path, model=model, variant=variant, only=only) as opened:
        encoder, searched = opened.encoder, opened.index
        if code and weight is None:
            settings = dataclasses.replace(settings, weight=profile_of(encoder).code_weight)
        if opened.stage is not None and mode != "keyword":
            settings = dataclasses.replace(settings, rerank=opened.stage, depth=DEPTH)
        if as_one_types:
            _search_as_one_types(searched, encoder, settings)
            return
        began = time.perf_counter()
        wanted, excluded = _wanted(query, like, image, encoder, searched)
        settings = dataclasses.replace(settings, exclude=excluded)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", TruncationWarning)
            folded = settings.run(searched, wanted)
        milliseconds = (time.perf_counter() - began) * 1000
        answers = answers_of(query, folded, encoder if image is None else None)
        count = len(searched)
    for warning in caught[:1]:
        show_note(str(warning.message))
    summary = f"{len(answers)} of {count} in {milliseconds:.1f} ms"
    if html is not None:
        _write_html(html, str(asked[0]), answers, summary)
    if as_json:
        print_json(_tree(str(asked[0]), answers, milliseconds))
    else:
        _print(answers, full=full or context > 0)
        remark(summary)
    if open_rank is not None:
        _open_result(answers, open_rank)


def _wanted(
    query: str | None, like: str | None, image: Path | None, encoder: Encoder, index: Index
) -> tuple[str | NDArray[np.float32], tuple[str, ...]]:
    """What to search for, and the keys that are no answer to it."""
    if image is not None:
        return encoder.encode_image(image), ()
    if like is not None:
        keys = passages_at(index, like, "like")
        return index.vectors(keys).mean(axis=0), tuple(keys)
    return query or "", ()


def _print(answers: Sequence[Answer], *, full: bool) -> None:
    if out.is_terminal:
        print_blocks(out, answers, full=full)
        return
    for line in lines_of(answers, full=full):
        print_line(line)


def _open_result(answers: Sequence[Answer], rank: int) -> None:
    if rank > len(answers):
        raise InputError(f"--open: expected a result from 1 to {len(answers)}, got {rank}")
    location = answers[rank - 1].location
    path = location.file()
    if path is None:
        raise InputError(f"--open: {location.name} is in no file that is there")
    open_file(path)


def _no_query() -> InputError:
    return InputError(
        "query: expected words to search for, --image FILE or --like FILE:LINE, and one of them"
    )


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _search_as_one_types(index: Index, encoder: IndexEncoder, settings: SearchSettings) -> None:
    try:
        from edgeembed.cli.search.interactive import run_interactive
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("a search without a query", "cli") from error
    settings.run(index, "anything")  # the first search reads the index from disk
    run_interactive(lambda query: settings.answer(index, query, encoder), len(index))


def _write_html(path: Path, query: str, answers: Sequence[Answer], summary: str) -> None:
    """A page of texts; or of images, where what was found has no text."""
    if any(answer.text for answer in answers) or not answers:
        write_page(path, query, answers, summary)
        return
    hits = [answer.hit for answer in answers]
    shown = tuple(Shown(path=Path(hit.key), note=f"{hit.score:.3f}") for hit in hits)
    write_gallery(path, query, [Row(title="", images=shown)])


def _tree(query: str, answers: Sequence[Answer], milliseconds: float) -> dict[str, object]:
    return {
        "query": query,
        "ms": milliseconds,
        "nothing_fits": nothing_fits(answers),
        "hits": [
            {
                **asdict(answer.hit),
                "location": answer.location.name,
                "best_sentence": answer.best_sentence,
                "also_in": [{"key": other.key, "location": other.name} for other in answer.also_in],
            }
            for answer in answers
        ],
    }


def _min_score(text: str | None) -> float | Likelihood | None:
    for name in LIKELIHOODS:
        if text == name:
            return name
    try:
        return None if text is None else float(text)
    except ValueError:
        raise InputError(
            f"min_score: expected a number, {' or '.join(LIKELIHOODS)}, got {text!r:.100}"
        ) from None
