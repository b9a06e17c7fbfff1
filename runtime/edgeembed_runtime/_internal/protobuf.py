"""A minimal reader and writer for the protocol buffers wire format.

The runtime reads and writes only a few fields of ONNX files, so it does without the onnx package.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator, Sequence

Field = tuple[int, int | memoryview]
_MAX_VARINT_BITS = 63


def read_fields(data: memoryview) -> Iterator[Field]:
    """Yield (number, value) for every field of a message: an int, or length-delimited bytes.

    Fixed-width fields are yielded as 0; nothing here reads them.

    Raises:
        ValueError, IndexError: the bytes are not a message.
    """
    position, end = 0, len(data)
    while position < end:
        key, position = _read_varint(data, position)
        number, wire = key >> 3, key & 7
        value: int | memoryview = 0
        if wire == 0:
            value, position = _read_varint(data, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        elif wire == 2:
            length, start = _read_varint(data, position)
            position = start + length
            value = data[start:position]
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or position > end:
            raise ValueError("a field ends outside its message")
        yield number, value


def read_varints(data: memoryview) -> Iterator[int]:
    """Yield the numbers of a packed field; raises like `read_fields`."""
    position = 0
    while position < len(data):
        value, position = _read_varint(data, position)
        yield value


def as_message(value: int | memoryview) -> memoryview:
    """Return the bytes of a length-delimited field.

    Raises:
        ValueError: it is a varint.
    """
    if isinstance(value, int):
        raise ValueError("expected a length-delimited field")
    return value


def message(*fields: bytes) -> bytes:
    """Concatenate encoded fields into a message."""
    return b"".join(fields)


def field(number: int, value: int | str | bytes) -> bytes:
    """Encode one field: an int as a varint; a string, bytes or message length-delimited."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def length_delimited(number: int, chunks: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """Encode one field whose value is all the chunks, without a copy of them."""
    header = _varint(number << 3 | 2) + _varint(sum(map(len, chunks)))
    return [header, *chunks]


def _read_varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        result |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > _MAX_VARINT_BITS:
            raise ValueError("varint longer than ten bytes")


def _varint(value: int) -> bytes:
    low = bytearray()
    while value >= 0x80:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])
