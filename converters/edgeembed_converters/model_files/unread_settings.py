"""Settings in a model's files that the libraries which loaded it do not read."""

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.model_files.files import read_json, read_json_tree
from edgeembed_converters.model_files.known_settings import (
    model_setting_matters,
    processor_setting_matters,
    tokenizer_setting_matters,
)

# How code reads a key of a configuration: config.key, getattr(config, "key"), kwargs.pop("key").
_ATTRIBUTE = re.compile(r"\b\w*(?:config|cfg)\w*\.(\w+)")
_BY_NAME = re.compile(
    r"(?:getattr|hasattr)\(\s*[\w.]*(?:config|cfg|self)[\w.]*,\s*[\"'](\w+)[\"']"
    r"|\w*(?:kwargs|config|cfg|dict|parameters)\w*(?:\.pop|\.get|\.setdefault)?[\[(]\s*"
    r"[\"'](\w+)[\"']"
    r"|[\"'](\w+)[\"']\s+(?:not )?in \w*(?:kwargs|config|cfg|dict|parameters)"
)
_MASK_KEY = re.compile(r"\bconfig\.(\w+)|getattr\(\s*config,\s*[\"'](\w+)[\"']")
_QUOTED = re.compile(r"[\"'](\w+)[\"']")
# What transformers itself reads for every model; all else depends on the model's own code.
_ALWAYS = frozenset({"quantization_config", "transformers_weights", "pruned_heads"})
_SHARED = "transformers.modeling_utils"
_MASKS = "transformers.masking_utils"
_FUNCTION = re.compile(r"^def (\w+)", re.MULTILINE)
_ROPE = "transformers.modeling_rope_utils"
_ROPE_KEYS = frozenset({"rope_scaling", "rope_parameters"})
_TOKENIZER_BASES = (
    "transformers.tokenization_utils_base",
    "transformers.models.auto.tokenization_auto",
)
_ST_FILE = "config_sentence_transformers.json"
_ST_SETTINGS = re.compile(
    r"model_config(?:\.get\(|\[)\s*[\"'](\w+)[\"']|[\"'](\w+)[\"'] in model_config"
)
_ENTRY = frozenset({"idx", "name", "path", "type", "kwargs"})
# Keys of BERT's tokenizers, and of the normalizer in tokenizer.json.
_NORMALIZER = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
# sentence_bert_config.json: names that older versions wrote, which Transformer.load renames.
_OLD_TRANSFORMER = frozenset({"model_args", "tokenizer_args", "config_args", "processor_args"})
_MAX_SHOWN = 60


def unread_settings(
    directory: Path,
    *,
    config: Any,
    model_class: type,
    tokenizer: Any,
    modules: Sequence[object],
) -> tuple[str, ...]:
    """The settings in the files of a loaded text model that nothing reads, though they may matter.

    A setting is read where the class that was made from it declares it, or code mentions it; those
    without effect on vectors are in `known_settings`. Of files that encoding texts never opens
    (generation_config.json, those of image and video processors), nothing is returned.

    Args:
        directory: of the model.
        config: the transformers configuration, as loaded; None if the model has none.
        model_class: the class of the transformers model.
        tokenizer: as loaded; None where nothing but tokenizer.json is opened.
        modules: the live modules of sentence-transformers, in the order of modules.json; empty for
            a plain directory.

    Returns:
        Lines like "config.json: key = value".
    """
    found: list[str] = []
    entries = _entries(directory)
    for entry in entries:
        found += _named("modules.json", {k: v for k, v in entry.items() if k not in _ENTRY})
    folder = directory
    for entry, module in zip(entries, modules, strict=False):
        place = directory / str(entry.get("path", ""))
        if _is_transformer(module):
            folder = place
        found += _module_settings(directory, place, module)
    found += _st_settings(directory)
    if config is not None:
        found += _config_settings(directory, folder, config, model_class)
    if tokenizer is not None:
        for place in dict.fromkeys((folder, directory)):
            found += _tokenizer_settings(directory, place, tokenizer)
    found += _adapter_settings(folder)
    return tuple(dict.fromkeys(found))


def _entries(directory: Path) -> list[dict[str, Any]]:
    path = directory / "modules.json"
    entries = read_json_tree(path) if path.is_file() else []
    if not isinstance(entries, list):
        return []
    listed = cast(list[object], entries)
    return [cast(dict[str, Any], entry) for entry in listed if isinstance(entry, dict)]


def _is_transformer(module: object) -> bool:
    return hasattr(module, "auto_model") or type(module).__name__.endswith("Transformer")


# -- config.json -----------------------------------------------------------------------------------


def _config_settings(directory: Path, folder: Path, config: Any, model: type) -> Iterator[str]:
    path = folder / "config.json"
    yield from _config_tree(_name(directory, path), read_json(path), config, _code_of(model))


def _config_tree(
    where: str, settings: Mapping[str, Any], config: Any, code: frozenset[str]
) -> Iterator[str]:
    """The unread settings of a configuration, and of those nested in it."""
    read = code | _declared(type(config)) | _code_of(type(config), quoted=True)
    read |= _words(_ROPE) if read & _ROPE_KEYS else frozenset()
    for name, value in settings.items():
        is_nested = isinstance(value, dict) and name.endswith("config")
        nested = getattr(config, name, None) if is_nested else None  # some warn when looked at
        if hasattr(nested, "to_dict"):
            yield from _config_tree(
                f"{where}: {name}", cast(dict[str, Any], value), nested, code | _modeling(nested)
            )
        elif name in _ROPE_KEYS & read and isinstance(value, dict):
            inner = read | _words(_ROPE, quoted=True)
            yield from _rope_settings(f"{where}: {name}", cast(dict[str, Any], value), inner)
        elif name not in read and model_setting_matters(name, value, config):
            yield from _named(where, {name: value})


def _rope_settings(where: str, settings: Mapping[str, Any], read: frozenset[str]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, dict):  # by kind of attention
            yield from _rope_settings(f"{where}: {name}", cast(dict[str, Any], value), read)
        elif name not in read and value is not None:
            yield from _named(where, {name: value})


def _declared(config_class: type) -> frozenset[str]:
    """What a class of configurations takes as arguments, under any of its names."""
    names: set[str] = set()
    for base in config_class.__mro__:
        if not _is_of_a_model(base.__module__):
            continue
        names |= set(inspect.signature(base.__init__).parameters)
        names |= set(cast(Mapping[str, str], getattr(base, "attribute_map", {})))
        names |= set(cast(Mapping[str, object], getattr(base, "__annotations__", {})))
    return frozenset(names)


def _modeling(config: Any) -> frozenset[str]:
    """What the code of a nested configuration's own model mentions, if that is loaded."""
    name = type(config).__module__.replace("configuration_", "modeling_")
    return _words(name) if name in sys.modules else frozenset()


def _code_of(kind: type, quoted: bool = False) -> frozenset[str]:
    """The keys that the modules of a class, of its bases, and what all share, mention."""
    names = {base.__module__ for base in kind.__mro__ if _is_of_a_model(base.__module__)}
    for name in tuple(names):
        if name.startswith("transformers_modules."):  # code of the model's own, in several files
            package = name.rpartition(".")[0]
            names |= {each for each in sys.modules if each.startswith(f"{package}.")}
    own = (_words(name, quoted=quoted) for name in names)
    masks = (_mask_words(name) for name in names)
    return frozenset[str]().union(*own, *masks, _ALWAYS & _words(_SHARED))


def _is_of_a_model(module: str) -> bool:
    if module.startswith("transformers."):
        return module.startswith("transformers.models.")
    return not module.startswith(("torch.", "builtins", "abc", "huggingface_hub."))


@cache
def _words(module: str, quoted: bool = False) -> frozenset[str]:
    """The keys that a module's code mentions; with `quoted`, everything in quotes."""
    source = _source(module)
    words = {found[1] for found in _ATTRIBUTE.finditer(source)}
    for found in _BY_NAME.finditer(source):
        words |= {word for word in found.groups() if word}
    if quoted:
        words |= {found[1] for found in _QUOTED.finditer(source)}
    return frozenset(words)


@cache
def _mask_words(module: str) -> frozenset[str]:
    """The keys that those functions read which make masks for a module's models."""
    source = _source(module)
    parts = _FUNCTION.split(_source(_MASKS))
    functions = dict(zip(parts[1::2], parts[2::2], strict=True))
    called = {name for name in functions if re.search(rf"\b{name}\b", source)}
    while more := {
        name
        for name in functions.keys() - called
        if any(re.search(rf"\b{name}\(", functions[each]) for each in called)
    }:
        called |= more
    return frozenset(
        found[1] or found[2] for name in called for found in _MASK_KEY.finditer(functions[name])
    )


@cache
def _source(module: str) -> str:
    """The code of a module; empty if there is none to read."""
    try:
        return inspect.getsource(importlib.import_module(module))
    except (ImportError, OSError, TypeError):
        return ""


# -- sentence-transformers -------------------------------------------------------------------------


def _module_settings(directory: Path, folder: Path, module: object) -> Iterator[str]:
    kind = type(module)
    file = str(getattr(kind, "config_file_name", "config.json"))
    read = _module_keys(kind)
    if _is_transformer(module):
        files = sorted(folder.glob("sentence_*_config.json"), key=lambda path: path.name != file)
        for path in files[1:]:  # the first is read
            yield from _named(_name(directory, path), read_json(path))
        files = files[:1]
        read |= _OLD_TRANSFORMER
    else:
        files = [folder / file] if folder != directory else []
    for path in files:
        settings = read_json(path)
        yield from _named(
            _name(directory, path),
            {name: value for name, value in settings.items() if name not in read},
        )


def _module_keys(kind: type) -> frozenset[str]:
    names: set[str] = set()
    for base in kind.__mro__:
        names |= set(cast(Sequence[str], getattr(base, "config_keys", ())))
        names |= set(cast(Mapping[str, str], getattr(base, "config_key_renames", {})))
        if base.__module__.startswith(("torch.", "abc", "builtins")):
            continue
        names |= set(inspect.signature(inspect.unwrap(base.__init__)).parameters)
        # Names of older versions, which the module's own code converts.
        names |= {
            found[1] for found in re.finditer(r"[\"'](\w+)[\"']\s*:", _source(base.__module__))
        }
    return frozenset(names)


def _st_settings(directory: Path) -> Iterator[str]:
    settings = read_json(directory / _ST_FILE)
    if not settings:
        return
    from sentence_transformers import SentenceTransformer

    read = {"model_type", "__version__"}
    for base in SentenceTransformer.__mro__:
        for found in _ST_SETTINGS.finditer(_source(base.__module__)):
            read |= {word for word in found.groups() if word}
    unread = {name: value for name, value in settings.items() if name not in read}
    yield from _named(_ST_FILE, unread)


# -- the tokenizer ---------------------------------------------------------------------------------


def _tokenizer_settings(directory: Path, folder: Path, tokenizer: Any) -> Iterator[str]:
    read = _tokenizer_keys(type(tokenizer))
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        for name, value in read_json(folder / file).items():
            if name in read or _in_normalizer(tokenizer, name, value):
                continue
            if tokenizer_setting_matters(name, value):
                yield from _named(_name(directory, folder / file), {name: value})
    path = folder / "added_tokens.json"
    added = read_json(path)
    known: Mapping[str, int] = tokenizer.get_vocab() if added else {}
    for token, number in added.items():
        if known.get(token) != number:
            yield from _named(_name(directory, path), {token: number})
    path = folder / "processor_config.json"
    yield from _named(
        _name(directory, path),
        {k: v for k, v in read_json(path).items() if processor_setting_matters(k, v)},
    )


def _in_normalizer(tokenizer: Any, name: str, value: object) -> bool:
    """Whether the tokenizer, which reads it nowhere else, does what the key says anyway."""
    backend = getattr(tokenizer, "backend_tokenizer", None) if name in _NORMALIZER else None
    if backend is None:
        return False
    normalizer = json.loads(backend.to_str())["normalizer"] or {}
    return normalizer.get(_NORMALIZER[name], object()) == value


@cache
def _tokenizer_keys(kind: type) -> frozenset[str]:
    names: set[str] = set()
    for base in kind.__mro__:
        if base.__module__ == "builtins":
            continue
        names |= set(inspect.signature(base.__init__).parameters) - {"args", "kwargs"}
        names |= _words(base.__module__)
    for module in _TOKENIZER_BASES:
        names |= _words(module)
    return frozenset(names)


# -- adapters --------------------------------------------------------------------------------------


def _adapter_settings(folder: Path) -> Iterator[str]:
    settings = read_json(folder / "adapter_config.json")
    if not settings:
        return
    declared = _adapter_keys(str(settings.get("peft_type")))
    unread = {k: v for k, v in settings.items() if k not in declared and v is not None}
    yield from _named("adapter_config.json", unread)


def _adapter_keys(peft_type: str) -> frozenset[str]:
    """What peft's class for a kind of adapter declares."""
    try:
        mapping = importlib.import_module("peft").PEFT_TYPE_TO_CONFIG_MAPPING
    except (ImportError, AttributeError):
        return frozenset()
    fields = getattr(mapping.get(peft_type), "__dataclass_fields__", {})
    return frozenset(cast(Mapping[str, object], fields)) | {"peft_version"}


def _named(where: str, settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if value is not None:
            yield f"{where}: {name} = {_shown(value)}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _name(directory: Path, path: Path) -> str:
    return path.relative_to(directory).as_posix()
