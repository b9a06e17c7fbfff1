"""Token vectors of a bundle are the last hidden layer of the original, in every architecture."""

import numpy as np
import pytest
import torch
import transformers

from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder

pytestmark = pytest.mark.slow

TEXT = "the cat sat on the mat, and naïve Ünïcode 東京 ran"


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "modernbert"])
def test_token_vectors_equal_the_original_s_last_hidden_state(kind, tiny, converted):
    source = tiny.sentence(f"tokens-{kind}", kind=kind, pooling="mean")
    report = converted(source)
    with Encoder.load(report.path, variant="fp32") as encoder:
        found = encoder.encode_tokens(TEXT)
    model = transformers.AutoModel.from_pretrained(source).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    with torch.no_grad():
        inputs = tokenizer(TEXT, return_tensors="pt", truncation=True, max_length=report.max_tokens)
        expected = model(**inputs).last_hidden_state[0].numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_module_that_pools_by_itself_has_no_token_vectors(toy_report):
    bundle = Bundle.open(toy_report.path)
    assert ("token_embeddings" in bundle.manifest.text_tower().outputs) == (
        toy_report.pooling != ""
    )


def test_the_free_axes_have_the_names_of_the_format(toy_report):
    import onnx

    model = onnx.load(toy_report.path / "fp32.onnx")
    axes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert axes["input_ids"] == axes["attention_mask"] == ["batch", "tokens"]
    assert axes["embedding"][0] == "batch"
    assert isinstance(axes["embedding"][1], int)
