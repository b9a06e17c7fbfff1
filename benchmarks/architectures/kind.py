"""What a kind of encoder is: an architecture, made tiny, with a fitting tokenizer and head."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Pooling = Literal["mean", "cls", "lasttoken", "weightedmean"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of text encoder.

    `config` and `model` are classes of transformers; without `model`, AutoModel chooses. `dense`
    are the widths of Dense layers after pooling. A `plain` directory is transformers' own, without
    what sentence-transformers adds.
    """

    name: str
    config: str
    settings: Mapping[str, Any]
    vocabulary: str
    pooling: Pooling = "mean"
    model: str = ""
    dense: tuple[int, ...] = ()
    normalize: bool = True
    prompts: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False
