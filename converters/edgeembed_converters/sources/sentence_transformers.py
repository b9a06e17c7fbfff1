"""A text model directory, as sentence-transformers opens it: saved by itself or by transformers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from edgeembed_converters.model_files.before_loading import check_before_loading
from edgeembed_converters.model_files.files import ModelDirectory, card_files, read_json
from edgeembed_converters.model_files.unread_settings import unread_settings
from edgeembed_converters.modules.head import (
    HEAD_KINDS,
    Normalize,
    Truncate,
    head_module,
    unsupported_modules,
)
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.sources.base import SourceOptions, TextSource
from edgeembed_converters.sources.library_model import module_entries, open_model
from edgeembed_converters.sources.library_witness import library_witness
from edgeembed_converters.sources.static_embedding import MeanOfRows, table_tokenizer
from edgeembed_converters.sources.transformers_text import Backbone, load_backbone, load_config
from edgeembed_runtime.errors import UnsupportedModelError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# sentence-transformers' names of ours.
POOLING_NAMES: Mapping[Pooling, str] = {
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "last": "lasttoken",
    "mean_sqrt_len": "mean_sqrt_len_tokens",
    "weightedmean": "weightedmean",
}
_STATIC = "StaticEmbedding"
_FIRST = ("Transformer", "Pooling")
_OURS: Mapping[str, Pooling] = {theirs: ours for ours, theirs in POOLING_NAMES.items()}


def load_text_directory(directory: ModelDirectory, options: SourceOptions) -> TextSource:
    """Read a sentence-transformers directory (modules.json) or a transformers one (config.json).

    What the user asks for is set on sentence-transformers' own model, which then is the witness.

    Raises:
        UnsupportedModelError: it is neither, or has a part that cannot be converted.
        ConversionError: files are missing or damaged.
        MissingExtraError: a package that the model needs is missing.
    """
    path = directory.path
    if not (path / "modules.json").is_file() and not _has_config(path):
        raise UnsupportedModelError(
            f"{path}: expected modules.json (sentence-transformers) or config.json "
            "(transformers), found neither; pass the directory of a trained model"
        )
    entries = module_entries(path)
    _check_kinds(path, entries)
    check_before_loading(
        path,
        trust_remote_code=options.trust_remote_code,
        pooling_given=options.pooling is not None,
    )
    folders = [folder for _, folder in entries] or ["."]
    settings = read_json(path / folders[0] / "config.json")
    if settings and settings.get("model_type") != "model2vec":
        load_config(path / folders[0], options.trust_remote_code)
    model, warned = open_model(path, options)
    from sentence_transformers.sentence_transformer import modules as library

    places = _places(path, folders, model)
    static = isinstance(model[0], library.StaticEmbedding)
    head_from = 1 if static else len(_FIRST)
    notes = () if static else _check_first_modules(model, places)
    unread = () if static else _unread(path, model, entries)
    notes = (*notes, *_without_complaints(path, (*unread, *warned), options.ignore))
    notes = (*notes, *_apply(options, model, head_from, plain=not entries))
    if static:
        backbone = _table_backbone(model[0], options)
    else:
        backbone = load_backbone(model[0], path / folders[0], options)
    head = _head(model, head_from, places)
    prompts = {name: text for name, text in model.prompts.items() if text}
    default_prompt = model.default_prompt_name
    return TextSource(
        name=options.name or directory.name,
        source=directory.source(tuple(folders)),
        backbone=backbone.module,
        model_type=backbone.model_type,
        tokenizer_json=backbone.tokenizer_json,
        max_tokens=backbone.max_tokens,
        truncation_side=backbone.truncation_side,
        pooling=() if static else _pooling(model[1], places[1]),
        head=head,
        normalized=len(head) > 0 and isinstance(head[-1], Normalize),
        table=backbone.module.rows() if isinstance(backbone.module, MeanOfRows) else None,
        witness=library_witness(model, backbone.max_tokens),
        similarity=_similarity(model, path),
        prompts=prompts,
        default_prompt_name=default_prompt if default_prompt in prompts else None,
        directory=None if static else path / folders[0],
        notes=(*notes, *backbone.notes),
        card_files=card_files(path),
    )


def _table_backbone(embedding: Any, options: SourceOptions) -> Backbone:
    tokenizer_json, limit = table_tokenizer(embedding)
    return Backbone(
        module=MeanOfRows(embedding.embedding.weight.detach().float()).eval(),
        model_type="static",
        tokenizer_json=tokenizer_json,
        max_tokens=min(options.max_tokens or limit, limit),
    )


def _has_config(path: Path) -> bool:
    return (path / "config.json").is_file() or (path / "adapter_config.json").is_file()


def _places(path: Path, folders: list[str], model: "SentenceTransformer") -> list[str]:
    """Where each module comes from, for messages; sentence-transformers adds a default pooling."""
    missing = len(model) - len(folders)
    return [str(path / folder) for folder in folders] + [str(path)] * missing


def _check_kinds(path: Path, entries: Sequence[tuple[str, str]]) -> None:
    """Refuse modules of the library's own that cannot be converted, before they are loaded."""
    own = "sentence_transformers."
    kinds = [kind.rpartition(".")[2] if kind.startswith(own) else kind for kind, _ in entries]
    known = {*HEAD_KINDS, *_FIRST, _STATIC, *(kind for kind in kinds if "." in kind)}
    alone = len(kinds) == 1 and kinds != [_STATIC]
    if alone or not known.issuperset(kinds):
        raise unsupported_modules(str(path), kinds)


def _check_first_modules(model: "SentenceTransformer", places: list[str]) -> tuple[str, ...]:
    from sentence_transformers.sentence_transformer import modules as library

    kinds = [f"{type(module).__module__}.{type(module).__name__}" for module in model]
    expected = (library.Transformer, library.Pooling)
    if len(model) < 2 or not all(isinstance(model[n], kind) for n, kind in enumerate(expected)):
        raise unsupported_modules(places[0], kinds)
    own = [kind for kind in kinds if not kind.startswith("sentence_transformers.")]
    return tuple(
        f"{kind}, code of the model's own, was taken for the module of sentence-transformers that "
        "it derives from: the vectors agree on the probe texts"
        for kind in own
    )


def _apply(
    options: SourceOptions, model: "SentenceTransformer", head_from: int, plain: bool
) -> tuple[str, ...]:
    """Set what the user asked for on the model itself; what there is to say of it."""
    from sentence_transformers.sentence_transformer import modules as library

    notes = _apply_pooling(options, model, plain) if head_from == len(_FIRST) else ()
    last = isinstance(model[-1], library.Normalize)
    if options.normalize is True and not last:
        model.append(library.Normalize())
    elif options.normalize is False and last:
        del model[-1]
    if options.prompts is not None:
        cast(Any, model).prompts = {"query": "", "document": "", **options.prompts}
    if model.default_prompt_name not in model.prompts:
        model.default_prompt_name = None
    return notes


def _apply_pooling(
    options: SourceOptions, model: "SentenceTransformer", plain: bool
) -> tuple[str, ...]:
    from sentence_transformers.sentence_transformer import modules as library

    pooling: Any = model[1]
    own = "+".join(_OURS[mode] for mode in _modes(pooling))
    if options.pooling is None:
        return (
            ()
            if not plain
            else (
                f"the model names no pooling: {own} was assumed, as sentence-transformers does; pass "
                "pooling to change it",
            )
        )
    width = int(pooling.pooling_output_dimension) // len(_modes(pooling))
    model[1] = library.Pooling(width, cast(Any, POOLING_NAMES[options.pooling]))
    if plain or own == options.pooling:
        return ()
    return (f"pooling {options.pooling}, as asked, instead of the model's own {own}",)


def _modes(pooling: Any) -> list[str]:
    mode = pooling.pooling_mode
    return [mode] if isinstance(mode, str) else list(mode)


def _pooling(pooling: Any, place: str) -> tuple[Pooling, ...]:
    if not pooling.include_prompt:
        raise UnsupportedModelError(
            f"{place}: include_prompt=false: pooling without the prompt cannot be converted"
        )
    return tuple(_OURS[mode] for mode in _modes(pooling))


def _head(model: "SentenceTransformer", start: int, places: list[str]) -> nn.Sequential:
    # A Normalize that was asked for has no folder.
    places = [*places, *[""] * (len(model) - len(places))]
    found = [head_module(model[n], places[n]) for n in range(start, len(model))]
    head = [module for module in found if module is not None]
    if model.truncate_dim is not None:
        head.append(Truncate(int(model.truncate_dim)))
    return nn.Sequential(*head)


def _similarity(model: "SentenceTransformer", path: Path) -> Similarity:
    # Of a name that it does not know, sentence-transformers makes the cosine.
    settings = read_json(path / "config_sentence_transformers.json")
    named = settings.get("similarity_fn_name") or model.similarity_fn_name
    for similarity in SIMILARITIES:
        if similarity == named:
            return similarity
    raise UnsupportedModelError(
        f"{path}: similarity {named!r}: expected one of {', '.join(SIMILARITIES)}"
    )


def _unread(
    path: Path, model: "SentenceTransformer", entries: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    transformer: Any = model[0]
    return unread_settings(
        path,
        config=transformer.auto_model.config,
        model_class=type(transformer.auto_model),
        tokenizer=transformer.tokenizer,
        modules=[(folder, model[n]) for n, (_, folder) in enumerate(entries)],
    )


def _without_complaints(
    path: Path, complaints: Sequence[str], ignored: Sequence[str]
) -> tuple[str, ...]:
    """What the user wants to be ignored, as notes.

    Raises:
        UnsupportedModelError: there are other complaints.
    """
    known = {each for each in complaints if any(words in each for words in ignored)}
    left = [each for each in complaints if each not in known]
    if left:
        raise UnsupportedModelError(
            f"{path}: nothing reads, or the libraries warn of: {'; '.join(left)}. The model may be "
            "another than its authors' in these versions of the libraries; pass ignore with words "
            "of what does not matter"
        )
    return tuple(f"ignored, as asked: {each}" for each in complaints)
