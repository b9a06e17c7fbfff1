"""Plain transformers directories: mean pooling is assumed, said so, and computed right."""

import pytest
import torch

from edgeembed_runtime.encoder.encoder import Encoder
from helpers.image_processors import VERSION_5

pytestmark = pytest.mark.slow

# transformers 4 knows no `is_causal` of Qwen3, and sentence-transformers 5 gives FNet a mask.
SINCE_5 = pytest.mark.skipif(not VERSION_5, reason="the original itself needs transformers 5")
# Each with something of its own: relative positions, an encoder of two, no mask, no causal mask.
OTHERS = (
    "deberta-v2",
    "t5",
    pytest.param("fnet", marks=SINCE_5),
    pytest.param("qwen3-bidirectional", marks=SINCE_5),
)
KINDS = ("bert", "distilbert", "roberta", "mpnet", "xlm-roberta", "modernbert")
POSITIONS = 64


@pytest.fixture(params=KINDS)
def directory(request, tiny):
    return tiny.transformers(request.param, layers=2, positions=POSITIONS, limit=100_000)


def mean_of_last_hidden_state(directory, texts):
    """Transformers' own forward, one text at a time, and a mean written out by hand."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    model = AutoModel.from_pretrained(directory, local_files_only=True).eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            inputs = tokenizer(text, truncation=True, max_length=POSITIONS, return_tensors="pt")
            ids, mask = inputs["input_ids"], inputs["attention_mask"]
            tokens = model(input_ids=ids, attention_mask=mask).last_hidden_state[0]
            rows.append(torch.stack(list(tokens)).mean(0).numpy())
    return rows


def test_vectors_are_transformers_own_mean_pooled(
    directory, converted, encode, texts, assert_same_vectors
):
    report = converted(directory)
    expected = mean_of_last_hidden_state(directory, texts)
    assert_same_vectors(expected, encode(report.path, texts))


def test_assumed_mean_pooling_is_reported(directory, converted):
    report = converted(directory)
    assert report.pooling == "mean"
    assert len(report.notes) == 1
    assert "mean was assumed" in report.notes[0]
    assert report.head == ()


def test_max_tokens_is_what_the_position_table_holds(directory, converted, texts):
    report = converted(directory)
    assert report.max_tokens == POSITIONS
    with Encoder.load(report.path) as encoder:
        long = texts[-1] * 10
        assert encoder.count_tokens(long) > 2 * POSITIONS
        assert encoder.encode(long).shape == (32,)


@pytest.mark.parametrize("kind", OTHERS)
def test_other_mechanisms_give_the_vectors_of_sentence_transformers(
    kind, tiny, converted, reference, encode, texts, assert_same_vectors
):
    directory = tiny.sentence(f"architecture-{kind}", kind=kind)
    report = converted(directory)
    assert report.witness.startswith("sentence-transformers ")
    model = reference(directory)
    expected = [model.encode([text])[0] for text in texts]
    assert_same_vectors(expected, encode(report.path, texts))


@SINCE_5
def test_vectors_that_depend_on_padding_are_never_padded(tiny, converted):
    report = converted(tiny.sentence("architecture-fnet", kind="fnet"))
    assert any("texts are never padded" in note for note in report.notes)
