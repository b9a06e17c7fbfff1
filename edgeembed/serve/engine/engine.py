"""The engine behind the APIs: checks jobs, lets them wait their turn, puts answers together."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from edgeembed.serve.base.errors import DeadlineError, InvalidRequestError, TooLargeError
from edgeembed.serve.base.jobs import (
    Caller,
    DeleteJob,
    Embedded,
    EmbedJob,
    Found,
    Lane,
    Reranked,
    RerankJob,
    SearchJob,
    ServedIndex,
    ServedModel,
    Token,
    TokenVectors,
    UpsertJob,
)
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.engine.estimate import estimated_tokens
from edgeembed.serve.engine.indexes import Indexes, SearchRunner, deleted, upserted
from edgeembed.serve.engine.model import Model
from edgeembed.serve.engine.models import Models
from edgeembed.serve.engine.queue import WorkQueue
from edgeembed.serve.engine.runners import Encoded, Text
from edgeembed.serve.engine.work import Runner, Work
from edgeembed_runtime import vectors as vec
from edgeembed_runtime.errors import EdgeEmbedError, InputError
from edgeembed_runtime.inputs.text.truncation import Truncation

# What an image counts as where texts count by their tokens.
_TOKENS_PER_IMAGE = 128
# What a search counts as, for the lanes.
_SEARCH_TOKENS = 64


class ServeEngine:
    """See `edgeembed.serve.base.jobs.Engine`. Only the event loop calls it."""

    def __init__(
        self,
        settings: ServeSettings,
        models: Models,
        indexes: Indexes,
        queue: WorkQueue,
        meters: Meters,
    ) -> None:
        """Put its parts together; see `edgeembed.serve.engine.start`."""
        self._settings = settings
        self._models = models
        self._indexes = indexes
        self._queue = queue
        self._meters = meters

    def models(self) -> Sequence[ServedModel]:
        """See `Engine`."""
        return self._models.described()

    def indexes(self) -> Sequence[ServedIndex]:
        """See `Engine`; those that can be read."""
        found: list[ServedIndex] = []
        for mounted in self._indexes.by_name.values():
            try:
                found.append(mounted.described())
            except EdgeEmbedError:
                continue
        return found

    async def embed(self, job: EmbedJob, caller: Caller) -> Embedded:
        """See `Engine`."""
        model = self._models.named(job.model)
        dim = model.manifest.dim
        if job.dimensions is not None:
            try:
                vec.check_truncate_dim(job.dimensions, dim)
            except InputError as error:
                raise InvalidRequestError(
                    f"dimensions: expected 1 to {dim}, got {job.dimensions}", param="dimensions"
                ) from error
        if job.normalize is False and model.manifest.normalized:
            raise InvalidRequestError(
                "normalize: expected true, for the model gives vectors of length 1 only",
                param="normalize",
            )
        if job.images:
            rows = await self._embed_images(model, job.images, caller)
        else:
            prefix = model.prefix(job.role, job.prompt_name)
            texts = self._texts(job.texts, prefix, job.truncation)
            rows = await self._embed_texts(model, texts, caller)
        vectors = (
            np.stack([row.vectors for row in rows]) if rows else np.empty((0, dim), np.float32)
        )
        if job.dimensions is not None:
            unit = model.manifest.normalized or job.normalize is True
            vectors = vec.truncate(vectors, job.dimensions, unit=unit)
        elif job.normalize and not model.manifest.normalized:
            vectors = vec.normalize(vectors)
        ranges = None
        if job.ranges:
            with await self._models.lease(model) as lease:
                ranges = lease.loaded.encoder.default_ranges(job.dimensions)
        tokens = self._read(model, rows)
        return Embedded(model=model.name, vectors=vectors, tokens=tokens, ranges=ranges)

    async def embed_tokens(self, job: EmbedJob, caller: Caller) -> TokenVectors:
        """See `Engine`."""
        model = self._models.named(job.model)
        prefix = model.prefix(job.role, job.prompt_name)
        texts = self._texts(job.texts, prefix, job.truncation)
        with await self._models.lease(model) as lease:
            runner = lease.loaded.token_vectors
            if runner is None:
                raise InvalidRequestError(
                    f"model {model.name}: expected one whose bundle gives token vectors; "
                    "convert it again with token outputs"
                )
            rows: list[Encoded] = await self._text_work(model, runner, texts, caller)
        vectors = [row.vectors for row in rows]
        return TokenVectors(model=model.name, vectors=vectors, tokens=self._read(model, rows))

    async def rerank(self, job: RerankJob, caller: Caller) -> Reranked:
        """See `Engine`; by the cosines of the model's vectors."""
        model = self._models.named(job.model)
        query = self._texts([job.query], model.prefix("query", None), job.truncation)
        prefix = model.prefix("document", None)
        documents = self._texts(job.documents, prefix, job.truncation)
        rows = await self._embed_texts(model, [*query, *documents], caller)
        vectors = vec.normalize(np.stack([row.vectors for row in rows]))
        scores = vectors[1:] @ vectors[0]
        return Reranked(model=model.name, scores=scores, tokens=self._read(model, rows))

    async def tokenize(
        self, model: str | None, texts: Sequence[str], caller: Caller
    ) -> Sequence[Sequence[Token]]:
        """See `Engine`."""
        chosen = self._models.named(model)
        chosen.manifest.text_tower()
        given = self._texts(texts, "", "truncate")
        with await self._models.lease(chosen) as lease:
            runner = lease.loaded.tokens
            assert runner is not None
            return await self._text_work(chosen, runner, given, caller)

    async def search(self, job: SearchJob, caller: Caller) -> Sequence[Found]:
        """See `Engine`."""
        mounted = self._indexes.named(job.index)
        if (job.query is None) == (job.vector is None):
            raise InvalidRequestError("query: expected query or vector, and one of them")
        if not 1 <= job.k <= self._settings.max_results:
            raise InvalidRequestError(
                f"k: expected 1 to {self._settings.max_results}, got {job.k}", param="k"
            )
        self._check_lengths([job.query or ""])
        if mounted.model is None:
            await self._indexes.in_thread(mounted.described)
        model = mounted.model if job.query is not None and job.mode != "keyword" else None
        if model is None and job.query is not None and job.mode != "keyword":
            raise InvalidRequestError(
                f"index {mounted.name}: expected a vector or mode keyword, for no model of its "
                "space is served; serve the bundle that made it as well",
                param="query",
            )
        runner, seconds = SearchRunner(mounted), mounted.rate.seconds
        lane = _lane(caller, _SEARCH_TOKENS, self._settings.interactive_tokens)
        if model is None:
            (hits,) = await self._run(runner, [job], caller, lane, seconds)
            return hits
        with await self._models.lease(model):
            (hits,) = await self._run(runner, [job], caller, lane, seconds)
        return hits

    async def upsert(self, job: UpsertJob, caller: Caller) -> int:
        """See `Engine`."""
        mounted = self._indexes.named(job.index)
        self._check_count(len(job.keys))
        if len(job.documents) != len(job.keys):
            raise InvalidRequestError(
                f"documents: expected {len(job.keys)}, as keys, got {len(job.documents)}",
                param="documents",
            )
        if mounted.model is None:
            await self._indexes.in_thread(mounted.described)
        model = mounted.model
        if model is None:
            raise InvalidRequestError(
                f"index {mounted.name}: no model of its space is served; serve the bundle that "
                "made it as well"
            )
        texts = self._texts(job.documents, model.prefix("document", None), "truncate")
        with await self._models.lease(model) as lease:
            rows: list[Encoded] = []
            if mounted.writable:
                rows = await self._embed_texts(model, texts, caller)
                self._read(model, rows)
            vectors = np.stack([row.vectors for row in rows]) if rows else None
            action = partial(upserted, job=job, vectors=vectors, encoder=lease.loaded.encoder)
            return await self._indexes.write(mounted, action)

    async def delete(self, job: DeleteJob, caller: Caller) -> int:
        """See `Engine`."""
        del caller
        mounted = self._indexes.named(job.index)
        return await self._indexes.write(mounted, partial(deleted, job=job))

    # -- the work ---------------------------------------------------------------------------------

    async def _embed_texts(
        self, model: Model, texts: Sequence[Text], caller: Caller
    ) -> list[Encoded]:
        with await self._models.lease(model) as lease:
            runner = lease.loaded.texts
            assert runner is not None
            return await self._text_work(model, runner, texts, caller)

    async def _embed_images(
        self, model: Model, images: Sequence[bytes], caller: Caller
    ) -> list[Encoded]:
        model.manifest.image_tower()
        self._check_count(len(images))
        with await self._models.lease(model) as lease:
            runner = lease.loaded.images
            assert runner is not None
            tokens = _TOKENS_PER_IMAGE * len(images)
            lane = _lane(caller, tokens, self._settings.interactive_tokens)
            return await self._run(runner, images, caller, lane, model.image_rate.seconds)

    async def _text_work(
        self, model: Model, runner: Runner, texts: Sequence[Text], caller: Caller
    ) -> list[Any]:
        if not texts:
            return []
        tokens = estimated_tokens([each.text for each in texts], model.max_tokens)
        seconds = model.token_rate.seconds * tokens / len(texts)
        lane = _lane(caller, tokens, self._settings.interactive_tokens)
        return await self._run(runner, texts, caller, lane, seconds)

    async def _run(
        self, runner: Runner, inputs: Sequence[Any], caller: Caller, lane: Lane, seconds: float
    ) -> list[Any]:
        """Let inputs wait for their turn and run; `seconds` is what each takes, by estimate."""
        if not inputs:
            return []
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def on_end(_: Work) -> None:
            loop.call_soon_threadsafe(_resolve, ended)

        limit = (
            self._settings.deadline_s if lane == "interactive" else self._settings.bulk_deadline_s
        )
        left = min(limit, caller.deadline - time.monotonic())
        if left <= 0:
            raise DeadlineError("deadline: it passed before the work began")
        work = Work(
            runner=runner,
            inputs=inputs,
            caller=caller.name,
            lane=lane,
            seconds=seconds,
            on_end=on_end,
        )
        self._queue.put(work)
        timer = loop.call_later(left, _expire, ended, left)
        try:
            await ended
        except BaseException:
            self._queue.drop(work)  # nobody waits for it
            raise
        finally:
            timer.cancel()
        if work.error is not None:
            raise work.error
        return work.outputs

    def _texts(self, texts: Sequence[str], prefix: str, truncation: Truncation) -> list[Text]:
        self._check_count(len(texts))
        self._check_lengths(texts)
        if len(texts) == 1:
            return [Text(prefix + texts[0], truncation, None)]
        return [Text(prefix + text, truncation, n) for n, text in enumerate(texts)]

    def _check_count(self, count: int) -> None:
        most = self._settings.max_inputs
        if count > most:
            raise TooLargeError(f"inputs: expected at most {most} in a request, got {count}")

    def _check_lengths(self, texts: Sequence[str]) -> None:
        most = self._settings.max_text_characters
        for text in texts:
            if len(text) > most:
                raise TooLargeError(f"text: expected at most {most} characters, got {len(text)}")

    def _read(self, model: Model, rows: Sequence[Encoded]) -> int:
        """Count what was read for some rows; returns the tokens."""
        tokens = sum(row.tokens for row in rows)
        self._meters.read(model.name, len(rows), tokens)
        return tokens


def _lane(caller: Caller, tokens: int, most: int) -> Lane:
    """Small jobs are interactive, unless their caller says that they are not."""
    return "bulk" if caller.lane == "bulk" or tokens > most else "interactive"


def _resolve(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)


def _expire(ended: "asyncio.Future[None]", seconds: float) -> None:
    if not ended.done():
        ended.set_exception(
            DeadlineError(f"deadline: the answer was not ready within {seconds:.3g} s")
        )
