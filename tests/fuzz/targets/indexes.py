"""An index: its catalog, its segments, and what is asked of it; and the cache of vectors."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed import EmbeddingCache, Index
from fuzz.engine.target import Run, Target

# Their files have the same names in every run, so that what is kept stays of use.
_BASES = sorted(
    path
    for path in (Path(__file__).parents[2] / "runtime/golden/index-format-2").iterdir()
    if path.name in ("annoy", "faiss", "usearch")
)
_DIM = 8
_CATALOG = "edgeembed.sqlite3"
_WHERES = (
    {"n": 3},
    {"n": {"$lt": 40, "$gte": 2}},
    {"$and": [{"n": {"$in": [1, 2]}}, {"$not": {"a.b": {"$exists": True}}}]},
    {"$or": [{"n": {"$ne": None}}, {"t": {"$gt": "x"}}]},
)
_QUERIES = (
    "river stone",
    '"river stone" -cloud',
    'a OR b NEAR(c, 3) * : ^ "',
    "𝔲𝔫𝔦 naïve Straße 東京 עברית",
    "-" * 30 + '"' * 9,
)


def _asked(folder: Path) -> None:
    with Index.open(folder) as index:
        index.verify()
        index.stats()
        query = np.linspace(-1, 1, min(index.dim, 4096))
        index.search(query, 5)
        index.search(query, 5, exact=True, where={"n": {"$lt": 40}})
        index.search("river", 5, mode="keyword")
        index.get(["1", "149"])


def _catalogs(work: Path) -> Sequence[bytes]:
    """The first byte says which index it is."""
    del work
    return [bytes([n]) + (base / _CATALOG).read_bytes() for n, base in enumerate(_BASES)]


def _catalog(work: Path) -> Run:
    def run(data: bytes) -> None:
        copy = _copied(data, work)
        (copy / _CATALOG).write_bytes(data[1:])
        _asked(copy)

    return run


def _copied(data: bytes, work: Path) -> Path:
    copy = work / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(_BASES[(data or bytes(1))[0] % len(_BASES)], copy)
    return copy


def _segment_files(base: Path) -> list[Path]:
    return sorted((base / "seg").iterdir())


def _segments(work: Path) -> Sequence[bytes]:
    """The first two bytes say which file of which index it is."""
    del work
    return [
        bytes((which, number)) + file.read_bytes()
        for which, base in enumerate(_BASES)
        for number, file in enumerate(_segment_files(base))
    ]


def _segment(work: Path) -> Run:
    def run(data: bytes) -> None:
        copy, content = _copied(data, work), data[2:]
        files = _segment_files(copy)
        file = files[(data + b"\0\0")[1] % len(files)]
        file.write_bytes(content)
        connection = sqlite3.connect(copy / _CATALOG, isolation_level=None)
        connection.execute(
            "UPDATE segfile SET sha256 = ?, bytes = ? WHERE name = ?",
            (hashlib.sha256(content).hexdigest(), len(content), file.name),
        )
        connection.close()
        _asked(copy)

    return run


def _where(work: Path) -> Run:
    index = Index.open(_copied(b"", work))
    query = np.ones(index.dim)

    def run(data: bytes) -> None:
        try:
            where = json.loads(data)
        except (ValueError, RecursionError):
            return
        index.search(query, 3, where=where)

    return run


def _query(work: Path) -> Run:
    index = Index.open(_copied(b"", work))

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape" if data[:1] == b"\xed" else "replace")
        index.search(text, 3, mode="keyword")

    return run


def _caches(work: Path) -> Sequence[bytes]:
    with_rows = EmbeddingCache(work / "cache.sqlite3")
    _through(with_rows)
    with_rows.close()
    return [(work / "cache.sqlite3").read_bytes()]


def _through(cache: EmbeddingCache) -> None:
    for texts in (["a", "b"], ["b", "c"]):
        found = cache.through("model", enumerate(texts), _encoded, window=8, dim=_DIM, unit=False)
        assert np.isfinite(list(found)).all()


def _encoded(texts: Iterable[object]) -> Iterator[NDArray[np.float32]]:
    return (np.ones(_DIM, np.float32) for _ in texts)


def _cache(work: Path) -> Run:
    path = work / "cache.sqlite3"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        cache = EmbeddingCache(path)
        try:
            _through(cache)
        finally:
            cache.close()

    return run


INDEX_TARGETS = (
    Target(name="catalog", seeds=_catalogs, opened=_catalog),
    Target(name="segment", seeds=_segments, opened=_segment),
    Target(name="where", seeds=lambda _: [json.dumps(w).encode() for w in _WHERES], opened=_where),
    Target(name="query", seeds=lambda _: [q.encode() for q in _QUERIES], opened=_query),
    Target(name="cache", seeds=_caches, opened=_cache),
)
