"""How a model is trained: rates, sizes, patience, device."""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

Precision = Literal["fp32", "bf16"]


@public
@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained.

    `learning_rate` is the maximum: reached after `warmup` (a share of all steps), then decaying
    linearly to 0. A step is a batch of `batch_size`; each text
    or pair is seen `epochs` times. The metric
    is evaluated every `evaluate_every` steps; after `patience` evaluations without improvement the
    training stops, and the best state is used. `precision` "bf16" uses torch's autocast. `device`
    is a torch device: "cpu", "cuda".
    """

    learning_rate: float = 4e-4
    weight_decay: float = 0.01
    warmup: float = 0.05
    batch_size: int = 32
    epochs: int = 1
    evaluate_every: int = 250
    patience: int = 4
    gradient_clip: float = 1.0
    precision: Precision = "fp32"
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings out of range.

        Raises:
            InputError: there is one.
        """
        for name in ("batch_size", "epochs", "evaluate_every", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("learning_rate", "gradient_clip"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name}: expected a number above 0, got {value}")
        if not 0 <= self.warmup <= 1:
            raise InputError(f"warmup: expected a share from 0 to 1, got {self.warmup}")
        if self.precision not in ("fp32", "bf16"):
            raise InputError(f"precision: expected 'fp32' or 'bf16', got {self.precision!r}")
        check_device(self.device)


def check_device(name: str) -> None:
    """Refuse a device that is not available to torch.

    Raises:
        InputError: it is not.
    """
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device: expected 'cpu', or one that this torch can use, got {name!r}"
        ) from error
