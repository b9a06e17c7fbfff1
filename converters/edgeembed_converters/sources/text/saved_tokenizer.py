"""The tokenizer of a transformers directory as the tokenizer.json of a bundle."""

import contextlib
import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from edgeembed_converters.model_files.loading_errors import loading_error
from edgeembed_converters.model_files.vocabulary_files import VOCABULARIES
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError

# Files of a tokenizer that are no vocabulary by themselves.
_NO_VOCABULARY = frozenset(("merges.txt", "tokenizer_config.json", "special_tokens_map.json"))


def load_tokenizer(directory: Path, trust_remote_code: bool) -> Any:
    """The fast tokenizer of a transformers directory.

    Raises:
        ConversionError: there is no vocabulary, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        with without_tiktoken_cache():
            return AutoTokenizer.from_pretrained(
                directory, use_fast=True, local_files_only=True, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # anything, the tokenizers library's own bare Exception included
        raise loading_error(directory, error) from error


@contextlib.contextmanager
def without_tiktoken_cache() -> Generator[None]:
    """Let tiktoken, where transformers has it read a vocabulary, keep no copy within the block.

    It would leave the copy in the folder for temporary files, and read that one by the path alone
    when another vocabulary has taken the place of the first.
    """
    name = "TIKTOKEN_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = ""
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def tokenizer_json(tokenizer: Any, directory: Path) -> bytes:
    """The tokenizer.json of a fast tokenizer, without padding and truncation.

    Raises:
        ConversionError: there are no files of a vocabulary.
        UnsupportedModelError: it is not from the tokenizers library, or splits special tokens.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise UnsupportedModelError(
            f"{directory}: expected a tokenizer that the tokenizers library runs, "
            f"got {type(tokenizer).__name__}"
        )
    # Without any file, transformers 5 makes up an empty tokenizer.
    names = {"tokenizer.json", *tokenizer.vocab_files_names.values()} - _NO_VOCABULARY
    if not any((directory / name).is_file() for name in names):
        raise ConversionError(
            f"{directory}: no tokenizer: expected {' or '.join(sorted(names))}, found none"
        )
    if getattr(tokenizer, "split_special_tokens", False):
        raise UnsupportedModelError(
            f"{directory}: split_special_tokens=true: expected special tokens in texts to be read "
            "as one token; the tokenizers library cannot keep another setting in its file"
        )
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy.to_str().encode()


def has_tokenizer(directory: Path) -> bool:
    """Whether a transformers directory has a text vocabulary."""
    return any((directory / name).is_file() for name in VOCABULARIES)


def within_table(saved: bytes, model: Any, place: str) -> tuple[bytes, tuple[str, ...]]:
    """A tokenizer.json without added tokens that the model's table has no row for, and a note.

    The original fails on texts that have such a token; without it, they are plain text.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    vocabulary = Tokenizer.from_buffer(saved).get_vocab()
    beyond = {token: number for token, number in vocabulary.items() if number >= rows}
    if not beyond:
        return saved, ()
    tree = json.loads(saved)
    added = {each["content"] for each in tree["added_tokens"] if each["id"] >= rows}
    if unknown := sorted(set(beyond) - added):
        raise ConversionError(
            f"{place}: the tokenizer has {len(unknown)} tokens, {unknown[0]!r} with the id "
            f"{beyond[unknown[0]]} among them, that the model's table of {rows} rows lacks: do "
            "tokenizer and model belong together?"
        )
    tree["added_tokens"] = [each for each in tree["added_tokens"] if each["id"] < rows]
    note = (
        f"the added tokens {', '.join(sorted(added))} are read as plain text: the model's table "
        "has no row for them"
    )
    return json.dumps(tree, ensure_ascii=False).encode(), (note,)


def without_special_tokens(saved: bytes) -> bytes:
    """A tokenizer.json that adds none."""
    tree = json.loads(saved)
    tree["post_processor"] = None
    return json.dumps(tree, ensure_ascii=False).encode()
