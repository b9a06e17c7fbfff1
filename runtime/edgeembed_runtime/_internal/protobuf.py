"""A minimal reader and writer for the protocol buffers wire format.

The runtime reads and writes only a few fields of ONNX files, so it does without the onnx package.
It reads a file that another parser, onnxruntime's, reads as well, and both must find the same in
it. So it takes only what every parser reads alike: the encoding that every writer makes. Source:
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Collection, Iterator, Sequence

Value = int | memoryview | None
Field = tuple[int, Value]
_MAX_TAG, _MAX_LENGTH, _MAX_VARINT = (1 << 32) - 1, (1 << 31) - 1, (1 << 64) - 1
_SIGN, _MODULUS = 1 << 63, 1 << 64


def read_fields(data: memoryview) -> Iterator[Field]:
    """Yield (number, value) for every field of a message: an int, or length-delimited bytes.

    The value of a field of fixed width is None; nothing here reads them.

    Raises:
        ValueError, IndexError: the bytes are not a message, or parsers differ about it: a tag of
            more than 32 bits (some drop the others), a number in more bytes than it needs, a group.
    """
    position, end = 0, len(data)
    while position < end:
        key = data[position]
        if key < 0x80:
            position += 1
        else:
            key, position = _read_varint(data, position)
        number, wire = key >> 3, key & 7
        value: Value = None
        if wire == 2:
            length, start = _read_varint(data, position)
            if length > _MAX_LENGTH:
                raise ValueError("a field of more than 2 GB")
            position = start + length
            value = data[start:position]
        elif wire == 0:
            value, position = _read_varint(data, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or position > end or key > _MAX_TAG:
            raise ValueError("a field ends outside its message")
        yield number, value


def read_message(data: memoryview, once: Collection[int]) -> dict[int, list[Value]]:
    """Read a message into the values of each field, in order.

    Raises:
        ValueError, IndexError: as `read_fields`, or a field of `once` is there twice: some parsers
            take the last one, and merge messages.
    """
    values: dict[int, list[Value]] = {}
    for number, value in read_fields(data):
        known = values.get(number)
        if known is None:
            values[number] = [value]
        elif number in once:
            raise ValueError(f"field {number} is there twice")
        else:
            known.append(value)
    return values


def read_varints(data: memoryview) -> Iterator[int]:
    """Yield the numbers of a packed field; raises like `read_fields`."""
    position = 0
    while position < len(data):
        value, position = _read_varint(data, position)
        yield value


def as_message(value: Value) -> memoryview:
    """Return the bytes of a length-delimited field.

    Raises:
        ValueError: it is a number.
    """
    if not isinstance(value, memoryview):
        raise ValueError("expected a length-delimited field")
    return value


def as_text(value: Value) -> str:
    """Return a field's text; raises ValueError if it is a number or not UTF-8."""
    return str(as_message(value), "utf-8")


def as_number(value: Value) -> int:
    """Return a varint as the signed number of 64 bits that it stands for.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int):
        raise ValueError("expected a varint")
    return value - _MODULUS if value >= _SIGN else value


def as_numbers(values: Sequence[Value]) -> list[int]:
    """Return the numbers of a repeated field, packed or not; raises like `read_fields`."""
    numbers: list[int] = []
    for value in values:
        if isinstance(value, memoryview):
            numbers += map(as_number, read_varints(value))
        else:
            numbers.append(as_number(value))
    return numbers


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
            if result > _MAX_VARINT or (byte == 0 and shift):
                raise ValueError("a varint of more bytes than it needs")
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("varint longer than ten bytes")


def _varint(value: int) -> bytes:
    low = bytearray()
    while value >= 0x80:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])
