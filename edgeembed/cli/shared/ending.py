"""How the command ends, whatever was raised: an exit code, and one line on stderr."""

import os
import sys
import traceback
from dataclasses import dataclass

from edgeembed.cli.shared.interrupts import INTERRUPTS, LINE
from edgeembed.cli.shared.streams import show_problem
from edgeembed_runtime.errors import EdgeEmbedError

DEBUG_VARIABLE = "EDGEEMBED_DEBUG"
_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Ending:
    """An exit code, and what to say; None says nothing."""

    code: int
    line: str | None = None

    def tell(self) -> int:
        """Print the line, and return the exit code."""
        if self.line is not None and (self.line is not LINE or INTERRUPTS.first_to_tell()):
            show_problem(self.line)
            if self.line is LINE:
                INTERRUPTS.told()
        return self.code


def ending_of(error: BaseException) -> Ending:
    """What an exception means to who runs the command."""
    if os.environ.get(DEBUG_VARIABLE) and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    # Whatever came of it, it began with the signal.
    if INTERRUPTS.signum is not None or isinstance(error, KeyboardInterrupt):
        return Ending(code=INTERRUPTS.code, line=LINE)
    if isinstance(error, SystemExit):
        return _exit(error.code)
    if isinstance(error, BrokenPipeError):  # the reader of the pipe, such as `head`, is done
        return Ending(code=_FAILED)
    if isinstance(error, EdgeEmbedError):
        return Ending(code=_FAILED, line=str(error))
    if isinstance(error, MemoryError):
        return Ending(code=_FAILED, line="out of memory; use fewer or shorter inputs")
    if isinstance(error, OSError):
        where = error.filename or "a file"
        return Ending(code=_FAILED, line=f"could not use {where}: {error.strerror or error}")
    if isinstance(error, UnicodeError):
        return Ending(code=_FAILED, line=f"expected UTF-8, got other bytes: {error}")
    if isinstance(error, ImportError):
        return Ending(code=_FAILED, line=_not_loaded(error))
    return _of_click(error) or Ending(code=_FAILED, line=_internal(error))


def _exit(code: object) -> Ending:
    if code is None or isinstance(code, int):
        return Ending(code=code or 0)
    return Ending(code=_FAILED, line=str(code))


def _of_click(error: BaseException) -> Ending | None:
    """The ending of an exception of click's, which is a part of Typer or beside it, by version."""
    code = getattr(error, "exit_code", None)
    if not isinstance(code, int):
        return Ending(code=_FAILED, line="aborted") if _is_abort(error) else None
    words = getattr(error, "format_message", None)
    if words is None:
        return Ending(code=code)
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "edgeembed")
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help(), file=sys.stderr)  # noqa: T201
        return Ending(code=code)
    return Ending(code=code, line=f"{words().rstrip('.')}; see {command} --help")


def _is_abort(error: BaseException) -> bool:
    return type(error).__name__ == "Abort"


def _not_loaded(error: BaseException) -> str:
    while isinstance(error.__cause__, ImportError):  # numpy's own says a page of other things
        error = error.__cause__
    return f"could not load a library: {error}; free some memory, or install edgeembed again"


def _internal(error: BaseException) -> str:
    return (
        f"internal error: {type(error).__name__}: {error}; "
        f"set {DEBUG_VARIABLE}=1 to see where, and please report it"
    )
