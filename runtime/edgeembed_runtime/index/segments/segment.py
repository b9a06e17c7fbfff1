"""A sealed segment: immutable files of unit vectors and row ids, with SQ8 and ANN files."""

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError, SearchIndexError, out_of_files
from edgeembed_runtime.index.ann.backend import AnnShape
from edgeembed_runtime.index.ann.checked_backend import BackendError, CheckedAnn, load_ann
from edgeembed_runtime.index.ann.effort import Efforts, read_efforts
from edgeembed_runtime.index.ann.registry import find_backend, is_backend_name
from edgeembed_runtime.index.base.layout import CATALOG, checked_uuid, open_regular, segment_path
from edgeembed_runtime.index.base.opening import MAX_DIM
from edgeembed_runtime.index.base.settings import EXACT
from edgeembed_runtime.index.vectors.mmap import MappedFile
from edgeembed_runtime.index.vectors.sq8 import sq8_bytes
from edgeembed_runtime.index.vectors.sq8_scan import Sq8Scan

_LOG = logging.getLogger(__name__)
_F32_BYTES = 4
_ID_BYTES = 8
# Of an ANN backend; more than any takes.
_MAX_PARAMETER = 1 << 31


@dataclass(frozen=True, kw_only=True)
class SegmentFile:
    """A file as the catalog describes it."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SegmentInfo:
    """One row of the segment table with its files, by role (f32, ids, i8, an ANN file's suffix)."""

    seg: int
    uuid: str
    n: int
    exact_ms: float | None
    backend: str | None
    """The ANN backend it was built with, registered here or not; None for none."""
    build_parameter: int
    """What that backend was built with; stored in the column `trees`."""
    efforts: Efforts | None
    """As calibrated; None where nothing was, or what the catalog says is damaged."""
    ann_ms: float | None
    files: Mapping[str, SegmentFile]


class Segment:
    """An open segment; its memory map lives as long as this object."""

    def __init__(self, directory: Path, info: SegmentInfo, dim: int) -> None:
        """Open and check the files; must run inside the read transaction that named them.

        Raises:
            IndexCorruptError: a file is missing, not a regular file, or has another size, or the
                row ids do not match their checksum.
        """
        self.info = info
        self._directory = directory
        self._dim = dim
        self._ann: CheckedAnn | None = None
        self._ann_tried = False
        self._ann_lock = threading.Lock()
        expected = {
            "f32": info.n * dim * _F32_BYTES,
            "ids": info.n * _ID_BYTES,
            "i8": sq8_bytes(info.n, dim),
        }
        for role, size in expected.items():
            if role in info.files and info.files[role].bytes != size:
                raise IndexCorruptError(
                    f"{directory / CATALOG}: {info.files[role].name}: expected {size} bytes"
                )
        self.ids = read_ids(directory, info.files["ids"])
        path = segment_path(directory, info.files["f32"].name)
        with open_regular(path, expected["f32"]) as file:
            self.mapped = MappedFile(file, path)
        vectors = self.mapped.array("<f4", info.n * dim)
        self.vectors: NDArray[np.float32] = vectors.reshape(info.n, dim)
        self.sq8 = self._sq8_scan()

    def _sq8_scan(self) -> Sq8Scan | None:
        entry = self.info.files.get("i8")
        if entry is None:
            return None
        return Sq8Scan(
            segment_path(self._directory, entry.name),
            sha256=entry.sha256,
            n=self.info.n,
            dim=self._dim,
        )

    def ann(self) -> CheckedAnn | None:
        """What searches it approximately; None where it must be scanned.

        That is a segment without an ANN file, with a damaged one, or one of a backend that is not
        registered or not installed here. The file is validated before the library sees it, once;
        all but a missing library is logged as a warning.
        """
        with self._ann_lock:
            if not self._ann_tried:
                self._ann_tried = True
                self._ann = self._load_ann()
            return self._ann

    def give_up_ann(self, error: BackendError) -> None:
        """Scan from now on, because the backend broke its contract."""
        with self._ann_lock:
            if self._ann is not None:
                _LOG.warning("searching a segment exactly: %s", error)
            self._ann = None

    def _load_ann(self) -> CheckedAnn | None:
        if self.info.backend is None:
            return None
        backend = find_backend(self.info.backend)
        if backend is None:
            _LOG.warning(
                "searching a segment exactly: it was built with the ANN backend %s, which is not "
                "registered here",
                self.info.backend,
            )
            return None
        entry = self.info.files.get(backend.suffix)
        if entry is None:
            return None
        path = segment_path(self._directory, entry.name)
        if not path.exists() and not path.is_symlink():
            return None  # merged away by the writer; our vectors are mapped and stay
        shape = AnnShape(n=self.info.n, dim=self._dim, build_parameter=self.info.build_parameter)
        try:
            return load_ann(backend, path, entry.bytes, shape)
        except (SearchIndexError, OSError) as error:
            self._ann_tried = not out_of_files(error)
            _LOG.warning("searching a segment exactly: %s", error)
            return None


def read_ids(directory: Path, entry: SegmentFile) -> NDArray[np.int64]:
    """Read the document rows of a segment, ascending.

    Raises:
        IndexCorruptError: the file is missing, not a regular file, has another size, or is damaged.
    """
    # Hashed at every opening: it is a small file, and a wrong id would mean a wrong document.
    path = segment_path(directory, entry.name)
    with open_regular(path, entry.bytes) as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise IndexCorruptError(f"{path} is damaged: its SHA-256 differs from the catalog's")
    ids = np.frombuffer(data, dtype="<i8").astype(np.int64, copy=False)
    if (ids[1:] <= ids[:-1]).any():
        raise IndexCorruptError(f"{path} is damaged: its ids are not ascending")
    return ids


def read_infos(connection: sqlite3.Connection, directory: Path) -> list[SegmentInfo]:
    """Read the live segments from the catalog, oldest first.

    Raises:
        IndexCorruptError: a name, number or role that edgeembed would not write.
    """
    files: dict[int, dict[str, SegmentFile]] = {}
    rows = connection.execute("SELECT seg, role, name, bytes, sha256 FROM segfile")
    for seg, role, name, size, sha256 in rows:
        segment_path(directory, name)
        if not isinstance(size, int) or not str(name).endswith(f".{role}"):
            raise IndexCorruptError(f"{directory / CATALOG}: segment file {name} is damaged")
        files.setdefault(seg, {})[role] = SegmentFile(name=name, bytes=size, sha256=str(sha256))
    columns = "seg, uuid, n, exact_ms, backend, trees, effort, recall, ann_ms"
    found = connection.execute(f"SELECT {columns} FROM segment ORDER BY seg").fetchall()
    return [_info(row, files.get(row[0], {}), directory) for row in found]


def _info(row: tuple[object, ...], files: dict[str, SegmentFile], directory: Path) -> SegmentInfo:
    seg, uuid, n, exact_ms, backend, parameter, effort, recall, ann_ms = row
    integers = [number for number in (seg, n, parameter, effort) if isinstance(number, int)]
    if (
        len(integers) != 4
        or not {"f32", "ids"} <= files.keys()
        or not _has_rows(integers[1], files)
        or not is_backend_name(backend)
        or integers[2] > _MAX_PARAMETER
    ):
        raise IndexCorruptError(f"{directory / CATALOG}: segment {str(uuid)[:80]} is damaged")
    return SegmentInfo(
        seg=integers[0],
        uuid=checked_uuid(directory, uuid),
        n=integers[1],
        exact_ms=_real(exact_ms),
        backend=None if backend == EXACT else str(backend),
        build_parameter=integers[2],
        efforts=read_efforts(recall, integers[3]),
        ann_ms=_real(ann_ms),
        files=files,
    )


def _has_rows(n: int, files: Mapping[str, SegmentFile]) -> bool:
    """Whether files of these sizes can hold n rows, so that nobody asks for memory for others."""
    row_bytes, rest = divmod(files["f32"].bytes, max(n, 1))
    fits = not rest and _F32_BYTES <= row_bytes <= _F32_BYTES * MAX_DIM
    return n >= 1 and fits and files["ids"].bytes == n * _ID_BYTES


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
