"""The relative speed of two models on this machine, measured in alternation."""

import platform
import statistics
import time
from collections.abc import Callable, Sequence

from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.engine.cpu import cpu_features
from edgeembed_runtime.inputs.text.truncation import ignore_truncation

_ROUNDS = 5


def speedup(fast: Engine, base: Engine, texts: Sequence[str]) -> float:
    """How many times as fast as `base` an engine encodes `texts`; see `median_ratio`."""
    return median_ratio(lambda: _encode(base, texts), lambda: _encode(fast, texts))


def median_ratio(slow: Callable[[], object], fast: Callable[[], object]) -> float:
    """Median ratio of the times of two calls, made in alternation after a warm-up."""
    for each in (slow, fast):
        each()
    ratios = [_seconds(slow) / _seconds(fast) for _ in range(_ROUNDS)]
    return round(statistics.median(ratios), 2)


def this_machine() -> str:
    """The processor in a few words, for the manifest's `measured_on`."""
    return f"{platform.machine()} ({', '.join(sorted(cpu_features())) or 'features unknown'})"


def _encode(engine: Engine, texts: Sequence[str]) -> None:
    for _ in engine.encode_many(enumerate(texts), ignore_truncation):
        pass


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
