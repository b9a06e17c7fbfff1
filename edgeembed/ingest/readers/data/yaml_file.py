"""YAML: the text as it stands; of a list, its records."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.base.yaml_nesting import yaml_loader
from edgeembed.ingest.readers.data.json_file import RecordBlocks
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
        records = _records(source) if source.size <= _MAX_PARSED else []
        if not records:
            yield from TextReader().read(source)
            return
        blocks = RecordBlocks(source.settings.text_field)
        for line, record in records:
            yield from blocks.add(record, line)


def _records(source: Source) -> list[tuple[int, dict[str, Any]]]:
    """The mappings of a file that is one list of them, with their lines; [] of any other file."""
    try:
        import yaml
    except ImportError:  # as text it is found too
        return []
    text = "".join(DecodedText(source).pieces())
    loader = None
    try:
        loader = yaml_loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode) or not _is_bounded(node):
            return []
        if not all(isinstance(item, yaml.MappingNode) for item in node.value):
            return []
        return [
            (item.start_mark.line + 1, clean_metadata(loader.construct_document(item)))
            for item in node.value
        ]
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError, KeyError):
        return []
    finally:
        if loader is not None:
            loader.dispose()


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
