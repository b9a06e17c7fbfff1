"""The towers of a bundle: how each modality is preprocessed, and the graphs that encode it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle.preprocess import Preprocess
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.bundle.validation import expect
from edgeembed_runtime.bundle.words import Words

Modality = Literal["text", "image"]
"""The kind of input a tower encodes."""
TruncationSide = Literal["right", "left"]
"""Where tokens are dropped from a text that is too long."""
Trust = Literal["none", "proven", "own"]
"""How far a bundle's files are trusted: not at all; to need no bound in memory and time, because
they were used in a process of its own; or as a part of this package."""
TRUNCATION_SIDES: tuple[TruncationSide, ...] = get_args(TruncationSide)
_MAX_TOKENS = (1 << 31) - 1


@public
@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How close a variant's vectors are to the original model's, measured on `texts` real inputs.

    Attributes:
        texts: the number of inputs; images for an image tower.
        mean_cosine: mean cosine between the variant's and the original's vector of each input.
        min_cosine: the lowest of those cosines.
        max_abs_difference: the largest absolute difference of any component.
        pairs_spearman: Spearman correlation of all pairwise similarities.
        retrieval_overlap: mean fraction of each input's ten nearest neighbors that both find.
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

    Attributes:
        name: how `Encoder.load(variant=...)` selects it.
        file: the file's name in the bundle.
        requires: CPU features or providers (engine/cpu.py), one of which a machine must have for
            this variant to be selected automatically; empty means any machine.
        padding: whether the graph supports padded batches; if not, it runs each text at its own
            length.
        recipe: how it was quantized.
        fidelity: how close it is to the original model.
        speedup: inputs per second relative to the fp32 variant, on the machine `measured_on`.
        measured_on: a description of that machine.
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
    """What every tower has: the outputs of its graphs, and its variants."""

    outputs: tuple[str, ...] = (EMBEDDING,)
    variants: tuple[Variant, ...]

    def variant(self, name: str) -> Variant | None:
        """Return the variant with this name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    @property
    def variant_names(self) -> tuple[str, ...]:
        """The variants' names, in manifest order."""
        return tuple(variant.name for variant in self.variants)

    def check(self, where: str) -> None:
        """Validate the tower's fields against each other.

        Raises:
            BundleCorruptError: they contradict each other; the message names the path `where`.
        """
        names = self.variant_names
        expect(EMBEDDING in self.outputs, f"{where}.outputs", "'embedding' in it", self.outputs)
        expect(bool(names), f"{where}.variants", "at least one", names)
        expect(len(set(names)) == len(names), "variant names", "each once", names)


@public
@dataclass(frozen=True, kw_only=True)
class TextTower(Tower):
    """How text becomes the inputs of the graph.

    Attributes:
        tokenizer: the tokenizer's file name in the bundle.
        max_tokens: the maximum number of tokens, special tokens included.
        truncation_side: where tokens are dropped from a text that has more; special tokens stay.
        prompts: prompt names and the text each puts before an input.
        default_prompt_name: the prompt used unless another is requested, or None.
        pooling: informational; pooling is part of the graph.
        head: informational; the layers after pooling, part of the graph.
        static: whether a token's contribution to a vector is independent of its context.
        words: how to split text, if tokens are whole words.
    """

    tokenizer: str
    max_tokens: int
    truncation_side: TruncationSide = "right"
    prompts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    default_prompt_name: str | None = None
    pooling: str = ""
    head: tuple[str, ...] = ()
    static: bool = False
    words: Words | None = None

    def check(self, where: str) -> None:
        """Validate the tower's fields against each other; see `Tower.check`."""
        expect(
            1 <= self.max_tokens <= _MAX_TOKENS,
            f"{where}.max_tokens",
            f"a number of 1 to {_MAX_TOKENS}",
            self.max_tokens,
        )
        expect(
            self.truncation_side in TRUNCATION_SIDES,
            f"{where}.truncation_side",
            " or ".join(TRUNCATION_SIDES),
            self.truncation_side,
        )
        expect(
            self.words is None or self.truncation_side == "right",
            f"{where}.truncation_side",
            "right where tokens are words",
            self.truncation_side,
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
