"""A trained text encoder in the one form that the exporters take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import nn

from edgeembed_runtime.bundle import Source
from edgeembed_runtime.vectors import Similarity

Pooling = Literal["cls", "mean", "max", "last", "mean_sqrt_len", "weightedmean"]
POOLINGS: tuple[Pooling, ...] = ("cls", "mean", "max", "last", "mean_sqrt_len", "weightedmean")


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """A trained text encoder, ready to export.

    `backbone(input_ids, attention_mask)` returns token vectors (n, t, h), or, where `pooling` is
    empty, sentence vectors (n, h). The modules of `head` then map (n, h) to (n, d) in order.
    `tokenizer_sha256` is of the source's own files. `notes` tells the user what was assumed.
    `card_files` are licence texts to carry along.
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
