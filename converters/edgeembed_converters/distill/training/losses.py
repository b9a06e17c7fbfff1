"""What a student is trained on: small functions of tensors, each with its source.

Vectors are (n, d) float tensors, one text or image a row. Every loss is a scalar, the mean over the
rows, and reaches its minimum where the student does what the teacher does.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeembed_runtime.errors import InputError

VectorLoss = Callable[[Tensor, Tensor], Tensor]

# The label of a token that counts for nothing: torch's own default for a cross-entropy.
IGNORED = -100
# Of BERT: 15 % of the tokens are asked for; of these 80 % are hidden, 10 % replaced, 10 % left.
# Devlin et al., BERT (2019), section 3.1. https://arxiv.org/abs/1810.04805
_ASKED, _HIDDEN, _REPLACED = 0.15, 0.8, 0.5
# Below any cosine over any temperature: no row is its own neighbor.
_NEVER = -1e4


def mse_to_teacher(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the rows of the squared distance between two (n, d) sets of vectors.

    Source: Reimers and Gurevych, Making Monolingual Sentence Embeddings Multilingual (2020),
    https://arxiv.org/abs/2004.09813; summed over d, so that it does not shrink with the width.
    """
    _require_one_shape(student, teacher)
    return (student - teacher).square().sum(dim=-1).mean()


def cosine_to_teacher(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the rows of 1 - cosine. For unit vectors this is half of `mse_to_teacher`."""
    _require_one_shape(student, teacher)
    return (1 - F.cosine_similarity(student, teacher, dim=-1)).mean()


def _require_one_shape(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise InputError(
            f"student and teacher: expected vectors of one shape, got {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}; similarity_kl takes different widths"
        )


def similarity_kl(student: Tensor, teacher: Tensor, *, temperature: float = 0.05) -> Tensor:
    """How far the student's neighborhoods in a batch are from the teacher's.

    Each row's cosines to all others, over `temperature`, are a distribution by softmax; the loss is
    the mean Kullback-Leibler divergence of the student's from the teacher's, in nats. The two may
    have different widths. 0 for fewer than three rows: with one neighbor there is no choice.

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
    return F.log_softmax((unit @ unit.T / temperature).masked_fill(itself, _NEVER), dim=-1)


def info_nce(anchors: Tensor, positives: Tensor, *, temperature: float = 0.05) -> Tensor:
    """Contrast each anchor's positive with the positives of all others in the batch, in nats.

    Row i of `positives` belongs to row i of `anchors`; every other row is a negative. With the
    teacher's vectors as positives, a student learns which text of a batch is meant.

    Source: van den Oord et al., Contrastive Predictive Coding (2018),
    https://arxiv.org/abs/1807.03748; in-batch negatives of Henderson et al. (2017),
    https://arxiv.org/abs/1705.00652.
    """
    _require_one_shape(anchors, positives)
    scores = F.normalize(anchors, dim=-1) @ F.normalize(positives, dim=-1).T / temperature
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def triplet_margin(
    anchors: Tensor, positives: Tensor, negatives: Tensor, *, margin: float = 1.0
) -> Tensor:
    """Mean of max(0, |a - p| - |a - n| + margin), Euclidean, over (n, d) rows.

    Source: Schroff et al., FaceNet (2015), https://arxiv.org/abs/1503.03832, with plain distances
    in place of squared ones, as torch.nn.functional.triplet_margin_loss, which this is.
    """
    return F.triplet_margin_loss(anchors, positives, negatives, margin=margin)


def pairwise_contrastive(a: Tensor, b: Tensor, same: Tensor, *, margin: float = 0.5) -> Tensor:
    """Pull pairs that are the same together, push others at least `margin` apart.

    Distances are 1 - cosine: half their square for pairs with `same` (n,) true, half the square
    of what is missing to `margin` for the others.

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
    cut_teacher: bool = False,
) -> Tensor:
    """The mean of `loss` over the first d components of the student, for each d of `dims`.

    The teacher stays whole, so that every cut of the student learns the whole teacher's
    neighborhoods; this needs a loss that takes different widths, as `similarity_kl` does. With
    `cut_teacher` it is cut to the same components.

    Source: Kusupati et al., Matryoshka Representation Learning (2022),
    https://arxiv.org/abs/2205.13147.
    """
    cut = [(student[:, :d], teacher[:, :d] if cut_teacher else teacher) for d in dims]
    return torch.stack([loss(*pair) for pair in cut]).mean()


def hidden_states_mse(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean squared distance of unit token vectors (n, t, h), over the tokens of the (n, t) mask.

    Source: Sun et al., Patient Knowledge Distillation (2019), equation 7,
    https://arxiv.org/abs/1908.09355, there for the first token, here for every one.
    """
    apart = F.normalize(student, dim=-1) - F.normalize(teacher, dim=-1)
    weights = mask.to(apart.dtype)
    return (apart.square().sum(dim=-1) * weights).sum() / weights.sum().clamp(min=1)


def masked_token(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy in nats of (n, t, vocabulary) logits where `labels` (n, t) asks for a token.

    Labels of IGNORED are not asked for; 0 where none is.

    Source: Devlin et al., BERT (2019), https://arxiv.org/abs/1810.04805.
    """
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def hide_tokens(
    ids: Tensor,
    may_hide: Tensor,
    *,
    mask_id: int,
    vocabulary: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Ids (n, t) with some tokens hidden, and labels (n, t) that ask for these.

    15 % of the tokens where `may_hide` (n, t) is true are asked for: of these, 80 % become
    `mask_id`, 10 % any token of the vocabulary, 10 % stay. The numbers are BERT's.
    """

    def chance(share: float) -> Tensor:
        return torch.rand(ids.shape, generator=generator, device=ids.device) < share

    asked = chance(_ASKED) & may_hide.bool()
    hidden = asked & chance(_HIDDEN)
    replaced = asked & ~hidden & chance(_REPLACED)
    others = torch.randint(vocabulary, ids.shape, generator=generator, device=ids.device)
    found = torch.where(hidden, torch.full_like(ids, mask_id), ids)
    return torch.where(replaced, others, found), torch.where(
        asked, ids, torch.full_like(ids, IGNORED)
    )
