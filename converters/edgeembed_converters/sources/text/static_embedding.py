"""sentence-transformers' module `StaticEmbedding`: a text is the mean of its tokens' rows."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from edgeembed_converters.model_files.files import read_json
from edgeembed_converters.model_files.weight_files import weights_of
from edgeembed_converters.modules.mean_of_rows import MeanOfRows
from edgeembed_converters.sources.base.encoders import Backbone
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_runtime.errors import UnsupportedModelError

# Such models have no limit of their own.
ENDLESS = 1 << 15
ENDLESS_NOTE = f"texts are read up to {ENDLESS} tokens; the original has no limit"
# Stands for a text that has no tokens.
_EMPTY = "[EMPTY]"
_OTHER_COUNT = (
    "unknown tokens count, as in sentence-transformers, which modules.json names; model2vec's own "
    "encode leaves them out"
)


def load_table(embedding: Any, directory: Path, options: SourceOptions) -> Backbone:
    """Take the table and the tokenizer of a module `StaticEmbedding`, cut as asked for.

    Args:
        embedding: the module; if asked for, its tokenizer is made to cut texts, too.
        directory: of its files.
        options: `max_tokens` is the limit.

    Raises:
        UnsupportedModelError: this sentence-transformers does not read all of its weights.
    """
    cut: Any = embedding.tokenizer.truncation
    limit = ENDLESS if cut is None else int(cut["max_length"])
    if options.max_tokens is not None and options.max_tokens < limit:
        limit = options.max_tokens
        embedding.tokenizer.enable_truncation(limit)
    notes = () if cut or options.max_tokens else (ENDLESS_NOTE,)
    saved = weights_of(directory)
    if saved is not None and "embeddings" in saved.names:
        _check_folded(embedding, saved.names, directory)
        notes = (*notes, _OTHER_COUNT)
    table = embedding.embedding.weight.detach().float()
    return table_backbone(table, embedding.tokenizer, limit, notes=notes)


def table_backbone(
    table: Tensor,
    tokenizer: Tokenizer,
    max_tokens: int,
    *,
    uncounted: Collection[int] = (),
    notes: tuple[str, ...],
) -> Backbone:
    """A table with its tokenizer, which adds no special tokens.

    Every text gets one token more, which does not count: without any, it could not be run.

    Args:
        table: (ids, d) float32.
        tokenizer: of the table's ids; it may cut, pad and add special tokens, which is left out.
        max_tokens: how many tokens of a text count.
        uncounted: ids that do not count.
        notes: what the user should know.
    """
    empty = len(table)
    table = torch.cat([table, torch.zeros(1, table.shape[1])])
    table[list(uncounted)] = 0
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_padding()
    plain.no_truncation()
    tree = json.loads(plain.to_str())
    tree["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [_piece("Sequence", "A"), _piece("SpecialToken", _EMPTY)],
        "pair": [_piece("Sequence", name) for name in "AB"],
        "special_tokens": {_EMPTY: {"id": _EMPTY, "ids": [empty], "tokens": [_EMPTY]}},
    }
    return Backbone(
        module=MeanOfRows(table, {*uncounted, empty}).eval(),
        model_type="static",
        tokenizer_json=json.dumps(tree, ensure_ascii=False).encode(),
        max_tokens=max_tokens + 1,
        notes=notes,
    )


def _piece(kind: str, name: str) -> dict[str, Any]:
    return {kind: {"id": name, "type_id": 0}}


def _check_folded(embedding: Any, names: Collection[str], directory: Path) -> None:
    """Refuse what versions before 6 do not read: rows for several tokens, and their weights."""
    ignored = sorted({"mapping", "weights"} & set(names))
    if ignored and not hasattr(embedding, "_fold_model2vec_weights"):
        raise UnsupportedModelError(
            f"{directory}: this version of sentence-transformers does not read "
            f"{' and '.join(ignored)} of a model2vec model. "
            "Run: pip install -U sentence-transformers"
        )


def is_model2vec_alone(directory: Path) -> bool:
    """Whether a directory is model2vec's, and sentence-transformers cannot open it.

    It has no modules.json, as older versions saved it, or its rows are integers.
    """
    if (directory / "config_sentence_transformers.json").is_file():
        return False
    if not (directory / "tokenizer.json").is_file():
        return False
    config = read_json(directory / "config.json")
    saved = weights_of(directory) if config else None
    if saved is None or "embeddings" not in saved.names:
        return False
    whole = str(config.get("embedding_dtype")).startswith("int")
    return whole or not (directory / "modules.json").is_file()
