"""Small facts read from the files of a model directory: hashes, license, JSON."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeembed_runtime import storage
from edgeembed_runtime.errors import ConversionError

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_CARD_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt")
_LICENSE_LINE = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, or an empty one where there is no such file.

    Raises:
        ConversionError: the file is there and is not a JSON object.
    """
    if not path.exists():
        return {}
    try:
        tree = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ConversionError(f"{path}: expected JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ConversionError(f"{path}: expected a JSON object, got {type(tree).__name__}")
    return tree


def weights_sha256(directory: Path, folders: tuple[str, ...] = ()) -> str:
    """SHA-256 of a model's weight files.

    Of one file it is the file's own; of several (shards, or Dense layers in `folders`) it is that
    of the lines "sha256  name".

    Raises:
        ConversionError: there is no weight file.
    """
    files: list[Path] = []
    for folder in (".", *folders):
        for pattern in _WEIGHTS:
            if found := sorted((directory / folder).glob(pattern)):
                files += found
                break
    if not files:
        raise ConversionError(
            f"{directory}: expected weights (model.safetensors or pytorch_model.bin), found none"
        )
    hashes = {path.relative_to(directory).as_posix(): storage.sha256_file(path) for path in files}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def license_of(directory: Path) -> str | None:
    """The license that the model card names in its front matter, or None."""
    try:
        card = (directory / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    front_matter = card.split("---")[1] if card.startswith("---") else ""
    found = _LICENSE_LINE.search(front_matter)
    return found.group(1) if found else None


def card_files(directory: Path) -> Mapping[str, Path]:
    """The license and notice files that a copy of the weights has to carry along."""
    return {name: directory / name for name in _CARD_FILES if (directory / name).is_file()}
