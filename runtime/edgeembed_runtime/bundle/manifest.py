"""The manifest of a bundle, `edgeembed.json` (docs/reference/bundle-format.md), as dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.bundle.towers import ImageTower, Modality, TextTower, Tower
from edgeembed_runtime.bundle.validation import expect
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

KIND = "edgeembed-bundle"
# The highest that this package reads. A manifest has the lowest that says all of it.
FORMAT_VERSION = 2
_ARTICLE: Mapping[Modality, str] = {"text": "a", "image": "an"}


@public
@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """A file's expected size in bytes and SHA-256 in lowercase hex."""

    bytes: int
    sha256: str


@public
@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the weights came from: model id, revision, SHA-256 of the weights, license."""

    id: str
    revision: str | None = None
    weights_sha256: str
    license: str | None = None


@public
@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a bundle declares about itself.

    `space` is the fingerprint of the vector space: only vectors with the same fingerprint can be
    compared. A bundle has a text tower, an image tower, or both; two towers share one space. CLIP
    and SigLIP turn a cosine into a logit as `cosine * logit_scale + logit_bias` (the multiplier
    itself, not its logarithm). `search` is how to search with the text tower, if it was measured.

    Raises:
        BundleCorruptError: fields contradict each other.
    """

    name: str
    space: str
    dim: int
    similarity: Similarity = "cosine"
    normalized: bool
    matryoshka_dims: tuple[int, ...] = ()
    source: Source
    text: TextTower | None = None
    image: ImageTower | None = None
    logit_scale: float | None = None
    logit_bias: float | None = None
    search: SearchProfile | None = None
    golden: str = "golden.json"
    made_by: str = ""
    files: Mapping[str, FileEntry]

    def __post_init__(self) -> None:
        """Validate the fields against each other."""
        dim = self.dim
        expect(dim >= 1, "dim", "a positive number", dim)
        expect(
            all(1 <= shorter <= dim for shorter in self.matryoshka_dims),
            "matryoshka_dims",
            f"numbers of 1 to {dim}",
            self.matryoshka_dims,
        )
        expect(
            self.similarity in SIMILARITIES,
            "similarity",
            f"one of {', '.join(SIMILARITIES)}",
            self.similarity,
        )
        expect(bool(self.towers), "towers", "text, image, or both", tuple(self.towers))
        for modality, tower in self.towers.items():
            tower.check(f"towers.{modality}")
        scale = self.logit_scale
        expect(scale is None or scale > 0, "logit_scale", "a positive number", scale)
        if self.search is not None:
            self.search.check()
        for name, entry in self.files.items():
            expect(entry.bytes >= 0, f"files.{name}.bytes", "0 or more", entry.bytes)

    @property
    def format_version(self) -> int:
        """The lowest format version whose readers understand the manifest.

        Those of version 1 would ignore a truncation side of "left", and return other vectors.
        """
        return 2 if self.text is not None and self.text.truncation_side == "left" else 1

    @property
    def towers(self) -> Mapping[Modality, Tower]:
        """The bundle's towers by modality."""
        towers: dict[Modality, Tower] = {}
        if self.text is not None:
            towers["text"] = self.text
        if self.image is not None:
            towers["image"] = self.image
        return towers

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities the bundle encodes: "text", "image", or both."""
        return tuple(self.towers)

    def text_tower(self) -> TextTower:
        """Return the text tower.

        Raises:
            InputError: the bundle has none.
        """
        if self.text is None:
            raise self.lacks("text")
        return self.text

    def image_tower(self) -> ImageTower:
        """Return the image tower.

        Raises:
            InputError: the bundle has none.
        """
        if self.image is None:
            raise self.lacks("image")
        return self.image

    def lacks(self, modality: Modality) -> InputError:
        """Build the error for a bundle that lacks the tower for `modality`."""
        (other,) = self.modalities
        return InputError(
            f"bundle {self.name}: expected one that encodes {modality}s, got one for {other}s "
            f"only; give it {other}s, or use a bundle with {_ARTICLE[modality]} {modality} tower"
        )
