"""A cache of observations on disk, so that no model runs twice on the same data."""

import contextlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.task import Observed, Task
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.errors import StorageError
from edgeembed_runtime.storage import sha256_of, staged_file, storage_errors
from edgeembed_runtime.version import __version__


@dataclass(frozen=True, kw_only=True)
class ObservationCache:
    """A folder of observations: one .npz per model, task and versions."""

    folder: Path

    def of(self, task: Task) -> "TaskObservations":
        """The observations of one task, whose data are hashed now."""
        return TaskObservations(folder=self.folder, fingerprint=task.fingerprint)


@dataclass(frozen=True, kw_only=True)
class TaskObservations:
    """The observations of the task with this fingerprint.

    A model without a `key`, or a task without a fingerprint, is never cached. A damaged file is a
    cache miss.
    """

    folder: Path
    fingerprint: str | None

    def get(self, model: Model) -> Observed | None:
        """The cached observation of `model`, or None."""
        path = self._path(model)
        if path is None or not path.is_file():
            return None
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                notes = json.loads(str(file["notes"]))
                return Observed(values=file["values"].astype(np.float64), notes=tuple(notes))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def put(self, model: Model, observed: Observed) -> None:
        """Cache the observation of `model`; a folder that cannot be written is no error."""
        path = self._path(model)
        if path is None:
            return
        with contextlib.suppress(StorageError):
            with storage_errors("make", self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            with staged_file(path) as file:
                notes = np.array(json.dumps(observed.notes))
                np.savez_compressed(file, values=observed.values, notes=notes)

    def _path(self, model: Model) -> Path | None:
        if model.key is None or self.fingerprint is None:
            return None
        parts = (model.key, self.fingerprint, __version__, str(ort.__version__))
        return self.folder / f"{sha256_of(json.dumps(parts).encode())}.npz"
