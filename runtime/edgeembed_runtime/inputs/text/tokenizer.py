"""Tokenizing text to ids, truncated to the model's maximum length."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from string import ascii_letters, digits

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from tokenizers.models import Unigram

from edgeembed_runtime.bundle.towers import TruncationSide, Trust
from edgeembed_runtime.errors import BundleCorruptError, BundleUnsafeError, InputError
from edgeembed_runtime.inputs.text.tokenizer_file import (
    DamagedFileError,
    TokenizerFileError,
    check_tokenizer_file,
)
from edgeembed_runtime.inputs.text.tokenizer_threads import TOKENIZER_THREADS

MAX_TOKENIZER_BYTES = 64 << 20
# Only a part of this many characters per token is tokenized at first, at the side that is kept, so
# a 10 MB text costs no more than a long one. Real text has 2 to 6; texts that need more are retried
# with a longer part.
_CHARACTERS_PER_TOKEN = 16
# What a known token of English has, with the space before it.
_CHARACTERS_PER_UNKNOWN = 4
# WordPiece maps a word of over 100 characters to one unknown token; no part may be shorter.
_MIN_CHARACTERS = 2_000
# A part must have this many tokens to spare, so that the kept ones match those of the whole text.
_MARGIN_TOKENS = 64
# The longest part of a text with almost no tokens (megabytes of whitespace, one endless word).
MAX_CHARACTERS = 1_000_000
# A text that may become longer than this is normalized piece by piece first: does it?
_MAX_NORMALIZED = 8 << 20
_PIECE_CHARACTERS = 1_000
# Short enough for any tokenizer to split it.
_ASCII_WORD = re.compile(r"(?<!\w)[A-Za-z0-9]{1,30}(?!\w)")
# What tokens have in place of a space; one that is nothing else is no word.
_SPACE_MARKS = "\u2581\u0120"
_NO_CHARACTER = "\U0010ffff"
# Where a text may be split: whitespace to every tokenizer. str.isspace() accepts more characters,
# some of which BERT's tokenizer removes, joining the words around them.
_SPACES = frozenset(" \t\r\n")


@dataclass(frozen=True, kw_only=True)
class TokenizedText:
    """A tokenized text.

    Attributes:
        ids: token ids, (t,) int64.
        truncated: whether the text was longer than the model takes.
        weights: the attention mask, (t,) int64, if tokens are weighted differently.
        encoding: each token's string and (start, end) character offsets, (0, 0) for a special
            token; None if tokens are whole words.
        offset: the character of the text that offsets count from.
    """

    ids: NDArray[np.int64]
    truncated: bool
    weights: NDArray[np.int64] | None = None
    encoding: Encoding | None = None
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class TokenSpans:
    """The places of a text's n tokens.

    Attributes:
        starts: first characters, (n,) int64, in order.
        ends: one past the last characters, (n,) int64.
        weights: how many tokens each counts as when a text is measured, (n,) int64: 1, and for an
            unknown token by its length, so that no long run counts as nothing.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    weights: NDArray[np.int64]


def unknown_weight(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many tokens unknown tokens of these lengths in characters count as."""
    return -(-lengths // _CHARACTERS_PER_UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class TextTokenizer:
    """A tokenizer and its model's maximum length in tokens, special tokens included.

    Of a longer text, the tokens at the end are dropped, or with the truncation side "left" those at
    the beginning; special tokens stay. A text without tokens is an error, unless `empty_id` stands
    for it. Immutable after loading, so thread-safe.
    """

    tokenizer: Tokenizer
    max_tokens: int
    special_tokens: int
    truncation_side: TruncationSide = "right"
    empty_id: int | None = None
    growth: int = 1

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        max_tokens: int,
        name: str,
        *,
        truncation_side: TruncationSide = "right",
        trust: Trust = "none",
    ) -> "TextTokenizer":
        """Load a tokenizer.json, with its padding and truncation disabled.

        With the trust "proven", its regular expressions need no bound in time; with "own", nothing
        is checked.

        Raises:
            BundleCorruptError: it is too large, the tokenizers library cannot load it, or its
                special tokens leave no room for text.
            BundleUnsafeError: it has a part without a bound; see `check_tokenizer_file`.
        """
        if len(data) > MAX_TOKENIZER_BYTES:
            raise BundleCorruptError(
                f"{name}: expected at most {MAX_TOKENIZER_BYTES} bytes, got {len(data)}"
            )
        try:
            known = trust == "own"
            growth = 1 if known else check_tokenizer_file(data, bounded=trust == "none")
        except DamagedFileError as error:
            raise BundleCorruptError(
                f"{name}: the tokenizers library could not load it: {error}"
            ) from error
        except TokenizerFileError as error:
            raise BundleUnsafeError(f"{name}: {error}; do not use this bundle") from error
        try:
            tokenizer = Tokenizer.from_buffer(data)
            tokenizer.no_padding()
            tokenizer.no_truncation()
            special = tokenizer.num_special_tokens_to_add(False)
            tokenizer.encode("a")  # components can load and still be incompatible
        except BaseException as error:  # a Rust panic is not an Exception
            raise _unless_fatal(
                error,
                BundleCorruptError(f"{name}: the tokenizers library could not load it: {error}"),
            ) from error
        if special >= max_tokens:
            raise BundleCorruptError(
                f"{name}: adds {special} special tokens, but the model takes {max_tokens} tokens"
            )
        return cls(
            tokenizer=tokenizer,
            max_tokens=max_tokens,
            special_tokens=special,
            truncation_side=truncation_side,
            growth=growth,
        )

    def encode(self, text: str) -> TokenizedText:
        """Tokenize `text` to at most `max_tokens` tokens, special tokens included.

        Text beyond the first million characters is dropped even if there is room for it; with the
        truncation side "left", text before the last million.

        Raises:
            InputError: the text has no tokens, or is not valid Unicode.
        """
        room = self.max_tokens - self.special_tokens
        encoding, offset = Encoding(), 0
        size = max(_MIN_CHARACTERS, self.max_tokens * _CHARACTERS_PER_TOKEN)
        max_characters = max(MAX_CHARACTERS, 4 * size)
        left = self.truncation_side == "left"
        for start, end in _parts(text, size, max_characters, left=left):
            encoding, offset = self._encode(text[start:end]), start
            if len(encoding) >= room + _MARGIN_TOKENS:
                break
        truncated = len(encoding) > room or len(text) > max_characters
        encoding.truncate(room, direction=self.truncation_side)
        encoding = self.tokenizer.post_process(encoding)
        if not len(encoding) and self.empty_id is not None:
            return TokenizedText(ids=np.array([self.empty_id], np.int64), truncated=truncated)
        if not len(encoding):
            raise InputError("text: expected at least one token, got none; remove empty texts")
        ids = np.array(encoding.ids, dtype=np.int64)
        return TokenizedText(ids=ids, truncated=truncated, encoding=encoding, offset=offset)

    def plain_ids(self, texts: Sequence[str]) -> Sequence[list[int] | None]:
        """Tokenize many texts in parallel on all cores; None for those that need `encode`.

        These are texts that are too long or have no tokens. All need it if one text is not valid
        Unicode, or if this process must not use the tokenizers library's threads.
        """
        size = max(_MIN_CHARACTERS, self.max_tokens * _CHARACTERS_PER_TOKEN)
        lengths = list(map(len, texts))
        if (
            max(lengths) > size
            or sum(lengths) * self.growth > _MAX_NORMALIZED
            or not TOKENIZER_THREADS.use()
        ):
            return [None] * len(texts)
        try:
            encodings = self.tokenizer.encode_batch_fast(list(texts))
        except BaseException as error:  # see from_bytes
            if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
                raise
            return [None] * len(texts)
        ids = [encoding.ids for encoding in encodings]
        return [
            each if self.special_tokens < len(each) <= self.max_tokens else None for each in ids
        ]

    def count(self, text: str) -> int:
        """Count the tokens of `text` before truncation, special tokens included."""
        return sum(len(self._encode(block)) for _, block in blocks(text)) + self.special_tokens

    def knows(self, text: str) -> bool:
        """Whether some token in the beginning of `text` is neither special nor unknown."""
        text = text.strip()
        start, end = next(_parts(text, _MIN_CHARACTERS, len(text), left=False))
        part = text[start:end]
        if self._knows_ascii and _ASCII_WORD.search(part):
            return True
        encoding, unknown = self._encode(part), self.unknown_id
        return any(
            number != unknown and token.strip(_SPACE_MARKS)
            for number, token in zip(encoding.ids, encoding.tokens, strict=True)
        )

    @cached_property
    def _knows_ascii(self) -> bool:
        """Whether every ASCII letter and digit is a token, so that their words need no look-up."""
        letters = self._encode(" ".join(ascii_letters + digits)).ids
        return self.unknown_id not in letters

    def spans(self, text: str) -> TokenSpans:
        """Return the place of every non-empty token, in order, and how many it counts as.

        Raises:
            InputError: the text is not valid Unicode.
        """
        parts = [self._block_spans(offset, block) for offset, block in blocks(text)]
        starts, ends, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
        return TokenSpans(starts=starts, ends=ends, weights=weights)

    def _block_spans(self, offset: int, block: str) -> tuple[NDArray[np.int64], ...]:
        encoding = self._encode(block)
        count = len(encoding)
        offsets = np.fromiter(chain.from_iterable(encoding.offsets), np.int64, 2 * count)
        starts, ends = offsets[::2], offsets[1::2]
        lengths = ends - starts
        weights = np.ones(count, np.int64)
        if (unknown := self.unknown_id) is not None:
            is_unknown = np.fromiter(encoding.ids, np.int64, count) == unknown
            weights[is_unknown] = unknown_weight(lengths[is_unknown])
        taken = lengths > 0
        return starts[taken] + offset, ends[taken] + offset, weights[taken]

    def taking_empty_texts(self) -> "TextTokenizer":
        """Return a copy that encodes a text without tokens as the unknown token, if any."""
        return replace(self, empty_id=self.unknown_id)

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown token, or None if there is none."""
        model = self.tokenizer.model
        if not isinstance(model, Unigram):
            token = getattr(model, "unk_token", None)
            return None if token is None else self.tokenizer.token_to_id(token)
        # It does not say, but its only token for a character that is in no vocabulary is that one.
        try:
            tokens = model.tokenize(_NO_CHARACTER)
        except Exception:  # it has no unknown token
            return None
        return tokens[0].id if len(tokens) == 1 else None

    def vocabulary(self) -> dict[str, int]:
        """Return the ids of all tokens except the special and unknown ones, ordered by id."""
        added = self.tokenizer.get_added_tokens_decoder()
        excluded = {number for number, token in added.items() if token.special}
        excluded.add(-1 if (unknown := self.unknown_id) is None else unknown)
        ids: dict[str, int] = self.tokenizer.get_vocab()
        return {
            token: ids[token]
            for token in sorted(ids, key=ids.__getitem__)
            if ids[token] not in excluded
        }

    def _encode(self, text: str) -> Encoding:
        if len(text) * self.growth > _MAX_NORMALIZED:
            self._check_growth(text)
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:  # see from_bytes
            raise _unless_fatal(error, InputError(invalid_text_message(text, error))) from error

    def _check_growth(self, text: str) -> None:
        """Refuse a text that the normalizer makes too long.

        Raises:
            InputError: it does.
        """
        normalizer, found = self.tokenizer.normalizer, 0
        if normalizer is None:
            return
        for start in range(0, len(text), _PIECE_CHARACTERS):
            try:
                piece = normalizer.normalize_str(text[start : start + _PIECE_CHARACTERS])
            except BaseException as error:  # see from_bytes
                raise _unless_fatal(error, InputError(invalid_text_message(text, error))) from error
            found += len(piece)
            if found > max(_MAX_NORMALIZED, 2 * len(text)):
                raise InputError(
                    f"text: expected one that the tokenizer makes at most {_MAX_NORMALIZED} "
                    f"characters long, got one of {len(text)} that becomes longer; shorten it"
                )


def invalid_text_message(text: str, error: BaseException) -> str:
    """Explain why a text cannot be tokenized."""
    lone = next((n for n, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), None)
    if lone is None:
        return f"text: expected one that the tokenizer accepts, got: {error}"
    return (
        f"text: expected valid Unicode, got a lone surrogate, U+{ord(text[lone]):04X}, "
        f"at position {lone}; remove it, or encode with errors='replace' first"
    )


def blocks(text: str, size: int = 100_000) -> Iterator[tuple[int, str]]:
    """Split a long text at whitespace; yield (offset, block) of about `size` characters each."""
    start = 0
    while len(text) - start > size:
        end = _split_position(text, start, start + size)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _parts(text: str, size: int, longest: int, *, left: bool) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of prefixes that end at whitespace, each four times longer.

    With `left`, of suffixes that start at whitespace. The last is all, but at most `longest`.
    """
    length = len(text)
    longest = min(longest, length)
    while size < longest:
        if left:
            yield _next_split_position(text, length - size), length
        else:
            yield 0, _split_position(text, 0, size)
        size *= 4
    yield (length - longest, length) if left else (0, longest)


def _split_position(text: str, start: int, end: int) -> int:
    """Return the last whitespace position in text[start:end], or `end` if there is none nearby."""
    for position in range(end, max(start, end - 1000), -1):
        if text[position] in _SPACES:
            return position
    return end


def _next_split_position(text: str, start: int) -> int:
    """Return the first whitespace position from `start` on, or `start` if there is none nearby."""
    for position in range(start, min(len(text), start + 1000)):
        if text[position] in _SPACES:
            return position
    return start


def _unless_fatal(error: BaseException, replacement: Exception) -> BaseException:
    """Return `replacement`, or `error` if it must propagate: Ctrl-C, exit, out of memory."""
    return error if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError) else replacement
