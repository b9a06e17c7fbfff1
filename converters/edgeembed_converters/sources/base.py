"""Trained encoders in the form that the exporters take: of texts, of images, of both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from edgeembed_runtime.bundle import Preprocess, Source
from edgeembed_runtime.vectors import Similarity

Pooling = Literal["cls", "mean", "max", "last", "mean_sqrt_len", "weightedmean"]
POOLINGS: tuple[Pooling, ...] = ("cls", "mean", "max", "last", "mean_sqrt_len", "weightedmean")
# A library's own way from an RGB image of Pillow to (1, 3, h, w) float32.
OriginalPixels = Callable[[Any], Tensor]
# A library's own way from texts to their (n, d) vectors.
OriginalVectors = Callable[[list[str]], Tensor]


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """A trained text encoder, ready to export.

    `backbone(input_ids, attention_mask)` returns token vectors (n, t, h), or, where `pooling` is
    empty, sentence vectors (n, h). The modules of `head` then map (n, h) to (n, d) in order.
    `tokenizer_sha256` is of the source's own files. `original_vectors` is the library's own way,
    where it is not the backbone on what `tokenizer_json` gives. `notes` tells the user what was
    assumed. `card_files` are license texts to carry along.
    """

    name: str
    source: Source
    backbone: nn.Module
    model_type: str
    tokenizer_json: bytes
    tokenizer_sha256: str
    max_tokens: int
    pooling: tuple[Pooling, ...]
    head: nn.Sequential
    normalized: bool
    original_vectors: OriginalVectors | None = None
    similarity: Similarity = "cosine"
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    directory: Path | None = None
    notes: tuple[str, ...] = ()
    card_files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def head_names(self) -> tuple[str, ...]:
        """What the head does, for people: such as ("Dense 384x128 Tanh", "Normalize")."""
        return tuple(str(module) for module in self.head)

    @property
    def pooling_name(self) -> str:
        """How it is pooled, for people; empty where that is inside the backbone."""
        return "+".join(self.pooling)


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """A trained encoder of images, ready to export.

    `backbone(pixel_values)` maps (n, 3, h, w) float32 to (n, c), pooled; the modules of `head` then
    map that to (n, d) in order. `pooling` says how it was pooled, for people. `original_pixels` is
    the original library's own processor, or None where there is no other than `preprocess`.
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
        """What the head does, for people."""
        return tuple(str(module) for module in self.head)

    @property
    def pooling_name(self) -> str:
        """How it is pooled, for people; empty where that is inside the backbone."""
        return self.pooling


@dataclass(frozen=True, kw_only=True)
class DualSource:
    """Two trained encoders of one space, for texts and for images.

    The bundle's name and origin are those of `image`. `logit_scale` is what a cosine is multiplied
    by to make a logit of it, `logit_bias` what is added then.
    """

    text: TextSource
    image: ImageSource
    logit_scale: float | None = None
    logit_bias: float | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of either, each once."""
        return tuple(dict.fromkeys((*self.text.notes, *self.image.notes)))


AnySource = TextSource | ImageSource | DualSource


def text_of(source: AnySource) -> TextSource | None:
    """The part of a source that takes texts, if there is one."""
    if isinstance(source, DualSource):
        return source.text
    return source if isinstance(source, TextSource) else None


def image_of(source: AnySource) -> ImageSource | None:
    """The part of a source that takes images, if there is one."""
    if isinstance(source, DualSource):
        return source.image
    return source if isinstance(source, ImageSource) else None


def primary_source(source: AnySource) -> TextSource | ImageSource:
    """The part whose name, origin and license are the bundle's."""
    return source.image if isinstance(source, DualSource) else source
