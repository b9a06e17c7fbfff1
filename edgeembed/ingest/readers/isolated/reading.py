"""Reads files of strangers in one process that is started again when it dies."""

import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from edgeembed.ingest.readers.base.protocol import (
    Block,
    ReadingSettings,
    Reason,
    Remark,
    SkippedError,
    Source,
)
from edgeembed.ingest.readers.isolated.messages import (
    End,
    Message,
    NoMessageError,
    Request,
    message_of,
)
from edgeembed.ingest.readers.isolated.process import (
    ProcessEndedError,
    ReadingLimits,
    ReadingProcess,
)

_SECONDS_TO_START = 120
# What a program prints when the system gives it no more memory, and ends.
_NO_MEMORY = ("memory allocation of", "MemoryError", "out of memory", "Out of memory")
_REMARK = 100  # characters that one counts as
_CRASHED = "the library that reads it crashed"


class IsolatedReading:
    """Reads files, one after another, in a process with limits of memory and time.

    The process reads ahead of its parent by a few blocks, on another core. A file for which it
    dies or hangs is skipped, and the next file gets a new process. For one thread at a time.
    """

    def __init__(self, limits: ReadingLimits | None = None, inner: str = "") -> None:
        """Start nothing yet.

        Args:
            limits: of the reading of one file.
            inner: "module:function" that reads a source within a file, in that process.
        """
        self._limits = limits or ReadingLimits()
        self._inner = inner
        self._process: ReadingProcess | None = None
        self._finalizer: weakref.finalize[..., IsolatedReading] | None = None

    def __enter__(self) -> "IsolatedReading":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process that is running now."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process; reading on starts another one."""
        self._process = None
        if self._finalizer is not None:
            self._finalizer()  # ends it, once
            self._finalizer = None

    def read(
        self,
        path: Path,
        reader: str,
        settings: ReadingSettings,
        *,
        name: str = "",
        depth: int = 0,
    ) -> Iterator[Block | Remark]:
        """Read a file by the reader "module:attribute", an object or a class.

        Args:
            path: what is opened.
            reader: as in messages.Request.
            settings: of the reader.
            name: the file's name where it is from, if that is not the path's.
            depth: of the file within others.

        Raises:
            SkippedError: as the reader does; also for whatever else goes wrong in it.
            MissingExtraError: the library that reads it is not installed.
            StorageError: the file cannot be opened.
        """
        request = Request(
            path=str(path.absolute()),  # the process stays in the folder that it was started in
            name=name or path.name,
            reader=reader,
            settings=settings,
            depth=depth,
        )
        is_whole = False
        failure: Exception | None = None
        try:
            for message in self._messages(request):
                if isinstance(message, End):
                    is_whole = True
                elif isinstance(message, Exception):
                    failure = message
                else:
                    yield message
            if failure is not None:
                raise failure
        finally:
            if not is_whole:  # it may be anywhere in the file
                self.close()

    def read_source(self, source: Source, reader: str) -> Iterator[Block | Remark]:
        """Read what is no file of its own, from a copy on disk.

        Raises:
            As `read`.
        """
        with tempfile.TemporaryDirectory(prefix="edgeembed-") as folder:
            path = Path(folder) / "copy"
            with path.open("wb") as copy:
                shutil.copyfileobj(source.stream, copy)
            yield from self.read(
                path, reader, source.settings, name=source.name, depth=source.depth
            )

    def _messages(self, request: Request) -> Iterator[Message]:
        """All messages about a file, the end among them if the process lives on."""
        waited, characters = 0.0, 0
        try:
            process = self._started()
            process.ask(request)
            while True:
                begun = time.monotonic()
                message = message_of(process.line(self._limits.seconds))
                waited += time.monotonic() - begun
                if isinstance(message, End) and message.leaves:
                    self.close()
                yield message
                if isinstance(message, End):
                    return
                if waited > self._limits.all_seconds:
                    raise SkippedError(
                        Reason.TOO_LARGE, f"took more than {self._limits.all_seconds} s to read"
                    )
                characters += len(message.text) if isinstance(message, Block) else _REMARK
                if characters > request.settings.max_unpacked:
                    raise SkippedError(
                        Reason.TOO_LARGE,
                        f"more than {request.settings.max_unpacked >> 20} million characters",
                    )
        except TimeoutError as error:
            raise self._too_slow() from error
        except ProcessEndedError as error:
            raise self._skipped(error) from error
        except NoMessageError as error:
            raise SkippedError(Reason.DAMAGED, _CRASHED) from error

    def _started(self) -> ReadingProcess:
        if self._process is not None and not self._process.is_alive:
            self.close()
        if self._process is None:
            try:
                process = ReadingProcess(self._limits, self._inner)
            except OSError as error:
                raise SkippedError(Reason.NO_READER, f"no process for it: {error}") from error
            self._process = process
            self._finalizer = weakref.finalize(self, process.end)
            process.line(_SECONDS_TO_START)
        return self._process

    def _too_slow(self) -> SkippedError:
        return SkippedError(Reason.TOO_LARGE, f"no text for {self._limits.seconds} s")

    def _skipped(self, error: ProcessEndedError) -> SkippedError:
        """Tell why the process ended, as far as that can be known."""
        ended = error.signal_name
        if ended == "SIGALRM":
            return self._too_slow()
        if any(sign in error.said for sign in _NO_MEMORY):
            return SkippedError(
                Reason.TOO_LARGE, f"takes more than {self._limits.memory >> 20} MB of memory"
            )
        if ended == "SIGKILL":
            return SkippedError(Reason.TOO_LARGE, "the system ended its reading: too little memory")
        how = ended or f"exit code {error.status}"
        return SkippedError(Reason.DAMAGED, f"{_CRASHED} ({how})")
