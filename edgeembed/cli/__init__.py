"""The command line: one module per command. Needs the extra 'cli'."""

import sys


def main() -> None:
    """Run the `edgeembed` command."""
    # First of all, and before other imports: they are most of the time of a short command.
    from edgeembed.cli.shared.interrupts import INTERRUPTS

    try:
        INTERRUPTS.install()
        from edgeembed.cli.process import run

        code = run()
    except KeyboardInterrupt as error:
        from edgeembed.cli.shared.ending import ending_of

        code = ending_of(error).tell()
    INTERRUPTS.leave()
    sys.exit(code)
