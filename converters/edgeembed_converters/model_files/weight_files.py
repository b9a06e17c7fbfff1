"""What the weight files of a folder hold, told from their headers: nothing is loaded."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.model_files.files import opened_file, read_file, read_json
from edgeembed_runtime.errors import ConversionError

# The names under which transformers and peft look, in their order; indices name shards.
_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "adapter_model.safetensors",
    "adapter_model.bin",
)
_POINTER = b"version https://git-lfs"
_MAX_POINTER = 1024
_MAX_HEADER = 100_000_000  # as safetensors itself has it
_STORAGE = re.compile(r".*/data/\d+")


@dataclass(frozen=True, kw_only=True)
class WeightSummary:
    """How much there is; `tensors` is None where only loading could tell.

    `names` are the tensors' names; empty where they are not known. `elements` is an upper bound
    where only bytes are known.
    """

    tensors: int | None
    elements: int
    names: frozenset[str]


def weights_of(folder: Path) -> WeightSummary | None:
    """The weights that transformers would load from `folder`, or None if there are none.

    Raises:
        ConversionError: a file is absent, empty, cut off or only a pointer of Git LFS.
    """
    for name in _NAMES:
        path = folder / name
        if path.is_symlink() and not path.exists():
            raise ConversionError(
                f"{path}: a link to a file that is not there; download the model again"
            )
        if path.is_file():
            files = _shards(path) if name.endswith(".json") else [path]
            return _sum([_summary(file) for file in files])
    return None


def check_no_pointer(path: Path) -> None:
    """Refuse a file that stands for one that Git LFS did not fetch.

    Raises:
        ConversionError: it is such a pointer.
    """
    if path.stat().st_size <= _MAX_POINTER and read_file(path).startswith(_POINTER):
        raise ConversionError(
            f"{path}: expected the file itself, got a pointer of Git LFS; run: git lfs pull"
        )


def _shards(index: Path) -> list[Path]:
    files = read_json(index).get("weight_map")
    if not isinstance(files, dict) or not files:
        raise ConversionError(f"{index}: expected weight_map: a file name by tensor, found none")
    names = sorted(set(map(str, cast(dict[str, Any], files).values())))
    for name in names:
        if Path(name).name != name:
            raise ConversionError(f"{index}: the file {name!r:.80} is not in this folder")
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        raise ConversionError(
            f"{index.parent}: {len(absent)} of {len(names)} weight files are not there, the first "
            f"is {absent[0]}; download the model again"
        )
    return [index.parent / name for name in names]


def _sum(parts: list[WeightSummary]) -> WeightSummary:
    counts = [part.tensors for part in parts]
    known = [count for count in counts if count is not None]
    return WeightSummary(
        tensors=sum(known) if len(known) == len(counts) else None,
        elements=sum(part.elements for part in parts),
        names=frozenset[str]().union(*(part.names for part in parts)),
    )


def _summary(path: Path) -> WeightSummary:
    if path.stat().st_size == 0:
        raise _unloadable(path, "the file is empty")
    check_no_pointer(path)
    return _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)


def _safetensors(path: Path) -> WeightSummary:
    size = path.stat().st_size
    with opened_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER):
            raise _unloadable(path, f"its header says {length} bytes, the file has {size}")
        try:
            header = json.loads(file.read(length).decode())
        except (ValueError, RecursionError) as error:
            raise _unloadable(path, "its header is not JSON") from error
    shapes, end = {}, 0
    for name, shape, offset in _entries(path, header):
        shapes[name] = prod(shape)
        end = max(end, offset)
    if end != size - 8 - length:
        raise _unloadable(
            path, f"its tensors take {end} bytes, the file has {size - 8 - length} for them"
        )
    return WeightSummary(
        tensors=len(shapes), elements=sum(shapes.values()), names=frozenset(shapes)
    )


def _entries(path: Path, header: object) -> Iterator[tuple[str, list[int], int]]:
    """The name, shape and end of each tensor."""
    try:
        for name, entry in cast(Mapping[str, Any], header).items():
            if name != "__metadata__":
                yield name, [int(size) for size in entry["shape"]], int(entry["data_offsets"][1])
    except (AttributeError, TypeError, KeyError, ValueError, IndexError) as error:
        raise _unloadable(path, "its header does not list tensors") from error


def _pickle(path: Path) -> WeightSummary:
    """Count the storages in torch's archive; an old file that is none tells only its size."""
    size = path.stat().st_size
    tensors = None
    with opened_file(path) as file:
        if file.read(4) == b"PK\x03\x04":
            try:
                with zipfile.ZipFile(file) as archive:
                    tensors = sum(1 for name in archive.namelist() if _STORAGE.fullmatch(name))
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                raise _unloadable(path, "it is cut off or damaged") from error
    return WeightSummary(tensors=tensors, elements=size, names=frozenset())


def _unloadable(path: Path, cause: str) -> ConversionError:
    return ConversionError(f"{path}: could not load the weights: {cause}; download the model again")
