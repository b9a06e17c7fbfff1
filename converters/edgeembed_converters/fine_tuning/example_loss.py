"""The loss of a batch of examples: encode its texts, compare their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeembed_converters.fine_tuning.batches import ExampleBatch
from edgeembed_converters.fine_tuning.gradient_cache import cached_loss
from edgeembed_converters.fine_tuning.objective import LossName, TrainingObjective
from edgeembed_converters.fine_tuning.own_tasks import MaskedWords, NextSentences
from edgeembed_converters.training import losses
from edgeembed_converters.training.token_batches import TokenRow, padded


@dataclass(frozen=True, kw_only=True)
class ExampleLoss:
    """The loss of a batch; `encoder` maps ids and mask to vectors first of all."""

    encoder: nn.Module
    pad_id: int
    device: str
    loss: LossName
    objective: TrainingObjective
    masked_words: MaskedWords | None = None
    next_sentences: NextSentences | None = None

    def __call__(self, batch: ExampleBatch) -> Tensor:
        """The loss of a batch, with a gradient."""
        columns = [column for column in self._columns(batch) if column]
        size = self.objective.chunk_size
        if size is not None:
            chunks = [c[at : at + size] for c in columns for at in range(0, len(c), size)]
            return cached_loss(self._encode, chunks, lambda found: self._of_all(found, batch))
        vectors = torch.cat([self._encode(column) for column in columns])
        value = self._of_all(vectors, batch)
        if self.masked_words is not None:
            texts = [row for column in columns for row in column]
            value = value + self.objective.masked_tokens * self.masked_words.loss(texts)
        if self.next_sentences is not None:
            value = value + self.objective.next_sentence * self.next_sentences.loss(batch)
        return value

    @staticmethod
    def _columns(batch: ExampleBatch) -> tuple[Sequence[TokenRow], ...]:
        return batch.anchors, batch.positives, batch.negatives

    def _encode(self, rows: Sequence[TokenRow]) -> Tensor:
        ids, mask = padded(rows, self.pad_id)
        return self.encoder(ids.to(self.device), mask.to(self.device))[0].float()

    def _of_all(self, vectors: Tensor, batch: ExampleBatch) -> Tensor:
        dims = self.objective.matryoshka_dims
        if not dims:
            return self._of(vectors, batch)
        # Of one set of vectors instead of a student's and a teacher's.
        return losses.matryoshka(
            lambda cut, _: self._of(cut, batch), vectors, vectors, (vectors.shape[1], *dims)
        )

    def _of(self, vectors: Tensor, batch: ExampleBatch) -> Tensor:
        count = len(batch.anchors)
        unit = F.normalize(vectors, dim=-1)
        anchors, positives, negatives = unit[:count], unit[count : 2 * count], unit[2 * count :]
        temperature, margin = self.objective.temperature, self.objective.margin
        match self.loss:
            case "info_nce":
                return losses.info_nce(
                    anchors,
                    positives,
                    negatives=negatives if len(negatives) else None,
                    excluded=batch.excluded,
                    temperature=temperature,
                )
            case "cosent":
                return losses.cosent(anchors, positives, _scores(batch), temperature=temperature)
            case "cosine_mse":
                return losses.cosine_mse(anchors, positives, _scores(batch))
            case "contrastive" if batch.scores is not None:
                same = _scores(batch) > 0
                return losses.pairwise_contrastive(anchors, positives, same, margin=margin)
            case "contrastive" | "triplet":
                owners, others = _with_owners(anchors, positives, negatives, batch)
                if not len(owners):
                    return unit.sum() * 0
                if self.loss == "triplet":
                    return losses.triplet_margin(
                        anchors[owners], positives[owners], others, margin=margin
                    )
                a, b = torch.cat([anchors, anchors[owners]]), torch.cat([positives, others])
                same = torch.arange(len(a), device=a.device) < count
                return losses.pairwise_contrastive(a, b, same, margin=margin)


def _scores(batch: ExampleBatch) -> Tensor:
    assert batch.scores is not None
    return batch.scores


def _with_owners(
    anchors: Tensor, positives: Tensor, negatives: Tensor, batch: ExampleBatch
) -> tuple[Tensor, Tensor]:
    """Negatives (m, d) and whose they are (m,); of pairs, the nearest positive of another."""
    if len(negatives):
        return batch.owners, negatives
    count = len(anchors)
    itself = torch.eye(count, dtype=torch.bool, device=anchors.device)
    wrong = batch.excluded[:, :count] | itself
    with torch.no_grad():
        nearest = (anchors @ positives.T).masked_fill(wrong, float("-inf")).argmax(dim=1)
    owners = (~wrong).any(dim=1).nonzero()[:, 0]
    return owners, positives[nearest[owners]]
