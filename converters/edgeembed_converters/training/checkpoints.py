"""Training checkpoints: atomic files with a checksum; the last two are kept."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from edgeembed_runtime import storage
from edgeembed_runtime.errors import TrainingError

_KEPT = 2
_PREFIX, _SUFFIX = "checkpoint-", ".safetensors"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything needed to resume: tensors by name, and `facts` as plain JSON types."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def save_checkpoint(folder: Path, step: int, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint atomically; remove all but the last two.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    tensors = {name: each.detach().cpu().contiguous() for name, each in checkpoint.tensors.items()}
    facts = json.dumps(checkpoint.facts)
    metadata = {"facts": facts, "sha256": _digest(facts, tensors)}
    path = folder / f"{_PREFIX}{step:09d}{_SUFFIX}"
    with storage.staged_file(path) as file:
        file.write(save(tensors, metadata))
    storage.sync_directory(folder)
    for old in _files(folder)[:-_KEPT]:
        storage.remove_file(old)
    return path


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """The last undamaged checkpoint of a folder; None if none was saved.

    From an older one, the same steps are simply repeated.

    Raises:
        TrainingError: there are checkpoints, but all are damaged.
    """
    faults: list[str] = []
    for path in reversed(_files(folder)):
        try:
            return _load(path)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            faults.append(f"{path.name}: {str(error) or type(error).__name__}"[:200])
    if faults:
        raise TrainingError(
            f"{folder}: expected a whole checkpoint to go on from, found only damaged ones "
            f"({'; '.join(faults)}); remove them to train from the start"
        )
    return None


def _load(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    if _digest(metadata["facts"], tensors) != metadata["sha256"]:
        raise ValueError("its checksum does not match")
    return Checkpoint(tensors=tensors, facts=json.loads(metadata["facts"]))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def _digest(facts: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().numpy().tobytes())
    return digest.hexdigest()
