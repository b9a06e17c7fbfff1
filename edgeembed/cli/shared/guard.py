"""How a command ends: with a result and 0, or one line on stderr and another code; no traceback."""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import ParamSpec

import typer

from edgeembed.cli.shared.output import show_problem
from edgeembed.cli.shared.wording import in_options, option_names
from edgeembed_runtime.errors import EdgeEmbedError

P = ParamSpec("P")
FAILED = 1
INTERRUPTED = 130  # what shells report for a process ended by SIGINT
DEBUG_VARIABLE = "EDGEEMBED_DEBUG"


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Make `command` turn every error into one line on stderr and a non-zero exit code.

    The line names the command's options where the error names parameters of Python.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as error:
            _fail("stopped", INTERRUPTED, error)
        except BrokenPipeError:  # the reader of the pipe, such as `head`, is done
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except EdgeEmbedError as error:
            _fail(in_options(str(error), option_names(command)), FAILED, error)
        except MemoryError as error:
            _fail("out of memory; use fewer or shorter inputs", FAILED, error)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # a bug of ours: say so, in one line
            if isinstance(error, typer.BadParameter):
                raise
            _fail(
                f"internal error: {type(error).__name__}: {error}; "
                f"set {DEBUG_VARIABLE}=1 to see where, and please report it",
                FAILED,
                error,
            )

    return run


def _fail(message: str, code: int, error: BaseException) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    show_problem(message)
    raise typer.Exit(code) from None
