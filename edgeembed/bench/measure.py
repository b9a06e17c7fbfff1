"""What is measured of one variant, in the process that this runs in."""

import itertools
import time
from dataclasses import dataclass

import numpy as np

from edgeembed.bench.texts import texts_of
from edgeembed_runtime.encoder import Encoder
from edgeembed_runtime.engine.memory import resident_bytes

LENGTHS = (16, 64, 256)
_QUERY_TOKENS = 12
_TEXTS_PER_THREAD = 16
_QUERIES = 200


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Figures of one variant, in one process.

    `texts_per_second` is by the tokens of a text, of lists. The milliseconds are of a short text
    alone. `resident_mb` is the whole process, after all that.
    """

    texts_per_second: dict[int, float]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    resident_mb: float


def measure(encoder: Encoder, seconds: float) -> Speed:
    """Measure an encoder for about `seconds` at each length and for single texts."""
    lengths = sorted({min(length, encoder.max_tokens) for length in LENGTHS})
    rates = {length: _texts_per_second(encoder, length, seconds) for length in lengths}
    p50, p95, p99 = _percentiles(encoder, seconds)
    return Speed(
        texts_per_second=rates,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        resident_mb=round(resident_bytes() / 1e6, 1),
    )


def _texts_per_second(encoder: Encoder, tokens: int, seconds: float) -> float:
    texts = texts_of(encoder, tokens, _TEXTS_PER_THREAD * encoder.threads)
    encoder.encode(texts)
    rates: list[float] = []
    began = time.perf_counter()
    while not rates or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        encoder.encode(texts)
        rates.append(len(texts) / (time.perf_counter() - start))
    return round(float(np.median(rates)), 1)


def _percentiles(encoder: Encoder, seconds: float) -> tuple[float, float, float]:
    texts = texts_of(encoder, min(_QUERY_TOKENS, encoder.max_tokens), 50)
    for text in texts:
        encoder.encode(text)
    times: list[float] = []
    began = time.perf_counter()
    for text in itertools.cycle(texts):
        start = time.perf_counter()
        encoder.encode(text)
        times.append((time.perf_counter() - start) * 1e3)
        if len(times) >= _QUERIES or time.perf_counter() - began > max(seconds, 0.1):
            break
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return round(float(p50), 2), round(float(p95), 2), round(float(p99), 2)
