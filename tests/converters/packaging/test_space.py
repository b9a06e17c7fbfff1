"""The fingerprint of a space: the same for the same vectors, another for others."""

import shutil

import pytest

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
