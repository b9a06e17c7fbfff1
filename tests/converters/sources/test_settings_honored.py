"""Settings that change vectors: the bundle follows sentence-transformers, or refuses by name."""

import json
import shutil

import numpy as np
import pytest
from tokenizers import Tokenizer

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import EdgeEmbedError, UnsupportedModelError

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(tiny):
    """`copied(directory)` is a copy to edit."""

    def copy(directory):
        path = tiny.new_path("edited")
        shutil.copytree(directory, path)
        return path

    return copy


def edit(path, **changes):
    tree = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**tree, **changes}))


SETTINGS = {
    "truncation side": ("tokenizer_config.json", {"truncation_side": "left"}),
    "limit of the tokenizer": (
        "sentence_bert_config.json",
        {"max_seq_length": None, "tokenizer_args": {"model_max_length": 12}},
    ),
    "side by the module": (
        "sentence_bert_config.json",
        {"tokenizer_args": {"truncation_side": "left"}},
    ),
    "length of a call": (
        "sentence_bert_config.json",
        {"processing_kwargs": {"text": {"max_length": 8}}},
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_tokenizer(
    name, tiny, copied, reference, encode, texts, assert_same_vectors, tmp_path
):
    file, changes = SETTINGS[name]
    source = copied(tiny.sentence("pooling-mean", pooling="mean"))
    edit(source / file, **changes)
    report = convert(source, tmp_path / "bundle")
    plain = reference(tiny.sentence("pooling-mean", pooling="mean")).encode(list(texts))
    expected = reference(source).encode(list(texts))
    assert np.abs(expected - plain).max() > 1e-3  # the setting matters
    assert_same_vectors(expected, encode(report.path, texts))


def test_fewer_components_are_those_of_the_library(tiny, converted, reference, encode, texts):
    source = tiny.sentence("truncated", normalize=True, truncate_dim=8)
    report = converted(source)
    assert (report.dim, report.head) == (8, ("Normalize", "Truncate 8"))
    found = encode(report.path, texts)
    np.testing.assert_allclose(found, reference(source).encode(list(texts)), atol=1e-6)
    with Encoder.load(report.path) as encoder:
        assert not encoder.normalized


@pytest.mark.parametrize("kind", ["LayerNorm", "Dropout"])
def test_modules_after_pooling(kind, tiny, reference, encode, texts, assert_same_vectors, tmp_path):
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as library

    parts = list(reference(tiny.sentence("pooling-mean", pooling="mean")))
    torch.manual_seed(3)
    layer_norm = library.LayerNorm(32)
    torch.nn.init.normal_(layer_norm.norm.weight)
    module = layer_norm if kind == "LayerNorm" else library.Dropout(0.3)
    source = tiny.new_path(kind)
    SentenceTransformer(modules=[*parts, module], device="cpu").save(str(source))
    report = convert(source, tmp_path / "bundle")
    assert report.head == (("LayerNorm 32",) if kind == "LayerNorm" else ())
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


def test_normalize_of_token_vectors_leaves_the_sentence_alone(
    tiny, copied, reference, encode, texts, tmp_path
):
    source = copied(tiny.sentence("head-none", normalize=True))
    folder = source / "2_Normalize"
    folder.mkdir(exist_ok=True)
    names = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
    edit(folder / "config.json", **names)
    expected = reference(source).encode(list(texts))
    try:
        report = convert(source, tmp_path / "bundle")
    except UnsupportedModelError as error:
        # Versions of sentence-transformers that do not read the file.
        assert "module_input_name" in str(error)
        return
    np.testing.assert_allclose(encode(report.path, texts), expected, atol=1e-5)


def test_a_plain_causal_language_model_is_pooled_at_its_last_token(
    tiny, copied, reference, encode, texts, assert_same_vectors, tmp_path
):
    source = copied(tiny.transformers("qwen3-causal"))
    edit(source / "config.json", architectures=["Qwen3ForCausalLM"])
    report = convert(source, tmp_path / "bundle")
    assert report.pooling == "last"
    assert any("last was assumed" in note for note in report.notes)
    some = [text for text in texts if text]
    assert_same_vectors(reference(source).encode(some), encode(report.path, some))


def test_texts_that_go_through_a_chat_template_are_refused(tiny, copied, tmp_path):
    source = copied(tiny.sentence("pooling-mean", pooling="mean"))
    template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    (source / "chat_template.jinja").write_text(template)
    tokens = {"method": "forward", "method_output_name": "last_hidden_state"}
    edit(
        source / "sentence_bert_config.json",
        transformer_task="feature-extraction",
        modality_config={"text": tokens, "message": {**tokens, "format": "flat"}},
        module_output_name="token_embeddings",
    )
    with pytest.raises(UnsupportedModelError, match="chat template"):
        convert(source, tmp_path / "bundle")


def test_a_setting_that_nothing_reads_is_refused_unless_it_is_ignored(tiny, copied, tmp_path):
    source = copied(tiny.sentence("pooling-mean", pooling="mean"))
    edit(source / "config.json", position_embedding_kind="spiral")
    with pytest.raises(UnsupportedModelError, match="position_embedding_kind") as caught:
        convert(source, tmp_path / "bundle")
    assert "ignore" in str(caught.value)
    assert "\n" not in str(caught.value)
    report = convert(source, tmp_path / "bundle", ignore=["position_embedding_kind"])
    assert any("position_embedding_kind" in note for note in report.notes)


def test_an_added_token_beyond_the_table_is_read_as_plain_text(tiny, copied, tmp_path):
    source = copied(tiny.sentence("pooling-mean", pooling="mean"))
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.add_special_tokens(["<image_soft_token>"])
    tokenizer.save(str(source / "tokenizer.json"))
    report = convert(source, tmp_path / "bundle")
    assert any("<image_soft_token>" in note for note in report.notes)
    with Encoder.load(report.path) as encoder:
        assert np.isfinite(encoder.encode("a ship <image_soft_token> at sea")).all()


def test_code_of_the_model_s_own_is_run_only_if_trusted_and_must_agree(tiny, copied, tmp_path):
    source = copied(tiny.sentence("pooling-mean", pooling="mean"))
    modules = json.loads((source / "modules.json").read_text())
    modules[0]["type"] = "custom_st.Transformer"
    (source / "modules.json").write_text(json.dumps(modules))
    (source / "custom_st.py").write_text(
        "from sentence_transformers.sentence_transformer.modules import Transformer as Base\n"
        "class Transformer(Base):\n"
        "    def preprocess(self, inputs, *a, **k):\n"
        "        return super().preprocess(['task: ' + text for text in inputs], *a, **k)\n"
    )
    with pytest.raises(UnsupportedModelError, match=r"custom_st\.Transformer"):
        convert(source, tmp_path / "bundle")
    with pytest.raises(EdgeEmbedError, match="not the original"):
        convert(source, tmp_path / "bundle", trust_remote_code=True)
    assert not (tmp_path / "bundle").exists()
