"""Let sentence-transformers open a model directory: it alone says what the files mean."""

import contextlib
import logging
import warnings
from collections.abc import Generator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from edgeembed_converters.model_files.before_loading import ModuleEntry, module_entries
from edgeembed_converters.model_files.loading_errors import loading_error
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.text.saved_tokenizer import load_tokenizer, without_tiktoken_cache
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import (
    ConversionError,
    EdgeEmbedError,
    MissingExtraError,
    UnsupportedModelError,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_LIBRARIES = ("sentence_transformers", "transformers")
# Said of every model that needs nothing said.
_HARMLESS_WARNINGS = (
    "Default prompt name is set to",
    "Creating a new one with",
    "LOAD REPORT",  # the weights are checked by name, see `refuse_loading_info`
    "Some weights of",
    "You should probably TRAIN this model",
)


def open_model(
    directory: Path, options: SourceOptions
) -> tuple["SentenceTransformer", tuple[str, ...]]:
    """The model in a directory, in float32 on the CPU, and what the libraries warned of.

    Reads local files only.

    Raises:
        MissingExtraError: sentence-transformers, or a package that the model needs, is missing.
        ConversionError: it cannot be loaded; the message names the module that is to blame.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtraError.for_extra("converting a text model", "convert") from error
    try:
        with heard_warnings() as heard, without_tiktoken_cache():
            model = SentenceTransformer(
                str(directory),
                device="cpu",
                local_files_only=True,
                trust_remote_code=options.trust_remote_code,
                model_kwargs={"dtype": torch.float32},
            )
    except Exception as error:  # whatever four libraries and the model's own code raise
        raise _clear_error(directory, error, options) from error
    return model.float().eval(), tuple(dict.fromkeys(heard))


def library_versions() -> str:
    """The libraries that open models, with their versions, for people."""
    names = ("sentence-transformers", "transformers", "torch")
    return ", ".join(f"{name} {version(name)}" for name in names)


@contextlib.contextmanager
def heard_warnings() -> Generator[list[str]]:
    """Collect what the libraries warn of, in one line each, in place of printing it."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if not any(known in message for known in _HARMLESS_WARNINGS):
                heard.append(" ".join(message.split()))

    listener = Listener(logging.WARNING)
    with contextlib.ExitStack() as until_done:
        until_done.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        until_done.enter_context(_no_progress_bar())
        for name in _LIBRARIES:
            until_done.enter_context(_listening(logging.getLogger(name), listener))
        yield heard


@contextlib.contextmanager
def _listening(logger: logging.Logger, listener: logging.Handler) -> Generator[None]:
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [listener], False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@contextlib.contextmanager
def _no_progress_bar() -> Generator[None]:
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _clear_error(directory: Path, error: Exception, options: SourceOptions) -> EdgeEmbedError:
    if found := _module_error(directory):
        return found
    if "processing class" in str(error):  # in place of what the tokenizer's own loading says
        folder = next((entry.folder for entry in module_entries(directory)), directory)
        try:
            with heard_warnings():
                load_tokenizer(folder, options.trust_remote_code)
        except EdgeEmbedError as cause:
            return cause
    return loading_error(directory, error)


def _module_error(directory: Path) -> EdgeEmbedError | None:
    """Which module is unknown, or, after the first, cannot be loaded by itself, and why."""
    from sentence_transformers.util import import_from_string

    for number, entry in enumerate(module_entries(directory)):
        if not entry.type.startswith("sentence_transformers."):
            continue
        try:
            with heard_warnings():
                found: Any = import_from_string(entry.type)
        except ImportError:
            return UnsupportedModelError(
                f"{directory / 'modules.json'}: {entry.type} is not in the sentence-transformers "
                f"here ({version('sentence-transformers')}), but in another version; take a newer "
                "one"
            )
        if number == 0:
            continue
        try:
            with heard_warnings():
                _load_module(found, entry)
        except Exception as error:  # as above
            return ConversionError(
                f"{entry.folder}: could not load the weights or the settings of the module "
                f"{entry.kind}: {type(error).__name__}: {first_line(error)}"
            )
    return None


def _load_module(kind: Any, entry: ModuleEntry) -> object:
    arguments: Mapping[str, Any] = {"subfolder": entry.path, "local_files_only": True}
    return kind.load(str(entry.directory), **arguments)
