"""Examples as token ids, and the batches that they are trained in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeembed_converters.fine_tuning.examples import TrainingExample
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_converters.training.token_batches import TokenRow
from edgeembed_runtime.encoder.prompts import usual_prompt


@dataclass(frozen=True, kw_only=True)
class ExampleBatch:
    """Token ids of n anchors, n positives and m negatives.

    `owners` (m,) is the example of each negative. `excluded` (n, n + m) is true where a positive
    or a negative is known to belong to an anchor, apart from its own. `scores` is (n,).
    """

    anchors: Sequence[TokenRow]
    positives: Sequence[TokenRow]
    negatives: Sequence[TokenRow]
    owners: Tensor
    excluded: Tensor
    scores: Tensor | None


@dataclass(frozen=True, kw_only=True)
class EncodedExamples:
    """Examples whose texts are numbers of `rows`, each distinct text once."""

    rows: Sequence[TokenRow]
    anchors: NDArray[np.int64]
    positives: NDArray[np.int64]
    negatives: Sequence[Sequence[int]]
    scores: NDArray[np.float32] | None

    @cached_property
    def known_pairs(self) -> NDArray[np.int64]:
        """Every anchor with every positive of it, as one number each, in order."""
        return np.unique(self.anchors * len(self.rows) + self.positives)

    def belong(self, anchors: NDArray[np.int64], texts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of m texts are a positive of which of n anchors, or the same text: (n, m)."""
        pairs = anchors[:, None] * len(self.rows) + texts[None, :]
        return np.isin(pairs, self.known_pairs) | (anchors[:, None] == texts[None, :])

    def batch(self, places: Sequence[int], device: str) -> ExampleBatch:
        """The examples at these indices."""
        chosen = np.array(places, np.int64)
        anchors, positives = self.anchors[chosen], self.positives[chosen]
        owners = [n for n, place in enumerate(places) for _ in self.negatives[place]]
        negatives = np.array([t for p in places for t in self.negatives[p]], np.int64)
        excluded = self.belong(anchors, np.concatenate([positives, negatives]))
        np.fill_diagonal(excluded, val=False)
        scores = None if self.scores is None else torch.from_numpy(self.scores[chosen]).to(device)
        return ExampleBatch(
            anchors=[self.rows[text] for text in anchors],
            positives=[self.rows[text] for text in positives],
            negatives=[self.rows[text] for text in negatives],
            owners=torch.tensor(owners, dtype=torch.int64, device=device),
            excluded=torch.from_numpy(excluded).to(device),
            scores=scores,
        )


def encoded_examples(source: TextSource, items: Sequence[TrainingExample]) -> EncodedExamples:
    """Tokenize examples, with the model's prompts for queries and documents.

    Of scored pairs, neither text is a query: both get the model's default prompt.
    """
    scored = items[0].score is not None
    default = source.default_prompt_name
    names = (
        (default, default)
        if scored
        else (usual_prompt(source.prompts, "query"), usual_prompt(source.prompts, "document"))
    )
    asked, found = (source.prompts[name] if name else "" for name in names)
    numbers: dict[str, int] = {}

    def number(text: str) -> int:
        return numbers.setdefault(text, len(numbers))

    anchors = [number(asked + item.anchor) for item in items]
    positives = [number(found + item.positive) for item in items]
    negatives = [[number(found + text) for text in item.negatives] for item in items]
    tokenizer = source.tokenizer
    scores = [item.score for item in items if item.score is not None]
    return EncodedExamples(
        rows=[tokenizer.encode(text).ids.astype(np.int32) for text in numbers],
        anchors=np.array(anchors, np.int64),
        positives=np.array(positives, np.int64),
        negatives=negatives,
        scores=np.array(scores, np.float32) if scored else None,
    )


class Batches:
    """The batches of an epoch, determined by seed and epoch, made on demand."""

    def __init__(self, examples: EncodedExamples, settings: TrainingSettings, epoch: int) -> None:
        """Shuffle the examples for this epoch."""
        self.examples, self.device = examples, settings.device
        rng = np.random.default_rng((settings.seed, epoch))
        order: list[int] = rng.permutation(len(examples.anchors)).tolist()
        size = settings.batch_size
        self.places = [order[at : at + size] for at in range(0, len(order), size)]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)

    def __getitem__(self, number: int) -> ExampleBatch:
        """Batch `number`."""
        return self.examples.batch(self.places[number], self.device)
