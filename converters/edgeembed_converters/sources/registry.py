"""Whatever `convert` is given, read into the form that the exporters take."""

import contextlib
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from edgeembed_converters.model_files.files import read_json
from edgeembed_converters.model_files.hub import download_model, is_hub_id
from edgeembed_converters.model_files.image_processors import has_processor
from edgeembed_converters.sources.base import AnySource
from edgeembed_converters.sources.live_image import load_image_module
from edgeembed_converters.sources.live_pair import ModulePair, load_pair
from edgeembed_converters.sources.live_text import (
    is_sentence_transformer,
    kept_modes,
    load_module,
    saved_sentence_transformer,
)
from edgeembed_converters.sources.open_clip import is_open_clip_model, load_open_clip
from edgeembed_converters.sources.options import SourceOptions
from edgeembed_converters.sources.sentence_transformers import load_directory
from edgeembed_converters.sources.timm import (
    is_timm_model,
    load_timm_directory,
    load_timm_module,
)
from edgeembed_converters.sources.transformers_dual import is_dual_config, load_dual_directory
from edgeembed_converters.sources.transformers_image import load_vision_directory
from edgeembed_converters.sources.transformers_text import has_tokenizer
from edgeembed_runtime.errors import ConversionError, InputError

ModelSource = str | Path | nn.Module | ModulePair


@contextlib.contextmanager
def opened_source(
    source: ModelSource, revision: str | None, options: SourceOptions
) -> Generator[AnySource]:
    """Load a source; live modules get their training modes back at the end.

    Raises:
        UnsupportedModelError, ConversionError, InputError: see `convert`.
    """
    with contextlib.ExitStack() as until_done:
        if isinstance(source, ModulePair):
            until_done.enter_context(kept_modes(source.text))
            until_done.enter_context(kept_modes(source.image))
            yield load_pair(source, options)
        elif isinstance(source, nn.Module):
            until_done.enter_context(kept_modes(source))
            if is_sentence_transformer(source):
                folder = until_done.enter_context(tempfile.TemporaryDirectory())
                path = saved_sentence_transformer(source, Path(folder))
                yield load_directory(path, options, source_id=None, revision=None)
            else:
                yield _live(source, options)
        else:
            yield _from_path(source, revision, options)


def _live(module: nn.Module, options: SourceOptions) -> AnySource:
    if is_open_clip_model(module):
        return load_open_clip(module, options)
    if is_timm_model(module):
        return load_timm_module(module, options)
    if options.preprocess is not None:
        return load_image_module(module, options)
    return load_module(module, options)


def _from_path(source: str | Path, revision: str | None, options: SourceOptions) -> AnySource:
    path = Path(source)
    if path.is_dir():
        return _from_directory(path, options, None, revision)
    if isinstance(source, str) and is_hub_id(source) and not path.exists():
        directory, commit = download_model(source, revision)
        return _from_directory(directory, options, source, commit)
    found = "a file" if path.exists() else "nothing"
    raise InputError(f"source {source}: expected a model directory or a Hub id, found {found}")


def _from_directory(
    directory: Path, options: SourceOptions, source_id: str | None, revision: str | None
) -> AnySource:
    if not (directory / "modules.json").is_file():
        config = _config(directory)
        if is_dual_config(config):
            return load_dual_directory(directory, options, source_id=source_id, revision=revision)
        if "architecture" in config:
            return load_timm_directory(directory, options, source_id=source_id, revision=revision)
        if options.preprocess is not None or _takes_images(directory, config):
            return load_vision_directory(directory, options, source_id=source_id, revision=revision)
    return load_directory(directory, options, source_id=source_id, revision=revision)


def _takes_images(directory: Path, config: Mapping[str, Any]) -> bool:
    # BEiT has a vocabulary of visual tokens, but no tokenizer.
    without_texts = "vocab_size" not in config or not has_tokenizer(directory)
    return without_texts and has_processor(directory)


def _config(directory: Path) -> dict[str, Any]:
    """What config.json says; nothing where it is damaged, which transformers then explains."""
    try:
        return read_json(directory / "config.json")
    except ConversionError:
        return {}
