"""`edgeembed serve`: embeddings, reranking and search over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed_runtime.errors import MissingExtraError


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="BUNDLE...",
            help="Bundles to serve, as PATH or NAME=PATH; default: the one in the package.",
        ),
    ] = None,
    indexes: Annotated[
        list[str] | None,
        typer.Option("--index", "-i", help="An index to search, as PATH or NAME=PATH. Repeatable."),
    ] = None,
    writable: Annotated[
        bool | None, typer.Option("--writable", help="Take upserts and deletes, too.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on; default: 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on; 0 for a free one; default: 8000.")
    ] = None,
    uds: Annotated[
        str | None, typer.Option(help="A Unix socket to listen on, instead of a port.")
    ] = None,
    api_key_file: Annotated[
        str | None, typer.Option(help="A file of lines NAME KEY; without one, anybody may call.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, each with models of its own; default: 1.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of a process; default: its share of the CPUs.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: cpu.")] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="fp32, int8, ...; default: the best for this machine."),
    ] = None,
    max_memory_mb: Annotated[
        int | None, typer.Option(help="Unload idle models above this resident memory, in MB.")
    ] = None,
    deadline_s: Annotated[
        float | None, typer.Option(help="Seconds that a short request may take; default: 10.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log in JSON, a line an event.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file of settings: these options, with _ for -, and more."),
    ] = None,
) -> None:
    """Serve embeddings to the clients of OpenAI, Cohere, Voyage, Ollama and Hugging Face.

    Every setting is also a variable, such as EDGEEMBED_SERVE_PORT. Ctrl-C, or SIGTERM, stops the
    server once what it was asked is answered.

    Examples: edgeembed serve

    edgeembed serve minilm.bundle clip=photos.bundle --index notes.index --port 9000
    """
    try:
        from edgeembed.serve.base.settings import settings_from
        from edgeembed.serve.run import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("edgeembed serve", "serve") from error
    given = {
        "models": tuple(models) if models else None,
        "indexes": tuple(indexes) if indexes else None,
        "writable": writable,
        "host": host,
        "port": port,
        "uds": uds,
        "api_key_file": api_key_file,
        "workers": workers,
        "threads": threads,
        "device": device,
        "variant": variant,
        "max_memory_mb": max_memory_mb,
        "deadline_s": deadline_s,
        "log_format": "json" if as_json else None,
    }
    run(settings_from(given, file=config))
