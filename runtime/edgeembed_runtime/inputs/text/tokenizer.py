"""Text to token ids, truncated to what the model takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.text.tokenizer_threads import TOKENIZER_THREADS

MAX_TOKENIZER_BYTES = 64 << 20
# A text is cut to this many characters per token it may keep before it is tokenized, so that a
# 10 MB text costs no more than a long one. Real text has 2 to 6; runs that need more are retried.
_CHARACTERS_PER_TOKEN = 16
# WordPiece takes a word of over 100 characters for one unknown token; its part must not be shorter.
_MIN_CHARACTERS = 2_000
# Tokens beyond the cut that must be there for the kept ones to be what the whole text would give.
_MARGIN_TOKENS = 64
# Of a text with almost no tokens (megabytes of white space, one endless word) no more is looked at.
MAX_CHARACTERS = 1_000_000
# Where a text may be cut: what every tokenizer takes for white space. str.isspace() says so of
# more characters, and some of those BERT's removes, so that the words beside them are one.
_SPACES = frozenset(" \t\r\n")


@dataclass(frozen=True, kw_only=True)
class TokenizedText:
    """A text as a model takes it: (t,) int64 ids; `truncated` says that not all of it is in.

    `weights`, (t,) int64, are the attention mask where tokens do not count alike. In `encoding`
    every token has its string and its place in the text: (start, end) in characters, (0, 0) for a
    special token. It is None where tokens are whole words.
    """

    ids: NDArray[np.int64]
    truncated: bool
    weights: NDArray[np.int64] | None = None
    encoding: Encoding | None = None


@dataclass(frozen=True, kw_only=True)
class TextTokenizer:
    """A tokenizer and the number of tokens, special ones included, that its model takes.

    A text without tokens is an error, unless there is an `empty_id` to stand for it.
    Nothing about it changes after loading, so any number of threads may use it at once.
    """

    tokenizer: Tokenizer
    max_tokens: int
    special_tokens: int
    empty_id: int | None = None

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
            raise _unless_fatal(
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
        size = max(_MIN_CHARACTERS, self.max_tokens * _CHARACTERS_PER_TOKEN)
        max_characters = max(MAX_CHARACTERS, 4 * size)
        for part in _prefixes(text[:max_characters], size):
            encoding = self._encode(part)
            if len(encoding) >= room + _MARGIN_TOKENS:
                break
        truncated = len(encoding) > room or len(text) > max_characters
        encoding.truncate(room)
        encoding = self.tokenizer.post_process(encoding)
        if not len(encoding) and self.empty_id is not None:
            return TokenizedText(ids=np.array([self.empty_id], np.int64), truncated=truncated)
        if not len(encoding):
            raise InputError("text: expected at least one token, got none; leave empty texts out")
        ids = np.array(encoding.ids, dtype=np.int64)
        return TokenizedText(ids=ids, truncated=truncated, encoding=encoding)

    def plain_ids(self, texts: Sequence[str]) -> Sequence[list[int] | None]:
        """The ids of many texts, on all processors at once; None for those to ask `encode` about.

        These are texts that are too long or have no tokens, and all of them if one is no valid
        Unicode, or where this process must do without the tokenizers library's threads.
        """
        size = max(_MIN_CHARACTERS, self.max_tokens * _CHARACTERS_PER_TOKEN)
        if max(map(len, texts)) > size or not TOKENIZER_THREADS.use():
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
        """How many tokens `text` has, special ones included, before any truncation."""
        return sum(len(self._encode(block)) for _, block in blocks(text)) + self.special_tokens

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end, in characters of `text`, of every token that covers some; in order."""
        for offset, block in blocks(text):
            for start, end in self._encode(block).offsets:
                if end > start:
                    yield offset + start, offset + end

    def taking_empty_texts(self) -> "TextTokenizer":
        """The same, where a text without tokens is one unknown token, if there is such a thing."""
        return replace(self, empty_id=self.unknown_id)

    @property
    def unknown_id(self) -> int | None:
        """The id of the token that stands for what the vocabulary lacks, or None."""
        token = getattr(self.tokenizer.model, "unk_token", None)
        return None if token is None else self.tokenizer.token_to_id(token)

    def vocabulary(self) -> dict[str, int]:
        """The ids of all tokens that stand for a piece of text, in the order of their ids."""
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
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:  # see from_bytes
            raise _unless_fatal(error, InputError(invalid_text_message(text, error))) from error


def invalid_text_message(text: str, error: BaseException) -> str:
    """Why a text cannot be tokenized, in words."""
    lone = next((n for n, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), None)
    if lone is None:
        return f"text: expected one that the tokenizer takes, got: {error}"
    return (
        f"text: expected valid Unicode, got a lone surrogate, U+{ord(text[lone]):04X}, "
        f"at position {lone}; leave it out, or encode with errors='replace' first"
    )


def blocks(text: str, size: int = 100_000) -> Iterator[tuple[int, str]]:
    """Cut a long text at white space into blocks of about `size` characters: (offset, block)."""
    start = 0
    while len(text) - start > size:
        end = _split_position(text, start, start + size)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _prefixes(text: str, size: int) -> Iterator[str]:
    """Prefixes of `text`, cut at white space, each four times the last; the last is all of it."""
    while size < len(text):
        yield text[: _split_position(text, 0, size)]
        size *= 4
    yield text


def _split_position(text: str, start: int, end: int) -> int:
    """The last place in text[start:end] where white space begins, or `end` where there is none."""
    for position in range(end, max(start, end - 1000), -1):
        if text[position] in _SPACES:
            return position
    return end


def _unless_fatal(error: BaseException, replacement: Exception) -> BaseException:
    """`replacement`, unless `error` is one that must pass: Ctrl-C, exit, memory used up."""
    return error if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError) else replacement
