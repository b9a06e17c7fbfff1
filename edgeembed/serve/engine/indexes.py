"""Mounted indexes: read at their newest generation, written one commit at a time."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeembed.serve.base.errors import InvalidRequestError, OverloadedError, UnknownModelError
from edgeembed.serve.base.jobs import DeleteJob, Found, SearchJob, ServedIndex, UpsertJob
from edgeembed.serve.engine.estimate import Rate
from edgeembed.serve.engine.model import Model
from edgeembed.serve.engine.models import Models
from edgeembed.serve.engine.runners import ServedEncoder
from edgeembed.serve.engine.work import Slice
from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexReadOnlyError,
    IndexReplacedError,
    SearchIndexError,
)
from edgeembed_runtime.index.index import Index

T = TypeVar("T")
_SEARCH_SECONDS = 0.01
# Writes that may wait for the one that runs.
_MAX_WRITES = 32
_LOCK_TIMEOUT_S = 0.5


class LentEncoder:
    """What an index needs of a model, which is loaded only while requests hold it."""

    def __init__(self, model: Model) -> None:
        """The model need not be loaded."""
        self._model = model

    @property
    def dim(self) -> int:
        """Components per vector."""
        return self._model.manifest.dim

    @property
    def space(self) -> str:
        """The fingerprint of its vectors' space."""
        return self._model.manifest.space

    @property
    def similarity_name(self) -> str:
        """How its vectors are compared."""
        return self._model.manifest.similarity

    @property
    def normalized(self) -> bool:
        """Whether its vectors have unit length."""
        return self._model.manifest.normalized

    @property
    def search_profile(self) -> SearchProfile:
        """How to search with it."""
        return self._model.manifest.search or SearchProfile()

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text has a token that the model knows."""
        return self._encoder.knows(texts)

    def encode_query(self, inputs: str | Sequence[str]) -> NDArray[np.float32]:
        """See `Encoder.encode_query`."""
        return self._encoder.encode_query(inputs)

    def encode_document(self, inputs: str | Sequence[str]) -> NDArray[np.float32]:
        """See `Encoder.encode_document`."""
        return self._encoder.encode_document(inputs)

    @property
    def _encoder(self) -> ServedEncoder:
        loaded = self._model.loaded
        if loaded is None:
            raise EdgeEmbedError(f"model {self._model.name}: it is not loaded")
        return loaded.encoder


class Mounted:
    """A mounted index. Opened when first used, and again after it was replaced. Thread-safe."""

    def __init__(self, name: str, path: Path, models: Models, *, writable: bool) -> None:
        """Opens nothing yet."""
        self.name = name
        self.path = path
        self.writable = writable
        self.rate: Rate = Rate(_SEARCH_SECONDS)
        self.writes: asyncio.Lock = asyncio.Lock()
        self.writers = 0
        self._models = models
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._model: Model | None = None

    @property
    def model(self) -> Model | None:
        """The served model of its space; None if there is none, or it was not opened yet."""
        return self._model

    def read(self, action: Callable[[Index], T]) -> T:
        """Run `action` on the newest generation.

        Raises:
            SearchIndexError, StorageError: the index cannot be read.
        """
        try:
            index = self._opened()
            index.refresh()
            return action(index)
        except (IndexReplacedError, IndexReadOnlyError):  # another is there, or it was closed
            self.close()
            return action(self._opened())
        except SearchIndexError:
            self.close()  # so that a repaired one is read
            raise

    def write(self, action: Callable[[Index], T]) -> T:
        """Run `action` on the index opened for writing.

        Raises:
            IndexReadOnlyError: the server does not write to it.
            SearchIndexError, StorageError: it cannot be written; locked by another, damaged, full.
        """
        if not self.writable:
            raise IndexReadOnlyError(
                f"index {self.name}: it is served for reading only; start with --writable"
            )
        encoder = None if self._model is None else LentEncoder(self._model)
        with Index.open(
            self.path, mode="rw", encoder=encoder, lock_timeout_s=_LOCK_TIMEOUT_S
        ) as index:
            return action(index)

    def described(self) -> ServedIndex:
        """What is known of it; raises like `read`."""
        passages, dim = self.read(lambda index: (len(index), index.dim))
        return ServedIndex(
            name=self.name,
            passages=passages,
            dim=dim,
            model=None if self._model is None else self._model.name,
            writable=self.writable,
        )

    def close(self) -> None:
        """Release its files, until it is used again."""
        with self._lock:
            index, self._index = self._index, None
        if index is not None:
            index.close()

    def _opened(self) -> Index:
        with self._lock:
            if self._index is None:
                with contextlib.closing(Index.open(self.path)) as index:
                    self._model = self._models.of_space(index.space)
                encoder = None if self._model is None else LentEncoder(self._model)
                self._index = Index.open(self.path, encoder=encoder)
            return self._index


class SearchRunner:
    """Searches of one index."""

    limit = 1
    joins = False

    def __init__(self, mounted: Mounted) -> None:
        """For one index."""
        self._mounted = mounted

    def run(self, slices: Sequence[Slice], *, alone: bool) -> None:
        """See `Runner`."""
        del alone
        for piece in slices:
            for row in range(piece.start, piece.stop):
                began = time.perf_counter()
                search = partial(_search, job=piece.work.inputs[row])
                piece.work.outputs[row] = self._mounted.read(search)
                self._mounted.rate.learn(time.perf_counter() - began, 1)


def _search(index: Index, job: SearchJob) -> Sequence[Found]:
    query: Any = np.asarray(job.vector, np.float32) if job.query is None else job.query
    hits = index.search(query, job.k, where=job.where, mode=job.mode, exact=job.exact)
    return [
        Found(key=hit.key, score=hit.score, document=hit.document, metadata=hit.metadata)
        for hit in hits
    ]


class Indexes:
    """Mounted indexes by name, the default first."""

    def __init__(self, mounted: Sequence[Mounted]) -> None:
        """Opens none yet."""
        self.by_name: Mapping[str, Mounted] = {each.name: each for each in mounted}
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="serve-index")

    def named(self, name: str | None) -> Mounted:
        """The index of a name; the first for None.

        Raises:
            UnknownModelError: there is none.
        """
        first = next(iter(self.by_name), None)
        found = self.by_name.get(first if name is None else name) if first else None
        if found is None:
            known = ", ".join(self.by_name) or "none, for none is mounted: start with --index DIR"
            asked = "one" if name is None else f"{name!r:.100}"
            raise UnknownModelError(f"index: expected {known}, got {asked}")
        return found

    async def in_thread(self, action: Callable[[], T]) -> T:
        """Run `action` beside the event loop, to its end even if the caller goes."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._threads, action))

    async def write(self, mounted: Mounted, action: Callable[[Index], T]) -> T:
        """Run `action` on an index opened for writing, one after another.

        Raises:
            OverloadedError: too many wait.
            SearchIndexError, StorageError: see `Mounted.write`.
        """
        if mounted.writers >= _MAX_WRITES:
            raise OverloadedError(
                f"index {mounted.name}: {mounted.writers} writes wait; try again", retry_after=1
            )
        mounted.writers += 1
        try:
            async with mounted.writes:
                return await self.in_thread(lambda: mounted.write(action))
        finally:
            mounted.writers -= 1

    def close(self) -> None:
        """Wait for writes, and close all."""
        self._threads.shutdown()
        for each in self.by_name.values():
            each.close()


def upserted(
    index: Index, job: UpsertJob, vectors: NDArray[np.float32] | None, encoder: ServedEncoder | None
) -> int:
    """Store documents with their vectors; of words that the model does not know, with none."""
    rows: list[NDArray[np.float32] | None] | None = None
    if vectors is not None and encoder is not None:
        known = encoder.knows(job.documents)
        rows = [row if is_known else None for row, is_known in zip(vectors, known, strict=True)]
    index.upsert(job.keys, documents=job.documents, vectors=rows, metadatas=job.metadatas)
    return len(set(job.keys))


def deleted(index: Index, job: DeleteJob) -> int:
    """Delete by keys, or by a filter."""
    if (job.keys is None) == (job.where is None):
        raise InvalidRequestError("keys: expected keys or where, and not both", param="keys")
    return index.delete(job.keys, where=job.where)
