"""The fingerprint of a space: the same for the same vectors, another for others."""

import shutil

import numpy as np
import pytest
from torch import nn

from edgeembed_converters.modules.head import Dense, Normalize, Truncate, effective_head
from edgeembed_converters.packaging.space_fingerprint import directions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tiny):
    return tiny.sentence("pooling-mean", pooling="mean")


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


def test_directions_tell_other_vectors_from_rounding():
    random = np.random.default_rng(0)
    vectors, noise = random.standard_normal((2, 54, 384))
    for number in range(20):
        noise = np.roll(noise, number)
        assert directions(vectors) == directions(vectors + 1e-8 * noise)
        assert directions(vectors) != directions(vectors + 0.01 * noise)
