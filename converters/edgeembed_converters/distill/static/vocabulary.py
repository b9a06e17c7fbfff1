"""A tokenizer for a static table: no special tokens around texts, only frequent tokens."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError, UnsupportedModelError

MIN_TOKENS = 100


def plain_tokenizer(tokenizer_json: bytes) -> bytes:
    """A tokenizer.json without special tokens around texts: they say nothing about a text."""
    tree = json.loads(tokenizer_json)
    tree.update(post_processor=None, padding=None, truncation=None)
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def pruned_tokenizer(
    tokenizer_json: bytes, counts: NDArray[np.int64], size: int | None
) -> tuple[bytes, NDArray[np.int64]]:
    """A tokenizer.json with at most `size` tokens, and the old id of each: (n,) int64.

    `counts` is how often each token occurs in the texts: (old tokens,). All special tokens and the
    most frequent others stay (ties by lower id), in their old order. Words whose token is removed
    are split into shorter tokens, like any unknown word.

    Raises:
        InputError: `size` is too small.
        UnsupportedModelError: tokens cannot be removed from this kind of tokenizer.
    """
    tree = json.loads(tokenizer_json)
    if size is None or size >= len(counts):
        return tokenizer_json, np.arange(len(counts))
    needed = _needed(tree)
    if size < max(MIN_TOKENS, len(needed)):
        raise InputError(
            f"vocabulary: expected at least {max(MIN_TOKENS, len(needed))} tokens, got {size}"
        )
    ranked = np.lexsort((np.arange(len(counts)), -counts)).tolist()
    others = [token for token in ranked if token not in needed]
    kept = np.array(sorted([*needed, *others[: size - len(needed)]]), np.int64)
    new_ids = {int(old): new for new, old in enumerate(kept)}
    _prune_model(tree["model"], new_ids)
    for token in tree.get("added_tokens", []):
        token["id"] = new_ids[token["id"]]
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode(), kept


def token_counts(ids: Iterable[NDArray[np.int32]], vocabulary: int) -> NDArray[np.int64]:
    """How often each token occurs in texts, given as token ids: (vocabulary,)."""
    return np.bincount(np.concatenate(list(ids)), minlength=vocabulary).astype(np.int64)


def _needed(tree: Mapping[str, Any]) -> set[int]:
    """The ids of special tokens, the unknown token, and single ASCII characters."""
    model = tree["model"]
    needed = {int(token["id"]) for token in tree.get("added_tokens", [])}
    if model.get("type") == "Unigram":
        if model.get("unk_id") is not None:
            needed.add(int(model["unk_id"]))
        return needed
    vocabulary: Mapping[str, int] = model.get("vocab", {})
    if model.get("unk_token") in vocabulary:
        needed.add(vocabulary[model["unk_token"]])
    prefix = model.get("continuing_subword_prefix") or ""
    # Without single characters, a word that is split would become unknown as a whole.
    for letter in (chr(code) for code in range(33, 127)):
        for token in (letter, prefix + letter):
            if token in vocabulary:
                needed.add(vocabulary[token])
    return needed


def _prune_model(model: dict[str, Any], new_ids: Mapping[int, int]) -> None:
    match model.get("type"):
        case "WordPiece" | "WordLevel":
            model["vocab"] = {
                token: new_ids[old] for token, old in model["vocab"].items() if old in new_ids
            }
        case "Unigram":
            model["vocab"] = [pair for old, pair in enumerate(model["vocab"]) if old in new_ids]
            if model.get("unk_id") is not None:
                model["unk_id"] = new_ids[model["unk_id"]]
        case kind:
            raise UnsupportedModelError(
                f"vocabulary: expected a tokenizer of WordPiece, WordLevel or Unigram to take "
                f"tokens from, got {kind}; leave `vocabulary` out"
            )
