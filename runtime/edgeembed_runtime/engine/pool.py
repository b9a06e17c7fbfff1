"""Running many small jobs on a few threads: order kept, memory flat, the first error ends it."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Jobs that wait ahead of the threads; enough that none idles while the caller takes results.
_AHEAD_PER_THREAD = 8


def map_ordered(
    function: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor, threads: int
) -> Iterator[R]:
    """Yield function(item) for every item, in order, with a bounded number of jobs under way.

    `items` may be endless: it is read only a little ahead. When a job or `items` itself raises,
    the results before it are given first. Then, or when the consumer stops early, jobs that have
    not started are dropped and the running ones are waited for.
    """
    jobs = _submitted(function, items, pool)
    waiting: deque[Future[R]] = deque()
    try:
        waiting.extend(itertools.islice(jobs, threads * _AHEAD_PER_THREAD))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(itertools.islice(jobs, 1))
            yield result
    finally:
        wait([future for future in waiting if not future.cancel()])


def _submitted(
    function: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor
) -> Iterator[Future[R]]:
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:  # it comes out in its turn
        failed: Future[R] = Future()
        failed.set_exception(error)
        yield failed
