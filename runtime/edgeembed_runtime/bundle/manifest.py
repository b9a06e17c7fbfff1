"""The manifest of a bundle (`edgeembed.json`) as frozen dataclasses. See docs/bundle-format.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgeembed_runtime.errors import BundleCorruptError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

KIND = "edgeembed-bundle"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a file of the bundle must be: its size in bytes and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the weights came from."""

    id: str
    revision: str | None = None
    weights_sha256: str
    license: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How close a variant's vectors are to the original model's, over `texts` real inputs.

    Cosines are between the two vectors of one text; `max_abs_difference` is over components;
    `pairs_spearman` compares the rankings of all pairwise similarities; `retrieval_overlap` is the
    mean share of each text's ten nearest neighbours that both find.
    """

    texts: int
    mean_cosine: float
    min_cosine: float
    max_abs_difference: float
    pairs_spearman: float
    retrieval_overlap: float


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One ONNX file of a tower.

    `requires` names CPU features (engine/cpu.py) of which a machine needs one for this variant to
    be chosen by itself; empty means any machine. `speedup` is the texts per second relative to
    the fp32 variant on the machine that `measured_on` describes.
    """

    name: str
    file: str
    requires: tuple[str, ...] = ()
    recipe: str = ""
    fidelity: Fidelity
    speedup: float = 1.0
    measured_on: str = ""


@dataclass(frozen=True, kw_only=True)
class TextTower:
    """How text becomes the inputs of the graph.

    `max_tokens` counts special tokens. `prompts` maps a name to the text put before an input.
    `pooling` and `head` only inform: both are inside the graph.
    """

    tokenizer: str
    max_tokens: int
    prompts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    default_prompt_name: str | None = None
    pooling: str = ""
    head: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("embedding",)
    variants: tuple[Variant, ...]

    def variant(self, name: str) -> Variant | None:
        """The variant of this name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a bundle says of itself.

    `space` is the fingerprint of the vector space: vectors may be compared only where it is equal.
    """

    name: str
    space: str
    dim: int
    similarity: Similarity = "cosine"
    normalized: bool
    matryoshka_dims: tuple[int, ...] = ()
    source: Source
    text: TextTower
    golden: str = "golden.json"
    made_by: str = ""
    files: Mapping[str, FileEntry]

    def __post_init__(self) -> None:
        """Refuse a manifest whose parts contradict each other."""
        if self.dim < 1:
            raise BundleCorruptError(f"manifest: dim: expected a positive number, got {self.dim}")
        if self.similarity not in SIMILARITIES:
            raise BundleCorruptError(
                f"manifest: similarity: expected one of {', '.join(SIMILARITIES)}, "
                f"got {self.similarity!r}"
            )
        if self.text.max_tokens < 1:
            raise BundleCorruptError(
                f"manifest: max_tokens: expected a positive number, got {self.text.max_tokens}"
            )
        if not self.text.variants:
            raise BundleCorruptError(
                "manifest: towers.text.variants: expected at least one, got none"
            )
        names = [variant.name for variant in self.text.variants]
        if len(set(names)) != len(names):
            raise BundleCorruptError(f"manifest: variant names: expected each once, got {names}")
