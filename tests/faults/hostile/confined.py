"""A child that runs one function within limits, and is watched."""

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/tty", "/proc/")
# Beside "open": what changes the file system, runs programs, or goes online.
_CHANGES = frozenset({
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod",
    "os.chown", "os.truncate", "os.utime",
})  # fmt: skip
_PROGRAMS = frozenset({
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn",
    "socket.connect", "socket.getaddrinfo", "webbrowser.open",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Confined:
    """How a child ended.

    `outcome` is what its function returned, or "hang", or "death" and the status. `did` says what
    it did and must not.
    """

    outcome: str
    did: tuple[str, ...]
    seconds: float
    megabytes: int


def run_confined(
    function: Callable[[], str], *, work: Path, secret: Path, memory: int, cpu_s: int, wall_s: float
) -> Confined:
    """Fork, run, and report.

    Args:
        function: what to run; it returns a text.
        work: the only folder where files may change.
        secret: a folder in which no file may be opened.
        memory: bytes of address space beyond what the process has.
        cpu_s: seconds of work.
        wall_s: seconds, on a machine that may be busy.
    """
    reader, writer = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reader)
        _child(function, writer, work, secret, memory, cpu_s)
    os.close(writer)
    said, hangs = b"", False
    while True:
        left = began + wall_s - time.monotonic()
        ready, _, _ = select.select([reader], [], [], max(0, left))
        part = os.read(reader, 1 << 16) if ready else b""
        if not part:
            hangs = not ready
            break
        said += part
    os.close(reader)
    if hangs:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    lines = said.decode("utf-8", "backslashreplace").split("\0")
    hangs = hangs or -code in (signal.SIGXCPU, signal.SIGALRM)
    outcome = "hang" if hangs else "death" if code else lines[-1]
    return Confined(
        outcome=outcome if outcome != "death" else f"death: {code}",
        did=tuple(lines[:-1]),
        seconds=round(usage.ru_utime + usage.ru_stime, 2),
        megabytes=usage.ru_maxrss >> 10,
    )


def _child(
    function: Callable[[], str], writer: int, work: Path, secret: Path, memory: int, cpu_s: int
) -> NoReturn:
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _drop_capabilities()
        sys.addaudithook(_watch(writer, os.path.realpath(work), os.path.realpath(secret)))
        said = function()
    except BaseException as error:
        said = f"not typed: {error!r}"
    try:
        os.write(writer, said.replace("\0", "\\0").encode("utf-8", "backslashreplace"))
    finally:
        os._exit(0)


def _drop_capabilities() -> None:
    """Root without them may read only what its permissions allow."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc.syscall(126 if os.uname().machine == "x86_64" else 91, header, (ctypes.c_uint32 * 6)())


def _watch(writer: int, work: str, secret: str) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that says what is done where it must not be."""
    inside = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal inside
        if inside or not (event == "open" or event in _CHANGES or event in _PROGRAMS):
            return
        inside = True
        try:
            wrong = event in _PROGRAMS or _touches(event, arguments, work, secret)
            if wrong:
                os.write(writer, f"{event} {arguments!r:.200}\0".encode("utf-8", "replace"))
        finally:
            inside = False

    return hook


def _touches(event: str, arguments: tuple[object, ...], work: str, secret: str) -> bool:
    if event == "open":
        path, _, flags = arguments
        if not isinstance(path, str | bytes):
            return False
        place = os.path.realpath(os.fsdecode(path))
        if place.startswith(secret):
            return True
        writes = isinstance(flags, int) and bool(flags & _WRITES)
        return writes and not place.startswith((work, *_HARMLESS))
    paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes)]
    if event == "os.symlink":
        paths = paths[1:]
    return any(
        os.path.isabs(path) and not os.path.realpath(os.path.dirname(path)).startswith(work)  # noqa: PTH117, PTH120
        for path in paths
    )
