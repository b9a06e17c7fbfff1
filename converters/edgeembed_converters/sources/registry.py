"""The kinds of sources that `convert` takes: an ordered list, and more by registration."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from torch import nn

from edgeembed_converters.model_files.files import ModelDirectory, leads_outside, read_json
from edgeembed_converters.model_files.hub import download_model, is_hub_id
from edgeembed_converters.model_files.image_processors import has_processor
from edgeembed_converters.model_files.loading_errors import loading_error
from edgeembed_converters.sources.base.encoders import AnySource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.live_image import load_image_module
from edgeembed_converters.sources.live_pair import ModulePair, load_pair
from edgeembed_converters.sources.open_clip import is_open_clip_model, load_open_clip
from edgeembed_converters.sources.text.live_text import (
    is_sentence_transformer,
    kept_modes,
    load_module,
    require_saved_whole,
    saved_sentence_transformer,
)
from edgeembed_converters.sources.text.saved_tokenizer import has_tokenizer
from edgeembed_converters.sources.text.sentence_transformers import load_text_directory
from edgeembed_converters.sources.timm import (
    is_timm_model,
    load_timm_directory,
    load_timm_module,
)
from edgeembed_converters.sources.transformers_clip import is_dual_config, load_dual_directory
from edgeembed_converters.sources.transformers_image import load_vision_directory
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, EdgeEmbedError, InputError

ModelSource = str | Path | nn.Module | ModulePair


class SourceKind(Protocol):
    """A kind of trained model that `convert` can read; see `register_source_kind`.

    A source is what the user passed, but a directory comes as a `ModelDirectory`.
    """

    @property
    def name(self) -> str:
        """What to call it in messages, as in "timm model"."""
        ...

    def matches(self, source: object, options: SourceOptions, /) -> bool:
        """Whether it can read this source. Must be cheap, and must not raise."""
        ...

    def load(self, source: Any, options: SourceOptions, scratch: Path, /) -> AnySource:
        """Read a source that matches.

        `scratch` is an empty folder that lives as long as what is returned. Raises
        UnsupportedModelError, ConversionError or InputError.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class _BuiltIn:
    """A kind that is read by a function."""

    name: str
    accepts: Callable[[Any, SourceOptions], bool]
    loader: Callable[[Any, SourceOptions], AnySource]

    def matches(self, source: object, options: SourceOptions, /) -> bool:
        return self.accepts(source, options)

    def load(self, source: Any, options: SourceOptions, scratch: Path, /) -> AnySource:
        del scratch
        try:
            return self.loader(source, options)
        except BaseException as error:
            # A panic of a library in Rust is not an Exception; nor are interrupts.
            known = isinstance(error, Exception) or type(error).__name__ == "PanicException"
            if not isinstance(source, ModelDirectory) or not known:
                raise
            raise loading_error(source.path, error) from error


class _LiveSentenceTransformer:
    """A live SentenceTransformer: saved, and read from there."""

    name = "SentenceTransformer"

    def matches(self, source: object, options: SourceOptions, /) -> bool:
        del options
        return is_sentence_transformer(source)

    def load(self, source: nn.Module, options: SourceOptions, scratch: Path, /) -> AnySource:
        saved = saved_sentence_transformer(source, scratch)
        loaded = load_text_directory(ModelDirectory(path=saved), options)
        if (options.pooling, options.normalize, options.max_tokens) == (None, None, None):
            require_saved_whole(source, loaded)
        return loaded


class _HubModel:
    """An id on the Hugging Face Hub: downloaded, and read as a directory."""

    name = "Hub id"

    def matches(self, source: object, options: SourceOptions, /) -> bool:
        del options
        return isinstance(source, str) and is_hub_id(source) and not Path(source).exists()

    def load(self, source: str, options: SourceOptions, scratch: Path, /) -> AnySource:
        path, commit = download_model(
            source, options.revision, trust_remote_code=options.trust_remote_code
        )
        return _load(ModelDirectory(path=path, hub_id=source, revision=commit), options, scratch)


def _is_module(source: object, options: SourceOptions) -> bool:
    del options
    return isinstance(source, nn.Module)


def _is_image_module(source: object, options: SourceOptions) -> bool:
    return isinstance(source, nn.Module) and options.preprocess is not None


def _is_directory(source: object, options: SourceOptions) -> bool:
    del options
    return isinstance(source, ModelDirectory)


def _is_dual_directory(source: object, options: SourceOptions) -> bool:
    del options
    return isinstance(source, ModelDirectory) and is_dual_config(_config(source))


def _is_timm_directory(source: object, options: SourceOptions) -> bool:
    del options
    return isinstance(source, ModelDirectory) and "architecture" in _config(source)


def _is_vision_directory(source: object, options: SourceOptions) -> bool:
    if not isinstance(source, ModelDirectory) or _has_modules(source):
        return False
    # BEiT has a vocabulary of visual tokens, but no tokenizer.
    without_texts = "vocab_size" not in _config(source) or not has_tokenizer(source.path)
    return options.preprocess is not None or (without_texts and has_processor(source.path))


def _has_modules(directory: ModelDirectory) -> bool:
    return (directory.path / "modules.json").is_file()


def _config(directory: ModelDirectory) -> Mapping[str, Any]:
    """config.json; empty for sentence-transformers, and if damaged, which transformers explains."""
    path = directory.path / "config.json"
    if _has_modules(directory) or leads_outside(directory.path, path):
        return {}
    try:
        return read_json(path)
    except ConversionError:
        return {}


# The first that matches reads the source: the specific ones come before the general ones.
_BUILT_IN: tuple[SourceKind, ...] = (
    _BuiltIn(
        name="module pair",
        accepts=lambda source, _: isinstance(source, ModulePair),
        loader=load_pair,
    ),
    _LiveSentenceTransformer(),
    _BuiltIn(
        name="open_clip model",
        accepts=lambda source, _: is_open_clip_model(source),
        loader=load_open_clip,
    ),
    _BuiltIn(
        name="timm model",
        accepts=lambda source, _: is_timm_model(source),
        loader=load_timm_module,
    ),
    _BuiltIn(name="image module", accepts=_is_image_module, loader=load_image_module),
    _BuiltIn(name="text module", accepts=_is_module, loader=load_module),
    _BuiltIn(name="text-image directory", accepts=_is_dual_directory, loader=load_dual_directory),
    _BuiltIn(name="timm directory", accepts=_is_timm_directory, loader=load_timm_directory),
    _BuiltIn(name="image directory", accepts=_is_vision_directory, loader=load_vision_directory),
    _BuiltIn(name="text directory", accepts=_is_directory, loader=load_text_directory),
    _HubModel(),
)
_registered: list[SourceKind] = []


def register_source_kind(kind: SourceKind) -> None:
    """Let `convert` read a kind of source of your own; it is asked before the built-in kinds.

    Raises:
        InputError: the kind lacks a part of the protocol, or its name is not a text or taken.
    """
    name = cast(object, getattr(kind, "name", None))
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"source kind: expected a name, got {name!r}")
    if name in (known.name for known in (*_registered, *_BUILT_IN)):
        raise InputError(
            f"source kind {name!r}: expected a name that is not taken yet; choose another"
        )
    for method in ("matches", "load"):
        if not callable(getattr(kind, method, None)):
            raise InputError(f"source kind {name!r}: expected a method {method}(), found none")
    _registered.append(kind)


@contextlib.contextmanager
def opened_source(source: ModelSource, options: SourceOptions) -> Generator[AnySource]:
    """Load a source; live modules get their training modes back at the end.

    Raises:
        UnsupportedModelError, ConversionError, InputError: see `convert`.
    """
    with contextlib.ExitStack() as until_done:
        for module in _live_modules(source):
            until_done.enter_context(kept_modes(module))
        scratch = Path(until_done.enter_context(tempfile.TemporaryDirectory()))
        given: object = source
        if isinstance(source, str | Path) and Path(source).is_dir():
            given = ModelDirectory(path=Path(source), revision=options.revision)
            if not os.access(source, os.R_OK | os.X_OK):
                raise ConversionError(f"{source}: the directory's permissions forbid reading it")
        yield _load(given, options, scratch)


def _live_modules(source: object) -> tuple[nn.Module, ...]:
    if isinstance(source, ModulePair):
        return source.text, source.image
    return (source,) if isinstance(source, nn.Module) else ()


def _load(source: object, options: SourceOptions, scratch: Path) -> AnySource:
    kinds = (*_registered, *_BUILT_IN)
    for kind in kinds:
        if _ask(kind, "matches", (bool,), source, options):
            return _ask(kind, "load", get_args(AnySource), source, options, scratch)
    shown, found = "source", type(source).__name__
    if isinstance(source, str | Path):
        shown, found = f"source {source}", "a file" if Path(source).exists() else "nothing"
    raise InputError(
        f"{shown}: expected a model directory or a Hub id, found {found}; known kinds of sources: "
        f"{', '.join(kind.name for kind in kinds)}"
    )


def _ask(kind: SourceKind, method: str, expected: tuple[type, ...], *arguments: object) -> Any:
    """Call a method of a kind; if the kind is broken, the error names it.

    Raises:
        ConversionError: it raised an unexpected error, or returned none of the expected types.
    """
    try:
        found = getattr(kind, method)(*arguments)
    except EdgeEmbedError:
        raise
    except Exception as error:
        raise ConversionError(
            f"source kind {kind.name!r}: {method}() failed: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error
    if not isinstance(found, expected):
        names = " or ".join(each.__name__ for each in expected)
        raise ConversionError(
            f"source kind {kind.name!r}: expected {names} from {method}(), "
            f"got {type(found).__name__}"
        )
    return found
