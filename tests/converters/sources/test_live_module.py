"""Live PyTorch modules: their output pooled or taken as it is, and what the caller must say."""

import numpy as np
import pytest
import torch
from torch import nn

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, ExportError, InputError, UnsupportedModelError

pytestmark = pytest.mark.slow

MAX_TOKENS = 20


def ids_of(tokenizer, text):
    copy = type(tokenizer).from_str(tokenizer.to_str())
    copy.enable_truncation(MAX_TOKENS)
    return torch.tensor([copy.encode(text).ids])


def token_vectors(module, tokenizer, text):
    ids = ids_of(tokenizer, text)
    with torch.no_grad():
        return module(ids, torch.ones_like(ids))[0]


class PooledByPosition(nn.Module):
    """Sentence vectors in a tuple, from arguments of other names."""

    def __init__(self, toy):
        super().__init__()
        self.toy = toy

    def forward(self, tokens, keep):
        weights = keep.unsqueeze(-1).float()
        return ((self.toy(tokens, keep) * weights).sum(1) / weights.sum(1), "ignored")


def test_token_vectors_are_mean_pooled_and_that_is_noted(
    toy, toy_tokenizer, toy_report, encode, texts, assert_same_vectors
):
    assert toy_report.pooling == "mean"
    assert "mean pooling was assumed" in toy_report.notes[0]
    expected = [token_vectors(toy, toy_tokenizer, text).mean(0).numpy() for text in texts]
    assert_same_vectors(expected, encode(toy_report.path, texts))


def test_pooled_output_by_position_with_tokenizer_path(
    toy, toy_tokenizer, tmp_path, encode, texts, assert_same_vectors
):
    path = tmp_path / "tokenizer.json"
    toy_tokenizer.save(str(path))
    report = convert(
        PooledByPosition(toy),
        tmp_path / "bundle",
        tokenizer=path,
        max_tokens=MAX_TOKENS,
        normalize=True,
        prompts={"query": "q: "},
        name="pooled",
    )
    assert (report.name, report.pooling, report.notes) == ("pooled", "", ())
    assert report.head == ("Normalize",)
    means = [token_vectors(toy, toy_tokenizer, text).mean(0) for text in texts]
    expected = [(mean / mean.norm()).numpy() for mean in means]
    assert_same_vectors(expected, encode(report.path, texts))
    with Encoder.load(report.path) as encoder:
        assert (encoder.encode_query("x") == encoder.encode("q: x")).all()


def test_transformers_model_with_its_own_tokenizer(
    tiny, tmp_path, encode, texts, assert_same_vectors
):
    from transformers import AutoModel, AutoTokenizer

    directory = tiny.transformers("bert")
    model = AutoModel.from_pretrained(directory, local_files_only=True, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    report = convert(
        model, tmp_path / "bundle", tokenizer=tokenizer, max_tokens=MAX_TOKENS, pooling="cls"
    )
    backend = tokenizer.backend_tokenizer
    expected = []
    for text in texts:
        ids = ids_of(backend, text)
        with torch.no_grad():
            output = model(input_ids=ids, attention_mask=torch.ones_like(ids))
        expected.append(output.last_hidden_state[0, 0].numpy())
    assert_same_vectors(expected, encode(report.path, texts))


def test_dropout_is_off_in_the_bundle(toy, toy_tokenizer, toy_report, tmp_path, encode):
    toy.train()
    try:
        report = convert(toy, tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=MAX_TOKENS)
        assert all(part.training for part in toy.modules())
    finally:
        toy.eval()
    assert report.space == toy_report.space
    np.testing.assert_array_equal(
        encode(report.path, ["some text"]), encode(toy_report.path, ["some text"])
    )


def test_own_example_inputs(toy, toy_tokenizer, tmp_path):
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    report = convert(
        toy,
        tmp_path / "bundle",
        tokenizer=toy_tokenizer,
        max_tokens=MAX_TOKENS,
        example_inputs=(ids, (ids > 0).long()),
    )
    with Encoder.load(report.path) as encoder:  # another length than the example's
        assert encoder.encode("some other text than that, and a longer one").shape == (16,)


def test_missing_max_tokens(toy, toy_tokenizer, tmp_path):
    with pytest.raises(InputError, match="max_tokens: expected a number for a live module"):
        convert(toy, tmp_path / "bundle", tokenizer=toy_tokenizer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("max_tokens", [0, -1, 2.5, "12"])
def test_max_tokens_that_is_none(max_tokens, toy, toy_tokenizer, tmp_path):
    with pytest.raises(InputError, match="max_tokens"):
        convert(toy, tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=max_tokens)


@pytest.mark.parametrize("tokenizer", [None, 42, "no-such-tokenizer.json"])
def test_tokenizer_that_is_none(tokenizer, toy, tmp_path):
    with pytest.raises(InputError, match="tokenizer"):
        convert(toy, tmp_path / "bundle", tokenizer=tokenizer, max_tokens=MAX_TOKENS)


def test_damaged_tokenizer_file(toy, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"version": "1.0"')
    with pytest.raises(ConversionError, match="Toy") as caught:
        convert(toy, tmp_path / "bundle", tokenizer=path, max_tokens=MAX_TOKENS)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bundle").exists()


def test_wrong_number_of_example_inputs(toy, toy_tokenizer, tmp_path):
    with pytest.raises(InputError, match="example_inputs: expected ids and mask, got 1"):
        convert(
            toy,
            tmp_path / "bundle",
            tokenizer=toy_tokenizer,
            max_tokens=MAX_TOKENS,
            example_inputs=[torch.ones(2, 3, dtype=torch.int64)],
        )


class Returns(nn.Module):
    """Returns what `make` makes of the ids."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, input_ids, attention_mask):
        return self.make(input_ids)


def fail(ids):
    raise RuntimeError("first line\nsecond line")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ids: ids[:, 0].float(), "expected an output of shape"),
        (lambda ids: ("text",), "got str"),
        (lambda ids: None, "could not be run|expected an output"),
        (fail, "first line"),
    ],
    ids=["one-dimensional", "text", "nothing", "raises"],
)
def test_module_that_gives_no_vectors(make, message, toy_tokenizer, tmp_path):
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        convert(Returns(make), tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=MAX_TOKENS)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


class Branches(nn.Module):
    """What it computes depends on the numbers: torch.export cannot follow."""

    def __init__(self, toy):
        super().__init__()
        self.toy = toy

    def forward(self, input_ids, attention_mask):
        tokens = self.toy(input_ids, attention_mask)
        return tokens * 2 if tokens.sum() > 0 else tokens


def test_module_that_cannot_be_exported(toy, toy_tokenizer, tmp_path):
    with pytest.raises(ExportError, match=r"torch\.onnx could not export the model") as caught:
        convert(Branches(toy), tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=MAX_TOKENS)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_live_sentence_transformer(tiny, reference, tmp_path, encode, texts, assert_same_vectors):
    model = reference(tiny.sentence("live", prompts={"query": "query: "}))
    bundle = convert(model, tmp_path / "bundle").path
    assert_same_vectors(model.encode(list(texts)), encode(bundle, texts))
    assert_same_vectors(
        model.encode_query(list(texts)), encode(bundle, texts, method="encode_query")
    )
