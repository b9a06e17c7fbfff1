"""One variant of a bundle, as a model to evaluate."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeembed import Encoder
from edgeembed.evaluate.models.model import ComparesVectors, Role, Vectors
from edgeembed.evaluate.models.registry import register_model
from edgeembed_runtime.bundle import MANIFEST_NAME, Bundle
from edgeembed_runtime.bundle.packaged import bundle_directory
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.variants import suits
from edgeembed_runtime.errors import InputError


class BundleModel(ComparesVectors):
    """A variant of a bundle; see `Model`. Loaded on first use."""

    def __init__(self, path: Path, variant: str) -> None:
        """Read the manifest.

        Raises:
            BundleError: there is no bundle, or it is damaged.
            InputError: no such variant.
        """
        self._manifest = Bundle.open(path).manifest
        super().__init__(self._manifest.similarity)
        found = self._manifest.text_tower().variant(variant)
        if found is None:
            names = ", ".join(v.name for v in self._manifest.text_tower().variants)
            raise InputError(f"bundle {path}: expected the variant {names}, got {variant!r}")
        self._path, self._variant = path, variant
        towers = self._manifest.towers.values()
        # As in Encoder.load: a tower without this variant runs its first.
        used = [tower.variant(variant) or tower.variants[0] for tower in towers]
        self._files = [self._manifest.files[each.file] for each in used]
        self._encoder: Encoder | None = None

    @property
    def name(self) -> str:
        """The bundle's name and the variant's."""
        return f"{self._manifest.name} {self._variant}"

    @property
    def key(self) -> str:
        """The space, and the hash of each graph."""
        return " ".join([self._manifest.space, *(file.sha256 for file in self._files)])

    @property
    def megabytes(self) -> float:
        """The size of the graphs."""
        return sum(file.bytes for file in self._files) / 1e6

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self._manifest.dim

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """See `Model`; with word vectors, a text without a known word has no vector."""
        found = self._encoded(list(texts), role)
        if self._manifest.text_tower().words is not None:
            found[~found.any(axis=1)] = np.nan
        return found

    def encode_images(self, images: Sequence[Path]) -> Vectors:
        """See `ImageModel`.

        Raises:
            InputError: the bundle does not encode images, or one cannot be read.
        """
        return self._loaded().encode_image(list(images))

    def features(self, texts: Sequence[str]) -> Vectors:
        """See `Model`; a text that has no vector becomes zeros."""
        return np.nan_to_num(self.encode(texts, "plain"))

    def vocabulary(self) -> tuple[str, ...] | None:
        """See `Model`: the words of word vectors; other models take any text."""
        words = self._manifest.text_tower().words
        return None if words is None else self._loaded().vocabulary

    def _encoded(self, texts: list[str], role: Role) -> Vectors:
        match role:
            case "query":
                return self._loaded().encode_query(texts)
            case "document":
                return self._loaded().encode_document(texts)
            case "plain":
                return self._loaded().encode(texts)

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            self._encoder = Encoder.load(self._path, variant=self._variant)
        return self._encoder


@register_model("a bundle")
def open_bundle(name: str) -> list[BundleModel] | None:
    """Open "path@variant", or every variant of the bundle at "path" that runs on this CPU."""
    before, _, variant = name.rpartition("@")
    path = bundle_directory(before)
    if before and (path / MANIFEST_NAME).is_file():
        return [BundleModel(path, variant)]
    path = bundle_directory(name)
    if not (path / MANIFEST_NAME).is_file():
        return None
    variants = Bundle.open(path).manifest.text_tower().variants
    return [BundleModel(path, each.name) for each in variants if suits(each, CPU)]
