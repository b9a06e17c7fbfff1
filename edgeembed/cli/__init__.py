"""The command line: one module per command. Needs the extra 'cli'."""

import io
import sys


def main() -> None:
    """Run the `edgeembed` command."""
    try:
        from edgeembed.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "platformdirs", "click"):
            raise
        sys.exit(
            "edgeembed: the command line needs the extra 'cli'. Run: pip install 'edgeembed[cli]'"
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a table must not fail over a letter
            stream.reconfigure(errors="backslashreplace")
    app()
