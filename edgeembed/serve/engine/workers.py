"""The threads that run work."""

import logging
import threading
import time

from edgeembed.serve.base.errors import UnavailableError
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.engine.queue import WorkQueue
from edgeembed.serve.engine.work import Part
from edgeembed_runtime.errors import EdgeEmbedError, InferenceError

_LOG = logging.getLogger("edgeembed.serve")


class Workers:
    """Threads that take work off a queue: one for each CPU, and the spare one."""

    def __init__(self, queue: WorkQueue, threads: int, meters: Meters) -> None:
        """Start them."""
        self._queue = queue
        self._meters = meters
        self._threads = [
            threading.Thread(
                target=self._work, args=(n == threads,), name=f"serve-{n}", daemon=True
            )
            for n in range(threads + 1)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop them, each after the part that it runs."""
        self._queue.close()
        for thread in self._threads:
            thread.join()

    def _work(self, spare: bool) -> None:
        while (part := self._queue.take(spare=spare)) is not None:
            now = time.monotonic()
            for piece in part.slices:
                if piece.start == 0:
                    self._meters.waited(piece.work.lane, now - piece.work.entered)
            _run(part)
            self._queue.finished(part)


def _run(part: Part) -> None:
    try:
        part.slices[0].work.runner.run(part.slices, alone=part.alone)
    except EdgeEmbedError as error:
        _fail(part, error)
    except MemoryError:
        _fail(part, UnavailableError("the server is out of memory; try again, or send less"))
    except Exception as error:
        _LOG.exception("a run failed")
        _fail(part, InferenceError(f"the run failed: {type(error).__name__}"))


def _fail(part: Part, error: Exception) -> None:
    for piece in part.slices:
        piece.work.error = error
