"""Losses against torch's own, or against the formula of the paper written out in numpy."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edgeembed_converters.training import losses
from edgeembed_runtime.errors import InputError


@pytest.fixture
def vectors():
    """Two sets of vectors with a gradient on the first: (6, 5) each."""
    rng = np.random.default_rng(0)
    a, b = (torch.tensor(rng.standard_normal((6, 5)), dtype=torch.float64) for _ in range(2))
    return a.requires_grad_(), b


def unit(rows):
    rows = rows.detach().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_mse_is_the_mean_squared_distance(vectors):
    a, b = vectors
    expected = F.mse_loss(a, b) * a.shape[1]
    assert losses.mse_to_teacher(a, b).item() == pytest.approx(expected.item())


def test_cosine_is_torchs_cosine_embedding_loss(vectors):
    a, b = vectors
    expected = F.cosine_embedding_loss(a, b, torch.ones(len(a)))
    assert losses.cosine_to_teacher(a, b).item() == pytest.approx(expected.item())


def test_similarity_kl_is_the_divergence_of_softmaxed_cosines(vectors):
    a, b = vectors
    divergences = []
    for row in range(len(a)):
        others = [n for n in range(len(a)) if n != row]
        p, q = (np.exp(unit(v)[others] @ unit(v)[row] / 0.1) for v in (b, a))
        p, q = p / p.sum(), q / q.sum()
        divergences.append((p * np.log(p / q)).sum())
    found = losses.similarity_kl(a, b, temperature=0.1)
    assert found.item() == pytest.approx(np.mean(divergences))


def test_similarity_kl_takes_different_widths_and_is_0_at_the_teacher(vectors):
    a, b = vectors
    rotation = torch.linalg.qr(torch.randn(9, 5, dtype=torch.float64)).Q.T
    assert losses.similarity_kl(b @ rotation, b).item() == pytest.approx(0, abs=1e-9)
    assert losses.similarity_kl(a[:2], b[:2]).item() == 0


def test_info_nce_is_the_log_share_of_the_positive(vectors):
    a, b = vectors
    scores = np.exp(unit(a) @ unit(b).T / 0.2)
    expected = -np.log(np.diag(scores) / scores.sum(axis=1)).mean()
    assert losses.info_nce(a, b, temperature=0.2).item() == pytest.approx(expected)


def test_triplet_margin_is_the_formula(vectors):
    a, b = vectors
    negatives = b.flip(0)
    near, far = (np.linalg.norm((a.detach() - n).numpy(), axis=1) for n in (b, negatives))
    expected = np.maximum(0, near - far + 0.7).mean()
    assert losses.triplet_margin(a, b, negatives, margin=0.7).item() == pytest.approx(
        expected, abs=1e-5
    )


def test_pairwise_contrastive_pulls_what_is_the_same_and_pushes_the_rest(vectors):
    a, b = vectors
    same = np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    distance = 1 - (unit(a) * unit(b)).sum(axis=1)
    expected = np.where(same, distance**2, np.maximum(0, 0.9 - distance) ** 2).mean() / 2
    found = losses.pairwise_contrastive(a, b, torch.tensor(same), margin=0.9)
    assert found.item() == pytest.approx(expected)


def test_matryoshka_is_the_mean_over_the_cuts(vectors):
    a, b = vectors
    cuts = [losses.cosine_to_teacher(a[:, :d], b[:, :d]).item() for d in (2, 4)]
    found = losses.matryoshka(losses.cosine_to_teacher, a, b, (2, 4), truncate_teacher=True)
    assert found.item() == pytest.approx(np.mean(cuts))
    whole = [losses.similarity_kl(a[:, :d], b).item() for d in (2, 4)]
    assert losses.matryoshka(losses.similarity_kl, a, b, (2, 4)).item() == pytest.approx(
        np.mean(whole)
    )


def test_hidden_states_counts_only_the_tokens_under_the_mask():
    rng = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(2, 3, 4, generator=rng) for _ in range(2))
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    found = losses.hidden_states_mse(student, teacher, mask)
    rows = [(0, 0), (0, 1), (1, 0)]
    cosines = [F.cosine_similarity(student[at], teacher[at], dim=0).item() for at in rows]
    assert found.item() == pytest.approx(np.mean([2 - 2 * cosine for cosine in cosines]), rel=1e-5)
    beyond = student.clone()
    beyond[0, 2] = 100
    assert losses.hidden_states_mse(beyond, teacher, mask).item() == pytest.approx(found.item())


def test_masked_token_is_the_mean_surprise_at_the_asked_tokens():
    logits = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(2))
    labels = torch.full((2, 3), losses.IGNORED)
    assert losses.masked_token(logits, labels).item() == 0
    labels[0, 1], labels[1, 2] = 5, 0
    surprise = -F.log_softmax(logits, dim=-1)
    expected = (surprise[0, 1, 5] + surprise[1, 2, 0]) / 2
    assert losses.masked_token(logits, labels).item() == pytest.approx(expected.item())


def test_next_sentence_is_the_mean_surprise_at_what_follows_and_what_does_not():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    surprise = -F.log_softmax(logits, dim=-1)
    expected = (surprise[0, 0] + surprise[1, 1]) / 2
    found = losses.next_sentence(logits, torch.tensor([False, True]))
    assert found.item() == pytest.approx(expected.item())


def test_mask_tokens_hides_as_bert_does_and_nothing_else():
    ids = torch.arange(1000, 3000).repeat(20, 1)
    maskable = torch.ones_like(ids, dtype=torch.bool)
    maskable[:, :500] = False
    rng = torch.Generator().manual_seed(3)
    found, labels = losses.mask_tokens(ids, maskable, mask_id=4, vocabulary=5000, generator=rng)
    asked = labels != losses.IGNORED
    assert not asked[:, :500].any()
    assert torch.equal(labels[asked], ids[asked])
    assert torch.equal(found[~asked], ids[~asked])
    assert asked[:, 500:].float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (found[asked] == 4).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (found[asked] == ids[asked]).float().mean().item() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    "loss",
    [losses.mse_to_teacher, losses.cosine_to_teacher, losses.similarity_kl, losses.info_nce],
)
def test_a_step_down_the_gradient_brings_the_student_nearer(loss, vectors):
    a, b = vectors
    before = loss(a, b)
    before.backward()
    after = loss(a.detach() - 0.01 * a.grad, b)
    assert after.item() < before.item()


@pytest.mark.parametrize("loss", [losses.mse_to_teacher, losses.cosine_to_teacher, losses.info_nce])
def test_mismatched_dims_are_named(loss, vectors):
    a, b = vectors
    with pytest.raises(InputError, match=r"\(6, 5\).*\(6, 4\)"):
        loss(a, b[:, :4])


def test_info_nce_counts_more_negatives_and_leaves_out_what_is_excluded(vectors):
    a, b = vectors
    more = torch.tensor(np.random.default_rng(1).standard_normal((3, 5)))
    excluded = torch.zeros(6, 9, dtype=torch.bool)
    excluded[0, 4] = excluded[2, 7] = True
    scores = np.exp(unit(a) @ np.concatenate([unit(b), unit(more)]).T / 0.2)
    scores[excluded.numpy()] = 0
    expected = -np.log(np.diag(scores) / scores.sum(axis=1)).mean()
    found = losses.info_nce(a, b, negatives=more, excluded=excluded, temperature=0.2)
    assert found.item() == pytest.approx(expected)


def test_cosent_is_the_formula_of_its_author(vectors):
    a, b = vectors
    scores = torch.tensor([0.1, 0.9, 0.5, 0.5, 0.0, 1.0])
    cosines = (unit(a) * unit(b)).sum(axis=1)
    total = sum(
        np.exp((cosines[j] - cosines[i]) / 0.1)
        for i in range(6)
        for j in range(6)
        if scores[i] > scores[j]
    )
    found = losses.cosent(a, b, scores, temperature=0.1)
    assert found.item() == pytest.approx(np.log(1 + total))
    assert losses.cosent(a, b, torch.ones(6)).item() == 0


def test_cosine_mse_is_the_squared_distance_of_cosines_from_scores(vectors):
    a, b = vectors
    scores = torch.tensor([0.1, 0.9, 0.5, 0.5, 0.0, -1.0])
    cosines = (unit(a) * unit(b)).sum(axis=1)
    expected = np.mean((cosines - scores.numpy()) ** 2)
    assert losses.cosine_mse(a, b, scores).item() == pytest.approx(expected)
