"""Smaller vectors: the same comparisons as sentence-transformers and plain numpy would make."""

import numpy as np
import pytest
from sentence_transformers.util import quantize_embeddings

from edgeembed.evaluate import evaluate, open_tasks
from edgeembed.evaluate.models.quantized_vectors import (
    Compaction,
    CompactModel,
    MemoizedModel,
    compacted,
)
from edgeembed_runtime.errors import InputError

DOCUMENTS = [f"d{n}" for n in range(300)]
QUERIES = [f"q{n}" for n in range(20)]


@pytest.fixture
def model(chosen, random_vectors):
    return chosen(random_vectors([*DOCUMENTS, *QUERIES], dim=64), "m", key="k")


def vectors(model):
    remembered = MemoizedModel(model)
    return remembered, remembered.encode(QUERIES, "query"), remembered.encode(DOCUMENTS, "document")


def compared(model, **how):
    whole, queries, documents = vectors(model)
    return CompactModel(whole, Compaction(**how)).compare(queries, documents)


def test_shorter_vectors_compare_by_the_cosine_of_what_is_kept(model):
    _, queries, documents = vectors(model)
    unit = [v[:, :16] / np.linalg.norm(v[:, :16], axis=1)[:, None] for v in (queries, documents)]
    np.testing.assert_allclose(compared(model, dim=16), unit[0] @ unit[1].T, atol=1e-5)


def test_binary_vectors_rank_by_the_bits_that_differ(model):
    _, queries, documents = vectors(model)
    bits = [np.asarray(quantize_embeddings(v, "ubinary"), np.uint8) for v in (queries, documents)]
    hamming = np.unpackbits(bits[0][:, None] ^ bits[1][None], axis=-1).sum(-1)
    np.testing.assert_allclose(
        compared(model, dim=64, stored_as="binary"), 1 - hamming / 32, atol=1e-5
    )


def test_8_bit_vectors_are_within_a_step_of_the_whole_ones(model):
    exact = compared(model, dim=64, stored_as="float32")
    assert 0 < abs(compared(model, dim=64, stored_as="int8") - exact).max() < 0.02
    assert 0 < abs(compared(model, dim=64, stored_as="float16") - exact).max() < 1e-3


def test_rescoring_ranks_the_nearest_by_whole_vectors(model):
    exact = compared(model, dim=64)
    found = compared(model, dim=64, stored_as="binary", rescore=True)
    assert (np.isfinite(found).sum(axis=1) == 100).all()
    again = np.isfinite(found)
    np.testing.assert_allclose(found[again], exact[again], atol=1e-6)


def test_bytes_are_those_of_the_part_that_is_searched():
    sizes = {
        how: Compaction(dim=64, stored_as=how).bytes
        for how in ("float32", "float16", "int8", "binary")
    }
    assert sizes == {"float32": 256, "float16": 128, "int8": 64, "binary": 8}


def test_compactions_are_measured_beside_the_whole_model_which_runs_once(model, beir):
    rng = np.random.default_rng(0)
    folder = beir(
        [{"_id": text, "text": text} for text in DOCUMENTS],
        [{"_id": text, "text": text} for text in QUERIES],
        [(q, d, 1) for q in QUERIES for d in rng.choice(DOCUMENTS, 3, replace=False)],
    )
    whole, ways = compacted(model, [64, 8], ["float32", "binary"], rescore=True)
    names = [way.name for way, _ in ways]
    assert names == ["8 x float32", "8 x float32 + rescore", "64 x binary", "64 x binary + rescore",
                     "8 x binary", "8 x binary + rescore"]  # fmt: skip
    tasks = open_tasks([str(folder)], whole)
    result = evaluate([whole, *(made for _, made in ways)], tasks, draws=5)
    assert len(model.asked) == 2
    assert len(result.models) == 7


def test_labels_are_learnt_from_the_small_vectors(model):
    whole = MemoizedModel(model)
    small = CompactModel(whole, Compaction(dim=8, stored_as="binary")).features(DOCUMENTS)
    assert small.shape == (300, 8)
    assert set(np.unique(small)) == {-1, 1}


@pytest.mark.parametrize(("dims", "names"), [([65], ["float32"]), ([0], ["int8"]), ([8], ["int4"])])
def test_impossible_compactions_are_errors(model, dims, names):
    with pytest.raises(InputError, match="expected"):
        compacted(model, dims, names, rescore=False)
