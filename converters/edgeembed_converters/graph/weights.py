"""The weights of a graph: inside the model, or in scratch files where one file cannot hold them.

A tensor outside is marked EXTERNAL, and its location is the full path of a scratch file. So copies
and edits of the graph of a large model are small; its weights are mapped where they are needed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from edgeembed_runtime import storage
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import ConversionError

# The most that protobuf, and so one ONNX file, can hold; less room for all but the weights.
MAX_FILE_BYTES = (1 << 31) - (1 << 20)
# Smaller tensors stay inside: shapes and other constants are read by onnx itself.
_MIN_OUTSIDE = 1024


def array_of(tensor: TensorProto) -> NDArray[Any]:
    """The values of a tensor, read-only; those of one outside are mapped."""
    if not _is_outside(tensor):
        return numpy_helper.to_array(tensor)
    place = {entry.key: entry.value for entry in tensor.external_data}
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    location, offset = Path(place["location"]), int(place.get("offset", "0"))
    with storage.storage_errors("read", location):
        return np.asarray(np.memmap(location, kind, "r", offset, tuple(tensor.dims)))


def tensor_beside(tensor: TensorProto, values: NDArray[Any], name: str) -> TensorProto:
    """A tensor of new values: outside if `tensor` is outside and they are many, else inside."""
    if not _is_outside(tensor) or values.nbytes < _MIN_OUTSIDE:
        return numpy_helper.from_array(values, name)
    place = {entry.key: entry.value for entry in tensor.external_data}
    data = np.ascontiguousarray(values)
    # Named for what it holds: the same weights, made again, take no more room.
    file = Path(place["location"]).parent / hashlib.sha256(data.data).hexdigest()
    if not file.exists():
        with storage.storage_errors("write", file), file.open("wb") as opened:
            data.tofile(opened)
    made = TensorProto(
        name=name,
        data_type=onnx.helper.np_dtype_to_tensor_dtype(data.dtype),
        dims=data.shape,
        data_location=TensorProto.EXTERNAL,
    )
    made.external_data.add(key="location", value=str(file))
    return made


def load_with_weights_outside(file: Path) -> onnx.ModelProto:
    """A model saved with external data, whose larger weights stay outside."""
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        if not _is_outside(tensor):
            continue
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = str(file.parent / entry.value)
        values = array_of(tensor)
        if values.nbytes < _MIN_OUTSIDE:
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def weights_as_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model's graph, for onnx's own checks: weights of some size are inputs, without values."""
    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if _is_outside(tensor) or _bytes(tensor) >= _MIN_OUTSIDE:
            kind = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(kind)
        else:
            graph.initializer.append(tensor)
    return onnx.helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )


class TooLargeError(ConversionError):
    """A model that one ONNX file cannot hold."""

    @classmethod
    def of(cls, what: str, size: float) -> "TooLargeError":
        """The error for `what`, of some `size` bytes."""
        return cls(
            f"{what}: expected at most {as_gb(MAX_FILE_BYTES)}, all that one ONNX file holds, "
            f"got {as_gb(size)}"
        )


def fits(size: float) -> bool:
    """Whether one ONNX file can hold a model of this many bytes."""
    return size <= MAX_FILE_BYTES


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """The bytes of an ONNX model, and of its weights those that lie outside, by name."""

    graph: bytes
    outside: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "OnnxModel":
        """A model in this form.

        Raises:
            TooLargeError: what is inside is more than one file holds.
        """
        tensors = model.graph.initializer
        outside = {tensor.name: array_of(tensor) for tensor in tensors if _is_outside(tensor)}
        inside = sum(_bytes(tensor) for tensor in tensors if not _is_outside(tensor))
        if not fits(inside):
            raise TooLargeError.of("the model", inside)
        return cls(graph=model.SerializeToString(deterministic=True), outside=outside)

    @classmethod
    def in_one_file(cls, file: bytes) -> "OnnxModel":
        """A model with all its weights inside."""
        return cls(graph=file, outside={})

    @cached_property
    def size(self) -> int:
        """The bytes that it would take as one file."""
        return len(self.graph) + sum(values.nbytes for values in self.outside.values())

    @property
    def file(self) -> bytes:
        """The model as one file.

        Raises:
            TooLargeError: one file cannot hold it.
        """
        if self.outside:
            raise TooLargeError.of("the model", self.size)
        return self.graph

    def session(self, name: str, settings: SessionSettings) -> Session:
        """Load it; `name` is for error messages."""
        return Session(self.graph, name, settings, outside=self.outside)


def one_file(model: onnx.ModelProto) -> bytes:
    """A model as the bytes of one file, with the weights that lie outside; changes `model`.

    Raises:
        TooLargeError: one file cannot hold it.
    """
    size = sum(_bytes(tensor) for tensor in model.graph.initializer)
    if not fits(size):
        raise TooLargeError.of("the model", size)
    for tensor in model.graph.initializer:
        if _is_outside(tensor):
            tensor.CopyFrom(numpy_helper.from_array(array_of(tensor), tensor.name))
    return model.SerializeToString(deterministic=True)


def as_gb(size: float) -> str:
    """A number of bytes for people: "2.15 GB"."""
    return f"{size / 1e9:.3g} GB"


def _is_outside(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL


def _bytes(tensor: TensorProto) -> int:
    items = int(np.prod(tensor.dims, dtype=np.int64))
    return items * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
