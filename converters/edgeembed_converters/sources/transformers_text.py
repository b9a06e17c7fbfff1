"""Load a transformers backbone and its tokenizer, with transformers 4.57 or 5."""

import contextlib
import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as Normalizers
from torch import Tensor, nn

from edgeembed_runtime import storage
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError

# These count positions from pad_token_id + 1, which leaves that many fewer for tokens.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "mpnet", "camembert", "xlm-roberta-xl"})
# tokenizer.json is complete; without it, one of these is needed, with its settings.
_VOCABULARIES = (
    "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model"
)  # fmt: skip
_SETTINGS = ("merges.txt", "tokenizer_config.json")
# transformers reports at least this as the limit of a tokenizer that has none.
_NO_LIMIT = 1_000_000


class TokenVectors(nn.Module):
    """A transformers model as a function from ids and mask to its last hidden state."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap `model`."""
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask to (n, t, h) float32 token vectors."""
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return output.last_hidden_state


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A loaded transformers text encoder with its tokenizer."""

    module: TokenVectors
    model_type: str
    hidden_size: int
    tokenizer_json: bytes
    tokenizer_sha256: str
    max_tokens: int


def load_backbone(
    directory: Path, *, max_tokens: int | None, lower_case: bool, trust_remote_code: bool
) -> Backbone:
    """Load the model and tokenizer of a transformers directory, in float32, on the CPU.

    Reads local files only. `max_tokens` defaults to the smaller of the tokenizer's limit and the
    model's number of positions.

    Raises:
        UnsupportedModelError: not a text encoder that transformers knows.
        ConversionError: weights are missing or damaged, or there is no tokenizer.
    """
    config = load_config(directory, trust_remote_code)
    if getattr(config, "is_encoder_decoder", False) or not hasattr(config, "vocab_size"):
        raise UnsupportedModelError(
            f"{directory}: expected a text encoder, got model type {config.model_type!r}"
        )
    model = load_model(directory, trust_remote_code).model
    tokenizer = load_tokenizer(directory, trust_remote_code)
    limit = min(_positions(config), int(tokenizer.model_max_length))
    if max_tokens is None and limit >= _NO_LIMIT:
        raise ConversionError(
            f"{directory}: neither the model nor its tokenizer limits the length; pass max_tokens"
        )
    return Backbone(
        module=TokenVectors(model).eval(),
        model_type=str(config.model_type),
        hidden_size=int(config.hidden_size),
        tokenizer_json=tokenizer_json(tokenizer, lower_case, directory),
        tokenizer_sha256=tokenizer_sha256(directory, lower_case),
        max_tokens=min(max_tokens or limit, _positions(config)),
    )


def load_config(directory: Path, trust_remote_code: bool) -> Any:
    """The configuration of a transformers directory.

    Raises:
        UnsupportedModelError: this version of transformers does not know the model.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            directory, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UnsupportedModelError(
            f"{directory}: expected a model that this transformers knows: {first_line(error)}"
        ) from error


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A transformers model in float32, and whether its files include the pooler's weights."""

    model: nn.Module
    has_pooler: bool


def load_model(directory: Path, trust_remote_code: bool) -> LoadedModel:
    """Load the weights of a transformers directory, from local files only.

    Raises:
        ConversionError: weights are missing or damaged.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel

    try:
        with _no_progress_bar():
            model, info = AutoModel.from_pretrained(
                directory,
                attn_implementation="eager",  # exports to the fewest operators
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
            )
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError) as error:
        raise ConversionError(
            f"{directory}: could not load the weights: {first_line(error)}"
        ) from error
    absent = sorted(map(str, info["missing_keys"]))
    missing = [key for key in absent if "pooler" not in key]
    if missing:
        raise ConversionError(
            f"{directory}: {len(missing)} weights are missing from its files, the first is "
            f"{missing[0]}; a model with random layers is not converted"
        )
    return LoadedModel(model=model.eval(), has_pooler=len(missing) == len(absent))


@contextlib.contextmanager
def _no_progress_bar() -> Generator[None]:
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def load_tokenizer(directory: Path, trust_remote_code: bool) -> Any:
    """The fast tokenizer of a transformers directory.

    Raises:
        ConversionError: there is no vocabulary, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    # Without any file, transformers 5 makes up an empty tokenizer.
    if not _tokenizer_files(directory):
        raise ConversionError(
            f"{directory}: expected tokenizer.json or {', '.join(_VOCABULARIES)}, found none"
        )
    try:
        return AutoTokenizer.from_pretrained(
            directory, use_fast=True, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # anything, the tokenizers library's own bare Exception included
        raise ConversionError(
            f"{directory}: could not load the tokenizer: {first_line(error)}"
        ) from error


def tokenizer_json(tokenizer: Any, lower_case: bool, directory: Path) -> bytes:
    """The tokenizer.json of a fast tokenizer, without padding and truncation.

    Raises:
        UnsupportedModelError: it is not from the tokenizers library.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise UnsupportedModelError(
            f"{directory}: expected a tokenizer that the tokenizers library runs, "
            f"got {type(tokenizer).__name__}"
        )
    copy = Tokenizer.from_str(backend.to_str())
    if lower_case:
        present = [] if copy.normalizer is None else [copy.normalizer]
        copy.normalizer = Normalizers([Lowercase(), *present])
    copy.no_padding()
    copy.no_truncation()
    return copy.to_str().encode()


def has_tokenizer(directory: Path) -> bool:
    """Whether a transformers directory has a text vocabulary."""
    return bool(_tokenizer_files(directory))


def _tokenizer_files(directory: Path) -> list[Path]:
    """The files that define the tokenizer; none if there is no vocabulary."""
    whole = directory / "tokenizer.json"
    if whole.is_file():
        return [whole]
    vocabularies = [p for name in _VOCABULARIES if (p := directory / name).is_file()]
    settings = [p for name in _SETTINGS if (p := directory / name).is_file()]
    return vocabularies + settings if vocabularies else []


def tokenizer_sha256(directory: Path, lower_case: bool) -> str:
    """A hash of the tokenizer's own files, as transformers' JSON varies between versions."""
    digest = hashlib.sha256(f"lower_case={lower_case}\n".encode())
    for path in _tokenizer_files(directory):
        digest.update(f"{path.name} {storage.sha256_file(path)}\n".encode())
    return digest.hexdigest()


def _positions(config: Any) -> int:
    positions = int(getattr(config, "max_position_embeddings", -1) or -1)
    if positions < 1:
        return _NO_LIMIT
    if config.model_type in _OFFSET_POSITIONS:
        positions -= int(config.pad_token_id or 0) + 1
    return positions
