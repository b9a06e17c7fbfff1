"""What a process of the command line does from its first line to its exit code."""

import sys

from edgeembed.cli.shared.ending import Ending, ending_of
from edgeembed.cli.shared.interrupts import INTERRUPTS
from edgeembed.cli.shared.streams import install_streams


def run() -> int:
    """Run the command that sys.argv names, and return the exit code; nothing is raised."""
    return _ending().tell()


def _ending() -> Ending:
    try:
        install_streams()
        code = _run_app()
        sys.stdout.flush()
        INTERRUPTS.over()
    except BaseException as error:
        INTERRUPTS.over()
        return ending_of(error)
    # Whatever caught the interrupt on its way.
    return Ending(code=code) if INTERRUPTS.signum is None else ending_of(KeyboardInterrupt())


def _run_app() -> int:
    try:
        from edgeembed.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "platformdirs", "click"):
            raise
        words = "the command line needs the extra 'cli'. Run: pip install 'edgeembed[cli]'"
        return Ending(code=1, line=words).tell()
    return app(standalone_mode=False) or 0
