"""A sealed segment: immutable files of unit vectors, their row ids, and perhaps Annoy trees."""

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError, SearchIndexError
from edgeembed_runtime.index.annoy_file import AnnoyFile, load_annoy
from edgeembed_runtime.index.layout import CATALOG, checked_uuid, open_regular, segment_path

_LOG = logging.getLogger(__name__)
_F32_BYTES = 4
_ID_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class SegmentFile:
    """One file as the catalog describes it."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SegmentInfo:
    """One row of the segment table with its files, by role (f32, ids, ann)."""

    seg: int
    uuid: str
    n: int
    trees: int
    seed: int
    search_k: int
    recall: float | None
    use_annoy: bool
    exact_ms: float | None
    annoy_ms: float | None
    files: Mapping[str, SegmentFile]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Vectors that are searched together."""

    ids: NDArray[np.int64]
    """(n,) document rows, strictly ascending."""
    vectors: NDArray[np.float32]
    """(n, d), unit length; for a segment a memory map."""
    alive: NDArray[np.bool_]
    """(n,) whether the document exists at this generation."""

    @property
    def dead(self) -> int:
        """How many rows no longer count."""
        return int(self.alive.size - np.count_nonzero(self.alive))

    def positions_of(self, docids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Positions in this block of those docids that it holds."""
        if not self.ids.size or not docids.size:
            return np.empty(0, dtype=np.intp)
        at = np.searchsorted(self.ids, docids)
        at = np.minimum(at, self.ids.size - 1)
        return at[self.ids[at] == docids]


class Segment:
    """An opened segment; its memory map lives as long as this object."""

    def __init__(self, directory: Path, info: SegmentInfo, dim: int) -> None:
        """Open and check the files; must run inside the read transaction that named them.

        Raises:
            IndexCorruptError: a file is missing, no plain file, of another size, or the row ids
                do not match their checksum.
        """
        self.info = info
        self._directory = directory
        self._dim = dim
        self._annoy: AnnoyFile | None = None
        self._annoy_tried = False
        self._annoy_lock = threading.Lock()
        expected = {"f32": info.n * dim * _F32_BYTES, "ids": info.n * _ID_BYTES}
        for role, size in expected.items():
            if info.files[role].bytes != size:
                raise IndexCorruptError(
                    f"{directory / CATALOG}: {info.files[role].name}: expected {size} bytes"
                )
        self.ids = self._load_ids()
        path = segment_path(directory, info.files["f32"].name)
        with open_regular(path, expected["f32"]) as file:
            self.vectors: NDArray[np.float32] = np.memmap(
                file, dtype="<f4", mode="r", shape=(info.n, dim)
            )

    def _load_ids(self) -> NDArray[np.int64]:
        # Hashed at every opening: they are few bytes, and a wrong id would mean a wrong document.
        entry = self.info.files["ids"]
        path = segment_path(self._directory, entry.name)
        with open_regular(path, entry.bytes) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise IndexCorruptError(f"{path} is damaged: its SHA-256 differs from the catalog's")
        ids = np.frombuffer(data, dtype="<i8").astype(np.int64)
        if (np.diff(ids) <= 0).any():
            raise IndexCorruptError(f"{path} is damaged: its ids are not ascending")
        return ids

    def annoy(self) -> AnnoyFile | None:
        """The trees, or None where there are none, Annoy is not installed, or the file is damaged.

        The file is validated before Annoy sees it, once; damage is logged as a warning.
        """
        with self._annoy_lock:
            if not self._annoy_tried:
                self._annoy = self._load_annoy()
                self._annoy_tried = True
            return self._annoy

    def _load_annoy(self) -> AnnoyFile | None:
        entry = self.info.files.get("ann")
        if entry is None or not self.info.use_annoy:
            return None
        path = segment_path(self._directory, entry.name)
        if not path.exists() and not path.is_symlink():
            return None  # merged away by the writer since; our vectors are mapped and stay
        try:
            return load_annoy(
                path, size=entry.bytes, dim=self._dim, n=self.info.n, trees=self.info.trees
            )
        except (SearchIndexError, OSError) as error:
            _LOG.warning("searching a segment exactly, because its trees are damaged: %s", error)
            return None


def read_infos(connection: sqlite3.Connection, directory: Path) -> list[SegmentInfo]:
    """The catalog's live segments, oldest first.

    Raises:
        IndexCorruptError: a name, number or role that edgeembed does not write.
    """
    files: dict[int, dict[str, SegmentFile]] = {}
    rows = connection.execute("SELECT seg, role, name, bytes, sha256 FROM segfile")
    for seg, role, name, size, sha256 in rows:
        segment_path(directory, name)
        if not isinstance(size, int) or not str(name).endswith(f".{role}"):
            raise IndexCorruptError(f"{directory / CATALOG}: segment file {name} is damaged")
        files.setdefault(seg, {})[role] = SegmentFile(name=name, bytes=size, sha256=str(sha256))
    columns = "seg, uuid, n, n_trees, seed, search_k, recall, use_annoy, exact_ms, annoy_ms"
    found = connection.execute(f"SELECT {columns} FROM segment ORDER BY seg").fetchall()
    return [_info(row, files.get(row[0], {}), directory) for row in found]


def _info(row: tuple[object, ...], files: dict[str, SegmentFile], directory: Path) -> SegmentInfo:
    seg, uuid, n, trees, seed, search_k, recall, use_annoy, exact_ms, annoy_ms = row
    numbers = (seg, n, trees, seed, search_k, use_annoy)
    integers = [number for number in numbers if isinstance(number, int)]
    if len(integers) != len(numbers) or not {"f32", "ids"} <= files.keys() or integers[1] < 1:
        raise IndexCorruptError(f"{directory / CATALOG}: segment {str(uuid)[:80]} is damaged")
    return SegmentInfo(
        seg=integers[0],
        uuid=checked_uuid(directory, uuid),
        n=integers[1],
        trees=integers[2],
        seed=integers[3],
        search_k=max(1, integers[4]),
        recall=_real(recall),
        use_annoy=bool(integers[5]),
        exact_ms=_real(exact_ms),
        annoy_ms=_real(annoy_ms),
        files=files,
    )


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
