"""Keep chatty libraries quiet for the length of a `with` block."""

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Generator
from typing import Any, cast


@contextlib.contextmanager
def quiet_logging(level: int = logging.WARNING) -> Generator[None]:
    """Drop log records of `level` and below from every logger of this process."""
    disabled = logging.root.manager.disable
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def quiet_export() -> Generator[None]:
    """Hide what torch's exporter prints, logs and warns about its own internals.

    Its errors are hidden too: it logs those of every attempt, and raises the one that counts.
    """
    with (
        quiet_logging(logging.CRITICAL),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(cast(Any, _WithoutThisThread(sys.stdout))),
        contextlib.redirect_stderr(cast(Any, _WithoutThisThread(sys.stderr))),
    ):
        warnings.simplefilter("ignore")
        yield


class _WithoutThisThread:
    """A stream that drops what one thread writes; a progress bar of another thread goes on."""

    def __init__(self, stream: Any) -> None:
        """`stream` gets what other threads write."""
        self._stream = stream
        self._quiet = threading.get_ident()

    def write(self, text: str) -> int:
        """Write to the stream, unless it is the quiet thread that does."""
        return len(text) if threading.get_ident() == self._quiet else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's."""
        return getattr(self._stream, name)
