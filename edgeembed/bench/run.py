"""Benchmarks a bundle variant by variant, each in its own processes."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeembed.bench.measure import Speed
from edgeembed.bench.worker import READY
from edgeembed_runtime.bundle import Modality
from edgeembed_runtime.errors import EdgeEmbedError

_COLD_STARTS = 3


@dataclass(frozen=True, kw_only=True)
class VariantSpeed:
    """Figures of one variant; `cold_start_ms` is from process start to the first vector."""

    kind: Modality
    variant: str
    file_mb: float
    cold_start_ms: float
    speed: Speed


def bench_variant(
    path: Path,
    kind: Modality,
    variant: str,
    size: int,
    seconds: float,
    on_step: Callable[[str], None],
) -> VariantSpeed:
    """Measure one variant of one tower of the bundle at `path`; its file has `size` bytes.

    Raises:
        EdgeEmbedError: a worker process failed; the message has its last line of output.
    """
    on_step(f"{variant}: cold start")
    with _worker(path, kind, variant, 0) as (_, _):  # the first run warms the disk cache
        pass
    cold: list[float] = []
    for _ in range(_COLD_STARTS):
        with _worker(path, kind, variant, 0) as (ready_s, _):
            cold.append(ready_s * 1e3)
    on_step(f"{variant}: throughput and latency")
    with _worker(path, kind, variant, seconds) as (_, output):
        speed = Speed(**json.loads(output))
    return VariantSpeed(
        kind=kind,
        variant=variant,
        file_mb=round(size / 1e6, 1),
        cold_start_ms=round(statistics.median(cold), 1),
        speed=speed,
    )


@contextmanager
def _worker(
    path: Path, kind: Modality, variant: str, seconds: float
) -> Generator[tuple[float, str]]:
    """Run a worker to its end: seconds until it was ready, and its output after that."""
    command = [sys.executable, "-m", "edgeembed.bench.worker"]
    command += [str(path), kind, variant, str(seconds)]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        ready_s = time.perf_counter() - began
        output, errors = process.communicate()
        if first != READY or process.returncode:
            words = (errors.strip() or "no message").splitlines()[-1]
            raise EdgeEmbedError(f"bench of {variant}: the process failed: {words}")
        yield ready_s, output
    finally:
        process.kill()
        process.wait()
