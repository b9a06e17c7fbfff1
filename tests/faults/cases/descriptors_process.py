"""A fresh process that makes calls while only a few files can be opened, more each time.

Each call is made with no free descriptor, with one, two, and so on, in this one process, so that
what is imported late is imported then. Afterwards the same object must work.

Run as: python -m faults.cases.descriptors_process CALL FOLDER BUNDLE MOST
"""

import contextlib
import json
import logging
import os
import resource
import shutil
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

from edgeembed import EdgeEmbedError, EmbeddingCache, Encoder, Index, StorageError
from helpers.tiny_images import as_bytes, photo

DIM = 8
VECTORS = np.random.default_rng(1).normal(size=(40, DIM))
KEYS = [str(i) for i in range(40)]
IMAGE = as_bytes(photo())


@contextlib.contextmanager
def free_descriptors(count: int) -> Generator[None]:
    """Let `count` files be opened, and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    names = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(names) + 20, hard))
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def main(call: str, folder: Path, bundle: Path, most: int) -> None:
    logging.disable()
    warnings.simplefilter("error")
    counts: Counter[str] = Counter()
    problems: list[str] = []
    with contextlib.ExitStack() as opened:
        act = CALLS[call](folder, bundle, opened)
        for free in range(most):
            try:
                with free_descriptors(free):
                    act()
                counts["answers"] += 1
            except (StorageError, MemoryError):
                counts["StorageError"] += 1
            except EdgeEmbedError as error:
                counts[type(error).__name__] += 1
            except BaseException:
                problems.append(f"{call} with {free} descriptors: {traceback.format_exc()[-1200:]}")
            try:
                act()
            except BaseException:
                problems.append(f"{call} after {free}: {traceback.format_exc()[-1200:]}")
    print(json.dumps({"counts": counts, "problems": problems}))


Make = Callable[[Path, Path, contextlib.ExitStack], Callable[[], object]]


def _index(action: Callable[[Index, Path], object], mode: str = "r") -> Make:
    def make(folder: Path, bundle: Path, opened: contextlib.ExitStack) -> Callable[[], object]:
        index = opened.enter_context(Index.open(folder / "i", mode=mode))  # type: ignore[arg-type]
        return lambda: action(index, folder)

    return make


def _free(action: Callable[[Path, Path], object]) -> Make:
    return lambda folder, bundle, opened: lambda: action(folder, bundle)


def _encoder(action: Callable[[Encoder], object]) -> Make:
    def make(folder: Path, bundle: Path, opened: contextlib.ExitStack) -> Callable[[], object]:
        encoder = opened.enter_context(Encoder.load(bundle, threads=1))
        return lambda: action(encoder)

    return make


def _new(folder: Path, name: str) -> Path:
    shutil.rmtree(folder / name, ignore_errors=True)
    return folder / name


def _create(folder: Path, bundle: Path) -> None:
    Index.create(_new(folder, "new"), dim=DIM).close()


def _open(folder: Path, mode: str) -> None:
    Index.open(folder / "i", mode=mode).close()  # type: ignore[arg-type]


def _load(folder: Path, bundle: Path) -> None:
    with Encoder.load(bundle, threads=1, verify="golden") as encoder:
        encoder.encode(["cat", "dog"])


def _cache(folder: Path, bundle: Path) -> None:
    cache = EmbeddingCache(folder / "cache")
    len(cache)
    cache.close()


def _cached(folder: Path, bundle: Path, opened: contextlib.ExitStack) -> Callable[[], object]:
    cache = EmbeddingCache(folder / "cache")
    encoder = opened.enter_context(Encoder.load(bundle, threads=1, cache=cache))

    def act() -> None:
        encoder.encode(["cat", "dog"])
        cache.close()

    return act


def _verified(index: Index, folder: Path) -> None:
    report = index.verify()
    assert report.ok, report.problems


def _repaired(folder: Path, bundle: Path) -> None:
    report = Index.repair(folder / "i", _new(folder, "saved"))
    assert not (report.lost or report.approximate or report.encoded), report


CALLS: dict[str, Make] = {
    "create": _free(_create),
    "open for reading": _free(lambda folder, _: _open(folder, "r")),
    "open for writing": _free(lambda folder, _: _open(folder, "rw")),
    "search": _index(lambda index, _: index.search(VECTORS[0])),
    "search for words": _index(lambda index, _: index.search("stone", mode="keyword")),
    "get": _index(lambda index, _: (index.get(KEYS), index.vectors(KEYS), list(index.keys()))),
    "batches": _index(lambda index, _: list(index.batches(7, where={"n": {"$gt": 3}}))),
    "stats": _index(lambda index, _: index.stats()),
    "verify": _index(_verified),
    "backup": _index(lambda index, folder: index.backup(_new(folder, "copy"))),
    "repair": _free(_repaired),
    "upsert": _index(lambda index, _: index.upsert(KEYS[:3], vectors=VECTORS[:3]), "rw"),
    "delete": _index(lambda index, _: index.delete(KEYS[-1]), "rw"),
    "compact": _index(lambda index, _: index.compact(), "rw"),
    "load": _free(_load),
    "encode": _encoder(lambda encoder: encoder.encode(["cat", "a dog"])),
    "encode one": _encoder(lambda encoder: encoder.encode("cat")),
    "encode int8": _encoder(lambda encoder: encoder.encode("cat", precision="int8")),
    "encode an image": _encoder(lambda encoder: encoder.encode_image([IMAGE, IMAGE])),
    "self test": _encoder(lambda encoder: encoder.self_test()),
    "chunk": _encoder(lambda encoder: encoder.chunk("cat. " * 90)),
    "open a cache": _free(_cache),
    "encode with a cache": _cached,
}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
