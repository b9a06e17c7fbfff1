"""The manifest of a bundle (`edgeembed.json`) as frozen dataclasses. See docs/bundle-format.md."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.towers import ImageTower, Modality, TextTower, Tower
from edgeembed_runtime.bundle.validation import expect
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

KIND = "edgeembed-bundle"
FORMAT_VERSION = 1
_ARTICLE: Mapping[Modality, str] = {"text": "a", "image": "an"}


@public
@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a file of the bundle must be: its size in bytes and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@public
@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the weights came from."""

    id: str
    revision: str | None = None
    weights_sha256: str
    license: str | None = None


@public
@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a bundle says of itself.

    `space` is the fingerprint of the vector space: vectors may be compared only where it is equal.
    There is a tower for texts, for images, or one for each: then both give vectors of one space.
    `logit_scale` and `logit_bias` are what CLIP and SigLIP multiply a cosine by, and add to it, to
    make a logit of it (the multiplier itself, not its logarithm).
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
    golden: str = "golden.json"
    made_by: str = ""
    files: Mapping[str, FileEntry]

    def __post_init__(self) -> None:
        """Refuse a manifest whose parts contradict each other."""
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
        for name, entry in self.files.items():
            expect(entry.bytes >= 0, f"files.{name}.bytes", "0 or more", entry.bytes)

    @property
    def towers(self) -> Mapping[Modality, Tower]:
        """The towers that the bundle has, by the kind of their input."""
        towers: dict[Modality, Tower] = {}
        if self.text is not None:
            towers["text"] = self.text
        if self.image is not None:
            towers["image"] = self.image
        return towers

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What the bundle encodes: "text", "image", or both."""
        return tuple(self.towers)

    def text_tower(self) -> TextTower:
        """The tower for texts.

        Raises:
            InputError: the bundle has none.
        """
        if self.text is None:
            raise self.lacks("text")
        return self.text

    def image_tower(self) -> ImageTower:
        """The tower for images.

        Raises:
            InputError: the bundle has none.
        """
        if self.image is None:
            raise self.lacks("image")
        return self.image

    def lacks(self, modality: Modality) -> InputError:
        """The error for a bundle without a tower that is needed."""
        (other,) = self.modalities
        return InputError(
            f"bundle {self.name}: expected one that encodes {modality}s, got one for {other}s "
            f"only; give it {other}s, or use a bundle with {_ARTICLE[modality]} {modality} tower"
        )
