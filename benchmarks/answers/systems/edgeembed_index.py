"""edgeembed: its index over an encoder, searched by its defaults or in one of its modes."""

import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answers.data_sets.data_set import DataSet
from benchmarks.answers.systems.system import Found
from edgeembed import EmbeddingCache, Encoder, Hit, Index
from edgeembed.ingest.files import scan
from edgeembed.ingest.passages import ChunkSettings, PassageReader
from edgeembed.ingest.second_stage import DEPTH, SecondStage
from edgeembed.ingest.text_indexer import PassageIndexer
from edgeembed.results.answers import answers_of, nothing_fits
from edgeembed.results.duplicates import Folded
from edgeembed_runtime.errors import TruncationWarning
from edgeembed_runtime.index.search.query import SearchMode

MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")
_BATCH = 1000
_CACHE_MB = 4096


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How an index is made: by which bundle, and with how many tokens per passage of a file.

    None is the default of each; a bundle is what Encoder.load takes, a directory or a name. With a
    second stage it is what `edgeembed index --fast` makes.
    """

    name: str
    bundle: str | None = None
    second_stage: str | None = None
    max_tokens: int | None = None
    multilingual: bool = False

    def load(self, cache: EmbeddingCache | None = None) -> Encoder:
        return Encoder.load(self.bundle, cache=cache)


class SharedIndex:
    """One index of a setup, which all ways to search it share."""

    def __init__(self, setup: Setup, work: Path) -> None:
        self.setup = setup
        self._encoder = setup.load()
        # Vectors depend on the encoder alone; two setups of one bundle share them.
        cache = EmbeddingCache(work / f"{self._encoder.space[:16]}.sqlite3", max_mb=_CACHE_MB)
        self._cached_encoder = setup.load(cache)
        self._folder = Path(tempfile.mkdtemp(prefix="edgeembed-answers-"))
        self._data: DataSet | None = None
        self._index: Index | None = None
        self.stage: SecondStage | None = None

    def hold(self, data: DataSet) -> int:
        """Index `data` unless that is what the index holds; the number of passages."""
        if self._data is not data:
            self._let_go()
            place = self._folder / "index"
            shutil.rmtree(place, ignore_errors=True)
            make_index(place, data, self._cached_encoder, self.setup)
            self._index, self._data = Index.open(place, encoder=self._encoder), data
            if self.setup.second_stage is not None:
                self.stage = SecondStage(place, self.setup.second_stage)
        return len(self.index)

    @property
    def index(self) -> Index:
        assert self._index is not None, "search comes after index"
        return self._index

    def time_indexing(self, data: DataSet) -> tuple[float, int]:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            passages = make_index(Path(folder) / "index", data, self._encoder, self.setup)
            return time.perf_counter() - began, passages

    def _let_go(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
        if self.stage is not None:
            self.stage.close()
            self.stage = None

    def close(self) -> None:
        self._let_go()
        self._encoder.close()
        self._cached_encoder.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class EdgeEmbed:
    """One way to search a shared index: its defaults (mode None), or a mode."""

    def __init__(self, shared: SharedIndex, mode: SearchMode | None) -> None:
        self._shared = shared
        self._mode: SearchMode | None = mode
        self.index_name = shared.setup.name
        self.name = self.index_name if mode is None else f"{self.index_name}, {mode}"
        self.multilingual = shared.setup.multilingual

    def index(self, data: DataSet) -> int:
        return self._shared.hold(data)

    def time_indexing(self, data: DataSet) -> tuple[float, int]:
        return self._shared.time_indexing(data)

    def search(self, query: str, k: int) -> Sequence[Found]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)
            hits = self._shared.index.search(
                query, k, mode=self._mode, rerank=self._shared.stage, depth=DEPTH
            )
        fits = not nothing_fits(answers_of(query, [Folded(hit=hit, others=()) for hit in hits]))
        known = any(hit.probability is not None for hit in hits)
        return [_found(hit, fits if known else None) for hit in hits]

    def close(self) -> None:
        self._shared.close()


def make_index(place: Path, data: DataSet, encoder: Encoder, setup: Setup) -> int:
    """Index passages by upsert, and files as `edgeembed index` does; the number of passages."""
    with Index.create(place, encoder=encoder) as index:
        if data.kind == "files":
            _index_files(index, data, encoder, setup)
            return len(index)
        for start in range(0, len(data.documents), _BATCH):
            batch = data.documents[start : start + _BATCH]
            index.upsert(
                [document.key for document in batch],
                documents=[document.text for document in batch],
                titles=[document.title for document in batch],
                metadatas=[{"source": d.key, "start": 0, "end": len(d.text)} for d in batch],
            )
        return len(index)


def _index_files(index: Index, data: DataSet, encoder: Encoder, setup: Setup) -> None:
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        for document in data.documents:
            path = root / "files" / document.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(document.text.encode())
        chunks = ChunkSettings(max_tokens=setup.max_tokens)
        report = PassageIndexer(index, PassageReader(encoder=encoder, chunks=chunks)).run(
            scan([root / "files"])
        )
        if report.failed or report.skipped:
            raise RuntimeError(f"not indexed: {(*report.failed, *report.skipped)[:3]}")


def _found(hit: Hit, fits: bool | None) -> Found:
    place = hit.metadata or {}
    # Files are named by their whole path, which has the folder "files" in it.
    key = str(place["source"]).rpartition("/files/")[2]
    return Found(
        document=key,
        start=place["start"],
        end=place["end"],
        score=hit.score if hit.probability is None else hit.probability,
        fits=fits,
    )
