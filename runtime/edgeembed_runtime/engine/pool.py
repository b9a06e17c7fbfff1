"""Running many small jobs on a few threads: order kept, memory flat, the first error ends it."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Jobs that wait ahead of the threads; enough that none idles while the caller takes results.
_AHEAD_PER_THREAD = 8


def map_ordered(
    function: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor, threads: int
) -> Iterator[R]:
    """Yield function(item) for every item, in order, with a bounded number of jobs under way.

    `items` may be endless: it is read only a little ahead. When a job raises, or the consumer
    stops early, jobs that have not started are dropped and the running ones are waited for.
    """
    iterator = iter(items)
    waiting: deque[Future[R]] = deque(
        pool.submit(function, item)
        for item in itertools.islice(iterator, threads * _AHEAD_PER_THREAD)
    )
    try:
        while waiting:
            result = waiting.popleft().result()
            for item in itertools.islice(iterator, 1):
                waiting.append(pool.submit(function, item))
            yield result
    finally:
        for future in waiting:
            future.cancel()
