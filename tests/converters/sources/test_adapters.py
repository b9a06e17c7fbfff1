"""Adapters, where peft is installed: merged, they give sentence-transformers' vectors."""

import json
import shutil

import numpy as np
import pytest
import torch

from edgeembed import convert
from edgeembed_runtime.errors import UnsupportedModelError

peft = pytest.importorskip("peft")
pytestmark = [
    pytest.mark.slow,
    # Remarks of peft and transformers about themselves, as they make the models.
    pytest.mark.filterwarnings("ignore"),
]
KINDS = {
    "lora": lambda: peft.LoraConfig(r=4, target_modules=["query", "value"]),
    "ia3": lambda: peft.IA3Config(target_modules=["key", "value"], feedforward_modules=[]),
    "dora": lambda: peft.LoraConfig(r=4, target_modules=["query"], use_dora=True),
    "prompt": lambda: peft.PromptTuningConfig(
        num_virtual_tokens=4, task_type="FEATURE_EXTRACTION", token_dim=32, num_layers=1,
        num_attention_heads=2,
    ),
}  # fmt: skip


@pytest.fixture
def adapter(tiny, tmp_path):
    """`adapter(kind)`: a directory with an adapter of the tiny BERT, and a tokenizer."""
    from transformers import AutoModel

    def make(kind, beside=False):
        base = tiny.transformers("bert")
        path = tmp_path / kind
        model = peft.get_peft_model(AutoModel.from_pretrained(base), KINDS[kind]())
        torch.manual_seed(5)
        for name, weights in model.named_parameters():
            if any(part in name for part in ("lora_", "ia3", "prompt")):
                weights.data = 0.5 * torch.randn_like(weights) + ("ia3" in name)
        model.save_pretrained(path)
        settings = path / "adapter_config.json"
        tree = json.loads(settings.read_text()) | {"base_model_name_or_path": str(base)}
        settings.write_text(json.dumps(tree))
        for file in base.glob("*" if beside else "tokenizer*"):
            shutil.copy(file, path)
        return path

    return make


@pytest.mark.parametrize(("kind", "beside"), [("lora", True), ("lora", False), ("ia3", False)])
def test_vectors_are_those_with_the_adapter(
    kind, beside, adapter, tiny, tmp_path, texts, reference, encode, assert_same_vectors
):
    source = adapter(kind, beside)
    expected = reference(source).encode(list(texts))
    base = reference(tiny.transformers("bert")).encode(list(texts))
    assert np.abs(expected - base).max() > 0.01
    report = convert(source, tmp_path / "bundle", pooling="mean")
    assert_same_vectors(expected, encode(report.path, texts))


def test_an_adapter_that_sentence_transformers_saved(
    tiny, tmp_path, texts, reference, encode, assert_same_vectors
):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny.sentence("plain")), device="cpu")
    model.add_adapter(KINDS["lora"]())
    torch.manual_seed(5)
    for name, weights in model.named_parameters():
        if "lora_" in name:
            weights.data = 0.5 * torch.randn_like(weights)
    model.save(str(tmp_path / "model"))
    report = convert(tmp_path / "model", tmp_path / "bundle")
    assert_same_vectors(model.encode(list(texts)), encode(report.path, texts))


def test_what_transformers_does_not_load_is_refused(adapter, tmp_path):
    # transformers makes up the magnitudes of DoRA, and only warns.
    with pytest.raises(UnsupportedModelError, match=r"does not load 1 of .*magnitude"):
        convert(adapter("dora"), tmp_path / "bundle", pooling="mean")


def test_learned_prompts_are_refused(adapter, tmp_path):
    with pytest.raises(UnsupportedModelError, match=r"peft_type PROMPT_TUNING"):
        convert(adapter("prompt"), tmp_path / "bundle", pooling="mean")
    assert not (tmp_path / "bundle").exists()
