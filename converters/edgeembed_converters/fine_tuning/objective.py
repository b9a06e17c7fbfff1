"""What fine-tuning minimizes: one loss of the examples' vectors, and what goes with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from edgeembed_converters.fine_tuning.examples import ExampleKind
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

LossName = Literal["info_nce", "contrastive", "triplet", "cosent", "cosine_mse"]
LOSSES: tuple[LossName, ...] = get_args(LossName)
# The first is the default.
_LOSSES_OF: Mapping[ExampleKind, tuple[LossName, ...]] = {
    "pairs": ("info_nce", "contrastive", "triplet"),
    "triplets": ("info_nce", "contrastive", "triplet"),
    "scored pairs": ("cosent", "cosine_mse", "contrastive"),
}


@public
@dataclass(frozen=True, kw_only=True)
class TrainingObjective:
    """What fine-tuning minimizes.

    `loss` is by default "info_nce" for pairs and triplets, "cosent" for scored pairs. The negatives
    of "info_nce" are the positives of the others in the batch, the examples' own and mined ones;
    those of "contrastive" and "triplet" are the examples' own and mined ones, or else the most
    similar in the batch. `temperature` divides the cosines of "info_nce" and "cosent"; `margin` is
    that of "contrastive", as 1 - cosine, and "triplet", as a distance of unit vectors.

    `hard_negatives` is how many to mine for each example, before training. `masked_tokens` and
    `next_sentence` are the weights of BERT's own tasks, for models with heads for them: predict
    masked tokens, and whether a positive follows its anchor. `matryoshka_dims` trains truncated
    vectors too. `chunk_size` bounds memory: no more texts are in the network at once, whatever the
    batch size, for about a third more time (gradient caching).
    """

    loss: LossName | None = None
    temperature: float = 0.05
    margin: float = 0.5
    hard_negatives: int = 0
    masked_tokens: float = 0.0
    next_sentence: float = 0.0
    matryoshka_dims: tuple[int, ...] = ()
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse settings out of range.

        Raises:
            InputError: there is one.
        """
        if self.loss is not None and self.loss not in LOSSES:
            raise InputError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        for name in ("temperature", "margin"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name}: expected a number above 0, got {value}")
        if self.hard_negatives < 0:
            raise InputError(f"hard_negatives: expected 0 or more, got {self.hard_negatives}")
        for name in ("masked_tokens", "next_sentence"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(
                    f"{name}: expected a weight of 0 or more, got {getattr(self, name)}"
                )
            if self.chunk_size is not None and getattr(self, name):
                raise InputError(f"chunk_size: expected no {name} beside it, got both")
        if self.chunk_size is not None and self.chunk_size < 1:
            raise InputError(f"chunk_size: expected 1 or more, got {self.chunk_size}")

    def loss_for(self, kind: ExampleKind) -> LossName:
        """The loss for examples of a kind.

        Raises:
            InputError: the loss is for others, or there are no hard negatives of these.
        """
        fitting = _LOSSES_OF[kind]
        if self.loss is not None and self.loss not in fitting:
            raise InputError(f"loss: expected {' or '.join(fitting)} for {kind}, got {self.loss!r}")
        if self.hard_negatives and kind == "scored pairs":
            raise InputError("hard_negatives: expected 0 for scored pairs, which have no positives")
        if self.next_sentence and kind == "scored pairs":
            raise InputError("next_sentence: expected 0 for scored pairs, which have no positives")
        return self.loss or fitting[0]

    def check_dim(self, dim: int) -> None:
        """Refuse Matryoshka dims that are not below the model's.

        Raises:
            InputError: there is one.
        """
        wrong = [each for each in self.matryoshka_dims if not 1 <= each < dim]
        if wrong:
            raise InputError(
                f"matryoshka_dims: expected numbers from 1 to {dim - 1}, below the model's "
                f"{dim}, got {', '.join(map(str, wrong))}"
            )


DEFAULT_OBJECTIVE = TrainingObjective()
