"""The inner values of a graph while it runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.editing import copied, drop_unused
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_runtime.engine.session import ALL_CORES, SessionSettings

# The inputs of one run, by name.
Feeds = Mapping[str, NDArray[Any]]


def probe_values(
    model: onnx.ModelProto, names: Sequence[str], inputs: Iterable[Feeds]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Run inputs one by one, and yield the values `names` of the graph, as float32, for each."""
    if not names:
        yield from ({} for _ in inputs)
        return
    watched = copied(model)
    del watched.graph.output[:]
    # Without types, which onnxruntime infers: masks may be booleans.
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    drop_unused(watched.graph)  # the scores of a long text may not fit into memory
    session = OnnxModel.of(watched).session("the probed graph", SessionSettings(threads=ALL_CORES))
    for each in inputs:
        found = session.run_unchecked(each, names)
        yield {
            name: np.asarray(value, np.float32) for name, value in zip(names, found, strict=True)
        }
