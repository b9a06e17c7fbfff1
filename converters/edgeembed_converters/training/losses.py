"""Losses of distillation and fine-tuning: small functions of tensors, each with its source.

Vectors are (n, d) float tensors, one text or image per row. Every loss is a scalar, the mean over
the rows. One that compares a student with its teacher is minimal where they match.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeembed_runtime.errors import InputError

VectorLoss = Callable[[Tensor, Tensor], Tensor]

# The label of tokens that do not count: torch's default for cross-entropy.
IGNORED = -100
# BERT predicts 15 % of the tokens; 80 % of these are masked, 10 % replaced, 10 % unchanged.
# Devlin et al., BERT (2019), section 3.1. https://arxiv.org/abs/1810.04805
_PREDICTED, _MASKED, _REPLACED = 0.15, 0.8, 0.5
# Below any cosine at any temperature: no row is its own neighbor.
_EXCLUDED = -1e4


def mse_to_teacher(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared distance between two sets of (n, d) vectors.

    Source: Reimers and Gurevych, Making Monolingual Sentence Embeddings Multilingual (2020),
    https://arxiv.org/abs/2004.09813; summed over d, so that it does not shrink with the width.
    """
    _require_same_shape(student, teacher)
    return (student - teacher).square().sum(dim=-1).mean()


def cosine_to_teacher(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine. For unit vectors, this is half of `mse_to_teacher`."""
    _require_same_shape(student, teacher)
    return (1 - F.cosine_similarity(student, teacher, dim=-1)).mean()


def _require_same_shape(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise InputError(
            f"student and teacher: expected vectors of one shape, got {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}; similarity_kl takes different widths"
        )


def similarity_kl(student: Tensor, teacher: Tensor, *, temperature: float = 0.05) -> Tensor:
    """How much the student's neighborhoods within a batch differ from the teacher's.

    A softmax turns each row's cosines to all others, divided by `temperature`, into a distribution;
    the loss is the mean KL divergence between the teacher's and the student's, in nats. The two may
    have different widths. 0 for fewer than three rows.

    Source: Passalis and Tefas, Learning Deep Representations with Probabilistic Knowledge Transfer
    (2018), https://arxiv.org/abs/1803.10837, with the softmax of Fang et al., SEED (2021),
    https://arxiv.org/abs/2101.04731.
    """
    if len(student) < 3:
        return student.sum() * 0
    return F.kl_div(
        _log_neighbors(student, temperature),
        _log_neighbors(teacher, temperature),
        reduction="batchmean",
        log_target=True,
    )


def _log_neighbors(vectors: Tensor, temperature: float) -> Tensor:
    unit = F.normalize(vectors, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    return F.log_softmax((unit @ unit.T / temperature).masked_fill(itself, _EXCLUDED), dim=-1)


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    *,
    negatives: Tensor | None = None,
    excluded: Tensor | None = None,
    temperature: float = 0.05,
) -> Tensor:
    """Contrast each anchor's positive with the positives of all others in the batch, in nats.

    Row i of `positives` belongs to row i of `anchors`; every other row is a negative, and so is
    every row of `negatives` (m, d), for all anchors. `excluded` (n, n + m) is true where a positive
    or a negative is none for an anchor, such as the same text. With the teacher's vectors as
    positives, a student learns to identify each text within the batch.

    Source: van den Oord et al., Contrastive Predictive Coding (2018),
    https://arxiv.org/abs/1807.03748; in-batch negatives of Henderson et al. (2017),
    https://arxiv.org/abs/1705.00652.
    """
    _require_same_shape(anchors, positives)
    candidates = positives if negatives is None else torch.cat([positives, negatives])
    scores = F.normalize(anchors, dim=-1) @ F.normalize(candidates, dim=-1).T / temperature
    if excluded is not None:
        scores = scores.masked_fill(excluded, _EXCLUDED)
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def cosent(a: Tensor, b: Tensor, scores: Tensor, *, temperature: float = 0.05) -> Tensor:
    """Put the cosines of pairs into the order of their scores (n,), of whatever scale.

    log(1 + the sum of exp((cos(j) - cos(i)) / temperature) over all pairs i with a higher score
    than j). 0 if all scores are the same.

    Source: Su, CoSENT (2022), https://kexue.fm/archives/8847.
    """
    cosines = F.cosine_similarity(a, b, dim=-1) / temperature
    wrong = cosines[None, :] - cosines[:, None]  # row i, column j: how much j is above i
    ordered = scores[:, None] > scores[None, :]
    found = wrong.masked_fill(~ordered, float("-inf")).flatten()
    return torch.logsumexp(torch.cat([found.new_zeros(1), found]), dim=0)


def cosine_mse(a: Tensor, b: Tensor, scores: Tensor) -> Tensor:
    """Mean squared distance of the cosines of pairs from their scores (n,), from -1 to 1.

    Source: Reimers and Gurevych, Sentence-BERT (2019), https://arxiv.org/abs/1908.10084.
    """
    return F.mse_loss(F.cosine_similarity(a, b, dim=-1), scores.to(a.dtype))


def triplet_margin(
    anchors: Tensor, positives: Tensor, negatives: Tensor, *, margin: float = 1.0
) -> Tensor:
    """Mean of max(0, |a - p| - |a - n| + margin), Euclidean, over (n, d) rows.

    Source: Schroff et al., FaceNet (2015), https://arxiv.org/abs/1503.03832, with plain instead of
    squared distances, as in torch.nn.functional.triplet_margin_loss.
    """
    return F.triplet_margin_loss(anchors, positives, negatives, margin=margin)


def pairwise_contrastive(a: Tensor, b: Tensor, same: Tensor, *, margin: float = 0.5) -> Tensor:
    """Pull pairs that are the same together, push others at least `margin` apart.

    With the distance 1 - cosine: half its square where `same` (n,) is true, half the squared
    shortfall from `margin` elsewhere.

    Source: Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping (2006),
    equation 4, https://doi.org/10.1109/CVPR.2006.100.
    """
    distance = 1 - F.cosine_similarity(a, b, dim=-1)
    apart = (margin - distance).clamp(min=0)
    return (torch.where(same.bool(), distance.square(), apart.square()) / 2).mean()


def matryoshka(
    loss: VectorLoss,
    student: Tensor,
    teacher: Tensor,
    dims: Sequence[int],
    *,
    truncate_teacher: bool = False,
) -> Tensor:
    """The mean of `loss` over the first d components of the student, for each d of `dims`.

    The teacher is not truncated, so that every prefix learns the full teacher's neighborhoods; this
    needs a loss for different widths, such as `similarity_kl`. `truncate_teacher` truncates it to
    the same components.

    Source: Kusupati et al., Matryoshka Representation Learning (2022),
    https://arxiv.org/abs/2205.13147.
    """
    pairs = [(student[:, :d], teacher[:, :d] if truncate_teacher else teacher) for d in dims]
    return torch.stack([loss(*pair) for pair in pairs]).mean()


def hidden_states_mse(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean squared distance of normalized token vectors (n, t, h), over the (n, t) mask.

    Source: Sun et al., Patient Knowledge Distillation (2019), equation 7,
    https://arxiv.org/abs/1908.09355, there for the first token, here for all tokens.
    """
    apart = F.normalize(student, dim=-1) - F.normalize(teacher, dim=-1)
    weights = mask.to(apart.dtype)
    return (apart.square().sum(dim=-1) * weights).sum() / weights.sum().clamp(min=1)


def masked_token(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy in nats of (n, t, vocabulary) logits, where `labels` (n, t) is not IGNORED.

    0 if all labels are IGNORED.

    Source: Devlin et al., BERT (2019), https://arxiv.org/abs/1810.04805.
    """
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def next_sentence(logits: Tensor, wrong: Tensor) -> Tensor:
    """Cross-entropy in nats of (n, 2) logits, where `wrong` (n,) is true if nothing follows.

    The first logit stands for a text that follows the other, as in BERT.
    """
    return F.cross_entropy(logits, wrong.long())


def mask_tokens(
    ids: Tensor,
    maskable: Tensor,
    *,
    mask_id: int,
    vocabulary: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Mask tokens for masked language modeling: ids (n, t), and labels (n, t) to predict.

    15 % of the tokens where `maskable` (n, t) is true are predicted: 80 % of these become
    `mask_id`, 10 % a random token, 10 % stay. The numbers are BERT's.
    """

    def random_mask(share: float) -> Tensor:
        return torch.rand(ids.shape, generator=generator, device=ids.device) < share

    predicted = random_mask(_PREDICTED) & maskable.bool()
    masked = predicted & random_mask(_MASKED)
    replaced = predicted & ~masked & random_mask(_REPLACED)
    others = torch.randint(vocabulary, ids.shape, generator=generator, device=ids.device)
    found = torch.where(masked, torch.full_like(ids, mask_id), ids)
    return torch.where(replaced, others, found), torch.where(
        predicted, ids, torch.full_like(ids, IGNORED)
    )
