"""The witness: sentence-transformers' own vectors, so that a wrong reading of ours is found."""

import json
from typing import Any

import pytest
import torch

from edgeembed import convert
from edgeembed_converters.modules import pooling
from edgeembed_converters.sources.base.witness import Witness
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.encoder import base as encoder_base
from edgeembed_runtime.errors import ConversionError, ParityError, UnsupportedModelError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prompted(tiny):
    return tiny.sentence("prompted-mean", prompts={"query": "How do I ", "document": "passage: "})


def test_report_golden_file_and_model_card_name_the_witness(prompted, converted):
    import sentence_transformers
    import transformers

    report = converted(prompted)
    assert f"sentence-transformers {sentence_transformers.__version__}" in report.witness
    assert f"transformers {transformers.__version__}" in report.witness
    assert json.loads((report.path / "golden.json").read_text())["made_by"] == report.witness
    assert report.witness in (report.path / "README.md").read_text()


def test_a_live_module_is_not_witnessed_and_the_bundle_says_so(convert_toy, tmp_path):
    report = convert_toy(tmp_path / "bundle")
    assert report.witness.startswith("not witnessed")
    assert "not witnessed" in (report.path / "README.md").read_text()


def test_a_wrong_reading_of_the_pooling_is_found(prompted, tmp_path, monkeypatch):
    wrong = {**pooling._FUNCTIONS, "mean": pooling._FUNCTIONS["max"]}
    monkeypatch.setattr(pooling, "_FUNCTIONS", wrong)
    with pytest.raises(ParityError, match="not the original"):
        convert(prompted, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_in_the_wrong_place_is_found(prompted, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder_base, "prompt_text", lambda *_: "")
    with pytest.raises(ParityError, match="encode_query does not return"):
        convert(prompted, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_changes_with_the_texts_it_encodes_is_refused(toy_tokenizer, tmp_path):
    class Worn(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(400, 8)
            self.runs = 0

        def forward(self, input_ids, attention_mask):
            self.runs += 1
            return self.table((input_ids + self.runs) % 400) * attention_mask[..., None]

    with pytest.raises(UnsupportedModelError, match="depends on the texts that it encoded before"):
        convert(Worn().eval(), tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=20)


def test_a_live_model_that_does_not_save_all_of_itself_is_refused(prompted, tmp_path):
    from sentence_transformers import SentenceTransformer

    live: Any = SentenceTransformer(str(prompted), device="cpu", local_files_only=True)
    plain: Any = type(live[0])

    class Shouting(plain):
        def preprocess(self, inputs, *arguments, **options):
            return super().preprocess([text[::-1] for text in inputs], *arguments, **options)

    live[0].__class__ = Shouting
    saved = live.save_pretrained

    def saved_as_plain(path, **options):
        live[0].__class__ = plain
        saved(path, **options)
        live[0].__class__ = Shouting

    live.save_pretrained = saved_as_plain
    with pytest.raises(ConversionError, match="does not encode as the directory that it saves"):
        convert(live, tmp_path / "bundle")


def test_padding_that_changes_vectors_is_told_and_never_done(
    tiny, converted, reference, encode, texts, assert_same_vectors
):
    report = converted(tiny.transformers("convbert"))
    assert any("never padded" in note for note in report.notes)
    assert any("depends on its neighbors" in note for note in report.notes)
    assert not any(variant.padding for variant in report.variants)
    alone = reference(tiny.transformers("convbert"))
    expected = [alone.encode([text])[0] for text in texts]
    assert_same_vectors(expected, encode(report.path, texts))


def test_a_witness_maps_its_vectors_as_the_bundle_does():
    witness = Witness(
        made_by="a test",
        encode=lambda texts: torch.ones(len(texts), 3).numpy(),
        prompted={"encode": lambda texts: torch.zeros(len(texts), 3).numpy()},
    )
    doubled = witness.then(torch.nn.Linear(3, 3, bias=False).requires_grad_(False))
    assert doubled.encode(["a", "b"]).shape == (2, 3)
    assert doubled.prompted["encode"](["a"]).tolist() == [[0, 0, 0]]


def test_golden_vectors_are_the_library_s_own_one_text_at_a_time(prompted, converted, reference):
    report = converted(prompted)
    golden = Golden.from_json((report.path / "golden.json").read_bytes())
    model = reference(prompted)
    alone = [model.encode([text], prompt="")[0] for text in golden.texts]
    assert abs(golden.vectors - alone).max() < 1e-6
