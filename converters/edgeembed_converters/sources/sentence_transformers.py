"""A text model directory, as saved by sentence-transformers or transformers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from edgeembed_converters.model_files.files import (
    ModelDirectory,
    card_files,
    read_json,
)
from edgeembed_converters.modules.head import Normalize, dense_from_config
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.sources.base import SourceOptions, TextSource
from edgeembed_converters.sources.transformers_text import load_backbone
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

_MODULES = "modules.json"
_POOLING_FLAGS: Mapping[str, Pooling] = {  # in the order of concatenation
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "last",
}
_POOLING_NAMES: Mapping[str, Pooling] = {
    "cls": "cls",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weightedmean",
    "lasttoken": "last",
}


def load_text_directory(directory: ModelDirectory, options: SourceOptions) -> TextSource:
    """Read a sentence-transformers directory (modules.json) or a transformers one (config.json).

    Raises:
        UnsupportedModelError: it is neither, or has a part that cannot be converted.
        ConversionError: files are missing or damaged.
    """
    path = directory.path
    if (path / _MODULES).is_file():
        modules = _read_modules(path)
    elif (path / "config.json").is_file():
        modules = _Modules()
    else:
        raise UnsupportedModelError(
            f"{path}: expected modules.json (sentence-transformers) or config.json "
            "(transformers), found neither; pass the directory of a trained model"
        )
    backbone = load_backbone(
        path / modules.transformer,
        max_tokens=options.max_tokens or modules.max_tokens,
        lower_case=modules.lower_case,
        trust_remote_code=options.trust_remote_code,
    )
    pooling, notes = _choose_pooling(options.pooling, modules.pooling)
    head = _with_normalize(modules.head, options.normalize)
    settings = read_json(path / "config_sentence_transformers.json")
    prompts = _prompts(settings, path) if options.prompts is None else options.prompts
    prompts = {name: text for name, text in prompts.items() if text}
    default_prompt = settings.get("default_prompt_name")
    return TextSource(
        name=options.name or directory.name,
        source=directory.source((modules.transformer, *modules.dense_folders)),
        backbone=backbone.module,
        model_type=backbone.model_type,
        tokenizer_json=backbone.tokenizer_json,
        tokenizer_sha256=backbone.tokenizer_sha256,
        max_tokens=backbone.max_tokens,
        pooling=pooling,
        head=head,
        normalized=len(head) > 0 and isinstance(head[-1], Normalize),
        similarity=_similarity(settings, path),
        prompts=prompts,
        default_prompt_name=default_prompt if default_prompt in prompts else None,
        directory=path / modules.transformer,
        notes=notes,
        card_files=card_files(path),
    )


@dataclass(frozen=True, kw_only=True)
class _Modules:
    """The contents of modules.json and of the configurations beside it."""

    transformer: str = "."
    pooling: tuple[Pooling, ...] = ()
    head: nn.Sequential = nn.Sequential()  # noqa: RUF009 (never changed)
    dense_folders: tuple[str, ...] = ()
    max_tokens: int | None = None
    lower_case: bool = False


def _read_modules(directory: Path) -> _Modules:
    entries = _module_entries(directory)
    kinds = [kind for kind, _ in entries]
    if kinds[:2] != ["Transformer", "Pooling"] or set(kinds[2:]) - {"Dense", "Normalize"}:
        raise UnsupportedModelError(
            f"{directory}: expected the modules Transformer, Pooling, then Dense or Normalize; "
            f"found {', '.join(kinds)}"
        )
    transformer, pooling, head = entries[0][1], entries[1][1], entries[2:]
    settings = _transformer_settings(directory / transformer)
    return _Modules(
        transformer=transformer,
        pooling=_read_pooling(directory / pooling),
        head=nn.Sequential(*(_head_module(kind, directory / path) for kind, path in head)),
        dense_folders=tuple(path for kind, path in head if kind == "Dense"),
        max_tokens=settings.get("max_seq_length"),
        lower_case=bool(settings.get("do_lower_case", False)),
    )


def _module_entries(directory: Path) -> list[tuple[str, str]]:
    """(kind, folder) of each module, in order."""
    path = directory / _MODULES
    try:
        entries = json.loads(path.read_bytes())
        found = [(str(e["type"]).rpartition(".")[2], str(e["path"]) or ".") for e in entries]
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise ConversionError(f"{path}: expected a list of modules: {error}") from error
    for _, folder in found:
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise ConversionError(f"{path}: module folder {folder!r} leads outside the model")
    return found


def _transformer_settings(directory: Path) -> dict[str, Any]:
    for path in sorted(directory.glob("sentence_*_config.json")):
        settings = read_json(path)
        limit = settings.get("max_seq_length")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ConversionError(
                f"{path}: max_seq_length: expected a positive number, got {limit!r:.80}"
            )
        return settings
    return {}


def _read_pooling(directory: Path) -> tuple[Pooling, ...]:
    config = read_json(directory / "config.json")
    if not config.get("include_prompt", True):
        raise UnsupportedModelError(
            f"{directory}: include_prompt=false: pooling without the prompt cannot be converted"
        )
    named = config.get("pooling_mode")
    if named is not None:
        names = [named] if isinstance(named, str) else list(named)
        unknown = [name for name in names if name not in _POOLING_NAMES]
        if unknown:
            raise UnsupportedModelError(f"{directory}: unknown pooling {', '.join(unknown)}")
        return tuple(_POOLING_NAMES[name] for name in names)
    return tuple(kind for flag, kind in _POOLING_FLAGS.items() if config.get(flag)) or ("mean",)


def _head_module(kind: str, directory: Path) -> nn.Module:
    if kind == "Normalize":
        return Normalize()
    config, weights = read_json(directory / "config.json"), _load_weights(directory)
    try:
        return dense_from_config(config, weights, str(directory))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConversionError(
            f"{directory}: expected a Dense layer's config.json and the weights that it describes, "
            f"found others: {type(error).__name__}: {first_line(error)}"
        ) from error


def _load_weights(directory: Path) -> Mapping[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if (directory / "model.safetensors").is_file():
            return load_file(directory / "model.safetensors")
        return torch.load(directory / "pytorch_model.bin", map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise ConversionError(
            f"{directory}: could not load the weights: {first_line(error)}"
        ) from error


def _choose_pooling(
    asked: Pooling | None, found: tuple[Pooling, ...]
) -> tuple[tuple[Pooling, ...], tuple[str, ...]]:
    if asked is not None:
        return (asked,), () if found in ((), (asked,)) else (
            f"pooling {asked}, as asked, instead of the model's own {'+'.join(found)}",
        )
    if found:
        return found, ()
    return ("mean",), ("the model names no pooling: mean was assumed; pass pooling to change it",)


def _with_normalize(head: nn.Sequential, asked: bool | None) -> nn.Sequential:
    present = len(head) > 0 and isinstance(head[-1], Normalize)
    if asked is None or asked == present:
        return head
    return nn.Sequential(*head, Normalize()) if asked else nn.Sequential(*list(head)[:-1])


def _prompts(settings: Mapping[str, Any], directory: Path) -> Mapping[str, str]:
    prompts = settings.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        text is None or isinstance(text, str) for text in prompts.values()
    ):
        raise ConversionError(f"{directory}: prompts: expected texts by name, got {prompts!r:.80}")
    return prompts


def _similarity(settings: Mapping[str, Any], directory: Path) -> Similarity:
    named = settings.get("similarity_fn_name") or "cosine"
    for similarity in SIMILARITIES:
        if similarity == named:
            return similarity
    raise UnsupportedModelError(
        f"{directory}: similarity {named!r}: expected one of {', '.join(SIMILARITIES)}"
    )
