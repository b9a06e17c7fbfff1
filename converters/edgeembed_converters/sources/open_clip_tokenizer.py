"""open_clip's tokenizers in the form of the tokenizers library.

It cannot express everything: open_clip also repairs wrongly decoded text (ftfy) and resolves rare
HTML entities before it splits words.
"""

import string
import unicodedata
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, pre_tokenizers
from tokenizers import normalizers as n
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing

from edgeembed_runtime.errors import InputError, UnsupportedModelError

LEFT_OUT = (
    "the tokenizer does not repair wrongly decoded text and rare HTML entities, as open_clip's does"
)
# The word pattern of OpenAI's CLIP: https://github.com/openai/CLIP (simple_tokenizer.py).
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_WORD_END = "</w>"
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_LIGATURES = range(0xFB00, 0xFB07)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&"))


def tokenizer_of(tokenizer: Any) -> Tokenizer:
    """Convert a tokenizer from `open_clip.get_tokenizer`.

    Raises:
        InputError: it is something else.
        UnsupportedModelError: it drops words at random, or has unsupported rules.
    """
    if hasattr(tokenizer, "bpe_ranks"):
        if getattr(tokenizer, "reduction_fn", None) is not None:
            raise UnsupportedModelError("tokenizer: reduction_mask drops words of long texts")
        return _simple(tokenizer)
    backend = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    if backend is None:
        raise InputError(
            "tokenizer: expected what open_clip.get_tokenizer gives, got "
            f"{type(tokenizer).__name__}"
        )
    if getattr(tokenizer, "strip_sep_token", False) or getattr(tokenizer, "tokenizer_mode", ""):
        raise UnsupportedModelError("tokenizer: strip_sep_token and tokenizer_mode are not known")
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_padding()
    copy.no_truncation()
    present = [] if copy.normalizer is None else [copy.normalizer]
    copy.normalizer = n.Sequence([*_cleaning(_clean_name(tokenizer)), *present])
    return copy


def pad_id_of(tokenizer: Any) -> int:
    """The id that the tokenizer pads with."""
    inner = getattr(tokenizer, "tokenizer", None)
    return int(getattr(inner, "pad_token_id", None) or 0)


def _simple(tokenizer: Any) -> Tokenizer:
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
    # open_clip's table has one merge with a single part, which never applies.
    merges = [tuple(pair) for pair in merges if len(pair) == 2]
    first, last = (tokenizer.decoder[tokenizer.all_special_ids[i]] for i in (0, 1))
    made = Tokenizer(
        BPE(
            vocab=dict(tokenizer.encoder),
            merges=merges,
            end_of_word_suffix=_WORD_END,
            unk_token=last,
        )
    )
    made.normalizer = n.Sequence(_cleaning(_clean_name(tokenizer)))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    specials = [tokenizer.decoder[each] for each in tokenizer.all_special_ids]
    made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in specials])
    made.post_processor = TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(each, tokenizer.encoder[each]) for each in (first, last)],
    )
    return made


def _clean_name(tokenizer: Any) -> str:
    return str(tokenizer.clean_fn.__name__).removeprefix("_clean_")


def _cleaning(name: str) -> list[Any]:
    """open_clip's text cleaning, step by step: first ftfy's, then its own."""
    steps: list[Any] = [n.Replace(entity, plain) for entity, plain in _ENTITIES]
    steps += [
        n.Replace(chr(code), unicodedata.normalize("NFKC", chr(code)))
        for code in (*_FULL_WIDTH, *_LIGATURES)
    ]
    steps += [n.Replace(Regex("[\u02bc\u2018-\u201b]"), "'")]
    steps += [n.Replace(Regex("[\u201c-\u201f]"), '"'), n.NFC()]
    if name == "canonicalize":
        marks = "".join(f"\\{mark}" for mark in string.punctuation)
        steps += [n.Replace("_", " "), n.Replace(Regex(f"[{marks}]"), "")]
    if name in ("lower", "canonicalize"):
        steps.append(n.Lowercase())
    return [*steps, n.Replace(Regex(r"\s+"), " "), n.Strip()]
