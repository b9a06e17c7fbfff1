"""An ordered thread pool: results in order, bounded memory, stops at the first error."""

import contextlib
import ctypes
import itertools
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from edgeembed_runtime.errors import EdgeEmbedError

T = TypeVar("T")
R = TypeVar("R")

# Pending jobs per thread; enough to keep threads busy while the caller consumes results.
_AHEAD_PER_THREAD = 8
_NICE = 10
# winnt.h; sys/qos.h: QOS_CLASS_BACKGROUND.
_THREAD_PRIORITY_BELOW_NORMAL = -1
_QOS_CLASS_BACKGROUND = 0x09


class WorkerPool:
    """An engine's thread pool."""

    def __init__(self, threads: int, *, low_priority: bool = False) -> None:
        """Start up to `threads` threads, each when first needed."""
        self.threads = threads
        self._closed = False
        self._executor = ThreadPoolExecutor(
            threads,
            thread_name_prefix="edgeembed",
            initializer=_lower_thread_priority if low_priority else None,
        )

    def call(self, function: Callable[[T], R], item: T) -> R:
        """Run function(item) on one of the threads and return its result."""
        return next(self.map(function, [item]))

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        first: int | None = None,
        ahead: int = 0,
    ) -> Iterator[R]:
        """Yield function(item) for every item, in order; see `map_ordered`.

        `first` jobs are queued at once (by default a few per thread), later up to `ahead`.

        Raises:
            EdgeEmbedError: the pool was closed meanwhile, or the process was forked.
        """
        initial = first or self.threads * _AHEAD_PER_THREAD
        try:
            yield from map_ordered(
                function, items, self._executor, first=initial, ahead=max(initial, ahead)
            )
        except (CancelledError, RuntimeError) as error:  # raised by an executor after shutdown
            if not self._closed:
                raise
            raise EdgeEmbedError("the encoder was closed while it was encoding") from error

    def close(self) -> None:
        """Stop the threads; pending jobs are dropped."""
        self._closed = True
        self._executor.shutdown(wait=True, cancel_futures=True)


def map_ordered(
    function: Callable[[T], R],
    items: Iterable[T],
    pool: ThreadPoolExecutor,
    *,
    first: int,
    ahead: int,
) -> Iterator[R]:
    """Yield function(item) for every item, in order, with a bounded number of pending jobs.

    `items` may be endless: `first` of them are read at once, then two more per result until `ahead`
    are pending. If a job or `items` raises, the results before it come first. After an error, or
    when the consumer stops early, pending jobs are dropped and running ones are awaited.

    Raises:
        EdgeEmbedError: the process was forked meanwhile; the child has none of the threads.
    """
    process = os.getpid()
    jobs = _submitted(function, items, pool)
    waiting: deque[Future[R]] = deque()
    try:
        waiting.extend(itertools.islice(jobs, first))
        while waiting:
            if os.getpid() != process:
                raise EdgeEmbedError(
                    "this stream of vectors belongs to the parent process; start a new one after "
                    "a fork"
                )
            result = waiting.popleft().result()
            waiting.extend(itertools.islice(jobs, min(2, ahead - len(waiting))))
            yield result
    finally:
        if os.getpid() == process:
            wait([future for future in waiting if not future.cancel()])


def _submitted(
    function: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor
) -> Iterator[Future[R]]:
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:  # raised after the results before it
        failed: Future[R] = Future()
        failed.set_exception(error)
        yield failed


def _lower_thread_priority() -> None:
    """Lower the calling thread's priority; a no-op where that is not possible.

    Linux: per-thread niceness. macOS: quality of service. Windows: thread priority.
    """
    with contextlib.suppress(AttributeError, OSError):
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        elif sys.platform == "darwin":
            ctypes.CDLL(None).pthread_set_qos_class_self_np(_QOS_CLASS_BACKGROUND, 0)
        elif sys.platform == "win32":
            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _THREAD_PRIORITY_BELOW_NORMAL)
