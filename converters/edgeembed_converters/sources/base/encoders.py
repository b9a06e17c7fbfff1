"""Trained encoders in the form that the exporters take: text, image, or both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from edgeembed_converters.model_files.image_processors import OriginalPixels
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.modules.mean_of_rows import MeanOfRows
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.sources.base.witness import Witness
from edgeembed_runtime.bundle import Preprocess, Source
from edgeembed_runtime.bundle.towers import TruncationSide
from edgeembed_runtime.errors import ConversionError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from edgeembed_runtime.vectors import Similarity

_MAX_PROMPT_CHARS = 10_000


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A text encoder with its tokenizer; `notes` is what the user should know."""

    module: nn.Module
    model_type: str
    tokenizer_json: bytes
    max_tokens: int
    truncation_side: TruncationSide = "right"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """A trained text encoder, ready to export.

    `backbone(input_ids, attention_mask)` returns token vectors (n, t, h), or sentence vectors
    (n, h) if `pooling` is empty. The modules of `head` then map (n, h) to (n, d), in order.
    Texts are cut to `max_tokens` at `truncation_side`. `witness` is None where no library loads
    the model, as for a live module. `original` is that library's own model, which can save itself:
    it shares its weights with the backbone and the head until these are trained. `notes` tells
    the user what was assumed. `card_files` are license texts to copy into the bundle.
    """

    name: str
    source: Source
    backbone: nn.Module
    model_type: str
    tokenizer_json: bytes
    max_tokens: int
    truncation_side: TruncationSide = "right"
    pooling: tuple[Pooling, ...]
    head: nn.Sequential
    normalized: bool
    witness: Witness | None = None
    original: nn.Module | None = None
    similarity: Similarity = "cosine"
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    directory: Path | None = None
    notes: tuple[str, ...] = ()
    card_files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse prompts that would take minutes to cut into tokens, before each text.

        Raises:
            ConversionError: a prompt is longer than 10,000 characters.
        """
        for name, prompt in self.prompts.items():
            if len(prompt) > _MAX_PROMPT_CHARS:
                raise ConversionError(
                    f"{self.name}: prompts: {name!r:.80}: expected at most {_MAX_PROMPT_CHARS:,} "
                    f"characters, got {len(prompt):,}; shorten it, or pass other prompts"
                )

    @property
    def tokenizer(self) -> TextTokenizer:
        """The runtime's tokenizer of the bundle to be.

        That of a directory was checked before; a live model's is the user's own.
        """
        return TextTokenizer.from_bytes(
            self.tokenizer_json,
            self.max_tokens,
            self.name,
            truncation_side=self.truncation_side,
            trust="proven",
        )

    @property
    def plain_table(self) -> MeanOfRows | None:
        """That of a static model whose vectors are means of rows, of unit length or not."""
        scaled = all(isinstance(module, Normalize) for module in self.head)
        return self.backbone if isinstance(self.backbone, MeanOfRows) and scaled else None

    @property
    def head_names(self) -> tuple[str, ...]:
        """The modules of the head, for people: ("Dense 384x128 Tanh", "Normalize")."""
        return tuple(str(module) for module in self.head)

    @property
    def pooling_name(self) -> str:
        """The pooling, for people; empty if it is inside the backbone."""
        return "+".join(self.pooling)


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """A trained image encoder, ready to export.

    `backbone(pixel_values)` maps (n, 3, h, w) float32 to pooled (n, c); the modules of `head` then
    map (n, c) to (n, d), in order. `pooling` is for people. `original_pixels` is the original
    library's own processor; None if there is only `preprocess`.
    """

    name: str
    source: Source
    backbone: nn.Module
    model_type: str
    preprocess: Preprocess
    pooling: str
    head: nn.Sequential
    normalized: bool
    original_pixels: OriginalPixels | None = None
    similarity: Similarity = "cosine"
    notes: tuple[str, ...] = ()
    card_files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def head_names(self) -> tuple[str, ...]:
        """The modules of the head, for people."""
        return tuple(str(module) for module in self.head)

    @property
    def pooling_name(self) -> str:
        """The pooling, for people; empty if it is inside the backbone."""
        return self.pooling


@dataclass(frozen=True, kw_only=True)
class DualSource:
    """A text and an image encoder that share a vector space.

    The bundle takes its name and origin from `image`. A logit is `logit_scale` times the cosine
    plus `logit_bias`.
    """

    text: TextSource
    image: ImageSource
    logit_scale: float | None = None
    logit_bias: float | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about either encoder, without duplicates."""
        return tuple(dict.fromkeys((*self.text.notes, *self.image.notes)))


AnySource = TextSource | ImageSource | DualSource


def text_of(source: AnySource) -> TextSource | None:
    """The text encoder of a source, if it has one."""
    if isinstance(source, DualSource):
        return source.text
    return source if isinstance(source, TextSource) else None


def image_of(source: AnySource) -> ImageSource | None:
    """The image encoder of a source, if it has one."""
    if isinstance(source, DualSource):
        return source.image
    return source if isinstance(source, ImageSource) else None


def primary_source(source: AnySource) -> TextSource | ImageSource:
    """The encoder that the bundle takes its name, origin and license from."""
    return source.image if isinstance(source, DualSource) else source
