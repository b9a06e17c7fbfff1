"""The parent's end of a reading process: started, asked, listened to, and ended."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO

from edgeembed.ingest.readers.isolated.messages import MAX_MESSAGE, Request

_RUN = "import sys; from {} import main; main(*sys.argv[1:])"
_CHILD = "edgeembed.ingest.readers.isolated.child"
_AHEAD = 16  # messages that wait for the parent; then the child waits
_TAIL = 4096
_SECONDS_TO_END = 10


@dataclass(frozen=True, kw_only=True)
class ReadingLimits:
    """The limits of the reading of one file.

    Attributes:
        memory: bytes by which the address space of the process may grow; on Linux only.
        seconds: within which the next block has to come.
        all_seconds: for which the parent waits for all blocks of one file together.
    """

    memory: int = 1 << 30
    seconds: int = 60
    all_seconds: int = 600


class ProcessEndedError(Exception):
    """The process ended by itself: how, and what it said last."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"status {status}: {said}")
        self.status = status
        self.said = said

    @property
    def signal_name(self) -> str:
        """The name of the signal that ended it, or ""."""
        try:
            return signal.Signals(-self.status).name if self.status < 0 else ""
        except ValueError:
            return f"signal {-self.status}"


class ReadingProcess:
    """A reading process; what it writes is read ahead by a thread, within bounds."""

    def __init__(self, limits: ReadingLimits, inner: str) -> None:
        """Start it.

        Raises:
            OSError: there is no Python to run it, or no process can be started.
        """
        if not sys.executable:
            raise FileNotFoundError("this program has no Python interpreter to start")
        # -P: a file named docx.py in the folder that is indexed is not the library.
        command = [sys.executable, "-P", "-W", "ignore", "-c", _RUN.format(_CHILD)]
        command += [str(limits.memory), str(limits.seconds), inner]
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Of what a library in Rust says when it dies, the first line tells why.
            env={**os.environ, "PYTHONPATH": paths, "RUST_BACKTRACE": "0"},
        )
        self.pid: int = self._process.pid
        self._lines: queue.Queue[bytes] = queue.Queue(maxsize=_AHEAD)
        self._said = b""
        self._threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in (
                (self._take_lines, self._process.stdout),
                (self._take_said, self._process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs: the system may end it while it waits."""
        return self._process.poll() is None

    def ask(self, request: Request) -> None:
        """Ask for a file.

        Raises:
            ProcessEndedError: the process has ended.
        """
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(request.line())
                stream.flush()
        except OSError as error:
            raise self._ended() from error

    def line(self, seconds: float) -> bytes:
        """Wait for the next message.

        Raises:
            TimeoutError: there is none within some seconds.
            ProcessEndedError: the process has ended.
        """
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty as error:
            raise TimeoutError from error
        if not line.endswith(b"\n"):
            raise self._ended()
        return line

    def end(self) -> None:
        """End the process, at once, and everything about it."""
        self._process.kill()
        # A request that was never taken is written when its stream is closed.
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        while self._threads[0].is_alive():  # it may wait for room
            with contextlib.suppress(queue.Empty):
                self._lines.get(timeout=0.05)
        for thread in self._threads:
            thread.join()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _ended(self) -> ProcessEndedError:
        try:
            status = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            status = 0  # it closed its output, and lives
        self._threads[1].join(1)
        return ProcessEndedError(status, self._said.decode(errors="replace"))

    def _take_lines(self, stream: IO[bytes]) -> None:
        while (line := stream.readline(MAX_MESSAGE + 1)).endswith(b"\n"):
            self._lines.put(line)
        self._lines.put(b"")

    def _take_said(self, stream: IO[bytes]) -> None:
        while piece := os.read(stream.fileno(), _TAIL):
            self._said = (self._said + piece)[-_TAIL:]
