"""Download from the Hugging Face Hub: the one place in edgeembed that goes online."""

import re
from pathlib import Path

from edgeembed_runtime.errors import ConversionError, MissingExtraError

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md", "LICENSE*", "NOTICE*", "*/*"]
_IGNORED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot"]


def is_hub_id(text: str) -> bool:
    """Whether `text` has the form of a Hub id: "name" or "owner/name"."""
    return _HUB_ID.fullmatch(text) is not None


def download_model(hub_id: str, revision: str | None) -> tuple[Path, str]:
    """Download a model, or find it in the Hub's local cache: its directory and its commit.

    Raises:
        MissingExtraError: huggingface-hub is not installed.
        ConversionError: it cannot be downloaded, and is not in the cache.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError.for_extra(f"downloading {hub_id!r}", "hub") from error
    try:
        directory = Path(
            snapshot_download(
                hub_id, revision=revision, allow_patterns=_FILES, ignore_patterns=_IGNORED
            )
        )
    except Exception as error:  # a dozen types, from several libraries
        raise ConversionError(
            f"{hub_id}: no such directory here, and not available from the Hub "
            f"({type(error).__name__}); check the path, the id and the network"
        ) from error
    if not list(directory.glob("**/*.safetensors")):
        directory = Path(snapshot_download(hub_id, revision=revision, ignore_patterns=_IGNORED))
    return directory, directory.name
