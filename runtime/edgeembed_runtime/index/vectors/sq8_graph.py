"""The ONNX graph that multiplies queries with blocks of codes, as bytes.

The onnx package is a converter's tool. This graph needs a few messages of its protobuf format only:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterator, Sequence

QUERIES, ZERO = "queries", 64
"""The input: (m, dim) uint8, in which `ZERO` stands for 0."""

_FLOAT, _UINT8, _INT8 = 1, 2, 3
_EXTERNAL = 1
_IR_VERSION, _OPSET, _MICROSOFT_OPSET = 8, 17, 1
_MICROSOFT = "com.microsoft"
_ONE_AS_FLOAT = b"\0\0\x80\x3f"


def initializer_names(block: int) -> tuple[str, str]:
    """What the codes and the scales of a block are called."""
    return f"codes_{block}", f"scales_{block}"


def output_name(block: int) -> str:
    """What the (m, rows) float32 products of a block are called."""
    return f"products_{block}"


def scan_graph(dim: int, rows_of_blocks: Sequence[int]) -> bytes:
    """A model with an output for each block, whose codes and scales are given to the session."""
    return _message(
        _field(1, _IR_VERSION),
        _field(7, _message(*_graph(dim, rows_of_blocks))),
        _field(8, _message(_field(1, ""), _field(2, _OPSET))),
        _field(8, _message(_field(1, _MICROSOFT), _field(2, _MICROSOFT_OPSET))),
    )


def _graph(dim: int, rows_of_blocks: Sequence[int]) -> Iterator[bytes]:
    yield _field(2, "scan")
    for block, rows in enumerate(rows_of_blocks):
        codes, scales = initializer_names(block)
        yield _field(1, _multiply(codes, scales, output_name(block)))
        yield _field(5, _external_tensor(codes, _INT8, [dim, rows]))
        yield _field(5, _external_tensor(scales, _FLOAT, [rows]))
        yield _field(12, _value(output_name(block), _FLOAT, rows))
    yield _field(5, _scalar("one", _FLOAT, _ONE_AS_FLOAT))
    yield _field(5, _scalar("zero", _UINT8, bytes([ZERO])))
    yield _field(11, _value(QUERIES, _UINT8, dim))


def _multiply(codes: str, scales: str, products: str) -> bytes:
    inputs = [_field(1, name) for name in (QUERIES, codes, "one", scales, "zero")]
    kind = [_field(4, "MatMulIntegerToFloat"), _field(7, _MICROSOFT)]
    return _message(*inputs, _field(2, products), *kind)


def _external_tensor(name: str, kind: int, shape: Sequence[int]) -> bytes:
    dims = [_field(1, size) for size in shape]
    location = _message(_field(1, "location"), _field(2, "given"))
    external = [_field(13, location), _field(14, _EXTERNAL)]
    return _message(*dims, _field(2, kind), _field(8, name), *external)


def _scalar(name: str, kind: int, raw: bytes) -> bytes:
    return _message(_field(2, kind), _field(8, name), _field(9, raw))


def _value(name: str, kind: int, width: int) -> bytes:
    shape = _message(_field(1, _message(_field(2, "m"))), _field(1, _message(_field(1, width))))
    tensor = _message(_field(1, kind), _field(2, shape))
    return _message(_field(1, name), _field(2, _message(_field(1, tensor))))


def _message(*fields: bytes) -> bytes:
    return b"".join(fields)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    low = bytearray()
    while value >= 0x80:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])
