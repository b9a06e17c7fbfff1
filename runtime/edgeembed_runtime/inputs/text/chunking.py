"""Splitting long texts into overlapping chunks that fit the model."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

_SENTENCE_ENDS = frozenset(".!?。！？\n")
# A chunk may give up 1/4 of its tokens to end at a sentence or word boundary.
_SLACK = 4


@public
@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a text.

    Attributes:
        text: the piece itself.
        start: its first character in the whole text.
        end: one past its last character, so that `text` is `whole[start:end]`.
    """

    text: str
    start: int
    end: int


def checked_size(max_tokens: int | None, room: int) -> int:
    """Return `max_tokens` limited to `room`, or `room` if it is None.

    Raises:
        InputError: `max_tokens` is not a positive integer.
    """
    if max_tokens is None:
        return room
    if type(max_tokens) is not int or max_tokens < 1:
        raise InputError(f"max_tokens: expected 1 or more, got {max_tokens!r}")
    return min(max_tokens, room)


def chunk_text(
    text: str, tokenizer: TextTokenizer, *, max_tokens: int, overlap_tokens: int
) -> Iterator[Chunk]:
    """Split `text` into chunks of up to `max_tokens` tokens, not counting special tokens.

    `max_tokens` is limited to what the model takes. A chunk ends after a sentence if one ends in
    its last quarter, else between words, else anywhere; the next one starts about `overlap_tokens`
    earlier. A short text is a single chunk; a text of only whitespace has none.

    Raises:
        InputError: `max_tokens` is not positive, or `overlap_tokens` is not 0 to half of it.
    """
    max_tokens = checked_size(max_tokens, tokenizer.max_tokens - tokenizer.special_tokens)
    if type(overlap_tokens) is not int or not 0 <= overlap_tokens <= max_tokens // 2:
        raise InputError(f"overlap_tokens: expected 0 to {max_tokens // 2}, got {overlap_tokens!r}")
    spans = list(tokenizer.spans(text))
    first = 0
    while first < len(spans):
        last = _last_fitting(text, spans, first, tokenizer, max_tokens)
        start, end = _char_span(text, spans, first, last)
        if start < end:
            yield Chunk(text=text[start:end], start=start, end=end)
        if last == len(spans):
            return
        first = _next_start(text, spans, max(first + 1, last - overlap_tokens), last)


def _last_fitting(
    text: str, spans: list[tuple[int, int]], first: int, tokenizer: TextTokenizer, max_tokens: int
) -> int:
    """Return the end (exclusive) of the longest chunk from token `first` that fits the model.

    Tokenized on its own, a chunk may have more tokens than within the text: the rest of a split
    word, or a word without its leading space.
    """
    room = max_tokens
    while True:
        last = _break_position(text, spans, first, min(first + room, len(spans)))
        start, end = _char_span(text, spans, first, last)
        excess = tokenizer.count(text[start:end]) - tokenizer.special_tokens - max_tokens
        if excess <= 0 or last == first + 1:
            return last
        room = max(1, last - first - excess)


def _char_span(text: str, spans: list[tuple[int, int]], first: int, last: int) -> tuple[int, int]:
    """Return the character span of tokens [first, last), without surrounding whitespace.

    Characters the tokenizer skips, such as a combining accent, belong to the preceding token.
    """
    start = spans[first][0] if first else 0
    end = spans[last][0] if last < len(spans) else len(text)
    piece = text[start:end]
    return end - len(piece.lstrip()), start + len(piece.rstrip())


def _break_position(text: str, spans: list[tuple[int, int]], first: int, limit: int) -> int:
    """Return the end (exclusive) of the chunk from token `first`: a boundary, or `limit`."""
    if limit == len(spans):
        return limit
    earliest = limit - (limit - first) // _SLACK
    word_end = None
    for last in range(limit, earliest - 1, -1):
        end = spans[last - 1][1]
        if text[end : end + 1].isspace() and last > first:
            if text[end - 1] in _SENTENCE_ENDS:
                return last
            word_end = word_end or last
    return word_end or limit


def _next_start(text: str, spans: list[tuple[int, int]], target: int, end: int) -> int:
    """Return the first token in [target, end) that starts a word, or `target` if there is none."""
    for token in range(target, end):
        start = spans[token][0]
        if start == 0 or text[start - 1].isspace() or text[start].isspace():
            return token
    return target
