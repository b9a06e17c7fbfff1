"""`edgeembed dedupe --code`: near-clones of functions."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import typer

from edgeembed import Index
from edgeembed.cli.shared.coverage_table import show_left_out
from edgeembed.cli.shared.opening import is_index, load_model
from edgeembed.cli.shared.output import bar_progress, print_json, print_table, remark
from edgeembed.cli.shared.streams import show_problem
from edgeembed.clones.functions import CloneGroup, clones_of, functions_of
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.files import scan
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.text_indexer import PassageIndexer
from edgeembed_runtime.errors import InputError


def dedupe_functions(
    sources: list[Path],
    model: Path | None,
    variant: str,
    threshold: float,
    least_tokens: int,
    *,
    as_json: bool,
) -> None:
    """Find near-clones in an index, or in folders of code, and print them.

    Raises:
        typer.Exit: some files could not be read.
    """
    failed: list[str] = []
    with _opened(sources, model, variant, failed) as index:
        functions = functions_of(index, least_tokens)
    groups = clones_of(functions, threshold)
    for message in failed:
        show_problem(message)
    if as_json:
        tree = [_tree(group) for group in groups]
        print_json(
            {"functions": len(functions), "threshold": threshold, "groups": tree, "failed": failed}
        )
    else:
        _show(groups, len(functions))
    if failed:
        raise typer.Exit(1)


@contextmanager
def _opened(
    sources: list[Path], model: Path | None, variant: str, failed: list[str]
) -> Generator[Index]:
    """The index that is given, or one of the folders for the time being."""
    indexes = [source for source in sources if is_index(source)]
    if indexes:
        if len(sources) > 1 or model is not None:
            raise InputError(
                f"sources: expected one index by itself, or folders of code, got {len(sources)} "
                f"sources, of which {indexes[0]} is an index"
                + (", and a model" if model is not None else "")
            )
        with Index.open(indexes[0]) as index:
            yield index
        return
    found = scan(sources, WalkSettings(code=True))
    with (
        tempfile.TemporaryDirectory(prefix="edgeembed-") as folder,
        load_model(model, None, variant, "text") as encoder,
        Index.create(Path(folder) / "code.index", encoder=encoder) as index,
    ):
        indexer = PassageIndexer(index, PassageReader(encoder=encoder, chunks=ChunkSettings()))
        with bar_progress() as progress:
            task = progress.add_task("Reading functions", total=len(found.files))
            report = indexer.run(found, on_file=lambda: progress.advance(task))
        show_left_out(report.left_out, verbose=False)
        failed += report.failed
        yield index


def _tree(group: CloneGroup) -> list[dict[str, object]]:
    return [
        {
            "place": each.place,
            "symbol": each.symbol,
            "tokens": each.tokens,
            "score": round(score, 4),
        }
        for each, score in zip(group.functions, group.scores, strict=True)
    ]


def _show(groups: list[CloneGroup], count: int) -> None:
    rows = [
        (number, f"{score:.3f}", each.place, each.symbol)
        for number, group in enumerate(groups, 1)
        for each, score in zip(group.functions, group.scores, strict=True)
    ]
    if rows:
        print_table(["#group", "#score", "place", "function"], rows)
    alike = sum(len(group.functions) for group in groups)
    remark(f"{count} functions, {alike} of them in {len(groups)} groups")
