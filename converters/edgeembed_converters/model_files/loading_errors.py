"""What libraries raise while they load a model, as one line of our own errors."""

import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import (
    ConversionError,
    EdgeEmbedError,
    MissingExtraError,
    UnsupportedModelError,
)

# How libraries say that a package is missing; the group is what to install.
_NEEDS = (
    re.compile(r"packages that were not found in your environment: ([\w.,\- ]+?)(?:\. Run|$)"),
    re.compile(r"pip install (?:-U |--upgrade |-q )?[`'\"]?([A-Za-z][\w.\-\[\]]*)"),
    re.compile(r"requires the (\w+) library but it was not found", re.IGNORECASE),
    re.compile(r"`(\w+)` is required to"),
    re.compile(r"need to have (sentencepiece)\b.*installed", re.DOTALL),
    re.compile(r"No module named '([\w.]+)'"),
)
# Modules whose package has another name.
_PACKAGES = {
    "google.protobuf": "protobuf",
    "google": "protobuf",
    "pil": "pillow",
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "yaml": "pyyaml",
    "flash_attn": "flash-attn",
    "llama_cpp": "llama-cpp-python",
}
_UNTRUSTED = ("trust_remote_code", "execute the configuration file", "contains custom code")
_UNKNOWN = ("does not recognize this architecture", "Unrecognized model in", "Unrecognized config")
_PICKLE = ("Weights only load failed", "WeightsUnpickler", "vulnerability issue in `torch.load`")
# Where in a library an error came up says what was being read.
_PLACES = (
    (re.compile(r"tokeniz|sentencepiece|tiktoken|processing_auto"), "the tokenizer"),
    (re.compile(r"configuration_"), "config.json"),
    (re.compile(r"modeling_utils|core_model_loading|safetensors|serialization"), "the weights"),
    (re.compile(r"modeling_|activations"), "the model that config.json describes"),
)


def loading_error(directory: Path, error: BaseException) -> EdgeEmbedError:
    """The error to raise in place of what a library raised while it loaded `directory`.

    Args:
        directory: of the model.
        error: from sentence-transformers, transformers, peft, safetensors, tokenizers, torch, or
            from code of the model's own.
    """
    if isinstance(error, EdgeEmbedError):
        return error
    text = str(error)
    if missing := _missing_packages(error):
        return MissingExtraError(
            f"{directory}: loading it needs {', '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed. "
            f"Run: pip install {' '.join(missing)}"
        )
    if refusal := _refusal(error):
        return UnsupportedModelError(f"{directory}: {refusal}")
    if isinstance(error, pickle.UnpicklingError) or any(words in text for words in _PICKLE):
        return ConversionError(
            f"{directory}: could not load the weights: a .bin file is damaged, or holds more than "
            "weights, which would run as code; get the model's .safetensors"
        )
    if isinstance(error, RecursionError):
        return ConversionError(f"{directory}: a file of the model is nested too deeply")
    if isinstance(error, MemoryError):
        return ConversionError(f"{directory}: the model does not fit in memory")
    if "ignore_mismatched_sizes" in text:
        return ConversionError(
            f"{directory}: could not load the weights: they have other shapes than config.json says"
        )
    what = _what(error)
    name = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
    return ConversionError(f"{directory}: could not load {what}: {name}{first_line(error)}")


def _refusal(error: BaseException) -> str | None:
    """Why these libraries cannot load this model, if that is what the error says."""
    text, line = str(error), first_line(error)
    if any(words in text for words in _UNTRUSTED):
        return (
            "the model brings code of its own; read it, and pass trust_remote_code=True to run it"
        )
    if any(words in text for words in _UNKNOWN):
        return f"expected a model that this transformers ({_transformers()}) knows: {line}"
    if isinstance(error, ImportError):
        return f"its code does not fit the packages here (transformers {_transformers()}): {line}"
    if isinstance(error, TypeError) and "unexpected keyword argument" in text:
        return f"a setting that the libraries here do not know: {line}"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__


def _missing_packages(error: BaseException) -> list[str]:
    for each in _chain(error):
        text = str(each)
        said = isinstance(each, ImportError) or "installed" in text or "not found in your" in text
        if not said:
            continue
        if isinstance(each, ModuleNotFoundError) and each.name:
            return [_package(each.name)]
        for pattern in _NEEDS:
            if found := pattern.search(text):
                return [_package(name.strip()) for name in found[1].split(",") if name.strip()]
    return []


def _package(module: str) -> str:
    lower = module.lower()
    known = _PACKAGES.get(lower) or _PACKAGES.get(lower.partition(".")[0])
    return known or lower.partition(".")[0].rstrip(".")


def _what(error: BaseException) -> str:
    """What was being read: the deepest frame that says so."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        name = Path(frame.filename).name
        for pattern, what in _PLACES:
            if pattern.search(name):
                return what
    return "the model"


def _transformers() -> str:
    import transformers

    return transformers.__version__
