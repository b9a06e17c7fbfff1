"""JSON Lines: a record on every line."""

import json
from collections.abc import Iterator
from typing import Any, cast

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, Source
from edgeembed.ingest.readers.base.seen import SeenParts
from edgeembed.ingest.readers.data.records import record_blocks
from edgeembed.ingest.readers.plain.decoded import DecodedText, lines_of
from edgeembed_runtime.errors import InputError

MAX_RECORD = 1 << 22
"""Characters of one record; as Python objects they take twenty times as much."""


class JsonLinesReader:
    """Reads records one by one; a bad one does not stop the others."""

    name = "JSON Lines"
    suffixes: frozenset[str] = frozenset({".jsonl", ".ndjson"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        seen = SeenParts("line")
        for number, line in lines_of(text, MAX_RECORD):
            if line is not None and not line.strip("\ufeff \t\r\n"):
                continue
            try:
                blocks = list(record_blocks(_record(line), number, source.settings.text_field))
            except InputError as error:
                reason = Reason.TOO_LARGE if line is None else Reason.DAMAGED
                yield Remark(reason=reason, where=f"line {number}", detail=str(error))
                continue
            if blocks and isinstance(blocks[0], Block):
                yield from seen.check(blocks[0].part, number)
            yield from blocks
        yield from text.remarks()


def _record(line: str | None) -> dict[str, Any]:
    if line is None:
        raise InputError(f"expected at most {MAX_RECORD} characters in a record, got more")
    try:
        record = json.loads(line.strip("\ufeff"))
    except json.JSONDecodeError as error:
        raise InputError(f"expected JSON: {error.msg} at character {error.pos + 1}") from error
    except (ValueError, RecursionError) as error:  # too many digits, too many levels
        # Python's advice to Python's users comes behind a semicolon.
        raise InputError(f"expected JSON: {str(error).partition(';')[0]}") from error
    if not isinstance(record, dict):
        raise InputError(f"expected a JSON object, got {type(record).__name__}")
    return cast("dict[str, Any]", record)
