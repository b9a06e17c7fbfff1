"""What can be told from the files of a text model before any library loads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.model_files.files import leads_outside, read_json, read_json_tree
from edgeembed_converters.model_files.model_sizes import check_sizes
from edgeembed_converters.model_files.other_kinds import refuse_other_kinds
from edgeembed_converters.model_files.own_code import check_code, check_packages
from edgeembed_converters.model_files.vocabulary_files import check_vocabulary
from edgeembed_converters.model_files.weight_files import check_no_pointer, weights_of
from edgeembed_converters.modules.pooling import LIBRARY_POOLINGS
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError

_MODULES = "modules.json"
# Files that are read or copied, by their suffixes or how their names begin.
_READ_SUFFIXES = frozenset({
    ".json", ".safetensors", ".bin", ".txt", ".model", ".md", ".jinja", ".tiktoken", ".py",
    ".vocab", ".metadata",
})  # fmt: skip
_READ_NAMES = ("LICENSE", "NOTICE")
# Objects, wherever they stand; tokenizer.json and vocabularies are left to the tokenizer.
_OBJECTS = (
    "config.json",
    "config_sentence_transformers.json",
    "sentence_*_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "adapter_config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "router_config.json",
    "*.index.json",
)
# Modules that are nothing without weights of their own.
_WEIGHTED = frozenset({"Dense", "LayerNorm", "LSTM", "CNN", "WeightedLayerPooling"})
# What only sentence-transformers writes, beside its modules.json.
_PARTS = ("1_Pooling", "config_sentence_transformers.json", "sentence_*_config.json")


@dataclass(frozen=True, kw_only=True)
class ModuleEntry:
    """An entry of modules.json: a class, and a folder of the model."""

    type: str
    path: str
    directory: Path

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.directory / self.path

    @property
    def kind(self) -> str:
        """The name of its class."""
        return self.type.rpartition(".")[2]


def check_before_loading(directory: Path, *, trust_remote_code: bool, pooling_given: bool) -> None:
    """Refuse the directory of a text model for everything that its files tell.

    Takes milliseconds, however large the model is or claims to be.

    Args:
        directory: of the model, with modules.json or config.json.
        trust_remote_code: whether code that comes with the model may run.
        pooling_given: whether the user said how token vectors are pooled.

    Raises:
        ConversionError: files are missing, damaged, linked from elsewhere, or contradict each
            other.
        UnsupportedModelError: it is another kind of model, or brings code that is not trusted.
        MissingExtraError: a package that it needs is not installed.
    """
    modules = module_entries(directory)
    folder = _transformer_folder(directory, modules)
    for place in dict.fromkeys((directory, folder, *(module.folder for module in modules))):
        _check_files(directory, place)
    config = read_json(folder / "config.json")
    types = [module.type for module in modules]
    refuse_other_kinds(directory, config, types, pooling_given=pooling_given)
    check_code(directory, folder, types, trusted=trust_remote_code)
    check_packages(folder, config)
    if not modules:
        _refuse_parts(directory)
    for module in modules:
        _check_module(directory, module)
    _check_settings(folder)
    _check_prompts(directory / "config_sentence_transformers.json")
    check_vocabulary(folder, trusted=trust_remote_code)
    if config:
        _check_weights(folder, config)


def check_image_directory(directory: Path, *, trust_remote_code: bool) -> None:
    """As `check_before_loading`, for a transformers directory that encodes images."""
    _check_files(directory, directory)
    config = read_json(directory / "config.json")
    check_code(directory, directory, (), trusted=trust_remote_code)
    check_packages(directory, config)
    check_vocabulary(directory, trusted=trust_remote_code)
    if config:
        _check_weights(directory, config)


def module_entries(directory: Path) -> tuple[ModuleEntry, ...]:
    """The entries of modules.json, in order; none in a plain directory.

    Raises:
        ConversionError: modules.json is damaged, or a folder leads outside the model.
    """
    path = directory / _MODULES
    if not path.exists() and not path.is_symlink():
        return ()
    _check_link(directory, path)
    entries = read_json_tree(path)
    if not isinstance(entries, list) or not entries:
        raise ConversionError(f"{path}: expected a list of modules, got {entries!r:.80}")
    return tuple(_module(path, entry) for entry in cast(list[object], entries))


def _module(path: Path, entry: object) -> ModuleEntry:
    fields = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
    kind, folder = fields.get("type"), fields.get("path")
    if not isinstance(kind, str) or not isinstance(folder, str):
        raise ConversionError(
            f"{path}: expected a list of modules, each with type and path; got {entry!r:.80}"
        )
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        raise ConversionError(f"{path}: module folder {folder!r} leads outside the model")
    return ModuleEntry(type=kind, path=folder or ".", directory=path.parent)


def _transformer_folder(directory: Path, modules: tuple[ModuleEntry, ...]) -> Path:
    """Where the transformers model lies; the first module without a folder of its own."""
    for module in modules:
        if module.kind.endswith("Transformer"):
            return module.folder
    return modules[0].folder if modules else directory


def _check_files(directory: Path, folder: Path) -> None:
    _check_link(directory, folder)
    _check_plain(folder)
    for path in _read_files(folder):
        _check_link(directory, path)
        if path.suffix not in (".safetensors", ".bin"):
            check_no_pointer(path)
    for pattern in _OBJECTS:
        for path in folder.glob(pattern):
            read_json(path)


def _check_plain(folder: Path) -> None:
    """A FIFO keeps its reader waiting, and a device has no end."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConversionError(f"{path}: expected a file or a folder, found a special file")


def _read_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            read = path.suffix in _READ_SUFFIXES or path.name.startswith(_READ_NAMES)
            if read and (path.is_file() or path.is_symlink()):
                yield path


def _check_link(directory: Path, path: Path) -> None:
    if leads_outside(directory, path):
        raise ConversionError(
            f"{path}: a link that leads out of the model's directory; put the file itself there"
        )
    if path.is_symlink() and not path.exists():
        raise ConversionError(
            f"{path}: a link to a file that is not there; download the model again"
        )


def _refuse_parts(directory: Path) -> None:
    for pattern in _PARTS:
        for path in directory.glob(pattern):
            raise ConversionError(
                f"{directory}: there is {path.name} of sentence-transformers, but no {_MODULES}: "
                "half of a model; pass the whole one, or download it again"
            )


def _check_module(directory: Path, module: ModuleEntry) -> None:
    """Only Normalize has no files; an empty folder of its own is not even kept by the Hub."""
    if module.kind == "Normalize" or module.folder == directory:
        return
    if not module.folder.is_dir() or not any(module.folder.iterdir()):
        raise ConversionError(
            f"{directory / _MODULES}: names {module.folder.name!r}, but that folder is absent or "
            "empty; download the model again"
        )
    if module.kind == "Pooling":
        _check_pooling(module.folder / "config.json")
    if weights_of(module.folder) is None and module.kind in _WEIGHTED:
        raise _without_weights(module.folder)


def _check_pooling(path: Path) -> None:
    named = read_json(path).get("pooling_mode", [])
    modes = cast(list[object], named) if isinstance(named, list) else [named]
    unknown = [mode for mode in modes if mode not in [*LIBRARY_POOLINGS]]
    if unknown:
        raise UnsupportedModelError(
            f"{path}: unknown pooling {', '.join(map(str, unknown))}; expected some of "
            f"{', '.join(LIBRARY_POOLINGS)}"
        )


def _check_settings(folder: Path) -> None:
    for path in sorted(folder.glob("sentence_*_config.json")):
        limit = read_json(path).get("max_seq_length")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ConversionError(
                f"{path}: max_seq_length: expected a positive integer, got {limit!r:.80}"
            )
    path = folder / "tokenizer_config.json"
    limit = read_json(path).get("model_max_length")
    if limit is not None and type(limit) not in (int, float):
        raise ConversionError(
            f"{path}: model_max_length: expected a positive integer, got {limit!r:.80}"
        )


def _check_prompts(path: Path) -> None:
    """Of the whole model's settings, what sentence-transformers takes as it is."""
    settings = read_json(path)
    prompts: object = settings.get("prompts", {})
    texts = cast(dict[str, object], prompts).values() if isinstance(prompts, dict) else (prompts,)
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in texts):
        raise ConversionError(f"{path}: prompts: expected texts by name, got {prompts!r:.80}")
    known = [*cast(dict[str, object], prompts), "query", "document"]
    if (default := settings.get("default_prompt_name")) is not None and default not in known:
        raise ConversionError(
            f"{path}: default_prompt_name: expected one of {', '.join(dict.fromkeys(known))}, "
            f"got {default!r:.80}"
        )
    dim = settings.get("truncate_dim")
    if dim is not None and (type(dim) is not int or dim < 1):
        raise ConversionError(f"{path}: truncate_dim: expected a positive integer, got {dim!r:.80}")


def _check_weights(folder: Path, config: dict[str, Any]) -> None:
    weights = weights_of(folder)
    adapter = (folder / "adapter_config.json").is_file()
    if weights is None and "transformers_weights" not in config:
        raise _without_weights(folder)
    check_sizes(folder / "config.json", config, None if adapter else weights)


def _without_weights(folder: Path) -> ConversionError:
    return ConversionError(
        f"{folder}: could not load the weights: expected model.safetensors or pytorch_model.bin, "
        "found none"
    )
