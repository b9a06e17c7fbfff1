"""Notebooks, cell by cell; what the cells gave is left out."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.plain.decoded import DecodedText, windows_of
from edgeembed_runtime.inputs.text.structure import Heading, structure_of

_MAX_SIZE = 48 << 20  # mostly pictures


class NotebookReader:
    """Reads notebooks of Jupyter, formats 3 and 4."""

    name = "notebook"
    suffixes: frozenset[str] = frozenset({".ipynb"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        if source.size > _MAX_SIZE:
            raise SkippedError(
                Reason.TOO_LARGE, f"{source.size >> 20} MB, of at most {_MAX_SIZE >> 20} MB"
            )
        tree = _tree(source)
        metadata, title = _properties(tree)
        above: list[Heading] = []
        for number, cell in enumerate(_cells(tree), 1):
            text = _source_of(cell)
            if not text.strip():
                continue
            found = structure_of(text).headings if cell.get("cell_type") == "markdown" else []
            if found:
                above = [each for each in above if each.level < found[0].level]
            for window in windows_of(text):
                yield Block(
                    text=window.text,
                    place={"cell": number},
                    title=title,
                    headings=tuple(each.title for each in above if each.title),
                    metadata=metadata,
                )
            for heading in found:
                above = [each for each in above if each.level < heading.level]
                above.append(heading)


def _tree(source: Source) -> dict[str, Any]:
    try:
        tree = json.loads("".join(DecodedText(source).pieces()).lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise SkippedError(Reason.DAMAGED, f"expected JSON: {error}") from error
    if not isinstance(tree, dict):
        raise SkippedError(Reason.DAMAGED, "expected a notebook, got other JSON")
    return cast("dict[str, Any]", tree)


def _properties(tree: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    found = tree.get("metadata")
    named = clean_metadata(cast("Mapping[Any, Any]", found)) if isinstance(found, Mapping) else {}
    kernel = named.get("kernelspec")
    language = kernel.get("language") if isinstance(kernel, dict) else None
    title = named.get("title")
    metadata = {"language": language} if isinstance(language, str) else dict[str, Any]()
    if isinstance(named.get("authors"), list):
        metadata["authors"] = named["authors"]
    return metadata, title if isinstance(title, str) else ""


def _cells(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sheets = tree.get("worksheets")  # format 3
    for holder in (tree, *(cast("list[Any]", sheets) if isinstance(sheets, list) else ())):
        cells = cast("Any", holder).get("cells") if isinstance(holder, Mapping) else None
        for cell in cast("list[Any]", cells) if isinstance(cells, list) else ():
            if isinstance(cell, Mapping):
                yield cast("Mapping[str, Any]", cell)


def _source_of(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return "".join(line for line in cast("list[object]", source) if isinstance(line, str))
    return source if isinstance(source, str) else ""
