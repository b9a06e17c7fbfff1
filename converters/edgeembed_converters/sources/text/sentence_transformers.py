"""A text model directory, as sentence-transformers opens it: saved by itself or by transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from edgeembed_converters.model_files.before_loading import (
    ModuleEntry,
    check_before_loading,
    module_entries,
)
from edgeembed_converters.model_files.files import ModelDirectory, card_files, read_json
from edgeembed_converters.model_files.unread_settings import unread_settings
from edgeembed_converters.modules.head import (
    HEAD_KINDS,
    Normalize,
    Truncate,
    effective_head,
    head_module,
    unsupported_modules,
)
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.text.model2vec import load_model2vec
from edgeembed_converters.sources.text.model_witness import library_witness
from edgeembed_converters.sources.text.opened_model import open_model
from edgeembed_converters.sources.text.overrides import apply_options, poolings
from edgeembed_converters.sources.text.static_embedding import is_model2vec_alone, load_table
from edgeembed_converters.sources.text.transformers_text import load_backbone, load_config
from edgeembed_runtime.errors import UnsupportedModelError
from edgeembed_runtime.vectors import SIMILARITIES, Similarity

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_TABLE = "StaticEmbedding"
_FIRST = ("Transformer", "Pooling")


def load_text_directory(directory: ModelDirectory, options: SourceOptions) -> TextSource:
    """Read a sentence-transformers directory (modules.json) or a transformers one (config.json).

    What the user asks for is set on sentence-transformers' own model, which then is the witness.

    Raises:
        UnsupportedModelError: it is neither, or has a part that cannot be converted, or settings
            that nothing reads.
        ConversionError: files are missing or damaged.
        MissingExtraError: a package that the model needs is missing.
    """
    path = directory.path
    entries = _checked_entries(path, options)
    if is_model2vec_alone(path):
        return load_model2vec(directory, options)
    model, warned = open_model(path, options)
    folders = [entry.path for entry in entries] or ["."]
    # Modules that sentence-transformers or the user adds have no folder.
    places = [str(path / folder) for folder in folders] + [str(path)] * len(model)
    own = _own_code(model, places)
    ignored = _without_complaints(path, (*_unread(path, model, entries), *warned), options.ignore)
    asked = apply_options(options, model, plain=not entries)
    first: Any = model[0]
    is_table = not isinstance(first, _library_classes(_FIRST[0]))
    load = load_table if is_table else load_backbone
    backbone = load(first, path / folders[0], options)
    head = _head(model, 1 if is_table else len(_FIRST), places)
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
        pooling=() if is_table else _pooling(model[1], places[1]),
        head=head,
        normalized=len(head) > 0 and isinstance(head[-1], Normalize),
        witness=library_witness(model, backbone.max_tokens),
        original=model,
        similarity=_similarity(model, path),
        prompts=prompts,
        default_prompt_name=default_prompt if default_prompt in prompts else None,
        directory=None if is_table else path / folders[0],
        notes=(*own, *ignored, *asked, *backbone.notes),
        card_files=card_files(path),
    )


def _checked_entries(path: Path, options: SourceOptions) -> tuple[ModuleEntry, ...]:
    """The entries of modules.json, after all that the files tell before they are loaded."""
    if not any(
        (path / name).is_file() for name in ("modules.json", "config.json", "adapter_config.json")
    ):
        raise UnsupportedModelError(
            f"{path}: expected modules.json (sentence-transformers) or config.json "
            "(transformers), found neither; pass the directory of a trained model"
        )
    check_before_loading(
        path,
        trust_remote_code=options.trust_remote_code,
        pooling_given=options.pooling is not None,
    )
    entries = module_entries(path)
    library = "sentence_transformers."
    kinds = [each.kind if each.type.startswith(library) else each.type for each in entries]
    known = {*HEAD_KINDS, *_FIRST, _TABLE, *(kind for kind in kinds if "." in kind)}
    if (len(kinds) == 1 and kinds != [_TABLE]) or not known.issuperset(kinds):
        raise unsupported_modules(str(path), kinds)
    folder = entries[0].folder if entries else path
    model_type = read_json(folder / "config.json").get("model_type")
    if _TABLE not in kinds and model_type is not None and not is_model2vec_alone(path):
        load_config(folder, options.trust_remote_code)
    return entries


def _library_classes(*names: str) -> tuple[type, ...]:
    from sentence_transformers.sentence_transformer import modules as library

    return tuple(getattr(library, name) for name in names)


def _own_code(model: "SentenceTransformer", places: Sequence[str]) -> tuple[str, ...]:
    """Notes on modules of the model's own code, which are taken for what they derive from.

    Raises:
        UnsupportedModelError: the first modules are others than can be converted.
    """
    kinds = [f"{type(module).__module__}.{type(module).__name__}" for module in model]
    transformer, pooling, table = _library_classes(*_FIRST, _TABLE)
    is_pooled = len(model) > 1 and isinstance(model[1], pooling)
    if not isinstance(model[0], table) and not (isinstance(model[0], transformer) and is_pooled):
        raise unsupported_modules(places[0], kinds)
    return tuple(
        f"{kind}, code of the model's own, was taken for the module of sentence-transformers that "
        "it derives from: the vectors agree on the probe texts"
        for kind in kinds
        if not kind.startswith("sentence_transformers.")
    )


def _unread(
    path: Path, model: "SentenceTransformer", entries: Sequence[ModuleEntry]
) -> tuple[str, ...]:
    first: Any = model[0]
    transformer = getattr(first, "auto_model", None)
    return unread_settings(
        path,
        config=getattr(transformer, "config", None),
        model_class=type(transformer),
        # A table opens tokenizer.json, and no other file of a tokenizer.
        tokenizer=first.tokenizer if transformer is not None else None,
        modules=[*model] if entries else [],
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


def _pooling(module: Any, place: str) -> tuple[Pooling, ...]:
    if not module.include_prompt:
        raise UnsupportedModelError(
            f"{place}: include_prompt=false: pooling without the prompt cannot be converted"
        )
    return poolings(module)


def _head(model: "SentenceTransformer", start: int, places: Sequence[str]) -> nn.Sequential:
    found = [head_module(model[n], places[n]) for n in range(start, len(model))]
    head = [module for module in found if module is not None]
    if model.truncate_dim is not None:
        head.append(Truncate(int(model.truncate_dim)))
    last: Any = model[start - 1]
    is_pooling = isinstance(last, _library_classes("Pooling"))
    width = last.pooling_output_dimension if is_pooling else last.embedding.weight.shape[1]
    return effective_head(head, int(width))


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
