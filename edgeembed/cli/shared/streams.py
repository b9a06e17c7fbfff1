"""The standard streams, made safe: nothing that is printed can drive a terminal or fail untyped."""

import contextlib
import errno
import io
import logging
import os
import re
import sys
import warnings
from typing import BinaryIO, TextIO

from edgeembed.results.printable import one_line, printable
from edgeembed_runtime.errors import StorageError
from edgeembed_runtime.storage import storage_error

# What libraries print by themselves keeps its colors, and the carriage returns of progress bars.
_KEPT = re.compile(r"(\x1b\[[0-9;]*m|\r)")


class PrintableStream(io.TextIOWrapper):
    """Standard output or standard error, whose text is made harmless on its way.

    `unfiltered` is the same stream for who makes text harmless before: see PrintableConsole.

    Raises:
        BrokenPipeError: from every method that writes: the reader is gone.
        StorageError: the same, for every other reason.
    """

    def __init__(
        self, buffer: BinaryIO, title: str, like: TextIO | None, *, must_arrive: bool
    ) -> None:
        """Wrap a binary stream.

        Args:
            buffer: the stream, which this one does not own.
            title: for error messages.
            like: has the encoding.
            must_arrive: false: what cannot be written is dropped.
        """
        encoding = "utf-8" if like is None else like.encoding
        # A message must not fail over a letter.
        super().__init__(buffer, encoding, errors="backslashreplace", write_through=True)
        self._title = title
        self._must_arrive = must_arrive
        self._keeps_colors = self.isatty() or "FORCE_COLOR" in os.environ
        self.unfiltered: io.TextIOBase = _Unfiltered(self)

    def write(self, text: str, /) -> int:
        """Write the text without control characters."""
        if self._keeps_colors:
            parts = _KEPT.split(text)
            parts[::2] = map(printable, parts[::2])
            self.write_unfiltered("".join(parts))
        else:
            self.write_unfiltered(printable(text))
        return len(text)

    def write_unfiltered(self, text: str) -> None:
        """Write the text as it is."""
        try:
            super().write(text)
            if self.isatty() or not self._must_arrive:
                super().flush()
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        """Write what is left."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        # What is left in the buffer would fail again at exit.
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        if not self._must_arrive:
            return
        if isinstance(error, BrokenPipeError):
            raise error
        if error.errno == errno.EBADF:
            raise StorageError(f"could not write {self._title}: it is closed") from error
        raise storage_error("write", self._title, error) from error


class _Unfiltered(io.TextIOBase):
    """A PrintableStream without the filter."""

    def __init__(self, stream: PrintableStream) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._stream.encoding

    def write(self, text: str, /) -> int:
        self._stream.write_unfiltered(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True


def install_streams() -> None:
    """Put safe streams in the place of sys.stdin, sys.stdout and sys.stderr.

    Their descriptors have to be open: see open_closed_descriptors. Warnings, and messages of
    loggers that nobody has configured, become one line each.
    """
    # The interpreter's own streams stay, or they would close the descriptors.
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False))  # noqa: SIM115
    sys.stdout = PrintableStream(
        _binary(sys.stdout, 1), "standard output", sys.stdout, must_arrive=True
    )
    sys.stderr = PrintableStream(
        _binary(sys.stderr, 2), "standard error", sys.stderr, must_arrive=False
    )
    warnings.showwarning = _show_warning
    logging.lastResort = _Notes(logging.WARNING)


def show_problem(message: str) -> None:
    """Print one line on stderr that says what went wrong."""
    _write_line(f"edgeembed: {one_line(message)}")


def show_note(message: str) -> None:
    """Print one line on stderr that says what else there is to know."""
    _write_line(f"Note: {one_line(message)}")


def _write_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    show_note(str(message))


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        show_note(record.getMessage())


def _binary(stream: TextIO | None, descriptor: int) -> BinaryIO:
    if stream is None:
        return open(descriptor, "wb", closefd=False)
    return stream.buffer
