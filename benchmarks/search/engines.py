"""Vector indexes with one interface: build on disk, open, search. Imports happen where used."""

import importlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal

import numpy as np

BATCH = 8192
TUNED = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class Engine(ABC):
    """One library. `effort` is its own knob for recall; None where there is none."""

    package: str
    module: str
    """Imported before anything is timed."""
    efforts: tuple[int, ...] = ()

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self.effort: int | None = None

    @abstractmethod
    def create(self) -> None: ...

    @abstractmethod
    def add(self, first: int, rows: np.ndarray) -> None: ...

    @abstractmethod
    def save(self) -> None:
        """Make durable what was added, as the library's documentation says."""

    def finish(self) -> None:
        self.save()

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def search(self, query: np.ndarray, k: int) -> list[int]: ...

    def count(self) -> int:
        """How many rows an opened index has."""
        raise NotImplementedError


class Edgeembed(Engine):
    package = "edgeembed"
    module = "edgeembed_runtime.index.index"
    backend: Literal["exact", "faiss", "usearch", "annoy", "auto"] = "exact"

    def _settings(self) -> Any:
        from edgeembed import IndexSettings

        return IndexSettings(backend=self.backend)

    def create(self) -> None:
        from edgeembed import Index

        path, settings = self.folder / "index", self._settings()
        self.index = Index.create(path, dim=self.dim, space="benchmark", settings=settings)

    def add(self, first: int, rows: np.ndarray) -> None:
        self.index.upsert([str(first + i) for i in range(len(rows))], vectors=rows)

    def save(self) -> None:
        """upsert() has returned: it is durable."""

    def finish(self) -> None:
        self.index.compact()
        self.index.close()

    def open(self) -> None:
        from edgeembed import Index

        self.index = Index.open(self.folder / "index")

    def search(self, query: np.ndarray, k: int) -> list[int]:
        return [int(hit.key) for hit in self.index.search(query, k)]

    def count(self) -> int:
        return len(self.index)


class EdgeembedFaiss(Edgeembed):
    backend = "faiss"


class EdgeembedUsearch(Edgeembed):
    backend = "usearch"


class Hnswlib(Engine):
    package = "hnswlib"
    module = "hnswlib"
    efforts = TUNED
    capacity = 1_100_000

    def create(self) -> None:
        import hnswlib

        self.index = hnswlib.Index(space="cosine", dim=self.dim)
        self.index.init_index(max_elements=self.capacity, M=16, ef_construction=200)

    def add(self, first: int, rows: np.ndarray) -> None:
        self.index.add_items(rows, np.arange(first, first + len(rows)))

    def save(self) -> None:
        self.index.save_index(str(self.folder / "hnswlib.bin"))

    def open(self) -> None:
        import hnswlib

        self.index = hnswlib.Index(space="cosine", dim=self.dim)
        self.index.load_index(str(self.folder / "hnswlib.bin"))
        self.index.set_num_threads(1)

    def search(self, query: np.ndarray, k: int) -> list[int]:
        self.index.set_ef(max(k, self.effort or k))
        return self.index.knn_query(query, k)[0][0].tolist()

    def count(self) -> int:
        return self.index.get_current_count()


class Usearch(Engine):
    package = "usearch"
    module = "usearch.index"
    efforts = TUNED

    def _new(self) -> Any:
        from usearch.index import Index

        return Index(ndim=self.dim, metric="cos", dtype="f16", connectivity=16)

    def create(self) -> None:
        self.index = self._new()

    def add(self, first: int, rows: np.ndarray) -> None:
        self.index.add(np.arange(first, first + len(rows)), rows, threads=2)

    def save(self) -> None:
        self.index.save(str(self.folder / "usearch.bin"))

    def open(self) -> None:
        self.index = self._new()
        self.index.view(str(self.folder / "usearch.bin"))

    def search(self, query: np.ndarray, k: int) -> list[int]:
        self.index.expansion_search = self.effort or k
        return self.index.search(query, k).keys.tolist()

    def count(self) -> int:
        return len(self.index)


class FaissFlat(Engine):
    package = "faiss-cpu"
    module = "faiss"

    def _new(self) -> Any:
        faiss = importlib.import_module("faiss")
        return faiss.IndexFlatIP(self.dim)

    def create(self) -> None:
        self.index = self._new()

    def add(self, first: int, rows: np.ndarray) -> None:
        self.index.add(rows)

    def save(self) -> None:
        faiss = importlib.import_module("faiss")
        faiss.write_index(self.index, str(self.folder / "faiss.bin"))

    def open(self) -> None:
        faiss = importlib.import_module("faiss")
        self.index = faiss.read_index(str(self.folder / "faiss.bin"))

    def search(self, query: np.ndarray, k: int) -> list[int]:
        return self.index.search(query[None], k)[1][0].tolist()

    def count(self) -> int:
        return self.index.ntotal


class FaissHnsw(FaissFlat):
    efforts = TUNED

    def _new(self) -> Any:
        faiss = importlib.import_module("faiss")
        index = faiss.IndexHNSWFlat(self.dim, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        return index

    def search(self, query: np.ndarray, k: int) -> list[int]:
        self.index.hnsw.efSearch = self.effort or k
        return super().search(query, k)


class FaissFastScan(FaissFlat):
    """4-bit codes, of which the best are scored exactly."""

    efforts = TUNED

    def _new(self) -> Any:
        faiss = importlib.import_module("faiss")
        spec = f"IVF256,PQ{self.dim // 2}x4fs,RFlat"
        return faiss.index_factory(self.dim, spec, faiss.METRIC_INNER_PRODUCT)

    def add(self, first: int, rows: np.ndarray) -> None:
        if not self.index.is_trained:
            self.index.train(rows)
        super().add(first, rows)

    def open(self) -> None:
        super().open()
        faiss = importlib.import_module("faiss")
        self.index.k_factor = 5
        self.lists = faiss.extract_index_ivf(self.index)

    def search(self, query: np.ndarray, k: int) -> list[int]:
        self.lists.nprobe = self.effort or 128
        return super().search(query, k)


class Chroma(Engine):
    package = "chromadb"
    module = "chromadb"

    def _collection(self) -> Any:
        import chromadb
        from chromadb.config import Settings

        client = chromadb.PersistentClient(
            str(self.folder / "chroma"), settings=Settings(anonymized_telemetry=False)
        )
        hnsw = {"space": "cosine", "ef_construction": 200, "ef_search": 200}
        return client.get_or_create_collection("benchmark", configuration={"hnsw": hnsw})

    def create(self) -> None:
        self.collection = self._collection()

    def add(self, first: int, rows: np.ndarray) -> None:
        for start in range(0, len(rows), 4096):
            part = rows[start : start + 4096]
            keys = [str(first + start + i) for i in range(len(part))]
            self.collection.add(ids=keys, embeddings=part)

    def save(self) -> None:
        """add() has returned: it is said to be durable."""

    def open(self) -> None:
        self.collection = self._collection()

    def search(self, query: np.ndarray, k: int) -> list[int]:
        found = self.collection.query(query_embeddings=[query], n_results=k)
        return [int(key) for key in found["ids"][0]]

    def count(self) -> int:
        return self.collection.count()


class SqliteVec(Engine):
    package = "sqlite-vec"
    module = "sqlite_vec"

    def _connect(self) -> Any:
        import apsw  # many builds of Python have an sqlite3 without extensions
        import sqlite_vec

        connection = apsw.Connection(str(self.folder / "vec.sqlite3"))
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        return connection

    def create(self) -> None:
        self.connection = self._connect()
        column = f"v float[{self.dim}] distance_metric=cosine"
        self.connection.execute(f"CREATE VIRTUAL TABLE rows USING vec0({column})")

    def add(self, first: int, rows: np.ndarray) -> None:
        pairs = ((first + i, row.tobytes()) for i, row in enumerate(rows))
        with self.connection:
            self.connection.executemany("INSERT INTO rows(rowid, v) VALUES (?, ?)", pairs)

    def save(self) -> None:
        """add() has committed."""

    def open(self) -> None:
        self.connection = self._connect()

    def search(self, query: np.ndarray, k: int) -> list[int]:
        sql = "SELECT rowid FROM rows WHERE v MATCH ? AND k = ?"
        return [row for (row,) in self.connection.execute(sql, (query.tobytes(), k))]

    def count(self) -> int:
        return next(iter(self.connection.execute("SELECT count(*) FROM rows")))[0]


ENGINES: dict[str, type[Engine]] = {
    "edgeembed": Edgeembed,
    "edgeembed + faiss": EdgeembedFaiss,
    "edgeembed + usearch": EdgeembedUsearch,
    "hnswlib": Hnswlib,
    "usearch f16": Usearch,
    "faiss fast scan": FaissFastScan,
    "faiss HNSW": FaissHnsw,
    "faiss flat": FaissFlat,
    "chroma": Chroma,
    "sqlite-vec": SqliteVec,
}
