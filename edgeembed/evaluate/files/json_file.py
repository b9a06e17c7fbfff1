"""A file that is one JSON document."""

import json
from pathlib import Path
from typing import Any

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors


def read_json(path: Path) -> Any:
    """Read the document.

    Raises:
        InputError: it is no JSON.
        StorageError: the file cannot be read.
    """
    with storage_errors("read", path):
        data = path.read_bytes()
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON: {error}") from error
