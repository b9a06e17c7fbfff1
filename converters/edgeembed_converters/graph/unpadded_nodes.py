"""Long texts in bounded memory: an fp32 graph gets nodes of its own for texts without padding."""

import numpy as np
import onnx

from edgeembed_converters.graph.attention_blocks import WHOLE_TOKENS, attend_in_blocks
from edgeembed_converters.graph.editing import copied, import_microsoft_operators
from edgeembed_converters.graph.strip_mask import unpadded
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.engine.base import feeds
from edgeembed_runtime.engine.session import SessionSettings
from edgeembed_runtime.engine.unpadded_nodes import UNPADDED_NODES, described_nodes

# A short text, by which the nodes are compared with those that they stand in for.
_TOKENS = 40
_TOLERANCE = 1e-4


def add_unpadded_nodes(
    model: onnx.ModelProto, max_tokens: int, *, whole: int = WHOLE_TOKENS
) -> onnx.ModelProto:
    """Add nodes for texts without padding, which never have all scores of a long text at once.

    Changes and returns `model`; its own nodes stay, for padded batches. A model of texts of up to
    `whole` tokens stays as it is, and one without attention, or whose vectors would be others.
    """
    if max_tokens <= whole:
        return model
    other = unpadded(model, max_tokens)
    stripped = other is not None
    if other is None:
        other = copied(model)
    if not attend_in_blocks(other, whole=whole) and not stripped:
        return model
    known = {tensor.name for tensor in model.graph.initializer}
    nodes = onnx.GraphProto(node=other.graph.node)
    nodes.initializer.extend(t for t in other.graph.initializer if t.name not in known)
    import_microsoft_operators(model)
    described = described_nodes(model.SerializeToString(), nodes.SerializeToString())
    model.metadata_props.append(onnx.StringStringEntryProto(key=UNPADDED_NODES, value=described))
    if not _agrees(OnnxModel.of(model)):
        drop_unpadded_nodes(model)
    return model


def drop_unpadded_nodes(model: onnx.ModelProto) -> None:
    """Drop the nodes again: whatever is made of a model's own nodes has other ones."""
    kept = [entry for entry in model.metadata_props if entry.key != UNPADDED_NODES]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


def _agrees(model: OnnxModel) -> bool:
    text = feeds(np.arange(_TOKENS, dtype=np.int64)[None, :])
    settings = [SessionSettings(), SessionSettings(unpadded=True)]
    own, other = (model.session("the new model", each).run(text, EMBEDDING) for each in settings)
    return bool(np.abs(own - other).max() <= _TOLERANCE * np.abs(own).max())
