"""One variant of a bundle, as a model to evaluate."""

from collections.abc import Sequence
from pathlib import Path

from edgeembed import Encoder
from edgeembed.evaluate.models.model import ComparesVectors, Role, Vectors
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.variants import suits
from edgeembed_runtime.errors import InputError


class BundleModel(ComparesVectors):
    """A variant of a bundle; see `Model`. It is loaded when it is first asked for a vector."""

    def __init__(self, path: Path, variant: str) -> None:
        """Read the manifest.

        Raises:
            BundleError: there is no bundle, or it is damaged.
            InputError: no such variant.
        """
        self._manifest = Bundle.open(path).manifest
        super().__init__(self._manifest.similarity)
        found = self._manifest.text.variant(variant)
        if found is None:
            names = ", ".join(v.name for v in self._manifest.text.variants)
            raise InputError(f"bundle {path}: expected the variant {names}, got {variant!r}")
        self._path, self._variant = path, variant
        self._file = self._manifest.files[found.file]
        self._encoder: Encoder | None = None

    @property
    def name(self) -> str:
        """The bundle's name and the variant's."""
        return f"{self._manifest.name} {self._variant}"

    @property
    def key(self) -> str:
        """The space, and the hash of the graph."""
        return f"{self._manifest.space} {self._file.sha256}"

    @property
    def megabytes(self) -> float:
        """The size of the graph."""
        return self._file.bytes / 1e6

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self._manifest.dim

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """See `Model`."""
        if self._encoder is None:
            self._encoder = Encoder.load(self._path, variant=self._variant)
        match role:
            case "query":
                return self._encoder.encode_query(list(texts))
            case "document":
                return self._encoder.encode_document(list(texts))
            case "plain":
                return self._encoder.encode(list(texts))

    def features(self, texts: Sequence[str]) -> Vectors:
        """See `Model`."""
        return self.encode(texts, "plain")

    def vocabulary(self) -> None:
        """See `Model`: any text."""
        return


def suitable_variants(path: Path) -> list[str]:
    """The names of a bundle's variants that this processor can run, in the manifest's order."""
    return [v.name for v in Bundle.open(path).manifest.text.variants if suits(v, CPU)]
