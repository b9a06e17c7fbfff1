"""`edgeembed mcp`: let assistants search your indexes."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeembed.cli.shared.options import DEFAULT_INDEX, ModelPath
from edgeembed.cli.shared.output import print_line, remark
from edgeembed_runtime.errors import InputError, MissingExtraError


def mcp(
    indexes: Annotated[
        list[Path] | None,
        typer.Argument(help="Indexes to search, each known by the name of its folder."),
    ] = None,
    model: ModelPath = None,
    http: Annotated[
        bool, typer.Option("--http", help="Listen for HTTP, instead of standard input and output.")
    ] = False,
    host: Annotated[
        str,
        typer.Option(help="The address to listen at; others than this machine's are open to all."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen at.")] = 8766,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print what assistants' settings need to start it, and end."),
    ] = False,
) -> None:
    """Offer indexes to assistants by the Model Context Protocol: search, similar, read, status.

    Assistants and editors start it themselves and speak to it by standard input and output; what
    --json prints goes into their settings. Nothing is written, and nothing is read but the indexes.

    Examples: edgeembed mcp ~/src/shop.index ~/notes.index --json

    edgeembed mcp edgeembed.index --http --port 8766
    """
    paths = indexes or [DEFAULT_INDEX]
    if as_json:
        print_line(json.dumps(_settings(paths, model), indent=2))
        return
    try:
        from edgeembed.mcp.indexes import OfferedIndexes
        from edgeembed.mcp.server import make_server
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("edgeembed mcp", "mcp") from error
    offered = OfferedIndexes(paths, model=model)
    try:
        server = make_server(offered)
        if http:
            remark(f"http://{host}:{port}/mcp offers {', '.join(offered.names)}; Ctrl-C ends it")
            server.run("streamable-http", host=host, port=port)
        elif sys.stdin.isatty():
            raise InputError(
                "edgeembed mcp: expected an assistant at standard input, got a terminal; --json "
                "prints its settings, --http listens at a port"
            )
        else:
            server.run("stdio")
    finally:
        offered.close()


def _settings(paths: list[Path], model: Path | None) -> dict[str, object]:
    chosen = [] if model is None else ["--model", str(model.absolute())]
    arguments = ["-m", "edgeembed", "mcp", *(str(path.absolute()) for path in paths), *chosen]
    return {"mcpServers": {"edgeembed": {"command": sys.executable, "args": arguments}}}
