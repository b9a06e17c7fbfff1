"""A record as blocks: its text, its id, what else it says."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.parts import line_part, part_name
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark
from edgeembed.ingest.readers.plain.decoded import windows_of
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_metadatas

KEY_FIELDS = ("key", "id", "_id")
_TITLE_FIELD = "title"
_MAX_LEVELS = 16
_MAX_PROBLEMS = 5
_HALVES = "halves of characters"


def record_blocks(
    record: Mapping[str, Any], line: int, field: str, *, nth: int = 0
) -> Iterator[Block | Remark]:
    """The blocks of a record whose text is in `field`; its other fields are metadata as they are.

    Halves of characters are replaced, and fields that an index cannot take left out; a remark at
    the end says so. `nth`: how many records begin on the line before it.

    Raises:
        InputError: there is no text, or an id that an index cannot take.
    """
    text = record.get(field)
    if not isinstance(text, str):
        found = "nothing" if text is None else type(text).__name__
        raise InputError(
            f"expected a text in the field {field!r}, got {found}; the record has "
            f"{', '.join(record) or 'no fields'}"[:500]
        )
    part = record_part(record, line, nth)
    rest = {name: each for name, each in record.items() if name not in (*KEY_FIELDS, field)}
    whole = _whole(text)
    rest, problems = _taken(rest)
    if whole != text:
        problems.append(Remark(reason=Reason.REPLACED, where=f"line {line}", detail=_HALVES))
        text = whole
    problems = [replace(problem, where=f"line {line}") for problem in problems[:_MAX_PROBLEMS]]
    title = record.get(_TITLE_FIELD)
    texts = [window.text for window in windows_of(text)] if text.strip() else [""]
    for each in texts:
        yield Block(
            text=each,
            place={"line": line},
            part=part,
            title=_whole(title) if isinstance(title, str) else "",
            metadata=rest,
        )
    yield from problems


def _taken(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[Remark]]:
    """The fields that an index can take, and what is wrong with the others."""
    problems: list[Remark] = []
    try:
        check_metadatas([fields])
        return dict(fields), problems
    except InputError:
        taken: dict[str, Any] = {}
        for name, value in fields.items():
            try:
                check_metadatas([{name: value}])
                taken[name] = value
            except InputError as error:
                detail = f"without its field {name[:50]!r}: {_said(error)}"
                problems.append(Remark(reason=Reason.DAMAGED, where="", detail=detail))
        try:
            check_metadatas([taken])
        except InputError as error:  # too much of it all
            taken = {}
            detail = f"without its fields: {_said(error)}"
            problems.append(Remark(reason=Reason.DAMAGED, where="", detail=detail))
    return taken, problems


def _said(error: InputError) -> str:
    return str(error).replace("metadatas[0]: ", "")


def _whole(text: str) -> str:
    """A text with halves of characters replaced: programs cut texts within an emoji."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def record_part(record: Mapping[str, Any], line: int, nth: int = 0) -> str:
    """The part of a record: its id, or its line where it has none.

    Raises:
        InputError: its id is neither a text nor a number.
    """
    found = [record[name] for name in KEY_FIELDS if name in record]
    key = next((each for each in found if each not in (None, "")), None)
    if isinstance(key, Mapping):  # exports of MongoDB: {"$oid": "65a..."}
        key = cast("Mapping[str, Any]", key).get("$oid", key)
    if key is None:
        return line_part(line, nth)
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise InputError(f"expected a text or a number as key, got {type(key).__name__}")
    return part_name(_whole(str(key)))


def row_blocks(
    row: Mapping[str, Any],
    place: Mapping[str, int | str],
    part: str,
    *,
    title: str = "",
    headings: tuple[str, ...] = (),
) -> Iterator[Block]:
    """The blocks of a record without a text field: "name: Ann; city: Bern".

    `title` and `headings` are those of the document and of the list that it is in.
    """
    text = "; ".join(flattened(row))
    metadata = clean_metadata({name: each for name, each in row.items() if not _is_long(each)})
    for window in windows_of(text):
        yield Block(
            text=window.text,
            place=place,
            part=part,
            title=title,
            headings=headings,
            metadata=metadata,
        )


def flattened(tree: object, path: str = "", level: int = 0) -> Iterator[str]:
    """The values of a tree as "a.b: value", in order; lists of values in one."""
    if isinstance(tree, Mapping) and level < _MAX_LEVELS:
        for name, value in cast("Mapping[Any, Any]", tree).items():
            yield from flattened(value, f"{path}.{name}" if path else str(name), level + 1)
    elif isinstance(tree, list) and level < _MAX_LEVELS:
        items = cast("list[Any]", tree)
        if any(isinstance(item, Mapping | list) for item in items):
            for item in items:
                yield from flattened(item, path, level + 1)
        elif items:
            yield _line(path, ", ".join(map(_shown, items)))
    elif tree not in (None, ""):
        yield _line(path, _shown(tree))


def _line(path: str, value: str) -> str:
    return f"{path}: {value}" if path else value


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_long(value: object) -> bool:
    """Whether a value is a text to read, rather than one to filter by."""
    return isinstance(value, str) and len(value) > 500
