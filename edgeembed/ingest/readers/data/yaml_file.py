"""YAML: the text as it stands; of a list, or of lists in an object, their records."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.base.yaml_nesting import yaml_loader
from edgeembed.ingest.readers.data.json_file import (
    RecordBlocks,
    listed_blocks,
    rest_blocks,
    title_of,
)
from edgeembed.ingest.readers.plain.decoded import DecodedText
from edgeembed.ingest.readers.plain.text import TextReader

if TYPE_CHECKING:
    from yaml import Node

# A parsed file takes a hundred times its size.
_MAX_PARSED = 1 << 20
_MAX_NODES = 50_000


class YamlReader:
    """Reads YAML; records of a list by PyYAML, anything else as people wrote it."""

    name = "YAML"
    suffixes: frozenset[str] = frozenset({".yaml", ".yml"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        found = _parsed(source) if source.size <= _MAX_PARSED else None
        if found is None:
            yield from TextReader().read(source)
            return
        blocks = RecordBlocks(source.settings.text_field)
        for line, record in found.records:
            yield from blocks.add(record, line)
        yield from rest_blocks(found.rest, 1)
        for name, number, line, record in found.named:
            yield from listed_blocks(record, line, name, number, title_of(found.rest))


@dataclass(frozen=True, kw_only=True)
class _Parsed:
    """The records of a file that is little else, with their lines."""

    records: list[tuple[int, dict[str, Any]]] = field(
        default_factory=list[tuple[int, dict[str, Any]]]
    )
    named: list[tuple[str, int, int, dict[str, Any]]] = field(
        default_factory=list[tuple[str, int, int, dict[str, Any]]]
    )
    """Those of lists with a name, and their numbers in them."""
    rest: dict[str, Any] = field(default_factory=dict[str, Any])


def _parsed(source: Source) -> _Parsed | None:
    """A file that is a list of records, or mostly lists of them; None: it is neither."""
    try:
        import yaml
    except ImportError:  # as text it is found too
        return None
    text = "".join(DecodedText(source).pieces())
    loader: Any = None

    def value_of(node: "Node") -> dict[str, Any]:
        return clean_metadata(loader.construct_document(node))

    try:
        loader = yaml_loader(text)
        node = loader.get_single_node()
        if node is None or not _is_bounded(node):
            return None
        if _are_records(node, least=1):
            return _Parsed(records=[(_line_of(item), value_of(item)) for item in node.value])
        if not isinstance(node, yaml.MappingNode):
            return None
        lists = [(key, value) for key, value in node.value if _are_records(value, least=2)]
        if 2 * sum(_size_of(value) for _, value in lists) < _size_of(node):
            return None
        others = [pair for pair in node.value if not _are_records(pair[1], least=2)]
        return _Parsed(
            rest=value_of(yaml.MappingNode(node.tag, others)),
            named=[
                (str(key.value), number, _line_of(item), value_of(item))
                for key, value in lists
                for number, item in enumerate(value.value, 1)
            ],
        )
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError, KeyError):
        return None
    finally:
        if loader is not None:
            loader.dispose()


def _are_records(node: Any, *, least: int) -> bool:
    """Whether a node is a list of so many mappings, and nothing else."""
    items = node.value if node.id == "sequence" else ()
    return len(items) >= least and all(item.id == "mapping" for item in items)


def _line_of(node: "Node") -> int:
    return node.start_mark.line + 1


def _size_of(node: "Node") -> int:
    return node.end_mark.index - node.start_mark.index


def _is_bounded(node: "Node") -> bool:
    """Whether all aliases written out are few nodes: ten of ten of ten are a thousand million."""
    left = _MAX_NODES
    waiting: list[Any] = [node]
    while waiting:
        left -= 1
        if left < 0:
            return False
        value = waiting.pop().value
        if isinstance(value, list):
            for each in value:
                waiting.extend(each if isinstance(each, tuple) else (each,))
    return True
