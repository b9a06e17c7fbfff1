"""Running a function in a process of its own, with limits of memory and time.

What goes wrong there, even by a signal, goes wrong there alone.
"""

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass

_GB = 1 << 30
# What Python, numpy and onnxruntime reserve, most of it never used, and a model's copies.
_RESERVED_BYTES, _COPIES = 4 * _GB, 8
_SECONDS, _BYTES_PER_SECOND = 30, 20 << 20
_RUN = "import sys; from {} import main; main(*sys.argv[1:])"


class LimitedProcessError(Exception):
    """The function raised, or its process died; says which."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a process: bytes of its address space (not on Windows), and seconds."""

    memory: int
    seconds: int

    @classmethod
    def for_bytes(cls, size: int) -> "Limits":
        """What loading files of a size in bytes takes, and far more."""
        return cls(
            memory=_RESERVED_BYTES + _COPIES * size, seconds=_SECONDS + size // _BYTES_PER_SECOND
        )


def run_limited(function: str, argument: str, limits: Limits) -> str:
    """Call "module:function" with a text in a new process; return the text that it returns.

    Raises:
        LimitedProcessError: it raised, exceeded a limit, or there is no Python to run it.
    """
    if not sys.executable:
        raise LimitedProcessError("this program has no Python interpreter to start")
    command = [sys.executable, "-c", _RUN.format(__name__)]
    command += [function, argument, str(limits.memory), str(limits.seconds)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LimitedProcessError(f"more than {limits.seconds} seconds") from error
    except OSError as error:
        raise LimitedProcessError(f"no process could be started: {error.strerror}") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        what = f"signal {-done.returncode}" if done.returncode < 0 else last[0]
        raise LimitedProcessError(f"{what:.500}")
    return done.stdout.decode(errors="replace").strip().splitlines()[-1]


def main(function: str, argument: str, memory: str, seconds: str) -> None:
    """The new process: set the limits, call the function, print what it returns."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, name = function.partition(":")
    try:
        sys.stdout.write(f"{getattr(importlib.import_module(module), name)(argument)}\n")
    except BaseException as error:  # the text of any error is the outcome
        sys.stderr.write(f"{type(error).__name__}: {error}".replace("\n", " ") + "\n")
        sys.exit(1)
