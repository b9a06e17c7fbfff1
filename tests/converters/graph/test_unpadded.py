"""Graphs for texts that are never padded: the same vectors, and padding refused."""

import dataclasses

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgeembed_converters.graph.attention_blocks import attend_in_blocks
from edgeembed_converters.graph.strip_mask import REFUSAL, unpadded
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.open import EngineSpec, open_text_engine
from edgeembed_runtime.engine.schedule import schedule_for
from edgeembed_runtime.engine.variants import choose_variant
from edgeembed_runtime.errors import InputError

pytestmark = pytest.mark.slow

MAX_TOKENS = 24
KINDS = ("bert", "distilbert", "roberta", "xlm-roberta", "modernbert", "mpnet")


@pytest.fixture(scope="module")
def exported(tiny, converted):
    """`exported(kind)` is the fp32 graph of a tiny model of that architecture."""

    def export(kind):
        report = converted(tiny.sentence(f"unpadded-{kind}", kind=kind))
        return onnx.load(report.path / "fp32.onnx")

    return export


def run(model, mask):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    data = model.SerializeToString()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    ids = np.arange(5, 5 + mask.size, dtype=np.int64).reshape(mask.shape)
    feeds = {"input_ids": ids, "attention_mask": mask}
    return [np.asarray(value) for value in session.run(None, feeds)]


def kinds(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    "kind", ["bert", "distilbert", "roberta", "xlm-roberta", "modernbert", "mpnet"]
)
def test_the_vectors_are_the_same_without_the_mask(kind, exported):
    model = exported(kind)
    before = model.SerializeToString()
    found = unpadded(model, MAX_TOKENS)
    assert found is not None
    assert model.SerializeToString() == before
    assert len(found.graph.node) < len(model.graph.node)
    onnx.checker.check_model(found)
    for shape in ((1, 1), (1, MAX_TOKENS), (3, 9)):
        mask = np.ones(shape, np.int64)
        for expected, value in zip(run(model, mask), run(found, mask), strict=True):
            np.testing.assert_allclose(value, expected, atol=2e-6)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "modernbert"])
def test_plain_attention_becomes_one_operator(kind, exported):
    found = kinds(unpadded(exported(kind), MAX_TOKENS))
    assert found.count("MultiHeadAttention") == 1
    assert "Softmax" not in found


def test_sliding_windows_stay(tiny, converted):
    report = converted(tiny.transformers("modernbert", layers=2))
    model = onnx.load(report.path / "fp32.onnx")
    found = unpadded(model, 64)
    assert found is not None
    softmaxed = {node.input[0] for node in found.graph.node if node.op_type == "Softmax"}
    masked = [node for node in found.graph.node if node.output[0] in softmaxed]
    assert [node.op_type for node in masked] == ["Add"]
    assert kinds(found).count("MultiHeadAttention") == 1  # the first layer sees all
    mask = np.ones((2, 64), np.int64)
    np.testing.assert_allclose(run(found, mask)[0], run(model, mask)[0], atol=2e-6)
    assert attend_in_blocks(found, whole=20, block=8)
    np.testing.assert_allclose(run(found, mask)[0], run(model, mask)[0], atol=2e-6)


def test_relative_positions_stay(exported):
    assert "Softmax" in kinds(unpadded(exported("mpnet"), MAX_TOKENS))


@pytest.mark.parametrize("place", [0, 4, 8])
def test_padding_is_refused(place, exported):
    mask = np.ones((2, 9), np.int64)
    mask[1, place] = 0
    with pytest.raises(Exception, match=REFUSAL):
        run(unpadded(exported("bert"), MAX_TOKENS), mask)


def test_a_model_without_attention_has_no_mask_to_drop(toy_report):
    assert unpadded(onnx.load(toy_report.path / "fp32.onnx"), 20) is None
    assert all(variant.padding for variant in toy_report.variants)


def test_the_manifest_says_what_takes_no_padding(tiny, converted):
    report = converted(tiny.sentence("unpadded-bert", kind="bert"), quantize="int8")
    assert [variant.padding for variant in report.variants] == [True, False]


def test_a_variant_without_padding_is_for_the_cpu_only(tiny, converted):
    report = converted(tiny.sentence("unpadded-bert", kind="bert"), quantize="int8")
    with Encoder.load(report.path, variant="int8") as encoder:
        assert encoder.encode(["the cat", "a longer text " * 3]).shape == (2, 32)
    bundle = Bundle.open(report.path)
    int8 = bundle.manifest.text_tower().variant("int8")
    assert int8 is not None
    with pytest.raises(
        InputError, match=r"int8 does not support padding and runs on the CPU only.*coreml"
    ):
        open_text_engine(
            EngineSpec(
                bundle=bundle,
                variant=int8,
                providers=(("CoreMLExecutionProvider", {}),),
                schedule=schedule_for("balanced", None),
                check="hash",
            )
        )
    anywhere = dataclasses.replace(int8, requires=())
    tower = dataclasses.replace(bundle.manifest.text_tower(), variants=(anywhere,))
    with pytest.raises(InputError, match="none of int8 suits"):
        choose_variant(tower, "auto", "CUDAExecutionProvider")
