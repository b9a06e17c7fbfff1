"""A vocabulary that stands in two files, which must agree: transformers reads only one of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.model_files.files import read_file, read_json
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError
from edgeembed_runtime.inputs.text.tokenizer_file import (
    DamagedFileError,
    TokenizerFileError,
    check_tokenizer_file,
)

# Vocabularies that are SentencePiece's or tiktoken's.
PIECES = (
    "spm.model", "sentencepiece.model", "sentencepiece.bpe.model", "spiece.model",
    "tokenizer.model",
)  # fmt: skip
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", *PIECES)
# A difference of a few tokens is one of versions; another model's vocabulary shares no ids.
_MOST_DIFFERENT = 0.5
# Gemma has 6,400. transformers takes a minute for 300,000.
_MOST_ADDED = 30_000
_ADDED = (
    ("added_tokens.json", None),
    ("tokenizer_config.json", "added_tokens_decoder"),
    ("tokenizer.json", "added_tokens"),
)


def check_vocabulary(folder: Path, *, trusted: bool) -> None:
    """Refuse a tokenizer.json of another model than the vocab.txt or vocab.json beside it.

    One that is not `trusted` must keep the bounds for those of strangers' bundles, too.

    Raises:
        ConversionError: most of their tokens have other ids, or countless tokens were added.
        UnsupportedModelError: a part of tokenizer.json has no bound in time or memory.
    """
    _check_added(folder)
    whole = folder / "tokenizer.json"
    if not trusted and whole.is_file():
        _check_bounds(whole)
    plain = next((p for n in ("vocab.txt", "vocab.json") if (p := folder / n).is_file()), None)
    if plain is None or not whole.is_file():
        return
    numbers = _vocabulary(whole)
    words = _words(plain)
    if not numbers or not words:
        return  # what is damaged, the tokenizers library explains
    wrong = sum(numbers.get(word) != number for word, number in words.items())
    if wrong > _MOST_DIFFERENT * len(words):
        raise ConversionError(
            f"{folder}: {wrong} of the {len(words)} tokens in {plain.name} have other ids in "
            "tokenizer.json: one of the two is another model's"
        )


def _check_bounds(path: Path) -> None:
    try:
        check_tokenizer_file(read_file(path))
    except DamagedFileError:
        return  # what is damaged, the tokenizers library explains
    except TokenizerFileError as error:
        raise UnsupportedModelError(
            f"{path}: {error}; pass trust_remote_code=True if you trust this model"
        ) from error


def _check_added(folder: Path) -> None:
    for name, key in _ADDED:
        try:
            tree = read_json(folder / name)
        except ConversionError:
            continue  # what is damaged, its readers explain
        tokens = tree if key is None else tree.get(key)
        if isinstance(tokens, dict | list) and len(cast(list[Any], tokens)) > _MOST_ADDED:
            raise ConversionError(
                f"{folder / name}: expected at most {_MOST_ADDED} added tokens, got "
                f"{len(cast(list[Any], tokens))}"
            )


def _vocabulary(path: Path) -> Mapping[str, Any]:
    try:
        model = read_json(path).get("model")
    except ConversionError:
        return {}
    found = cast(dict[str, Any], model).get("vocab") if isinstance(model, dict) else None
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def _words(path: Path) -> Mapping[str, Any]:
    try:
        if path.suffix == ".json":
            return read_json(path)
        lines = read_file(path).decode("utf-8").split("\n")
    except (ConversionError, ValueError):
        return {}
    return {line.rstrip("\r"): number for number, line in enumerate(lines) if line}
