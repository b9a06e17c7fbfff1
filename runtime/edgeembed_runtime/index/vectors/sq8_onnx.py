"""The ONNX graph that multiplies queries with blocks of SQ8 codes, as bytes.

The runtime does not have the onnx package. This graph needs only a few of its protobuf messages:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterator, Sequence

from edgeembed_runtime._internal.protobuf import field, message

QUERIES, ZERO = "queries", 64
"""The input: (m, dim) uint8, with `ZERO` for 0."""

_FLOAT, _UINT8, _INT8 = 1, 2, 3
_EXTERNAL = 1
_IR_VERSION, _OPSET, _MICROSOFT_OPSET = 8, 17, 1
_MICROSOFT = "com.microsoft"
_ONE_AS_FLOAT = b"\0\0\x80\x3f"


def initializer_names(block: int) -> tuple[str, str]:
    """The names of a block's codes and scales."""
    return f"codes_{block}", f"scales_{block}"


def output_name(block: int) -> str:
    """The name of a block's (m, rows) float32 products."""
    return f"products_{block}"


def scan_graph(dim: int, rows_of_blocks: Sequence[int]) -> bytes:
    """A model with an output for each block; codes and scales are external initializers."""
    return message(
        field(1, _IR_VERSION),
        field(7, message(*_graph(dim, rows_of_blocks))),
        field(8, message(field(1, ""), field(2, _OPSET))),
        field(8, message(field(1, _MICROSOFT), field(2, _MICROSOFT_OPSET))),
    )


def _graph(dim: int, rows_of_blocks: Sequence[int]) -> Iterator[bytes]:
    yield field(2, "scan")
    for block, rows in enumerate(rows_of_blocks):
        codes, scales = initializer_names(block)
        yield field(1, _multiply(codes, scales, output_name(block)))
        yield field(5, _external_tensor(codes, _INT8, [dim, rows]))
        yield field(5, _external_tensor(scales, _FLOAT, [rows]))
        yield field(12, _value(output_name(block), _FLOAT, rows))
    yield field(5, _scalar("one", _FLOAT, _ONE_AS_FLOAT))
    yield field(5, _scalar("zero", _UINT8, bytes([ZERO])))
    yield field(11, _value(QUERIES, _UINT8, dim))


def _multiply(codes: str, scales: str, products: str) -> bytes:
    inputs = [field(1, name) for name in (QUERIES, codes, "one", scales, "zero")]
    kind = [field(4, "MatMulIntegerToFloat"), field(7, _MICROSOFT)]
    return message(*inputs, field(2, products), *kind)


def _external_tensor(name: str, kind: int, shape: Sequence[int]) -> bytes:
    dims = [field(1, size) for size in shape]
    location = message(field(1, "location"), field(2, "given"))
    external = [field(13, location), field(14, _EXTERNAL)]
    return message(*dims, field(2, kind), field(8, name), *external)


def _scalar(name: str, kind: int, raw: bytes) -> bytes:
    return message(field(2, kind), field(8, name), field(9, raw))


def _value(name: str, kind: int, width: int) -> bytes:
    shape = message(field(1, message(field(2, "m"))), field(1, message(field(1, width))))
    tensor = message(field(1, kind), field(2, shape))
    return message(field(1, name), field(2, message(field(1, tensor))))
