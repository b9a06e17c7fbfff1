"""What flows inside a graph while it runs."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.export.graph_cleanup import copied
from edgeembed_runtime.engine.engine import feeds
from edgeembed_runtime.onnxruntime_offline import ort

_ERRORS_ONLY = 3


def inner_values(
    model: onnx.ModelProto, names: Sequence[str], inputs: Iterable[NDArray[np.int64]]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Run texts one by one, and give the float32 values `names` of the graph for each.

    `inputs` are the token ids of the texts, (t,) each.
    """
    if not names:
        return
    watched = copied(model)
    del watched.graph.output[:]
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = ort.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for ids in inputs:
        found = session.run(list(names), feeds(ids[None, :]))
        yield {
            name: np.asarray(value, np.float32) for name, value in zip(names, found, strict=True)
        }
