"""A static table in training: a text's vector is the weighted sum of its tokens' vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeembed_converters.training import losses
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

# How many times as fast as the vectors the log weights learn.
_WEIGHT_RATE = 5.0


@public
@dataclass(frozen=True, kw_only=True)
class StaticLosses:
    """The weights of the losses: cosine to the teacher, and similarity of neighborhoods.

    `temperature` is that of `losses.similarity_kl`.
    """

    cosine: float = 1.0
    similarity: float = 0.3
    temperature: float = 0.05

    def __post_init__(self) -> None:
        """Refuse weights that make no loss.

        Raises:
            InputError: negative weights, only zeros, or a temperature that is not positive.
        """
        both = (self.cosine, self.similarity)
        if not all(0 <= weight < float("inf") for weight in both) or not any(both):
            raise InputError(f"losses: expected weights of 0 or more, one above 0, got {both}")
        if not 0 < self.temperature < float("inf"):
            raise InputError(f"losses: expected a temperature above 0, got {self.temperature}")


@dataclass(frozen=True, kw_only=True)
class BagBatch:
    """Concatenated ids of texts, where each text starts, and target vectors (n, d) float32."""

    ids: Tensor
    starts: Tensor
    targets: Tensor


@dataclass(frozen=True, kw_only=True)
class BagTexts:
    """Texts as token ids, and their target vectors: (n, d) float32."""

    ids: Sequence[NDArray[np.int32]]
    targets: NDArray[np.float32]

    @cached_property
    def flat(self) -> NDArray[np.int32]:
        """All ids, concatenated."""
        return np.concatenate(self.ids)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """The number of ids of each text."""
        return np.array([len(each) for each in self.ids], np.int64)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where in `flat` each text ends."""
        return np.cumsum(self.lengths)

    def batch(self, places: NDArray[np.int64], device: str) -> BagBatch:
        """The texts at these indices."""
        lengths = self.lengths[places]
        ends = np.cumsum(lengths)
        inside = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        at = np.repeat(self.ends[places] - lengths, lengths) + inside
        return BagBatch(
            ids=torch.from_numpy(self.flat[at].astype(np.int64)).to(device),
            starts=torch.from_numpy(ends - lengths).to(device),
            targets=torch.from_numpy(self.targets[places]).to(device),
        )


class BagBatches:
    """The batches of an epoch, determined by seed and epoch, made on demand."""

    def __init__(
        self, texts: BagTexts, batch_size: int, seed: int, epoch: int, device: str
    ) -> None:
        """Shuffle the texts for this epoch."""
        self.texts, self.device = texts, device
        order = np.random.default_rng((seed, epoch)).permutation(len(texts.ids)).astype(np.int64)
        full = len(order) // batch_size * batch_size
        # Neighborhoods in a small last batch would not be comparable.
        self.places = np.split(order[:full], full // batch_size) if full else [order]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)

    def __getitem__(self, number: int) -> BagBatch:
        """Batch `number`."""
        return self.texts.batch(self.places[number], self.device)


class StaticTable(nn.Module):
    """A vector and a weight for each token."""

    def __init__(self, vectors: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
        """Start with (tokens, d) vectors and positive (tokens,) weights."""
        super().__init__()
        self.vectors = nn.Parameter(torch.from_numpy(vectors.copy()))
        self.scaled_log_weights = nn.Parameter(torch.from_numpy(np.log(weights) / _WEIGHT_RATE))

    @property
    def weights(self) -> Tensor:
        """How much each token counts: (tokens,)."""
        return torch.exp(self.scaled_log_weights * _WEIGHT_RATE)

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """Concatenated ids and where each text starts, to (n, d) unit vectors."""
        summed = F.embedding_bag(
            ids, self.vectors, starts, mode="sum", per_sample_weights=self.weights[ids]
        )
        return F.normalize(summed, dim=-1)

    def loss(self, batch: BagBatch, weights: StaticLosses) -> Tensor:
        """The weighted sum of the losses of a batch, with a gradient."""
        found = self(batch.ids, batch.starts)
        terms: list[Tensor] = []
        if weights.cosine:
            terms.append(weights.cosine * losses.cosine_to_teacher(found, batch.targets))
        if weights.similarity:
            kl = losses.similarity_kl(found, batch.targets, temperature=weights.temperature)
            terms.append(weights.similarity * kl)
        return torch.stack(terms).sum()

    @torch.no_grad()
    def encode(self, texts: BagTexts, device: str) -> NDArray[np.float32]:
        """The vectors of texts, in order: (n, d) float32."""
        batch = texts.batch(np.arange(len(texts.ids)), device)
        return self(batch.ids, batch.starts).cpu().numpy()

    @torch.no_grad()
    def rows(self) -> NDArray[np.float32]:
        """The vectors times their weights, scaled so that the longest has length 1: (tokens, d)."""
        rows = (self.vectors * self.weights[:, None]).cpu()
        return (rows / rows.norm(dim=1).max().clamp(min=1e-12)).numpy()
