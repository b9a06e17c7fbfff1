"""The fingerprint of a space: the same for the same vectors, another for others."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from edgeembed_converters.modules.head import Dense, Normalize, Truncate, effective_head
from edgeembed_converters.packaging.space_fingerprint import directions

# A tiny model in files that no library writes anew, and its space, whatever opens it.
SAVED = Path(__file__).parent / "saved-bert"
SPACE_OF_SAVED = "sha256:51ffe4a6f10558471d8d4c5da8bb40b186024548d87747117149a2701869aee8"


@pytest.fixture(scope="module")
def source(tiny):
    return tiny.sentence("pooling-mean", pooling="mean")


@pytest.mark.slow
def test_the_space_is_the_same_under_every_version_of_the_libraries(converted):
    assert converted(SAVED).space == SPACE_OF_SAVED


@pytest.mark.slow
def test_another_attention_is_another_space_though_all_files_are_the_same(
    tiny, converted, monkeypatch
):
    from edgeembed_converters.sources.text import sentence_transformers as loader
    from edgeembed_converters.sources.text.transformers_text import TokenVectors

    source = tiny.transformers("bert")
    plain = converted(source)

    class Causal(TokenVectors):
        def forward(self, input_ids, attention_mask):
            found = super().forward(input_ids, attention_mask)
            return found * 0.5 + found.cumsum(1) * 0.5

    def load(first, path, options):
        backbone = load_backbone(first, path, options)
        assert isinstance(backbone.module, TokenVectors)
        return replace(backbone, module=Causal(backbone.module.model).eval())

    load_backbone = loader.load_backbone
    monkeypatch.setattr(loader, "load_backbone", load)
    monkeypatch.setattr(loader, "library_witness", lambda *_: None)
    assert converted(source, name="other").space != plain.space


def test_rounding_does_not_change_directions_and_other_vectors_do():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(55, 384)).astype(np.float32) + 2
    noise = random.normal(size=vectors.shape).astype(np.float32)
    rounded = (vectors * (1 + 1e-7 * noise)).astype(np.float32)
    assert directions(rounded) == directions(vectors)
    assert directions(3 * vectors) == directions(vectors)
    assert directions((vectors + 0.01 * noise).astype(np.float32)) != directions(vectors)


def test_texts_that_are_all_alike_have_no_directions():
    one = np.random.default_rng(1).normal(size=(1, 16)).astype(np.float32)
    assert set(directions(np.repeat(one, 20, axis=0))) == {"0"}


@pytest.mark.slow
def test_quantizing_and_moving_change_nothing(source, tiny, converted):
    moved = tiny.new_path("moved-elsewhere")
    shutil.copytree(source, moved)
    spaces = {
        converted(source).space,
        converted(source, quantize="int8").space,
        converted(moved).space,
    }
    assert len(spaces) == 1
    assert converted(moved).source.weights_sha256 == converted(source).source.weights_sha256


@pytest.mark.slow
def test_pooling_prompts_and_length_each_make_another(source, tiny, converted):
    cls = tiny.sentence("pooling-cls", pooling="cls")
    prompts = tiny.sentence("passages", prompts={"query": "query: ", "passage": "passage: "})
    reports = [
        converted(source),
        converted(cls),
        converted(prompts),
        converted(source, max_tokens=10),
    ]
    assert len({report.space for report in reports}) == len(reports)
    assert len({report.source.weights_sha256 for report in reports}) == 1  # that is all the same


@pytest.mark.slow
def test_space_is_in_the_bundle(source, converted):
    report = converted(source)
    assert report.space.startswith("sha256:")
    assert report.space in (report.path / "edgeembed.json").read_text()


def test_modules_without_effect_are_left_out():
    dense = Dense(nn.Linear(32, 16), nn.Tanh(), None)
    modules = [Truncate(32), Normalize(), Normalize(), dense, Normalize(), Truncate(16)]
    assert list(map(str, effective_head(modules, 32))) == [
        "Normalize",
        "Dense 32x16 Tanh",
        "Normalize",
    ]
    assert [module.dim for module in effective_head([Truncate(8), Truncate(9)], 16)] == [8]
