"""The gate: figures that are right, and a wrong export that never becomes a bundle."""

import numpy as np
import pytest
from onnx import numpy_helper

from edgeembed_converters.pipeline import text
from edgeembed_converters.validation import parity
from edgeembed_runtime.errors import ParityError


@pytest.fixture
def vectors():
    random = np.random.default_rng(0)
    reference = random.normal(size=(30, 12)).astype(np.float32)
    return reference, (reference + 0.4 * random.normal(size=(30, 12))).astype(np.float32)


def unit(vectors):
    return vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)


def test_perfect_match():
    reference = np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32)
    found = parity.fidelity(reference, reference)
    assert found.mean_cosine == pytest.approx(1, abs=1e-12)
    assert found.min_cosine == pytest.approx(1, abs=1e-12)
    assert found.max_abs_difference == 0
    assert found.pairs_spearman == pytest.approx(1, abs=1e-12)
    assert found.retrieval_overlap == 1
    assert found.texts == 20


def test_scale_changes_no_ranking(vectors):
    reference, _ = vectors
    found = parity.fidelity(reference, 2 * reference)
    assert found.min_cosine == pytest.approx(1, abs=1e-12)
    assert found.retrieval_overlap == 1
    assert found.max_abs_difference == pytest.approx(np.abs(reference).max())


def test_cosines(vectors):
    reference, other = vectors
    cosines = (unit(reference) * unit(other)).sum(1)
    found = parity.fidelity(reference, other)
    assert found.mean_cosine == pytest.approx(cosines.mean(), abs=1e-9)
    assert found.min_cosine == pytest.approx(cosines.min(), abs=1e-9)


def test_spearman_against_scipy(vectors):
    stats = pytest.importorskip("scipy.stats", reason="scipy is the independent reference")
    pairs = np.triu_indices(30, 1)
    a, b = ((unit(v) @ unit(v).T)[pairs] for v in vectors)
    expected = stats.spearmanr(a, b).statistic
    assert 0.1 < expected < 0.99
    assert parity.fidelity(*vectors).pairs_spearman == pytest.approx(expected, abs=1e-9)


def test_neighbor_overlap_by_hand(vectors):
    shared = []
    for row in range(30):
        tops = []
        for rows in vectors:
            scores = {
                other: float(unit(rows)[row] @ unit(rows)[other])
                for other in range(30)
                if other != row
            }
            tops.append(set(sorted(scores, key=scores.__getitem__, reverse=True)[:10]))
        shared.append(len(tops[0] & tops[1]) / 10)
    assert 0.1 < np.mean(shared) < 1
    assert parity.fidelity(*vectors).retrieval_overlap == pytest.approx(np.mean(shared))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_texts(count, vectors):
    reference, _ = vectors
    found = parity.fidelity(reference[:count], reference[:count])
    assert found.retrieval_overlap == 1
    assert found.min_cosine == pytest.approx(1)


def test_gate_refuses_nan(vectors):
    reference, _ = vectors
    with pytest.raises(ParityError):
        parity.require_parity(parity.fidelity(reference, np.full_like(reference, np.nan)))


def test_a_wrong_export_is_refused_and_leaves_nothing(monkeypatch, convert_toy, tmp_path):
    right = text.merge_linears

    def wrong(model):
        model = right(model)
        weight = max((t for t in model.graph.initializer if len(t.dims) == 2), key=lambda t: t.name)
        values = numpy_helper.to_array(weight).copy()
        values[0] += 0.5
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        return model

    monkeypatch.setattr(text, "merge_linears", wrong)
    with pytest.raises(ParityError, match="the exported model is not the original") as caught:
        convert_toy(tmp_path / "bundle")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
