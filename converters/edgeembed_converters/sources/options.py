"""What the user says of a source, in place of what its files say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edgeembed_converters.sources.base import Pooling


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What the user says of a source, in place of what its files say; None leaves it to them.

    `preprocess` is a Preprocess or a transform of torchvision. `tokenizer` and `example_inputs` are
    for live modules.
    """

    name: str | None = None
    pooling: Pooling | None = None
    normalize: bool | None = None
    max_tokens: int | None = None
    prompts: Mapping[str, str] | None = None
    preprocess: Any = None
    tokenizer: str | Path | Any = None
    example_inputs: Sequence[Tensor] | None = None
    trust_remote_code: bool = False
