"""The reading process: it reads the files that it is asked for within limits."""

import importlib
import os
import queue
import re
import signal
import stat
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from edgeembed.ingest.readers.base.protocol import (
    Block,
    Reader,
    Reason,
    Remark,
    SkippedError,
    Source,
)
from edgeembed.ingest.readers.isolated.messages import (
    MAX_MESSAGE,
    End,
    Message,
    Request,
    message_line,
)
from edgeembed_runtime.errors import MissingExtraError, StorageError

_MB = 1 << 20
# A process that has grown by this ends after its file: the memory does not come back otherwise.
_GROWN = 96 * _MB
_MAX_DETAIL = 200
_STATM = Path("/proc/self/statm")
_OUT_OF_MEMORY = re.compile(r"out of memory|memory allocation|cannot allocate", re.IGNORECASE)
_ReadInner = Callable[[Source], Iterator[Block | Remark]]


def main(memory: str, seconds: str, inner: str) -> None:
    """Read requests from standard input until it ends; write messages to standard output.

    Args:
        memory: bytes by which the address space may grow.
        seconds: within which a file has to give its next block.
        inner: "module:function" that reads a source within a file, or "".
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    _limit_memory(int(memory))
    read_inner = _load(inner) if inner else _no_inner
    started = _resident()
    _send(output, End(leaves=False))  # ready
    while True:
        request = Request.from_line(requests.get())
        fails = _read(request, read_inner, int(seconds), output)
        leaves = fails or _resident() - started > _GROWN
        _send(output, End(leaves=leaves))
        if leaves:
            return


def _listen(requests: "queue.SimpleQueue[bytes]") -> None:
    """Queue requests; end the process as soon as the parent has gone, whatever it is doing."""
    while line := sys.stdin.buffer.readline():
        requests.put(line)
    os._exit(0)


def _read(request: Request, read_inner: _ReadInner, seconds: int, output: BinaryIO) -> bool:
    """Send all that a file has; return whether memory ran out."""
    try:
        with _opened(request.path) as stream:
            source = Source(
                name=request.name,
                stream=stream,
                size=os.fstat(stream.fileno()).st_size,
                settings=request.settings,
                read_inner=read_inner,
                depth=request.depth,
            )
            with _alarm(seconds):
                found = iter(_reader(request.reader).read(source))
            while True:
                with _alarm(seconds):
                    item = next(found, None)
                if item is None:
                    return False
                _send(output, item)
    except (SkippedError, MissingExtraError, StorageError) as error:
        _send(output, error)
        return False
    except BaseException as error:  # whatever a library raises about a strange file
        failed = _failure(error)
    _send(output, failed)
    return failed.reason is Reason.TOO_LARGE


def _failure(error: BaseException) -> SkippedError:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_DETAIL]
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(said):
        return SkippedError(Reason.TOO_LARGE, "takes more memory than a file may")
    if isinstance(error, RecursionError):
        return SkippedError(Reason.DAMAGED, "nested too deeply")
    return SkippedError(Reason.DAMAGED, said)


@contextmanager
def _opened(path: str) -> Generator[BinaryIO]:
    """Open a regular file; it may have become a pipe that never ends.

    Raises:
        StorageError: it cannot be opened.
    """
    try:
        stream = open(  # noqa: SIM115
            path, "rb", opener=lambda p, f: os.open(p, f | getattr(os, "O_NONBLOCK", 0))
        )
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise StorageError(f"cannot read {path}: it is no regular file")
        yield stream


@contextmanager
def _alarm(seconds: int) -> Generator[None]:
    """End the process unless the block ends within some seconds; not on Windows.

    By the system, since a library in C may never come back to Python. The parent watches as well;
    this works when it has died.
    """
    if sys.platform == "win32":
        yield
        return
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _send(output: BinaryIO, message: Message) -> None:
    line = message_line(message)
    if len(line) > MAX_MESSAGE:
        raise SkippedError(Reason.TOO_LARGE, f"a block of {len(line) >> 20} MB")
    try:
        output.write(line)
        output.flush()
    except BrokenPipeError:
        os._exit(0)


def _reader(name: str) -> Reader:
    found = _load(name)
    return found() if isinstance(found, type) else found


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _no_inner(source: Source) -> Iterator[Block | Remark]:
    yield Remark(reason=Reason.NO_READER, where=source.name)


def _limit_memory(growth: int) -> None:
    """Bound the address space, where the system tells how large it is now: on Linux."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = _pages()
    if pages:
        bound = pages[0] * resource.getpagesize() + growth
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or bound < hard:
            resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


def _resident() -> int:
    """Bytes of memory in use now; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    pages = _pages()
    return pages[1] * resource.getpagesize() if pages else 0


def _pages() -> list[int]:
    """Pages of the address space and of memory, and others; none but on Linux."""
    try:
        return [int(number) for number in _STATM.read_text("ascii").split()]
    except OSError:
        return []
