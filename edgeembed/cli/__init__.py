"""The command line: one module per command. Needs the extra 'cli'."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run the `edgeembed` command, and end the process."""
    try:
        # First of all, and before other imports: they are most of the time of a short command.
        from edgeembed.cli.shared.interrupts import INTERRUPTS

        INTERRUPTS.install()
        from edgeembed.cli.process import run

        code = run()
    except KeyboardInterrupt:  # in one of these imports; nothing has begun
        from edgeembed.cli.shared.interrupts import INTERRUPTS

        INTERRUPTS.end_now()
    except Exception as error:  # no memory, no descriptors, or half an installation
        os.write(2, f"edgeembed: could not start: {ascii(str(error))[1:-1]}\n".encode())
        os._exit(1)
    INTERRUPTS.leave(code)
