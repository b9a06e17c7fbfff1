"""Attention of long texts: the same vectors in blocks of queries, and fp32 nodes for it."""

import functools

import numpy as np
import onnx
import pytest

from edgeembed_converters.graph import unpadded_nodes
from edgeembed_converters.graph.attention_blocks import attend_in_blocks
from edgeembed_converters.graph.editing import copied, drop_unused
from edgeembed_converters.graph.unpadded_nodes import add_unpadded_nodes
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.trial.candidate import load_unquantized
from edgeembed_runtime.bundle.graph.room import Expected
from edgeembed_runtime.engine.base import feeds
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.engine.unpadded_nodes import UNPADDED_NODES, with_unpadded_nodes
from edgeembed_runtime.errors import BundleUnsafeError, InferenceError

pytestmark = pytest.mark.slow

WHOLE, BLOCK = 20, 8
# As short as a text that is run whole, just longer, a full last block, and any other.
LENGTHS = (1, WHOLE, WHOLE + 1, 3 * BLOCK, 37)
OUTPUTS = ("embedding", "token_embeddings")


@pytest.fixture(scope="module")
def exported(tiny, converted):
    """`exported(kind)` is the fp32 graph of a tiny model of that architecture."""

    @functools.cache
    def load(kind):
        report = converted(tiny.sentence(f"unpadded-{kind}", kind=kind))
        return onnx.load(report.path / "fp32.onnx")

    return lambda kind: copied(load(kind))


def text(rows, tokens, padding=0):
    ids = np.random.default_rng(tokens).integers(5, 60, (rows, tokens))
    mask = np.ones_like(ids)
    mask[-1, tokens - padding :] = 0
    return feeds(ids, mask)


def session(model, **settings):
    return Session(model.SerializeToString(), "a test", SessionSettings(**settings))


@pytest.mark.parametrize("kind", ["bert", "modernbert", "mpnet"])
def test_vectors_are_the_same_in_blocks(kind, exported):
    model = exported(kind)
    found = copied(model)
    assert attend_in_blocks(found, whole=WHOLE, block=BLOCK)
    onnx.checker.check_model(found)
    drop_unused(found.graph)  # later rewrites do so; the loops read values from outside
    before, after = session(model), session(found)
    for tokens in LENGTHS:
        inputs = text(2, tokens, padding=min(3, tokens - 1))
        for output in OUTPUTS:
            np.testing.assert_allclose(
                after.run(inputs, output), before.run(inputs, output), atol=2e-6
            )


def test_no_value_of_a_long_text_has_all_scores(exported):
    found = exported("modernbert")
    kinds = [node.op_type for node in found.graph.node]
    attend_in_blocks(found, whole=WHOLE, block=BLOCK)
    after = [node.op_type for node in found.graph.node]
    assert after.count("If") == kinds.count("Softmax") > 0
    assert "Softmax" not in after


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_fp32_has_nodes_for_texts_without_padding_and_keeps_its_own(kind, exported):
    model = exported(kind)
    own = list(model.graph.node)
    found = add_unpadded_nodes(copied(model), 64, whole=WHOLE)
    assert list(found.graph.node) == own
    plain, padded, unpadded = session(model), session(found), session(found, unpadded=True)
    for tokens in (1, 7, WHOLE + 1, 64):
        expected = plain.run(text(1, tokens), "embedding")
        np.testing.assert_allclose(unpadded.run(text(1, tokens), "embedding"), expected, atol=2e-6)
    batch = text(2, 30, padding=4)
    np.testing.assert_array_equal(padded.run(batch, "embedding"), plain.run(batch, "embedding"))
    with pytest.raises(InferenceError, match="no_padding"):
        unpadded.run(batch, "embedding")


def test_a_model_of_short_texts_stays_as_it_is(exported):
    model = exported("bert")
    before = model.SerializeToString()
    assert add_unpadded_nodes(model, 64).SerializeToString() == before


def test_nodes_of_another_graph_are_not_used(exported):
    model = add_unpadded_nodes(exported("bert"), 64, whole=WHOLE)
    data = model.SerializeToString()
    assert with_unpadded_nodes(data) != data
    model.graph.node[-1].name = "edited since"
    edited = model.SerializeToString()
    assert with_unpadded_nodes(edited) is edited


def test_nodes_that_change_vectors_are_not_kept(exported, monkeypatch):
    monkeypatch.setattr(unpadded_nodes, "_TOLERANCE", -1.0)
    model = exported("bert")
    assert not add_unpadded_nodes(model, 64, whole=WHOLE).metadata_props


def test_quantization_starts_from_the_graph_without_them(exported):
    model = add_unpadded_nodes(exported("bert"), 64, whole=WHOLE)
    assert [entry.key for entry in model.metadata_props] == [UNPADDED_NODES]
    assert not load_unquantized(OnnxModel.of(model)).metadata_props


def test_such_nodes_are_checked_like_those_of_the_file(exported):
    model = exported("bert")
    other = onnx.GraphProto(node=model.graph.node)
    other.node[0].domain = "evil"
    described = unpadded_nodes.described_nodes(model.SerializeToString(), other.SerializeToString())
    model.metadata_props.append(onnx.StringStringEntryProto(key=UNPADDED_NODES, value=described))
    stranger = Expected.texts(16, static=False)
    with pytest.raises(BundleUnsafeError, match="evil"):
        Session(
            model.SerializeToString(), "a test", SessionSettings(unpadded=True), expected=stranger
        )
    model.metadata_props[0].value = described[:70] + "!" + described[71:]
    expected = session(model).run(text(1, 9), "embedding")
    np.testing.assert_array_equal(
        session(model, unpadded=True).run(text(1, 9), "embedding"), expected
    )
