"""Text to token ids, truncated to what the model takes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from edgeembed_runtime.errors import BundleCorruptError, InputError

MAX_TOKENIZER_BYTES = 64 << 20
# A text is cut to this many characters per token it may keep before it is tokenised, so that a
# 10 MB text costs no more than a long one. Real text has 2 to 6; runs that need more are retried.
_CHARACTERS_PER_TOKEN = 16
# WordPiece takes a word of over 100 characters for one unknown token; its part must not be shorter.
_FEWEST_CHARACTERS = 2_000
# Tokens beyond the cut that must be there for the kept ones to be what the whole text would give.
_MARGIN_TOKENS = 64
# Of a text with almost no tokens (megabytes of white space, one endless word) no more is looked at.
_MOST_CHARACTERS = 1_000_000
# Where a text may be cut: what every tokenizer takes for white space. str.isspace() says so of
# more characters, and some of those BERT's removes, so that the words beside them are one.
_SPACES = frozenset(" \t\r\n")


@dataclass(frozen=True, kw_only=True)
class TokenizedText:
    """A text as a model takes it; `cut` says that not all of it is in.

    Every token has an id, its string, and its place in the text: (start, end) in characters,
    (0, 0) for a special token.
    """

    encoding: Encoding
    cut: bool

    @property
    def ids(self) -> NDArray[np.int64]:
        """The token ids, special tokens included: (t,) int64."""
        return np.array(self.encoding.ids, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class TextTokenizer:
    """A tokenizer and the number of tokens, special ones included, that its model takes.

    Nothing about it changes after loading, so any number of threads may use it at once.
    """

    tokenizer: Tokenizer
    max_tokens: int
    special_tokens: int

    @classmethod
    def from_bytes(cls, data: bytes, max_tokens: int, name: str) -> "TextTokenizer":
        """Load a tokenizer.json; padding and truncation that it may ask for are switched off.

        Raises:
            BundleCorruptError: it is too large, or the tokenizers library cannot read it.
        """
        if len(data) > MAX_TOKENIZER_BYTES:
            raise BundleCorruptError(
                f"{name}: expected at most {MAX_TOKENIZER_BYTES} bytes, got {len(data)}"
            )
        try:
            tokenizer = Tokenizer.from_buffer(data)
            tokenizer.no_padding()
            tokenizer.no_truncation()
            special = tokenizer.num_special_tokens_to_add(False)
            tokenizer.encode("a")  # its parts may load and still not fit together
        except BaseException as error:  # a panic of the Rust library is no Exception
            raise _unless_interrupt(
                error,
                BundleCorruptError(f"{name}: the tokenizers library could not load it: {error}"),
            ) from error
        if special >= max_tokens:
            raise BundleCorruptError(
                f"{name}: adds {special} special tokens, but the model takes {max_tokens} tokens"
            )
        return cls(tokenizer=tokenizer, max_tokens=max_tokens, special_tokens=special)

    def encode(self, text: str) -> TokenizedText:
        """Tokens of `text`, special tokens included, at most `max_tokens`.

        A text is cut after a million characters even if those have fewer tokens than that.

        Raises:
            InputError: the text has no tokens at all, or is not valid Unicode.
        """
        room = self.max_tokens - self.special_tokens
        encoding = Encoding()
        size = max(_FEWEST_CHARACTERS, self.max_tokens * _CHARACTERS_PER_TOKEN)
        most = max(_MOST_CHARACTERS, 4 * size)
        for part in _prefixes(text[:most], size):
            encoding = self._encode(part)
            if len(encoding) >= room + _MARGIN_TOKENS:
                break
        cut = len(encoding) > room or len(text) > most
        encoding.truncate(room)
        encoding = self.tokenizer.post_process(encoding)
        if not len(encoding):
            raise InputError("text: expected at least one token, got none; leave empty texts out")
        return TokenizedText(encoding=encoding, cut=cut)

    def count(self, text: str) -> int:
        """How many tokens `text` has, special ones included, before any truncation."""
        return sum(len(self._encode(block)) for _, block in blocks(text)) + self.special_tokens

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end, in characters of `text`, of every token that covers some; in order."""
        for offset, block in blocks(text):
            for start, end in self._encode(block).offsets:
                if end > start:
                    yield offset + start, offset + end

    def _encode(self, text: str) -> Encoding:
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:  # see from_bytes
            raise _unless_interrupt(error, InputError(_unusable(text, error))) from error


def _unusable(text: str, error: BaseException) -> str:
    lone = next((n for n, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), None)
    if lone is None:
        return f"text: expected one that the tokenizer takes, got: {error}"
    return (
        f"text: expected valid Unicode, got half a character, U+{ord(text[lone]):04X}, "
        f"at position {lone}; leave it out, or encode with errors='replace' first"
    )


def blocks(text: str, size: int = 100_000) -> Iterator[tuple[int, str]]:
    """Cut a long text at white space into blocks of about `size` characters: (offset, block)."""
    start = 0
    while len(text) - start > size:
        end = _cut(text, start, start + size)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _prefixes(text: str, size: int) -> Iterator[str]:
    """Prefixes of `text`, cut at white space, each four times the last; the last is all of it."""
    while size < len(text):
        yield text[: _cut(text, 0, size)]
        size *= 4
    yield text


def _cut(text: str, start: int, end: int) -> int:
    """The last place in text[start:end] where white space begins, or `end` where there is none."""
    for position in range(end, max(start, end - 1000), -1):
        if text[position] in _SPACES:
            return position
    return end


def _unless_interrupt(error: BaseException, instead: Exception) -> BaseException:
    """`instead`, unless `error` is one that must pass: Ctrl-C, exit, memory used up."""
    return error if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError) else instead
