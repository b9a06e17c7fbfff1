"""Mounted indexes: searched and written through the engine; each failure has its status."""

import asyncio
import errno
import time
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from edgeembed import Encoder, Index
from edgeembed.serve.base.errors import InvalidRequestError, UnknownModelError
from edgeembed.serve.base.jobs import Caller, DeleteJob, RerankJob, SearchJob, UpsertJob
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.engine.start import running_engine, served_models
from edgeembed.serve.http.failures import failure_of
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexCorruptError,
    IndexLockedError,
    IndexReadOnlyError,
    StorageError,
)

DOCUMENTS = {"cat": "the cat sat on the mat", "train": "a train leaves the station"}


@pytest.fixture
def index_path(tiny_encoder, tmp_path):
    path = tmp_path / "notes.index"
    with Index.create(path, encoder=tiny_encoder) as index:
        metadatas = [{"n": n} for n in range(len(DOCUMENTS))]
        index.upsert(list(DOCUMENTS), documents=list(DOCUMENTS.values()), metadatas=metadatas)
    return path


def caller():
    return Caller(name="someone", deadline=time.monotonic() + 20)


@asynccontextmanager
async def engine_of(tiny_path, *indexes, **settings):
    given = ServeSettings(
        models=(str(tiny_path),), indexes=tuple(map(str, indexes)), threads=1, **settings
    )
    meters = Meters(CollectorRegistry())
    async with running_engine(given, served_models(given), meters) as running:
        yield running.engine


def use(tiny_path, *indexes, **settings):
    """Run a coroutine of an engine."""

    def run(action):
        async def within():
            async with engine_of(tiny_path, *indexes, **settings) as engine:
                return await action(engine)

        return asyncio.run(within())

    return run


def test_a_mounted_index_is_searched_by_words_meaning_and_vector(
    tiny_path, tiny_encoder, index_path
):
    async def action(engine):
        found = {}
        for mode in ("hybrid", "dense", "keyword"):
            job = SearchJob(index="notes", query="the cat", k=1, mode=mode)
            found[mode] = await engine.search(job, caller())
        vector = tiny_encoder.encode("the train station").tolist()
        job = SearchJob(vector=vector, k=5, where={"n": 1})
        found["vector"] = await engine.search(job, caller())
        return found, engine.indexes()

    found, (described,) = use(tiny_path, index_path)(action)
    assert {mode: hits[0].key for mode, hits in found.items()} == {
        "hybrid": "cat",
        "dense": "cat",
        "keyword": "cat",
        "vector": "train",
    }
    assert len(found["vector"]) == 1
    assert (described.name, described.passages, described.writable) == ("notes", 2, False)
    assert described.model == "tiny"


def test_what_is_upserted_is_found_and_what_is_deleted_is_not(tiny_path, index_path):
    async def action(engine):
        job = UpsertJob(keys=["dog", "soup"], documents=["the dog ran", "a tomato soup"])
        assert await engine.upsert(job, caller()) == 2
        hits = await engine.search(SearchJob(query="the dog ran", k=1), caller())
        assert hits[0].key == "dog"
        assert await engine.delete(DeleteJob(keys=["dog", "none"]), caller()) == 1
        assert await engine.delete(DeleteJob(where={"n": 0}), caller()) == 1
        return [hit.key for hit in await engine.search(SearchJob(query="cat", k=9), caller())]

    assert sorted(use(tiny_path, index_path, writable=True)(action)) == ["soup", "train"]


def test_writes_give_the_vectors_that_an_index_makes_itself(tiny_path, index_path, tiny_encoder):
    async def action(engine):
        job = UpsertJob(keys=["new"], documents=["the guitar music"])
        await engine.upsert(job, caller())

    use(tiny_path, index_path, writable=True)(action)
    with Index.open(index_path) as index:
        (stored,) = index.vectors(["new"])
    assert stored == pytest.approx(tiny_encoder.encode_document("the guitar music"), abs=1e-6)


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(SearchJob(), id="neither"),
        pytest.param(SearchJob(query=""), id="an empty text"),
        pytest.param(SearchJob(query="a", vector=[1.0] * 16), id="both"),
        pytest.param(SearchJob(query="a", k=0), id="k 0"),
        pytest.param(SearchJob(query="a", k=10**9), id="k 10^9"),
        pytest.param(SearchJob(vector=[float("nan")] * 16), id="NaN"),
        pytest.param(SearchJob(vector=[1.0] * 3), id="another dimension"),
        pytest.param(SearchJob(query="a", where={"$bad": 1}), id="no filter"),
    ],
)
def test_a_search_that_cannot_be_is_400(tiny_path, index_path, job):
    async def action(engine):
        with pytest.raises(EdgeEmbedError) as caught:
            await engine.search(job, caller())
        return failure_of(caught.value).status

    assert use(tiny_path, index_path)(action) == 400


@pytest.mark.parametrize("query", ['" OR *', "NEAR(" * 1000, "'; DROP TABLE doc"])
def test_odd_queries_are_answered(tiny_path, index_path, query):
    async def action(engine):
        return await engine.search(SearchJob(query=query), caller())

    assert isinstance(use(tiny_path, index_path)(action), list)


def test_every_failure_of_an_index_has_its_status(tiny_path, index_path, monkeypatch):
    job = UpsertJob(keys=["a"], documents=["b"])

    async def read_only(engine):
        with pytest.raises(IndexReadOnlyError) as caught:
            await engine.upsert(job, caller())
        return failure_of(caught.value)

    assert use(tiny_path, index_path)(read_only).status == 403

    async def locked(engine):
        with Encoder.load(tiny_path) as encoder, Index.open(index_path, mode="rw", encoder=encoder):
            with pytest.raises(IndexLockedError) as caught:
                await engine.upsert(job, caller())
            assert await engine.search(SearchJob(query="cat"), caller())
        assert await engine.upsert(job, caller()) == 1
        return failure_of(caught.value)

    failure = use(tiny_path, index_path, writable=True)(locked)
    assert (failure.status, failure.headers) == (503, {"retry-after": "1"})

    async def full(engine):
        def refuse(*args, **kwargs):
            raise StorageError(errno.ENOSPC, "could not write: no space left on device")

        with monkeypatch.context() as patch, pytest.raises(StorageError) as caught:
            patch.setattr(Index, "upsert", refuse)
            await engine.upsert(job, caller())
        assert await engine.search(SearchJob(query="cat"), caller())
        return failure_of(caught.value)

    assert use(tiny_path, index_path, writable=True)(full).status == 507

    async def unknown(engine):
        with pytest.raises(UnknownModelError) as caught:
            await engine.search(SearchJob(index="../notes", query="cat"), caller())
        return failure_of(caught.value)

    assert use(tiny_path, index_path)(unknown).status == 404


def test_a_damaged_index_is_503_until_it_is_mended(tiny_path, index_path):
    catalog = next(index_path.glob("*.sqlite3"))
    sound = catalog.read_bytes()

    async def action(engine):
        catalog.write_bytes(b"\0" * len(sound))
        with pytest.raises(EdgeEmbedError) as caught:
            await engine.search(SearchJob(query="cat"), caller())
        assert isinstance(caught.value, IndexCorruptError), caught.value
        assert engine.indexes() == []
        catalog.write_bytes(sound)
        assert await engine.search(SearchJob(query="cat"), caller())
        return failure_of(caught.value).status

    assert use(tiny_path, index_path)(action) == 503


def test_an_index_of_another_model_is_searched_by_words_and_vectors_alone(tiny_path, tmp_path):
    path = tmp_path / "other.index"
    with Index.create(path, dim=2, space="other") as index:
        index.upsert(["a"], documents=["the cat"], vectors=[[1.0, 0.0]])

    async def action(engine):
        with pytest.raises(InvalidRequestError, match="no model of its space"):
            await engine.search(SearchJob(query="cat"), caller())
        assert await engine.search(SearchJob(query="cat", mode="keyword"), caller())
        assert await engine.search(SearchJob(vector=[1.0, 0.0]), caller())

    use(tiny_path, path)(action)


def test_documents_are_scored_by_the_cosine_of_their_vectors(tiny_path, tiny_encoder):
    documents = list(DOCUMENTS.values())

    async def action(engine):
        job = RerankJob(query="the cat", documents=documents)
        return await engine.rerank(job, caller())

    found = use(tiny_path)(action)
    query, rows = tiny_encoder.encode_query("the cat"), tiny_encoder.encode_document(documents)
    assert found.scores == pytest.approx(rows @ query, abs=1e-6)
    assert found.tokens > 0
