"""The towers of a bundle: how each kind of input is prepared, and the graphs that take it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.preprocess import Preprocess
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.bundle.validation import expect
from edgeembed_runtime.bundle.words import Words

Modality = Literal["text", "image"]
_MAX_TOKENS = (1 << 31) - 1


@public
@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How close a variant's vectors are to the original model's, over `texts` real inputs.

    The inputs of an image tower are images, whatever the name says. Cosines are between the two
    vectors of one input; `max_abs_difference` is over components; `pairs_spearman` compares the
    rankings of all pairwise similarities; `retrieval_overlap` is the mean share of each input's
    ten nearest neighbors that both find.
    """

    texts: int
    mean_cosine: float
    min_cosine: float
    max_abs_difference: float
    pairs_spearman: float
    retrieval_overlap: float


@public
@dataclass(frozen=True, kw_only=True)
class Variant:
    """One ONNX file of a tower.

    `requires` names CPU features (engine/cpu.py) of which a machine needs one for this variant to
    be chosen by itself; empty means any machine. Without `padding` every text must be run at its
    own length. `speedup` is the inputs per second relative to
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


@public
@dataclass(frozen=True, kw_only=True)
class Tower:
    """What every tower has: its graphs' outputs, and its variants."""

    outputs: tuple[str, ...] = (EMBEDDING,)
    variants: tuple[Variant, ...]

    def variant(self, name: str) -> Variant | None:
        """The variant of this name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    @property
    def variant_names(self) -> tuple[str, ...]:
        """The names of the variants, in the manifest's order."""
        return tuple(variant.name for variant in self.variants)

    def check(self, where: str) -> None:
        """Refuse a tower whose parts contradict each other; `where` is its place."""
        names = self.variant_names
        expect(EMBEDDING in self.outputs, f"{where}.outputs", "'embedding' in it", self.outputs)
        expect(bool(names), f"{where}.variants", "at least one", names)
        expect(len(set(names)) == len(names), "variant names", "each once", names)


@public
@dataclass(frozen=True, kw_only=True)
class TextTower(Tower):
    """How text becomes the inputs of the graph.

    `max_tokens` counts special tokens. `prompts` maps a name to the text put before an input.
    `pooling` and `head` only inform: both are inside the graph. `static` says that a token's share
    in a vector does not depend on the tokens beside it. `words` is there where tokens are words.
    """

    tokenizer: str
    max_tokens: int
    prompts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    default_prompt_name: str | None = None
    pooling: str = ""
    head: tuple[str, ...] = ()
    static: bool = False
    words: Words | None = None

    def check(self, where: str) -> None:
        """See `Tower`."""
        expect(
            1 <= self.max_tokens <= _MAX_TOKENS,
            f"{where}.max_tokens",
            f"a number of 1 to {_MAX_TOKENS}",
            self.max_tokens,
        )
        expect(
            self.default_prompt_name is None or self.default_prompt_name in self.prompts,
            f"{where}.default_prompt_name",
            f"one of {', '.join(self.prompts) or 'no prompts'}",
            self.default_prompt_name,
        )
        expect(
            self.words is None or (self.static and self.outputs == (EMBEDDING,)),
            f"{where}.words",
            "static, and no output but 'embedding', where tokens are words",
            self.outputs,
        )
        super().check(where)


@public
@dataclass(frozen=True, kw_only=True)
class ImageTower(Tower):
    """How an image becomes `pixel_values`, the input of the graph."""

    preprocess: Preprocess
