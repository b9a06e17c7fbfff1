"""A directory of model2vec's own, which sentence-transformers cannot open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from edgeembed_converters.model_files.files import ModelDirectory, card_files, read_json
from edgeembed_converters.model_files.loading_errors import loading_error
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.base.witness import TextVectors, Witness
from edgeembed_converters.sources.text.static_embedding import ENDLESS, ENDLESS_NOTE, table_backbone
from edgeembed_runtime.errors import ConversionError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# model2vec's own, for a directory that names none.
_DEFAULT_LENGTH = 512
_ABSENT = (
    "model2vec, whose encode is the original, is not installed: nothing was compared with it "
    "(pip install model2vec)"
)
_PROMPTS = {"encode_query": "query", "encode_document": "document"}


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """How texts are encoded: the limit of tokens, the scaling, and the prompts by name."""

    max_length: int
    normalize: bool
    prompts: Mapping[str, str]

    def cut(self, tokenizer: Tokenizer) -> str:
        """How long texts are read, and what differs from the original."""
        if self.max_length == ENDLESS:
            return ENDLESS_NOTE
        characters = self.max_length * int(median(map(len, tokenizer.get_vocab())))
        return (
            f"texts are cut to {self.max_length} tokens; model2vec cuts them to {characters} "
            "characters before that, which leaves fewer tokens of a text with long words"
        )


def load_model2vec(directory: ModelDirectory, options: SourceOptions) -> TextSource:
    """Read a table as model2vec does: it leaves out unknown tokens, and cuts texts.

    Raises:
        ConversionError: a file is damaged, or rows and tokens do not fit together.
    """
    path = directory.path
    tokenizer, table = _read(path)
    settings = _settings(path, options)
    unknown = TextTokenizer.from_bytes(
        tokenizer.to_str().encode(), settings.max_length + 1, path.name
    ).unknown_id
    witness = _witness(path, settings)
    backbone = table_backbone(
        table,
        tokenizer,
        settings.max_length,
        uncounted=() if unknown is None else (unknown,),
        notes=(*(() if witness else (_ABSENT,)), settings.cut(tokenizer)),
    )
    return TextSource(
        name=options.name or directory.name,
        source=directory.source(),
        backbone=backbone.module,
        model_type=backbone.model_type,
        tokenizer_json=backbone.tokenizer_json,
        max_tokens=backbone.max_tokens,
        pooling=(),
        head=nn.Sequential(*([Normalize()] if settings.normalize else [])),
        normalized=settings.normalize,
        witness=witness,
        prompts={name: text for name, text in settings.prompts.items() if text},
        notes=backbone.notes,
        card_files=card_files(path),
    )


def _read(path: Path) -> tuple[Tokenizer, Tensor]:
    """The tokenizer, and a row for each of its ids: (ids, d) float32."""
    try:
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        saved = load_file(path / "model.safetensors")
        rows = saved["embeddings"].float()
        if "mapping" in saved:
            rows = rows[saved["mapping"].long()]
        if "weights" in saved:
            rows = rows * saved["weights"].float()[:, None]
    except Exception as error:  # the tokenizers library's own bare Exception included
        raise loading_error(path, error) from error
    if rows.ndim != 2 or len(rows) < tokenizer.get_vocab_size():
        raise ConversionError(
            f"{path}: expected a row for each of the {tokenizer.get_vocab_size()} tokens, got a "
            f"table of {' x '.join(map(str, rows.shape))}"
        )
    return tokenizer, rows


def _settings(path: Path, options: SourceOptions) -> _Settings:
    config = read_json(path / "config.json")
    limit = config.get("max_length", _DEFAULT_LENGTH)
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ConversionError(
            f"{path / 'config.json'}: max_length: expected a positive number or null, got "
            f"{limit!r:.80}"
        )
    longest = limit or ENDLESS
    scaled = options.normalize
    return _Settings(
        max_length=min(options.max_tokens or longest, longest),
        normalize=bool(config.get("normalize", False)) if scaled is None else scaled,
        prompts=dict(options.prompts or {}),
    )


def _witness(path: Path, settings: _Settings) -> Witness | None:
    """model2vec itself, if it is installed."""
    if find_spec("model2vec") is None:
        return None
    original = _Original(path=path, settings=settings)
    return Witness(
        made_by=f"model2vec {version('model2vec')}",
        encode=original.encode,
        prompted={
            "encode": original.encode,
            **{
                method: original.after(settings.prompts[name])
                for method, name in _PROMPTS.items()
                if name in settings.prompts
            },
        },
    )


@dataclass(frozen=True, kw_only=True)
class _Original:
    """model2vec's own model, loaded when it is first asked."""

    path: Path
    settings: _Settings

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """The vectors of texts, (n, d)."""
        given = self.settings
        found = self._model.encode(texts, max_length=given.max_length, normalize=given.normalize)
        return np.asarray(found, np.float32)

    def after(self, prompt: str) -> TextVectors:
        """The vectors of texts after a prompt."""

        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            return self.encode([prompt + text for text in texts])

        return encode

    @cached_property
    def _model(self) -> Any:
        from model2vec import StaticModel

        model: Any = StaticModel.from_pretrained(self.path)
        model.median_token_length = 1 << 20  # no cut by characters, which a bundle has not
        return model
