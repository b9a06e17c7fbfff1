"""What a tokenizer.json may hold, checked before the tokenizers library reads it.

The library takes any file at its word: lengths that it allocates, parts that multiply a text,
regular expressions that take years. Each part of the file has a bound here, and what has none is
refused. How much longer a text can become is the product of its parts.
"""

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, cast

from edgeembed_runtime.inputs.text.regular_expressions import check_regex

Json = Any
# Of real tokenizers: a normalizer has up to eight parts, a token up to a few hundred bytes.
_MAX_PARTS, _MAX_DEPTH = 32, 8
_MAX_TOKEN_BYTES = 1024
_LONG_TOKEN_BYTES, _MAX_LONG_BYTES = 64, 128 << 10
_MAX_WORD_CHARACTERS = 1_000
_MAX_ADDED_TOKENS = 100_000
_MAX_SPECIAL_TOKENS = 1_000
_MAX_PREPENDED, _MAX_REPLACEMENT = 64, 64
# Unicode's own parts make a few characters much longer; those that a file defines, any.
_MAX_GROWTH, _MAX_OWN_GROWTH = 4096, 8
_OWN_GROWTH = frozenset(("Replace", "ByteLevel"))

_MODELS = frozenset(("BPE", "WordPiece", "WordLevel", "Unigram"))
# By how much the part can make a text longer, in bytes of UTF-8. Unicode's own limits:
# https://www.unicode.org/faq/normalization.html
_NORMALIZERS: Mapping[str, int] = {
    **dict.fromkeys(("NFC", "NFD"), 3),
    **dict.fromkeys(("NFKC", "NFKD"), 11),
    **dict.fromkeys(("Strip", "StripAccents", "Nmt", "Prepend"), 1),
    "BertNormalizer": 5,
    "Lowercase": 2,
    "ByteLevel": 2,
}
_PRE_TOKENIZERS: Mapping[str, int] = {
    **dict.fromkeys(("BertPreTokenizer", "CharDelimiterSplit", "Digits", "FixedLength"), 1),
    **dict.fromkeys(("Punctuation", "Split", "UnicodeScripts", "Whitespace"), 1),
    "WhitespaceSplit": 1,
    "ByteLevel": 2,
    "Metaspace": 4,
}
_PROCESSORS = frozenset(("BertProcessing", "RobertaProcessing", "ByteLevel", "TemplateProcessing"))


class TokenizerFileError(ValueError):
    """A tokenizer.json has a part without a bound, or beyond it; says which."""


class DamagedFileError(TokenizerFileError):
    """A tokenizer.json is not of its format; says where."""


def check_tokenizer_file(data: bytes, *, bounded: bool = True) -> int:
    """Check the bytes of a tokenizer.json; return how many times longer it can make a text.

    With `bounded` false, its regular expressions need no bound in time.

    Raises:
        TokenizerFileError: it is no JSON, is read differently by different parsers, or has a part
            that is unknown or without a bound.
    """
    try:
        tree = json.loads(str(data, "utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except TokenizerFileError:
        raise
    except (RecursionError, ValueError) as error:
        raise DamagedFileError(f"expected JSON: {error}") from error
    try:
        return _growth_of(tree, bounded=bounded)
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise DamagedFileError(f"expected the parts of a tokenizer: {error}") from error


def _growth_of(tree: Json, *, bounded: bool) -> int:
    """Check every part; return how many times longer they make a text."""
    _expect(isinstance(tree, dict), "top level", "an object")
    _check_model(tree.get("model"))
    _check_added_tokens(tree.get("added_tokens"))
    if bounded:
        settings = {key: tree[key] for key in tree.keys() - {"model", "added_tokens"}}
        _check_regexes(settings)
    growth = own_growth = 1
    tables = 0
    for part in _parts(tree.get("normalizer"), "normalizer", "normalizers"):
        times = _normalizer_growth(part)
        growth *= times
        own_growth *= times if part["type"] in _OWN_GROWTH else 1
        tables += part["type"] == "Precompiled"
    for part in _parts(tree.get("pre_tokenizer"), "pre_tokenizer", "pretokenizers"):
        kind = part["type"]
        _expect(kind in _PRE_TOKENIZERS, "pre_tokenizer", f"a known type, got {kind!r:.40}")
        if kind == "FixedLength":
            _expect(_whole(part.get("length")) >= 1, "pre_tokenizer.length", "a positive number")
        growth *= _PRE_TOKENIZERS[kind]
        own_growth *= _PRE_TOKENIZERS[kind] if kind in _OWN_GROWTH else 1
    _check_processors(tree.get("post_processor"))
    _limit(
        growth <= _MAX_GROWTH and own_growth <= _MAX_OWN_GROWTH and tables <= 1,
        "normalizer",
        f"parts that make a text at most {_MAX_OWN_GROWTH} times longer, got {own_growth} times, "
        f"and {growth} times with those of Unicode",
    )
    return growth


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise TokenizerFileError("expected each key once, found one twice")
    return tree


def _no_constant(name: str) -> Json:
    raise TokenizerFileError(f"expected JSON's own numbers, got {name}")


def _expect(valid: bool, where: str, expected: str) -> None:
    if not valid:
        raise DamagedFileError(f"{where}: expected {expected}")


def _limit(valid: bool, where: str, expected: str) -> None:
    if not valid:
        raise TokenizerFileError(f"{where}: expected {expected}")


def _whole(value: Json) -> int:
    return value if type(value) is int else -1


def _length(text: Json) -> int:
    return len(text.encode(errors="surrogatepass")) if isinstance(text, str) else 0


def _parts(node: Json, where: str, *lists: str, depth: int = 0) -> Iterator[dict[str, Json]]:
    """The parts of a component in order, out of sequences in it."""
    if node is None:
        return
    # Without a type, the library guesses one.
    _expect(isinstance(node, dict) and isinstance(node.get("type"), str), where, "a type")
    _limit(depth < _MAX_DEPTH, where, f"sequences in each other up to {_MAX_DEPTH} deep")
    if node["type"] != "Sequence":
        yield node
        return
    inner = next((node[key] for key in lists if key in node), None)
    _expect(isinstance(inner, list), where, "a list of parts")
    count = 0
    for each in cast(list[Json], inner):
        for part in _parts(each, where, *lists, depth=depth + 1):
            count += 1
            _limit(count <= _MAX_PARTS, where, f"at most {_MAX_PARTS} parts")
            yield part


def _normalizer_growth(part: dict[str, Json]) -> int:
    kind = part["type"]
    if kind == "Replace":
        content, pattern = _length(part.get("content")), part.get("pattern")
        shortest = 1
        if isinstance(pattern, dict) and isinstance(pattern.get("String"), str):
            shortest = max(1, _length(pattern["String"]))
        return max(1, -(-content // shortest))
    if kind == "Precompiled":
        return _charsmap_growth(part.get("precompiled_charsmap"))
    _expect(kind in _NORMALIZERS, "normalizer", f"a known type, got {kind!r:.40}")
    if kind == "Prepend":
        prepended = _length(part.get("prepend"))
        _limit(prepended <= _MAX_PREPENDED, "normalizer.prepend", f"at most {_MAX_PREPENDED} bytes")
    return _NORMALIZERS[kind]


def _charsmap_growth(encoded: Json) -> int:
    """Check a table of replaced characters: a trie, and texts that end with a NUL."""
    where = "normalizer.precompiled_charsmap"
    try:
        data = base64.b64decode(encoded, validate=True)
        (size,) = struct.unpack_from("<I", data)
        replacements = data[4 + size :]
        str(replacements, "utf-8")
    except (TypeError, ValueError, binascii.Error, struct.error) as error:
        raise DamagedFileError(f"{where}: expected a table, got other bytes") from error
    _expect(
        0 < size <= len(data) - 4 and size % 4 == 0 and replacements.endswith(b"\0"),
        where,
        "a trie and texts after it",
    )
    longest = max(map(len, replacements.split(b"\0")))
    _limit(longest <= _MAX_REPLACEMENT, where, f"texts of at most {_MAX_REPLACEMENT} bytes")
    return max(1, longest)


def _check_regexes(node: Json) -> None:
    """Check every regular expression of the file, wherever it is."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            regex = each.get("Regex")
            if isinstance(regex, str):
                problem = check_regex(regex)
                _limit(
                    problem is None,
                    f"regular expression {regex!r:.80}",
                    f"one whose time has a bound, got {problem}",
                )
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _check_model(model: Json) -> None:
    _expect(isinstance(model, dict), "model", "an object")
    kind = model.get("type")
    # Old files have none; the library then tells by what is there.
    _expect(kind is None or kind in _MODELS, "model.type", f"one of {', '.join(sorted(_MODELS))}")
    longest = model.get("max_input_chars_per_word", 0)
    _limit(
        0 <= _whole(longest) <= _MAX_WORD_CHARACTERS,
        "model.max_input_chars_per_word",
        f"a number up to {_MAX_WORD_CHARACTERS}",
    )
    for key in ("unk_token", "continuing_subword_prefix", "end_of_word_suffix"):
        _limit(_length(model.get(key)) <= _MAX_TOKEN_BYTES, f"model.{key}", "a short text")
    _check_merges(model)
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        tokens = [token for token in vocabulary if len(token) > _LONG_TOKEN_BYTES // 4]
    elif isinstance(vocabulary, list):
        tokens = [
            each[0]
            for each in vocabulary
            if isinstance(each, list)
            and each
            and isinstance(each[0], str)
            and len(each[0]) > _LONG_TOKEN_BYTES // 4
        ]
    else:
        raise DamagedFileError("model.vocab: expected an object or a list")
    lengths = [length for length in map(_length, tokens) if length > _LONG_TOKEN_BYTES]
    _limit(
        max(lengths, default=0) <= _MAX_TOKEN_BYTES,
        "model.vocab",
        f"tokens of at most {_MAX_TOKEN_BYTES} bytes",
    )
    # Each byte of Unigram's tokens is a node of a trie, of some hundred bytes. The other models
    # have none, and BPE of scripts with three bytes a letter has thousands of long tokens.
    _limit(
        isinstance(vocabulary, dict) or sum(lengths) <= max(_MAX_LONG_BYTES, len(vocabulary)),
        "model.vocab",
        f"at most {_MAX_LONG_BYTES} bytes in tokens longer than {_LONG_TOKEN_BYTES}",
    )


def _check_merges(model: dict[str, Json]) -> None:
    """Check that the second part of every merge has the prefix, which tokenizers cuts off unseen.

    Where it is shorter, the library panics and writes a backtrace to standard error.
    """
    prefix = model.get("continuing_subword_prefix")
    merges = model.get("merges")
    if not isinstance(prefix, str) or not prefix or not isinstance(merges, list):
        return
    for merge in merges:
        second = merge.partition(" ")[2] if isinstance(merge, str) else merge[-1] if merge else ""
        _expect(
            isinstance(second, str) and second.startswith(prefix),
            "model.merges",
            f"second parts that begin with the prefix {prefix!r:.40}, got {second!r:.40}",
        )


def _check_added_tokens(tokens: Json) -> None:
    _expect(tokens is None or isinstance(tokens, list), "added_tokens", "a list")
    tokens = tokens or []
    _limit(len(tokens) <= _MAX_ADDED_TOKENS, "added_tokens", f"at most {_MAX_ADDED_TOKENS}")
    for token in tokens:
        content = token.get("content") if isinstance(token, dict) else None
        _limit(
            isinstance(content, str) and len(content) > 0 and _length(content) <= _MAX_TOKEN_BYTES,
            "added_tokens",
            f"texts of 1 to {_MAX_TOKEN_BYTES} bytes",
        )


def _check_processors(node: Json) -> None:
    special = 0
    for part in _parts(node, "post_processor", "processors"):
        kind = part["type"]
        _expect(kind in _PROCESSORS, "post_processor", f"a known type, got {kind!r:.40}")
        if kind != "TemplateProcessing":
            special += 4
            continue
        known, texts = part.get("special_tokens"), 0
        for piece in cast(list[Json], part.get("single") or []):
            if isinstance(piece, dict) and isinstance(piece.get("SpecialToken"), dict):
                entry = (
                    known.get(piece["SpecialToken"].get("id")) if isinstance(known, dict) else {}
                )
                ids = entry.get("ids") if isinstance(entry, dict) else None
                special += len(ids) if isinstance(ids, list) else 1
            else:
                texts += 1
        _limit(texts <= 1, "post_processor", "the text once")
    _limit(
        special <= _MAX_SPECIAL_TOKENS,
        "post_processor",
        f"at most {_MAX_SPECIAL_TOKENS} special tokens around a text",
    )
