"""The command line: one module per command. Needs the extra 'cli'."""

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
    app()
