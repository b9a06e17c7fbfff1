"""Several processes that serve one socket, each replaced if it dies."""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Generator
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

_LOG = logging.getLogger("edgeembed.serve")
_LOOK_S = 0.5
_RESTART_S = 1.0
# Beyond the time that a process takes to stop by itself.
_KILL_S = 5.0
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

Worker = Callable[[socket.socket], None]


def run_processes(count: int, worker: Worker, bound: socket.socket, *, stop_s: float) -> None:
    """Run `worker` in `count` processes until a signal says to stop; it must be picklable."""
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        del number, frame
        stopping = True

    with _metrics_folder(), _signals(stop):
        processes = [_started(worker, bound) for _ in range(count)]
        while not stopping:
            wait([each.sentinel for each in processes], timeout=_LOOK_S)
            for n, process in enumerate(processes):
                if not process.is_alive() and not stopping:
                    _LOG.error("a process ended with code %s; another begins", process.exitcode)
                    time.sleep(_RESTART_S)
                    processes[n] = _started(worker, bound)
        for process in processes:
            process.terminate()
        until = time.monotonic() + stop_s + _KILL_S
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()


def _started(worker: Worker, bound: socket.socket) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=worker, args=(bound,))
    process.start()
    return process


@contextlib.contextmanager
def _metrics_folder() -> Generator[None]:
    """Where the processes put their metrics, so that each can tell those of all."""
    with tempfile.TemporaryDirectory(prefix="edgeembed-metrics-") as folder:
        os.environ[_METRICS_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_METRICS_FOLDER]


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    # Whoever else is told of signals would not wait for the processes.
    told = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(told)
        for number, old in before.items():
            signal.signal(number, old)
