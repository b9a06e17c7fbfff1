"""What a text student is trained on: batches of similar length, and their weighted losses."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeembed_converters.training import losses
from edgeembed_converters.training.token_batches import encode_rows, padded
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

# Texts for this many batches are sorted by length together, to save padding.
_SORTED_TOGETHER = 16


@public
@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """The weight of each loss in `losses.py`; 0 disables it.

    The cosine alone first learns what the teacher's vectors have in common; a little `similarity`
    teaches how they differ. `contrastive` is InfoNCE with the teacher's vector of the same text as
    the positive. `triplet` and `pairs` use the teacher's vector as the positive, and that of the
    nearest other text in the batch as the negative. `hidden_states` compares the last token vectors
    with the teacher's, which must then run in PyTorch too. `masked_tokens` adds a forward pass with
    masked tokens.
    """

    cosine: float = 1.0
    mse: float = 0.0
    similarity: float = 0.1
    contrastive: float = 0.0
    triplet: float = 0.0
    pairs: float = 0.0
    hidden_states: float = 0.0
    masked_tokens: float = 0.0
    matryoshka: float = 0.0
    matryoshka_dims: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse weights that make no loss.

        Raises:
            InputError: negative weights, only zeros, or Matryoshka without dims.
        """
        weights = {f.name: getattr(self, f.name) for f in fields(self) if f.type is float}
        wrong = [name for name, value in weights.items() if not 0 <= value < float("inf")]
        if wrong or not any(weights.values()):
            raise InputError(f"losses: expected weights of 0 or more, one above 0, got {weights}")
        if bool(self.matryoshka) != bool(self.matryoshka_dims):
            raise InputError(
                "losses: expected matryoshka and matryoshka_dims together, got "
                f"{self.matryoshka} and {self.matryoshka_dims}"
            )


@dataclass(frozen=True, kw_only=True)
class TextBatch:
    """Ids and mask (n, t), right-padded, and target vectors (n, d)."""

    ids: Tensor
    mask: Tensor
    targets: Tensor


@dataclass(frozen=True, kw_only=True)
class EncodedTexts:
    """Texts as token ids, and their target vectors: (n, d) float32."""

    ids: Sequence[NDArray[np.int32]]
    targets: NDArray[np.float32]
    pad_id: int

    def projected(self, projection: Tensor | None, normalized: bool) -> "EncodedTexts":
        """The same texts with targets multiplied by `projection` (d, new d), if given."""
        if projection is None:
            return self
        targets = torch.from_numpy(self.targets) @ projection
        if normalized:
            targets = nn.functional.normalize(targets, dim=-1)
        return replace(self, targets=targets.numpy())

    def batch(self, places: Sequence[int], device: str) -> TextBatch:
        """The texts at these indices, padded to the longest of them."""
        ids, mask = padded([self.ids[place] for place in places], self.pad_id)
        targets = torch.from_numpy(self.targets[list(places)])
        return TextBatch(ids=ids.to(device), mask=mask.to(device), targets=targets.to(device))

    def places(self, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
        """The batches of an epoch, as indices; seed and epoch determine them."""
        rng = np.random.default_rng((seed, epoch))
        order: list[int] = rng.permutation(len(self.ids)).tolist()
        found: list[list[int]] = []
        for start in range(0, len(order), batch_size * _SORTED_TOGETHER):
            near = order[start : start + batch_size * _SORTED_TOGETHER]
            near.sort(key=lambda place: len(self.ids[place]))
            found += [near[at : at + batch_size] for at in range(0, len(near), batch_size)]
        return [found[number] for number in rng.permutation(len(found)).tolist()]


def encode(encoder: nn.Module, texts: EncodedTexts, device: str) -> Tensor:
    """An encoder's vectors of texts, in order: (n, d) float32 on the CPU."""
    return encode_rows(encoder, texts.ids, texts.pad_id, device)


@dataclass(frozen=True, kw_only=True)
class TextLosses:
    """The weighted sum of the losses of a batch.

    `student` and `teacher` map ids and mask to vectors and token vectors. The teacher is only
    needed for hidden states, `masking` only for masked tokens.
    """

    student: nn.Module
    weights: LossWeights
    teacher: nn.Module | None = None
    masking: "Masking | None" = None

    def __call__(self, batch: TextBatch) -> Tensor:
        """The loss of a batch, with a gradient."""
        vectors, tokens = self.student(batch.ids, batch.mask)[:2]
        terms = self._of_vectors(vectors, batch.targets)
        if self.weights.hidden_states:
            terms.append(self.weights.hidden_states * self._of_tokens(tokens, batch))
        if self.weights.masked_tokens:
            terms.append(self.weights.masked_tokens * self._of_masked(batch))
        return torch.stack(terms).sum()

    def _of_vectors(self, found: Tensor, targets: Tensor) -> list[Tensor]:
        w = self.weights
        terms: list[Tensor] = []
        if w.cosine:
            terms.append(w.cosine * losses.cosine_to_teacher(found, targets))
        if w.mse:
            terms.append(w.mse * losses.mse_to_teacher(found, targets))
        if w.similarity:
            terms.append(w.similarity * losses.similarity_kl(found, targets))
        if w.contrastive:
            terms.append(w.contrastive * losses.info_nce(found, targets))
        if w.matryoshka:
            cut = losses.matryoshka(losses.similarity_kl, found, targets, w.matryoshka_dims)
            terms.append(w.matryoshka * cut)
        if (w.triplet or w.pairs) and len(found) > 1:
            terms += self._of_neighbors(found, targets)
        return terms

    def _of_neighbors(self, found: Tensor, targets: Tensor) -> list[Tensor]:
        w = self.weights
        nearest = targets[_nearest_others(targets)]
        terms: list[Tensor] = []
        if w.triplet:
            terms.append(w.triplet * losses.triplet_margin(found, targets, nearest))
        if w.pairs:
            same = torch.arange(2 * len(found), device=found.device) < len(found)
            pair = losses.pairwise_contrastive(
                torch.cat([found, found]), torch.cat([targets, nearest]), same
            )
            terms.append(w.pairs * pair)
        return terms

    def _of_tokens(self, tokens: Tensor, batch: TextBatch) -> Tensor:
        assert self.teacher is not None
        with torch.no_grad():
            targets = self.teacher(batch.ids, batch.mask)[1]
        return losses.hidden_states_mse(tokens, targets, batch.mask)

    def _of_masked(self, batch: TextBatch) -> Tensor:
        assert self.masking is not None
        vocabulary = self.masking.rows(batch.ids.device)
        maskable = batch.mask.bool() & ~torch.isin(
            batch.ids, torch.tensor(self.masking.special_ids, device=batch.ids.device)
        )
        masked, labels = losses.mask_tokens(
            batch.ids, maskable, mask_id=self.masking.mask_id, vocabulary=len(vocabulary)
        )
        tokens = self.student(masked, batch.mask)[1]
        return losses.masked_token(tokens @ vocabulary.T, labels)


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Masked language modeling: the token embeddings, the mask id, and ids never to mask."""

    table: nn.Module
    mask_id: int
    special_ids: tuple[int, ...]

    def rows(self, device: torch.device) -> Tensor:
        """The embedding of every token: (vocabulary, h)."""
        table = getattr(self.table, "rows", self.table)
        assert isinstance(table, nn.Embedding)
        return self.table(torch.arange(table.num_embeddings, device=device))


def _nearest_others(vectors: Tensor) -> Tensor:
    unit = nn.functional.normalize(vectors, dim=-1)
    return (unit @ unit.T).fill_diagonal_(-2).argmax(dim=1)
