"""Texts as a course of training: batches of like length, the losses, and the held-out figure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeembed_converters.distill.training import losses
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

# So many batches are filled from texts sorted by length, so that little of a batch is padding.
_SORTED_TOGETHER = 16
_EVALUATION_BATCH = 64


@public
@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each loss counts; 0 leaves it out. The losses are those of `losses.py`.

    The cosine alone first learns what all of the teacher's vectors have in common; a little of
    `similarity` sees to what they differ in. `contrastive` is InfoNCE with the teacher's vector of
    the same text as the positive. `triplet` and `pairs` have the teacher's vector as what is near,
    and that of the nearest other text of the batch as what is far. `hidden_states` compares the
    last token vectors with the teacher's, which then runs along in PyTorch. `masked_tokens` hides
    tokens of the text a second time round.
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
        """Refuse weights that nothing can be learned with.

        Raises:
            InputError: negative, or all 0; Matryoshka without dims.
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
    """Ids and mask (n, t), right-padded, and what the student is to give: (n, d)."""

    ids: Tensor
    mask: Tensor
    wanted: Tensor


@dataclass(frozen=True, kw_only=True)
class EncodedTexts:
    """Texts as token ids, and the vectors that the student is to give them: (n, d) float32."""

    ids: Sequence[NDArray[np.int32]]
    wanted: NDArray[np.float32]
    pad_id: int

    def through(self, target: Tensor | None, normalized: bool) -> "EncodedTexts":
        """The same texts with the teacher's vectors multiplied by `target` (d, new d), if given."""
        if target is None:
            return self
        wanted = torch.from_numpy(self.wanted) @ target
        if normalized:
            wanted = nn.functional.normalize(wanted, dim=-1)
        return replace(self, wanted=wanted.numpy())

    def batch(self, places: Sequence[int], device: str) -> TextBatch:
        """The texts at these places, padded to the longest of them."""
        rows = [self.ids[place] for place in places]
        ids = torch.full((len(rows), max(map(len, rows))), self.pad_id, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.from_numpy(row.astype(np.int64))
            mask[number, : len(row)] = 1
        wanted = torch.from_numpy(self.wanted[list(places)])
        return TextBatch(ids=ids.to(device), mask=mask.to(device), wanted=wanted.to(device))

    def places(self, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
        """The batches of an epoch, a function of seed and epoch alone: each text once."""
        rng = np.random.default_rng((seed, epoch))
        order: list[int] = rng.permutation(len(self.ids)).tolist()
        found: list[list[int]] = []
        for start in range(0, len(order), batch_size * _SORTED_TOGETHER):
            near = order[start : start + batch_size * _SORTED_TOGETHER]
            near.sort(key=lambda place: len(self.ids[place]))
            found += [near[at : at + batch_size] for at in range(0, len(near), batch_size)]
        return [found[number] for number in rng.permutation(len(found)).tolist()]


@torch.no_grad()
def encode(tower: nn.Module, texts: EncodedTexts, device: str) -> Tensor:
    """The tower's vectors of texts, in order: (n, d) float32 on the CPU."""
    order = sorted(range(len(texts.ids)), key=lambda place: len(texts.ids[place]))
    found: Tensor | None = None
    for start in range(0, len(order), _EVALUATION_BATCH):
        places = order[start : start + _EVALUATION_BATCH]
        batch = texts.batch(places, device)
        vectors = tower(batch.ids, batch.mask)[0].float().cpu()
        found = torch.empty(len(order), vectors.shape[1]) if found is None else found
        found[places] = vectors
    assert found is not None
    return found


@dataclass(frozen=True, kw_only=True)
class TextLosses:
    """The weighted sum of the losses of a batch.

    `student` and `teacher` are towers: ids and mask to vectors, and token vectors. The teacher is
    only needed for hidden states, `hiding` only for masked tokens.
    """

    student: nn.Module
    weights: LossWeights
    teacher: nn.Module | None = None
    hiding: "Hiding | None" = None

    def __call__(self, batch: TextBatch) -> Tensor:
        """The loss of a batch, with a gradient."""
        vectors, tokens = self.student(batch.ids, batch.mask)[:2]
        terms = self._of_vectors(vectors, batch.wanted)
        if self.weights.hidden_states:
            terms.append(self.weights.hidden_states * self._of_tokens(tokens, batch))
        if self.weights.masked_tokens:
            terms.append(self.weights.masked_tokens * self._of_masked(batch))
        return torch.stack(terms).sum()

    def _of_vectors(self, found: Tensor, wanted: Tensor) -> list[Tensor]:
        w = self.weights
        terms: list[Tensor] = []
        if w.cosine:
            terms.append(w.cosine * losses.cosine_to_teacher(found, wanted))
        if w.mse:
            terms.append(w.mse * losses.mse_to_teacher(found, wanted))
        if w.similarity:
            terms.append(w.similarity * losses.similarity_kl(found, wanted))
        if w.contrastive:
            terms.append(w.contrastive * losses.info_nce(found, wanted))
        if w.matryoshka:
            cut = losses.matryoshka(losses.similarity_kl, found, wanted, w.matryoshka_dims)
            terms.append(w.matryoshka * cut)
        if (w.triplet or w.pairs) and len(found) > 1:
            terms += self._of_neighbors(found, wanted)
        return terms

    def _of_neighbors(self, found: Tensor, wanted: Tensor) -> list[Tensor]:
        w = self.weights
        nearest = wanted[_nearest_others(wanted)]
        terms: list[Tensor] = []
        if w.triplet:
            terms.append(w.triplet * losses.triplet_margin(found, wanted, nearest))
        if w.pairs:
            same = torch.arange(2 * len(found), device=found.device) < len(found)
            pair = losses.pairwise_contrastive(
                torch.cat([found, found]), torch.cat([wanted, nearest]), same
            )
            terms.append(w.pairs * pair)
        return terms

    def _of_tokens(self, tokens: Tensor, batch: TextBatch) -> Tensor:
        assert self.teacher is not None
        with torch.no_grad():
            wanted = self.teacher(batch.ids, batch.mask)[1]
        return losses.hidden_states_mse(tokens, wanted, batch.mask)

    def _of_masked(self, batch: TextBatch) -> Tensor:
        assert self.hiding is not None
        vocabulary = self.hiding.rows(batch.ids.device)
        may_hide = batch.mask.bool() & ~torch.isin(
            batch.ids, torch.tensor(self.hiding.special_ids, device=batch.ids.device)
        )
        hidden, labels = losses.hide_tokens(
            batch.ids, may_hide, mask_id=self.hiding.mask_id, vocabulary=len(vocabulary)
        )
        tokens = self.student(hidden, batch.mask)[1]
        return losses.masked_token(tokens @ vocabulary.T, labels)


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """What hiding tokens needs: the student's token table, the mask's id, and ids never hidden."""

    table: nn.Module
    mask_id: int
    special_ids: tuple[int, ...]

    def rows(self, device: torch.device) -> Tensor:
        """The vector of every token: (vocabulary, h)."""
        table = getattr(self.table, "rows", self.table)
        assert isinstance(table, nn.Embedding)
        return self.table(torch.arange(table.num_embeddings, device=device))


def _nearest_others(vectors: Tensor) -> Tensor:
    unit = nn.functional.normalize(vectors, dim=-1)
    return (unit @ unit.T).fill_diagonal_(-2).argmax(dim=1)
