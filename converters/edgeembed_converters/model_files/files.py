"""A model directory: where it came from, its weights, license and JSON files."""

import contextlib
import hashlib
import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from edgeembed_runtime import storage
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.bundle import Source
from edgeembed_runtime.errors import ConversionError

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_CARD_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt")
_LICENSE_LINE = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)
# The largest tokenizer.json of a known model has 34 MB.
_MAX_JSON_BYTES = 64 << 20
_MAX_CARD_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class ModelDirectory:
    """A directory with a trained model.

    `hub_id` and `revision` say what it was downloaded from; `revision` may also be the user's.
    """

    path: Path
    hub_id: str | None = None
    revision: str | None = None

    @property
    def id(self) -> str:
        """The Hub id, or the name of the directory."""
        return self.hub_id or self.path.absolute().name

    @property
    def name(self) -> str:
        """The id without its owner."""
        return self.id.rpartition("/")[2]

    def source(
        self, weight_folders: tuple[str, ...] = (), fallback_license: str | None = None
    ) -> Source:
        """The manifest's record of where the weights came from.

        Raises:
            ConversionError: there is no weight file.
        """
        return Source(
            id=self.id,
            revision=self.revision,
            weights_sha256=weights_sha256(self.path, weight_folders),
            license=license_of(self.path) or fallback_license,
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; an empty one if there is no such file.

    Raises:
        ConversionError: the file is not a JSON object, or cannot be read.
    """
    if not is_there(path):
        return {}
    tree = read_json_tree(path)
    if not isinstance(tree, dict):
        raise ConversionError(f"{path}: expected a JSON object, got {type(tree).__name__}")
    return cast(dict[str, Any], tree)


def read_json_tree(path: Path) -> object:
    """Whatever stands in the JSON file `path`, which must be UTF-8.

    Raises:
        ConversionError: the file is not JSON, is too large, or is not a plain file.
    """
    try:
        return json.loads(read_file(path).decode("utf-8"))
    except RecursionError as error:
        raise ConversionError(f"{path}: expected JSON, got one nested too deeply") from error
    except ValueError as error:
        raise ConversionError(f"{path}: expected JSON: {first_line(error)}") from error


def is_there(path: Path) -> bool:
    """Whether there is anything at `path`, or behind the link that it is.

    Raises:
        ConversionError: the folder may not be read.
    """
    try:
        return path.exists()
    except OSError as error:
        raise _unreadable(path, error) from error


@contextlib.contextmanager
def opened_file(path: Path) -> Generator[BinaryIO]:
    """A file of a model, open for reading: every read of one goes through here.

    Raises:
        ConversionError: it is no plain file, or cannot be read.
    """
    try:
        with open_plain_file(path, follow_links=True) as file:
            yield file
    except OSError as error:
        raise _unreadable(path, error) from error


def read_file(path: Path, limit: int = _MAX_JSON_BYTES) -> bytes:
    """What is in a file of a model, which has no more bytes than `limit`.

    Raises:
        ConversionError: it has more, is no plain file, or cannot be read.
    """
    with opened_file(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ConversionError(f"{path}: expected at most {limit >> 20} MB, found more")
    return data


def _unreadable(path: Path, error: OSError) -> ConversionError:
    return ConversionError(f"{path}: could not be read: {error.strerror or first_line(error)}")


def leads_outside(directory: Path, path: Path) -> bool:
    """Whether `path` is a link, or lies behind one, to what is not of the model in `directory`.

    A snapshot in the Hub's cache is made of links to the blobs beside it: these are the model.
    """
    root, target = directory.resolve(), path.resolve()
    if target.is_relative_to(root):
        return False
    blobs = root.parent.parent / "blobs"
    return root.parent.name != "snapshots" or target.parent != blobs


def weights_sha256(directory: Path, folders: tuple[str, ...] = ()) -> str:
    """SHA-256 of a model's weights.

    That of the file if there is one; that of the lines "sha256  name" if there are several (shards,
    or Dense layers in `folders`).

    Raises:
        ConversionError: there is no weight file.
    """
    files: list[Path] = []
    for folder in (".", *folders):
        for pattern in _WEIGHTS:
            if found := sorted(filter(Path.is_file, (directory / folder).glob(pattern))):
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
    """The license in the front matter of the model card, or None."""
    path = directory / "README.md"
    if not path.is_file():
        return None
    card = read_file(path, _MAX_CARD_BYTES).decode("utf-8", "replace")
    front_matter = card.split("---")[1] if card.startswith("---") else ""
    found = _LICENSE_LINE.search(front_matter)
    return found.group(1) if found else None


def card_files(directory: Path) -> Mapping[str, Path]:
    """License and notice files, which must go wherever the weights go; links to others are none.

    Raises:
        ConversionError: one is too large.
    """
    found = {
        name: path
        for name in _CARD_FILES
        if (path := directory / name).is_file() and not leads_outside(directory, path)
    }
    for path in found.values():
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise ConversionError(f"{path}: expected at most {_MAX_CARD_BYTES >> 20} MB of text")
    return found
