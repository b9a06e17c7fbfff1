"""JSON: records of an array or of the lists in an object; what else there is, value by value."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.parts import part_name
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, Source
from edgeembed.ingest.readers.base.seen import SeenParts
from edgeembed.ingest.readers.data.json_lines import MAX_RECORD
from edgeembed.ingest.readers.data.json_stream import JsonStream
from edgeembed.ingest.readers.data.records import (
    flattened,
    record_blocks,
    record_part,
    row_blocks,
)
from edgeembed.ingest.readers.plain.decoded import DecodedText, windows_of
from edgeembed.ingest.readers.plain.text import TextReader
from edgeembed_runtime.errors import InputError

# Of a list, that are no records, in one block.
_MAX_VALUES = 1000


class JsonReader:
    """Reads JSON, array items one by one; a file that is no JSON is read as text."""

    name = "JSON"
    suffixes: frozenset[str] = frozenset({".json", ".geojson"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        stream = JsonStream(text.pieces(), MAX_RECORD)
        records = RecordBlocks(source.settings.text_field)
        first = True
        while mark := stream.peek():
            line = stream.line
            try:
                if mark == "[":
                    for at, item in stream.items():
                        first = False
                        yield from records.add(item, at)
                else:
                    value = stream.value()
                    if first and not stream.peek():
                        yield from _document(value, line, records)
                    else:
                        yield from records.add(value, line)
            except InputError as error:
                if first:  # JSON with comments, a template, an object as long as the file
                    yield from TextReader().read(source)
                    return
                where = f"from line {stream.line} on"
                yield Remark(reason=Reason.DAMAGED, where=where, detail=str(error))
                break
            first = False
        yield from records.end()
        yield from text.remarks()


class RecordBlocks:
    """Makes blocks of the items of a list: of each record, and of other values together."""

    def __init__(self, field: str) -> None:
        """`field` has a record's text; where it has none, all of its fields are the text."""
        self.field = field
        self._seen = SeenParts("line")
        self._line = self._nth = 0
        self._values: list[str] = []
        self._values_line = 1

    def add(self, item: object, line: int) -> Iterator[Block | Remark]:
        """Yield the blocks of an item that begins on a line."""
        if not isinstance(item, Mapping):
            self._values_line = self._values_line if self._values else line
            self._values += flattened(item)
            if len(self._values) > _MAX_VALUES:
                yield from self.end()
            return
        self._nth = self._nth + 1 if line == self._line else 0
        self._line = line
        record = cast("Mapping[str, Any]", item)
        try:
            if isinstance(record.get(self.field), str):
                blocks: list[Block | Remark] = list(
                    record_blocks(record, line, self.field, nth=self._nth)
                )
            else:
                part = record_part(record, line, self._nth)
                blocks = list(row_blocks(record, {"line": line}, part))
        except InputError as error:
            yield Remark(reason=Reason.DAMAGED, where=f"line {line}", detail=str(error))
            return
        if blocks and isinstance(blocks[0], Block):
            yield from self._seen.check(blocks[0].part, line)
        yield from blocks

    def end(self) -> Iterator[Block]:
        """Yield what is left: values that are no records."""
        for window in windows_of("\n".join(self._values)):
            yield Block(text=window.text, place={"line": self._values_line})
        self._values = []


def _document(value: object, line: int, records: RecordBlocks) -> Iterator[Block | Remark]:
    """A value that is alone in its file, and not a list."""
    if not isinstance(value, Mapping):
        yield from records.add(value, line)
        return
    tree = cast("Mapping[str, Any]", value)
    if isinstance(tree.get(records.field), str):
        yield from records.add(tree, line)
        return
    lists = {name: each for name, each in tree.items() if _is_list_of_records(each)}
    rest = {name: each for name, each in tree.items() if name not in lists}
    yield from rest_blocks(rest, line)
    for name, items in lists.items():
        for number, record in enumerate(items, 1):
            yield from listed_blocks(record, line, name, number, title_of(rest))


def title_of(rest: Mapping[str, Any]) -> str:
    """What an object says of all the lists in it."""
    title = rest.get("title") or rest.get("name")
    return title if isinstance(title, str) else ""


def listed_blocks(
    record: Mapping[str, Any], line: int, name: str, number: int, title: str
) -> Iterator[Block]:
    """The blocks of a record in the list `name` of an object."""
    part = part_name(f"{name}/{number}")
    yield from row_blocks(record, {"line": line}, part, title=title, headings=(name,))


def rest_blocks(rest: Mapping[str, Any], line: int) -> Iterator[Block]:
    """The blocks of what an object has beside lists of records, value by value."""
    for window in windows_of("\n".join(flattened(rest))):
        yield Block(
            text=window.text,
            place={"line": line},
            title=title_of(rest),
            metadata=clean_metadata(rest),
        )


def _is_list_of_records(value: object) -> bool:
    if not isinstance(value, list):
        return False
    items = cast("list[object]", value)
    return len(items) > 1 and all(isinstance(item, Mapping) for item in items)
