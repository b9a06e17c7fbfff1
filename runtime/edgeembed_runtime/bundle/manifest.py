"""The manifest of a bundle (`edgeembed.json`) as frozen dataclasses. See docs/bundle-format.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgeembed_runtime.errors import BundleCorruptError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

KIND = "edgeembed-bundle"
FORMAT_VERSION = 1
_MOST_TOKENS = (1 << 31) - 1


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
    be chosen by itself; empty means any machine. Without `padding` every text must be run at its
    own length. `speedup` is the texts per second relative to
    the fp32 variant on the machine that `measured_on` describes.
    """

    name: str
    file: str
    requires: tuple[str, ...] = ()
    padding: bool = True
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
        text, dim = self.text, self.dim
        names = [variant.name for variant in text.variants]
        _expect(dim >= 1, "dim", "a positive number", dim)
        _expect(
            all(1 <= shorter <= dim for shorter in self.matryoshka_dims),
            "matryoshka_dims",
            f"numbers of 1 to {dim}",
            self.matryoshka_dims,
        )
        _expect(
            self.similarity in SIMILARITIES,
            "similarity",
            f"one of {', '.join(SIMILARITIES)}",
            self.similarity,
        )
        _expect(
            1 <= text.max_tokens <= _MOST_TOKENS,
            "towers.text.max_tokens",
            f"a number of 1 to {_MOST_TOKENS}",
            text.max_tokens,
        )
        _expect(
            text.default_prompt_name is None or text.default_prompt_name in text.prompts,
            "towers.text.default_prompt_name",
            f"one of {', '.join(text.prompts) or 'no prompts'}",
            text.default_prompt_name,
        )
        _expect(
            "embedding" in text.outputs, "towers.text.outputs", "'embedding' in it", text.outputs
        )
        for name, entry in self.files.items():
            _expect(entry.bytes >= 0, f"files.{name}.bytes", "0 or more", entry.bytes)
        _expect(bool(names), "towers.text.variants", "at least one", names)
        _expect(len(set(names)) == len(names), "variant names", "each once", names)


def _expect(right: bool, where: str, expected: str, found: object) -> None:
    if not right:
        raise BundleCorruptError(f"manifest: {where}: expected {expected}, got {found!r:.200}")
