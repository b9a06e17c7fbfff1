"""The command line: one module per command. Needs the extra 'cli'."""

import sys

from edgeembed.cli.shared.ending import Ending, ending_of
from edgeembed.cli.shared.interrupts import INTERRUPTS
from edgeembed.cli.shared.streams import install_streams


def main() -> None:
    """Run the `edgeembed` command."""
    sys.exit(_ending().tell())


def _ending() -> Ending:
    try:
        # First of all: most of the time of a short command is its imports. The descriptors of
        # closed streams are taken before anything else can open them.
        install_streams()
        INTERRUPTS.install()
        code = _run()
        sys.stdout.flush()
        INTERRUPTS.over()
    except BaseException as error:
        INTERRUPTS.over()
        return ending_of(error)
    # Whatever caught the interrupt on its way.
    return Ending(code=code) if INTERRUPTS.signum is None else ending_of(KeyboardInterrupt())


def _run() -> int:
    """Run the command that sys.argv names, and return its exit code."""
    try:
        from edgeembed.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "platformdirs", "click"):
            raise
        words = "the command line needs the extra 'cli'. Run: pip install 'edgeembed[cli]'"
        return Ending(code=1, line=words).tell()
    return app(standalone_mode=False) or 0
