"""Observations kept on disk, so that a model is never asked the same twice."""

import contextlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.task import Observed, Task
from edgeembed_runtime.errors import StorageError
from edgeembed_runtime.onnxruntime_offline import ort
from edgeembed_runtime.storage import sha256_of, staged_file, storage_errors
from edgeembed_runtime.version import __version__


@dataclass(frozen=True, kw_only=True)
class ObservationCache:
    """A folder of what models gave: one .npz by model, task and versions.

    A model without a `key`, or a task without a fingerprint, is never cached. A damaged file
    counts as none.
    """

    folder: Path

    def get(self, model: Model, task: Task) -> Observed | None:
        """What `model` gave for `task` before, or None."""
        path = self._path(model, task)
        if path is None or not path.is_file():
            return None
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                notes = json.loads(str(file["notes"]))
                return Observed(values=file["values"].astype(np.float64), notes=tuple(notes))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def put(self, model: Model, task: Task, observed: Observed) -> None:
        """Keep what `model` gave; a folder that cannot be written is no error."""
        path = self._path(model, task)
        if path is None:
            return
        with contextlib.suppress(StorageError):
            with storage_errors("make", self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            with staged_file(path) as file:
                notes = np.array(json.dumps(observed.notes))
                np.savez_compressed(file, values=observed.values, notes=notes)

    def _path(self, model: Model, task: Task) -> Path | None:
        if model.key is None or task.fingerprint is None:
            return None
        parts = (model.key, task.fingerprint, __version__, str(ort.__version__))
        return self.folder / f"{sha256_of(json.dumps(parts).encode())}.npz"
