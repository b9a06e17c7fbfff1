"""Measures one variant in the current process."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from edgeembed.bench.inputs import HEIGHT, WIDTH, images_of, texts_of
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.memory import resident_bytes

T = TypeVar("T")
LENGTHS = (16, 64, 256)
_QUERY_TOKENS = 12
_INPUTS_PER_THREAD = 16
_SINGLE = 50
_MAX_SINGLE_RUNS = 200


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Figures of one variant in one process.

    `per_second` is the throughput of lists by what they hold, such as "texts of 16 tokens". The
    percentiles are latencies of single short texts or images. `resident_mb` is the memory of the
    process at the end.
    """

    per_second: dict[str, float]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    resident_mb: float


def measure_texts(encoder: Encoder, seconds: float) -> Speed:
    """Measure for about `seconds` at each text length, and for single texts."""
    count = _INPUTS_PER_THREAD * encoder.threads
    rates: dict[str, float] = {}
    for length in sorted({min(length, encoder.max_tokens) for length in LENGTHS}):
        texts = texts_of(encoder, length, count)
        rates[f"texts of {length} tokens"] = _per_second(encoder.encode, texts, seconds)
    short = texts_of(encoder, min(_QUERY_TOKENS, encoder.max_tokens), _SINGLE)
    return _speed(rates, encoder.encode, short, seconds)


def measure_images(encoder: Encoder, seconds: float) -> Speed:
    """Measure for about `seconds` with lists of JPEG files, and with single ones."""
    images = images_of(_INPUTS_PER_THREAD * encoder.threads)
    name = f"images of {WIDTH} x {HEIGHT}"
    rates = {name: _per_second(encoder.encode_image, images, seconds)}
    return _speed(rates, encoder.encode_image, images, seconds)


def _per_second(
    encode: Callable[[Sequence[T]], object], inputs: Sequence[T], seconds: float
) -> float:
    encode(inputs)
    rates: list[float] = []
    began = time.perf_counter()
    while not rates or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        encode(inputs)
        rates.append(len(inputs) / (time.perf_counter() - start))
    return round(float(np.median(rates)), 1)


def _speed(
    rates: dict[str, float], encode: Callable[[T], object], inputs: Sequence[T], seconds: float
) -> Speed:
    for each in inputs:
        encode(each)
    times: list[float] = []
    began = time.perf_counter()
    for each in itertools.cycle(inputs):
        start = time.perf_counter()
        encode(each)
        times.append((time.perf_counter() - start) * 1e3)
        if len(times) >= _MAX_SINGLE_RUNS or time.perf_counter() - began > max(seconds, 0.1):
            break
    p50, p95, p99 = (round(float(each), 2) for each in np.percentile(times, [50, 95, 99]))
    return Speed(
        per_second=rates,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        resident_mb=round(resident_bytes() / 1e6, 1),
    )
