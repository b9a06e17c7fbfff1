"""Fine-tuning a tiny encoder: it learns, resumes to the same bits, and stops where it must."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgeembed_converters.fine_tuning.batches import EncodedExamples
from edgeembed_converters.fine_tuning.hard_negatives import with_hard_negatives
from edgeembed_converters.fine_tuning.metrics import MRR, RECALL, SPEARMAN, measured
from edgeembed_converters.fine_tuning.own_tasks import joined_rows
from edgeembed_runtime.errors import InputError, TrainingError
from helpers.training_examples import SETTINGS


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def weights(directory):
    return {p.relative_to(directory): p.read_bytes() for p in directory.rglob("*.safetensors")}


LEARNED = [
    ("pairs", {}),
    ("pairs", {"loss": "triplet"}),
    ("pairs", {"loss": "contrastive"}),
    ("pairs", {"hard_negatives": 2, "matryoshka_dims": (8,), "chunk_size": 5}),
    ("triplets", {}),
    ("triplets", {"loss": "triplet"}),
    ("triplets", {"loss": "contrastive"}),
    ("scored pairs", {}),
    ("scored pairs", {"loss": "cosine_mse"}),
    ("scored pairs", {"loss": "contrastive"}),
]


@pytest.mark.parametrize(("kind", "objective"), LEARNED, ids=str)
def test_every_loss_makes_the_held_out_part_better(tuned, kind, objective, reference, start):
    settings = replace(SETTINGS, epochs=6)
    outcome, directory = tuned(kind=kind, settings=settings, **objective)
    metric = SPEARMAN if kind == "scored pairs" else MRR
    assert outcome.metric == metric
    assert outcome.after[metric] > outcome.before[metric]
    assert outcome.after[metric] == pytest.approx(outcome.trained.best)
    assert outcome.before[metric] == pytest.approx(outcome.trained.initial)
    first, last = outcome.trained.points[1].loss, outcome.trained.points[-1].loss
    assert last < first
    texts = ["the man plays guitar", "soup"]
    found, before = (reference(each).encode(texts) for each in (directory, start))
    assert found.shape == (2, 16)
    assert np.abs(found - before).max() > 0.01


def test_a_low_rank_change_is_merged_into_an_ordinary_model(tuned, start):
    outcome, directory = tuned(lora_rank=4, settings=replace(SETTINGS, learning_rate=1e-2))
    assert outcome.after[MRR] > outcome.before[MRR]
    before, after = (load_file(each / "model.safetensors") for each in (start, directory))
    assert before.keys() == after.keys()
    changes = {n: (after[n] - before[n]) for n in before if not torch.equal(before[n], after[n])}
    assert changes
    assert all(torch.linalg.matrix_rank(change, rtol=1e-3) <= 4 for change in changes.values())
    linear = [n for n, w in before.items() if w.ndim == 2 and "embeddings" not in n]
    assert outcome.parameters == sum(4 * sum(before[n].shape) for n in linear)


def test_another_rank_than_the_layers_have_is_refused(tuned):
    with pytest.raises(InputError, match=r"lora_rank: expected 1 to 31, .* got 32"):
        tuned(lora_rank=32)


@pytest.mark.parametrize("objective", [{}, {"chunk_size": 7}], ids=str)
def test_a_killed_run_goes_on_to_the_same_bits(tuned, objective, tmp_path):
    def kill(progress):
        if progress.step == 13:
            raise Killed

    _, whole = tuned("whole", **objective)
    folder = tmp_path / "killed.work"
    with pytest.raises(Killed):
        tuned("killed", folder=folder, on_progress=kill, **objective)
    torch.manual_seed(99)  # as another process would stand
    outcome, again = tuned("again", folder=folder, **objective)
    assert outcome.trained.resumed_at == 10
    assert weights(whole)
    assert weights(again) == weights(whole)


def test_the_seed_decides(tuned):
    _, first = tuned("first")
    _, other = tuned("other", settings=replace(SETTINGS, seed=1))
    assert weights(first) != weights(other)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(tuned, reference, tmp_path):
    wild = replace(SETTINGS, learning_rate=1e30, warmup=1.0, evaluate_every=1)
    with pytest.raises(
        TrainingError, match=r"expected a number; .*the best state, after step"
    ) as e:
        tuned("wild", settings=wild)
    kept = tmp_path / "wild.work" / "last-good.model"
    assert str(kept) in str(e.value)
    assert np.isfinite(reference(kept).encode(["the man plays guitar"])).all()


def test_matryoshka_dims_are_below_the_models(tuned):
    with pytest.raises(InputError, match="numbers from 1 to 15, below the model's 16, got 16"):
        tuned(matryoshka_dims=(8, 16))


def test_masked_tokens_need_a_head(tuned):
    with pytest.raises(InputError, match="masked_tokens: expected a model with a head"):
        tuned(masked_tokens=0.5)


def test_masked_tokens_are_trained_beside_by_the_models_own_head(tuned, tiny, tmp_path):
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    base, directory = tiny.transformers("bert"), tmp_path / "with-head"
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig.from_pretrained(base)).save_pretrained(directory)
    AutoTokenizer.from_pretrained(base).save_pretrained(directory)
    alone, _ = tuned("alone", model=directory, pooling="mean")
    outcome, saved = tuned("both", model=directory, pooling="mean", masked_tokens=0.5)
    assert outcome.after[MRR] > outcome.before[MRR]
    assert outcome.trained.points[-1].loss > alone.trained.points[-1].loss + 0.1
    assert not any(name.startswith("cls.") for name in load_file(saved / "model.safetensors"))


def test_next_sentences_are_trained_beside_by_the_models_own_head(tuned, tiny, tmp_path):
    from transformers import AutoTokenizer, BertConfig, BertForNextSentencePrediction

    base, directory = tiny.transformers("bert"), tmp_path / "with-head"
    torch.manual_seed(0)
    BertForNextSentencePrediction(BertConfig.from_pretrained(base)).save_pretrained(directory)
    AutoTokenizer.from_pretrained(base).save_pretrained(directory)
    alone, _ = tuned("alone", model=directory, pooling="mean")
    outcome, saved = tuned("both", model=directory, pooling="mean", next_sentence=0.5)
    assert outcome.after[MRR] > outcome.before[MRR]
    assert outcome.trained.points[-1].loss > alone.trained.points[-1].loss + 0.1
    assert not any(name.startswith("cls.") for name in load_file(saved / "model.safetensors"))


def test_next_sentences_need_a_head(tuned):
    with pytest.raises(InputError, match="next_sentence: expected a model with a head"):
        tuned(next_sentence=0.5)


def test_scored_pairs_have_no_next_sentence(tuned):
    with pytest.raises(InputError, match="next_sentence: expected 0 for scored pairs"):
        tuned(kind="scored pairs", next_sentence=0.5)


def test_two_texts_are_joined_as_bert_does_and_the_longer_one_is_cut():
    first, second = (np.array(ids, np.int32) for ids in ([1, 10, 11, 12, 13, 2], [1, 20, 21, 2]))
    ids, types = joined_rows(first, second, 100)
    assert ids.tolist() == [1, 10, 11, 12, 13, 2, 20, 21, 2]
    assert types.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert joined_rows(first, second, 8)[0].tolist() == [1, 10, 11, 12, 2, 20, 21, 2]
    assert joined_rows(second, first, 7)[0].tolist() == [1, 20, 21, 2, 10, 11, 2]


def examples_of(anchors, positives, negatives=None, scores=None, texts=6):
    return EncodedExamples(
        rows=[np.array([n], np.int32) for n in range(texts)],
        anchors=np.array(anchors),
        positives=np.array(positives),
        negatives=negatives or [[] for _ in anchors],
        scores=None if scores is None else np.array(scores, np.float32),
    )


def at_angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_retrieval_is_measured_by_the_rank_of_the_best_positive():
    vectors = at_angles(0, 90, 10, 5, 95, 40)
    # Text 0 finds 3 (a negative), then 2, its own; text 1 finds 4, its own, at once.
    found = measured(vectors, examples_of([0, 1], [2, 4], negatives=[[3], []]))
    assert found == {MRR: pytest.approx(0.75), RECALL: 1.0}
    # With two positives, the better one counts, and a query that is a document is no answer.
    assert measured(vectors, examples_of([0, 0, 1], [5, 3, 1]))[MRR] == pytest.approx((1 + 1) / 2)


def test_vectors_that_are_all_the_same_find_nothing():
    examples = examples_of(range(3), range(3, 6))
    assert measured(np.ones((6, 2), np.float32), examples)[MRR] == pytest.approx(1 / 3)


def test_scores_are_compared_by_rank():
    vectors = at_angles(0, 0, 0, 10, 30, 60)
    examples = examples_of([0, 1, 2], [3, 4, 5], scores=[0.9, 0.5, 0.4])
    assert measured(vectors, examples) == {SPEARMAN: pytest.approx(1)}
    assert measured(np.ones((6, 2), np.float32), examples) == {SPEARMAN: 0.0}


def test_hard_negatives_are_near_but_no_answers():
    # Text 0 belongs to 3, at 20 degrees; 4 is nearer still, 5 a little farther.
    vectors = at_angles(0, 60, 90, 20, 1, 30)
    found = with_hard_negatives(examples_of([0, 1, 2], [3, 4, 5]), vectors, 2)
    assert found.negatives[0] == [5]  # 4 is more similar than the answer: likely one itself
    known = with_hard_negatives(examples_of([0, 0, 2], [3, 5, 4]), vectors, 2)
    assert known.negatives[0] == []  # 5 is another answer


def test_known_answers_are_no_negatives_in_the_batch():
    examples = examples_of([0, 0, 1], [3, 4, 5], negatives=[[], [5], [3]])
    batch = examples.batch([0, 1, 2], "cpu")
    assert batch.owners.tolist() == [1, 2]
    assert batch.excluded.tolist() == [
        [False, True, False, False, True],
        [True, False, False, False, True],
        [False, False, False, True, False],
    ]
