"""How a command ends: with a result and 0, or one line on stderr and another code; no traceback."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec

import typer

from edgeembed.cli.shared.ending import ending_of
from edgeembed.cli.shared.wording import in_options, option_names
from edgeembed_runtime.errors import EdgeEmbedError, InputError

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Make `command` turn every error into one line on stderr and a non-zero exit code.

    The line names the command's options where the error names parameters of Python.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            _check_texts(kwargs)
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BaseException as error:
            ending = ending_of(error)
            if isinstance(error, EdgeEmbedError) and ending.line is not None:
                ending = replace(ending, line=in_options(ending.line, option_names(command)))
            raise typer.Exit(ending.tell()) from None

    return run


def _check_texts(arguments: dict[str, object]) -> None:
    """Refuse words that are no text; a path may have any bytes.

    Raises:
        InputError: one is not UTF-8.
    """
    for name, value in arguments.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError as error:
                    raise InputError(f"{name}: expected UTF-8, got {text[:100]!r}") from error
