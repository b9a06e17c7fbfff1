"""A process that fuzzes one target for some seconds; it may die, and the input is kept then.

Whatever is found is written into the folder's "findings" at once, and the process goes on. Atheris
leads by coverage where it is installed; Hypothesis leads by the place in the code that refused.

Run as: python -m fuzz.engine.process TARGET FOLDER SECONDS SEED
        python -m fuzz.engine.process TARGET FOLDER replay FILE...
"""

import hashlib
import importlib
import importlib.util
import logging
import random
import shutil
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz.engine.mutate import mutated
from fuzz.engine.target import Run, Target

MAX_BYTES = 1 << 19
MAX_SECONDS, MAX_MEMORY_GB = 5, 4
PACKAGES = ["edgeembed", "edgeembed_runtime", "edgeembed_converters"]


class Recorder:
    """Runs a target, and writes down what must not happen."""

    def __init__(self, run: Run, folder: Path, allowed: type[Exception]) -> None:
        """Open the files that outlive a death: the input at work, and how many there were."""
        self._run, self._allowed = run, allowed
        self._findings = folder / "findings"
        self._findings.mkdir(exist_ok=True)
        self._current = (folder / "current").open("wb", buffering=0)
        self._count = (folder / "count").open("wb", buffering=0)
        self._known: set[str] = set()
        self.executions = 0

    def __call__(self, data: bytes) -> str:
        """Run once; where it was refused, or ""."""
        self._current.seek(0)
        self._current.write(data)
        self._current.truncate()
        self.executions += 1
        self._count.seek(0)
        self._count.write(struct.pack("<Q", self.executions))
        started, place = time.process_time(), ""
        try:
            self._run(data)
        except self._allowed as error:
            place = _place(error)
        except BaseException as error:
            place = f"{type(error).__name__} {_place(error)}"
            self._note(place, data, traceback.format_exc())
        seconds = time.process_time() - started
        if seconds > MAX_SECONDS:
            self._note(f"slow {place}", data, f"took {seconds:.1f} s of work")
        return place

    def _note(self, place: str, data: bytes, what: str) -> None:
        if place not in self._known:
            self._known.add(place)
            # One for each place, also of several processes.
            name = hashlib.sha256(place.encode()).hexdigest()[:16]
            (self._findings / name).write_bytes(data)
            (self._findings / f"{name}.txt").write_text(what, encoding="utf-8", errors="replace")


def _place(error: BaseException) -> str:
    """The innermost line of our code."""
    frames = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if any(f"/{package}/" in frame.filename.replace("\\", "/") for package in PACKAGES)
    ]
    return frames[-1] if frames else ""


def main(name: str, folder: Path, seconds: str, rest: list[str]) -> None:
    """Fuzz, or replay files."""
    logging.disable()
    warnings.simplefilter("ignore")
    if seconds == "replay" or importlib.util.find_spec("atheris") is None:
        target, record = _ready(name, folder)
        if seconds == "replay":
            for file in rest:
                record(Path(file).read_bytes())
        else:
            _by_hypothesis(target, record, folder, float(seconds), int(rest[0]))
        return
    atheris: Any = importlib.import_module("atheris")  # there are no wheels for most machines
    with atheris.instrument_imports(include=PACKAGES):
        target, record = _ready(name, folder)
    _by_atheris(record, folder, float(seconds), int(rest[0]))


def _ready(name: str, folder: Path) -> tuple[Target, Recorder]:
    target: Target = importlib.import_module("fuzz.targets.all").TARGETS[name]
    errors = importlib.import_module("edgeembed_runtime.errors")
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)  # of a process that died, or of another day
    work.mkdir()
    run = target.opened(work)
    _limit_memory()
    return target, Recorder(run, folder, errors.EdgeEmbedError)


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        limit = MAX_MEMORY_GB << 30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _by_atheris(record: Callable[[bytes], str], folder: Path, seconds: float, seed: int) -> None:
    atheris: Any = importlib.import_module("atheris")

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        chance = random.Random(number)
        if chance.random() < 0.3:
            return atheris.Mutate(data, max_size)
        return mutated(data, chance, max_size)

    def once(data: bytes) -> None:
        record(data)

    options = {
        "max_total_time": max(1, round(seconds)),
        "max_len": MAX_BYTES,
        "seed": seed,
        "rss_limit_mb": 0,
        "timeout": 3600,  # the campaign has its own
        "reload": 0,
        "len_control": 0,
        "verbosity": 0,
        "artifact_prefix": f"{folder}/",
    }
    flags = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup(["fuzz", str(folder / "corpus"), *flags], once, custom_mutator=mutate)
    atheris.Fuzz()


def _by_hypothesis(
    target: Target, record: Recorder, folder: Path, seconds: float, seed: int
) -> None:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    del target
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    corpus = [path.read_bytes() for path in sorted((folder / "corpus").iterdir())]
    places = {record(data) for data in corpus}
    ends = time.monotonic() + seconds

    @settings(max_examples=200, database=None, deadline=None, suppress_health_check=checks)
    @given(st.randoms(use_true_random=True))
    def once(chance: random.Random) -> None:
        if time.monotonic() > ends:
            return
        data = mutated(chance.choice(corpus), chance, MAX_BYTES)
        if (place := record(data)) not in places:
            places.add(place)
            corpus.append(data)
            (folder / "corpus" / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    while time.monotonic() < ends:
        seed += 1
        seeded(seed)(once)()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
