"""Files of given bytes, read by the reader for their name."""

from edgeembed.ingest.readers.base.protocol import Block, ReadingSettings, Remark
from edgeembed.ingest.readers.registry import read_file

SETTINGS = ReadingSettings()


def read(path, settings=SETTINGS):
    """The blocks and the remarks of a file."""
    found = list(read_file(path, settings))
    blocks = [each for each in found if isinstance(each, Block)]
    return blocks, [each for each in found if isinstance(each, Remark)]


def read_bytes(tmp_path, name, data, settings=SETTINGS):
    """The same of a file of this name that holds `data`, bytes or text in UTF-8."""
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read(path, settings)


def told(remarks):
    """Remarks as (reason, where)."""
    return [(remark.reason, remark.where) for remark in remarks]
