"""Download from the Hugging Face Hub: the one place in edgeembed that goes online."""

import re
from collections.abc import Iterator
from pathlib import Path

from edgeembed_converters.model_files.files import read_json
from edgeembed_converters.model_files.own_code import auto_map
from edgeembed_runtime.errors import ConversionError, EdgeEmbedError, MissingExtraError

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
# A pattern's * matches "/" too: these are files at any depth.
_FILES = [
    "*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.metadata",
    "README.md", "LICENSE*", "NOTICE*", "*/*",
]  # fmt: skip
_CODE = "*.py"
_PICKLES = "*.bin"
# Other formats of the same weights, and what training left.
_IGNORED = [
    "onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf",
    "*.mlmodel", "*.pt", "*.pth", "training_args.bin", "optimizer.bin", "scheduler.bin",
]  # fmt: skip


def is_hub_id(text: str) -> bool:
    """Whether `text` has the form of a Hub id: "name" or "owner/name"."""
    return _HUB_ID.fullmatch(text) is not None


def download_model(
    hub_id: str, revision: str | None, trust_remote_code: bool = False
) -> tuple[Path, str]:
    """Download a model, or find it in the Hub's local cache: its directory and its commit.

    Its code is downloaded only if it is trusted, with what that takes from other models' code. An
    adapter's base model comes along.

    Raises:
        MissingExtraError: huggingface-hub is not installed.
        ConversionError: it cannot be downloaded, and is not in the cache.
    """
    code = [_CODE] if trust_remote_code else []
    ignored = _IGNORED if trust_remote_code else [*_IGNORED, _CODE]
    directory = _snapshot(hub_id, revision, [*_FILES, *code], [*ignored, _PICKLES])
    if any(_needs_pickle(folder) for folder in _folders(directory)):
        directory = _snapshot(hub_id, revision, [*_FILES, *code, _PICKLES], ignored)
    if trust_remote_code:
        for other in sorted(set(_code_elsewhere(directory))):
            _snapshot(other, None, [_CODE, "config.json"], [])
    base = read_json(directory / "adapter_config.json").get("base_model_name_or_path")
    if isinstance(base, str) and base != hub_id and is_hub_id(base) and not Path(base).exists():
        download_model(base, None, trust_remote_code)
    return directory, directory.name


def _snapshot(hub_id: str, revision: str | None, wanted: list[str], ignored: list[str]) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError.for_extra(f"downloading {hub_id!r}", "hub") from error
    try:
        found = snapshot_download(
            hub_id, revision=revision, allow_patterns=wanted, ignore_patterns=ignored
        )
    except EdgeEmbedError:
        raise
    except Exception as error:  # a dozen types, from several libraries
        raise ConversionError(
            f"{hub_id}: no such directory here, and not available from the Hub "
            f"({type(error).__name__}); check the path, the id and the network"
        ) from error
    return Path(found)


def _folders(directory: Path) -> Iterator[Path]:
    """The model's own folder, and those of its modules."""
    yield directory
    yield from sorted(path for path in directory.iterdir() if path.is_dir())


def _needs_pickle(folder: Path) -> bool:
    """Whether a configuration stands without its weights: they may be in the older format.

    Pooling and its kind have none at all: asking for them once more downloads nothing.
    """
    configured = (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file()
    return configured and not any(folder.glob("*.safetensors"))


def _code_elsewhere(directory: Path) -> Iterator[str]:
    """The models whose code this one's auto_map names, as in "owner/name--modeling.Model"."""
    for path in sorted(directory.rglob("*config.json")):
        for _, reference in auto_map(path):
            if "--" in reference:
                yield reference.partition("--")[0]
