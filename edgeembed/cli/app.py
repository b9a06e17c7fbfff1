"""The `edgeembed` application: its commands, in the order in which people meet them."""

from collections.abc import Callable
from typing import Annotated

import typer

from edgeembed.cli.bundles import (
    bench,
    convert,
    distill_static,
    distill_student,
    doctor,
    eval,  # noqa: A004
    inspect,
    quantize,
    verify,
)
from edgeembed.cli.indexes import (
    dedupe,
    demo,
    embed,
    export,
    index,
    map,  # noqa: A004
    search,
)
from edgeembed.cli.shared.guard import guarded
from edgeembed_runtime.version import __version__

app = typer.Typer(
    name="edgeembed",
    help="TrainingResult embedding models on the edge: convert, embed and search, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeembed {__version__}")
        raise typer.Exit


@app.callback()
def _edgeembed(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version)
    ] = False,
) -> None:
    del version


_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "convert": convert.convert,
    "quantize": quantize.quantize,
    "inspect": inspect.inspect,
    "verify": verify.verify,
    "embed": embed.embed,
    "index": index.index,
    "search": search.search,
    "dedupe": dedupe.dedupe,
    "map": map.map_,
    "export": export.export,
    "eval": eval.eval_,
    "bench": bench.bench,
    "doctor": doctor.doctor,
}
for name, command in _COMMANDS.items():
    app.command(name)(guarded(command))

_distill = typer.Typer(
    name="distill",
    no_args_is_help=True,
    help="Smaller encoders from large ones.\n\n"
    "Example: edgeembed distill static minilm.bundle texts.txt tiny.bundle",
)
_distill.command("static")(guarded(distill_static.static))
_distill.command("student")(guarded(distill_student.student))
app.add_typer(_distill)
