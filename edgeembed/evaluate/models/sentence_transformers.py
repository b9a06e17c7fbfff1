"""Models of sentence-transformers and Optimum, to compare bundles with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgeembed.evaluate.models.model import ComparesVectors, Role, Vectors
from edgeembed.evaluate.models.registry import register_model
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import InputError, MissingExtraError

Backend = Literal["torch", "onnx"]


class SentenceTransformerModel(ComparesVectors):
    """A sentence-transformers or transformers (mean pooling) directory; see `Model`.

    The backend "onnx" runs an .onnx file of that directory through Optimum.
    """

    def __init__(self, path: Path, backend: Backend) -> None:
        """Load the model.

        Raises:
            MissingExtraError: sentence-transformers, or Optimum for "onnx", is not installed.
            InputError: they cannot load it.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError(
                f"{path} is a PyTorch model: comparing with it needs sentence-transformers. "
                "Run: pip install sentence-transformers"
            ) from error
        from edgeembed_converters._internal.quiet import quiet_logging

        try:
            with quiet_logging():  # hides log messages of loading; errors are raised
                self._model = SentenceTransformer(
                    str(path), backend=backend, device="cpu", local_files_only=True
                )
        except Exception as error:  # any of its many parts may raise
            raise InputError(
                f"{path}: sentence-transformers could not load it: {first_line(error)}"
            ) from error
        super().__init__(self._model.similarity_fn_name)
        self._name = f"{path.name} {backend}"
        self._path = path

    @property
    def name(self) -> str:
        """The directory's name and the backend's."""
        return self._name

    @property
    def key(self) -> None:
        """None: its vectors also depend on the versions of three libraries."""
        return

    @property
    def megabytes(self) -> float | None:
        """The size of its largest file of weights."""
        sizes = [
            file.stat().st_size
            for pattern in ("*.safetensors", "*.bin", "*.onnx", "onnx/*.onnx")
            for file in self._path.glob(pattern)
        ]
        return max(sizes) / 1e6 if sizes else None

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self.encode(["a"], "plain").shape[1])

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """See `Model`."""
        run: Any = {
            "plain": self._model.encode,
            "query": self._model.encode_query,
            "document": self._model.encode_document,
        }[role]
        vectors = np.asarray(run(list(texts), show_progress_bar=False), np.float32)
        if not np.isfinite(vectors).all():
            row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            raise InputError(f"{self.name}: NaN in the vector of {texts[row]!r:.80}")
        return vectors

    def features(self, texts: Sequence[str]) -> Vectors:
        """See `Model`."""
        return self.encode(texts, "plain")

    def vocabulary(self) -> None:
        """See `Model`: any text."""
        return


@register_model("a sentence-transformers or Optimum directory")
def open_sentence_transformers(name: str) -> list[SentenceTransformerModel] | None:
    """Open a directory with a config.json; by Optimum if its weights are only in .onnx files."""
    path = Path(name)
    if not (path / "config.json").is_file():
        return None
    onnx = any(path.glob("*.onnx")) and not any(path.glob("*.safetensors"))
    return [SentenceTransformerModel(path, "onnx" if onnx else "torch")]
