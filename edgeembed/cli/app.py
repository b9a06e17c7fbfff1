"""The `edgeembed` application: one table of commands, in the order in which people meet them."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from edgeembed.cli.checks import doctor, inspect, verify
from edgeembed.cli.models import (
    bench,
    calibrate,
    convert,
    distill_static,
    distill_student,
    eval,  # noqa: A004
    quantize,
    train,
)
from edgeembed.cli.search import (
    dedupe,
    demo,
    embed,
    export,
    index,
    map,  # noqa: A004
    search,
)
from edgeembed.cli.serve import mcp, serve
from edgeembed.cli.shared.guard import guarded
from edgeembed.cli.shared.output import print_line
from edgeembed.cli.upkeep import prune, remove, status
from edgeembed_runtime.version import __version__

Command = Callable[..., None]

# By the heading in `edgeembed --help`, which is also the folder that a command is in.
COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "Search your files": {
        "demo": demo.demo,
        "embed": embed.embed,
        "index": index.index,
        "search": search.search,
        "dedupe": dedupe.dedupe,
        "map": map.map_,
        "export": export.export,
    },
    "Serve others": {
        "serve": serve.serve,
        "mcp": mcp.mcp,
    },
    "Look after an index": {
        "status": status.status,
        "remove": remove.remove,
        "prune": prune.prune,
    },
    "Make models small": {
        "convert": convert.convert,
        "quantize": quantize.quantize,
        "train": train.train,
        "distill static": distill_static.static,
        "distill student": distill_student.student,
        "eval": eval.eval_,
        "calibrate": calibrate.calibrate,
        "bench": bench.bench,
    },
    "Look inside": {
        "inspect": inspect.inspect,
        "verify": verify.verify,
        "doctor": doctor.doctor,
    },
}
_GROUPS = {
    "distill": "Train a small encoder to give a large one's vectors.\n\n"
    "Example: edgeembed distill static minilm.bundle texts.txt tiny.bundle",
}

app: typer.Typer = typer.Typer(
    name="edgeembed",
    help="Trained embedding models on the edge: convert, embed and search, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print_line(f"edgeembed {__version__}")
        raise typer.Exit


@app.callback()
def _edgeembed(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version)
    ] = False,
) -> None:
    del version


def _register(commands: Mapping[str, Mapping[str, Command]]) -> None:
    """Add every command to `app`; the first word of a name of two is a group."""
    groups: dict[str, typer.Typer] = {}
    for heading, named in commands.items():
        for name, command in named.items():
            group, _, last = name.rpartition(" ")
            if not group:
                app.command(name, rich_help_panel=heading)(guarded(command))
                continue
            if group not in groups:
                groups[group] = typer.Typer(no_args_is_help=True, help=_GROUPS[group])
                app.add_typer(groups[group], name=group, rich_help_panel=heading)
            groups[group].command(last)(guarded(command))


_register(COMMANDS)
