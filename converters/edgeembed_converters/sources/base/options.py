"""What the user says about a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edgeembed_converters.modules.pooling import POOLINGS, Pooling
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What the user says about a source; None leaves it to the model's own files.

    `preprocess` is a Preprocess or a torchvision transform. `tokenizer` and `example_inputs` are
    for live modules, `revision` is for Hub ids. `ignore` has words of settings that
    no library reads, and of the libraries' warnings, that do not matter.
    """

    name: str | None = None
    pooling: Pooling | None = None
    normalize: bool | None = None
    max_tokens: int | None = None
    prompts: Mapping[str, str] | None = None
    preprocess: Any = None
    tokenizer: str | Path | Any = None
    example_inputs: Sequence[Tensor] | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    ignore: Sequence[str] = ()


def check_text_options(pooling: str | None, max_tokens: int | None) -> None:
    """Refuse options of text encoders that no encoder has.

    Raises:
        InputError: the pooling is unknown, or the limit is no positive number.
    """
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise InputError(f"max_tokens: expected a positive number or None, got {max_tokens!r}")
    if pooling is not None and pooling not in POOLINGS:
        raise InputError(f"pooling: expected one of {', '.join(POOLINGS)}, got {pooling!r}")
