"""Files that commands write: they never replace others unasked, and say who wrote them.

A file that says so is not indexed: an index of a folder would feed on its own exports and pages.
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from edgeembed_runtime.errors import StorageError
from edgeembed_runtime.storage import staged_file

RECORD_MARK = {"written_by": "edgeembed"}
"""The first field of every record in a .jsonl file that a command writes."""
_META = '<meta name="generator" content="edgeembed">'
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_RECORD = json.dumps(RECORD_MARK).removesuffix("}").encode()
PARQUET_MARK = "edgeembed.space"
"""The name of an entry in the metadata of a Parquet file that a command writes."""
_PARQUET, _NPY = b"PAR1", b"\x93NUMPY"
_PROBE_BYTES = 2048
# Of a Parquet file, with its metadata; 10,000,000 rows in batches of 1,000 have 5 MB.
_FOOTER_BYTES = 8 << 20


def check_free(paths: Iterable[Path | None], *, overwrite: bool) -> None:
    """Refuse to write where a file is already; called before the work that it takes.

    None is a file that nobody asked for.

    Raises:
        StorageError: one of the files exists, and `overwrite` is false.
    """
    for path in paths:
        if path is not None and not overwrite and path.is_file():
            raise StorageError(
                f"{path}: a file is there already; name another one, or replace it with "
                f"overwrite=True"
            )


def write_html(path: Path, page: str) -> None:
    """Write an HTML page that says who wrote it.

    Raises:
        StorageError: the file cannot be written.
    """
    head = _HEAD.search(page)
    at = 0 if head is None else head.end()
    with staged_file(path) as file:
        file.write((page[:at] + _META + page[at:]).encode(errors="backslashreplace"))


def wrote(file: BinaryIO, path: Path) -> bool:
    """Whether a command of edgeembed wrote a file, which is open; leaves it anywhere.

    Vectors in .npy have no room for a mark: they are ours if the records beside them are.
    """
    file.seek(0)
    beginning = file.read(_PROBE_BYTES)
    if beginning.startswith(_PARQUET):
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _FOOTER_BYTES))
        return PARQUET_MARK.encode() in file.read()
    if beginning.startswith(_NPY):
        try:
            with path.with_suffix(".jsonl").open("rb") as records:
                return is_own_output(records.read(_PROBE_BYTES))
        except OSError:
            return False
    return is_own_output(beginning)


def is_own_output(beginning: bytes) -> bool:
    """Whether a file that begins like this was written by a command of edgeembed."""
    probe = beginning[:_PROBE_BYTES].lstrip()
    is_page = probe.startswith(b"<") and _META.encode() in probe
    return is_page or probe.startswith(_RECORD)
