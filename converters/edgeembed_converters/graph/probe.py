"""What flows inside a graph while it runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters.graph.cleanup import copied
from edgeembed_runtime._internal.ort import ort

_ERRORS_ONLY = 3
# What a graph takes in one run, by the names of its inputs.
Feeds = Mapping[str, NDArray[Any]]


def probe_values(
    model: onnx.ModelProto, names: Sequence[str], inputs: Iterable[Feeds]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Run inputs one by one, and give the values `names` of the graph, as float32, for each."""
    if not names:
        yield from ({} for _ in inputs)
        return
    watched = copied(model)
    del watched.graph.output[:]
    # Without a type, which onnxruntime works out: masks may be booleans.
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # Its threads must not stay awake while the values are looked at.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for each in inputs:
        found = session.run(list(names), dict(each))
        yield {
            name: np.asarray(value, np.float32) for name, value in zip(names, found, strict=True)
        }
