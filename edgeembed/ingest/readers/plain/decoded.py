"""A file's text in pieces, and in windows that end where a paragraph or a line does."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgeembed.ingest.readers.base.protocol import MAX_BLOCK, Reason, Remark, Source
from edgeembed.ingest.readers.plain.data_runs import data_runs
from edgeembed.ingest.readers.plain.encoding import encoding_of

_CHUNK = 1 << 16
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_REPLACED = "\ufffd"


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of a file's text, and where it begins: characters from 0, lines from 1."""

    text: str
    start: int
    line: int

    def part(self, start: int, end: int | None = None) -> "Window":
        """The window of its characters from `start` on, before `end`."""
        return Window(
            text=self.text[start:end],
            start=self.start + start,
            line=self.line + self.text.count("\n", 0, start),
        )


class DecodedText:
    """The text of a source, read once from its beginning, line ends as they are on disk."""

    def __init__(self, source: Source) -> None:
        """Find the encoding.

        Raises:
            SkippedError: the source is not text.
            MissingExtraError: the package that finds its encoding is not installed.
        """
        self._source = source
        self._encoding = encoding_of(source.stream)
        self._replaced = 0
        self._first_line = 0
        self._data_lines: list[int] = []
        self.start = 1 if self._encoding.mark else 0
        """Where the text begins: a byte order mark is the first character of its file."""

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces that are not empty."""
        self._source.stream.seek(self._encoding.mark)
        # strict would end a file of 78 kB at one bad byte
        decoder = codecs.getincrementaldecoder(self._encoding.name)("replace")
        left = self._source.size - self._encoding.mark  # a writer may append for ever
        lines = 1
        while left > 0 and (data := self._source.stream.read(min(_CHUNK, left))):
            left -= len(data)
            if text := decoder.decode(data):
                if self._encoding.damaged:
                    self._note(text, lines)
                    lines += text.count("\n")
                yield text
        if text := decoder.decode(b"", final=True):
            self._note(text, lines)
            yield text

    def remarks(self) -> Iterator[Remark]:
        """Say, after the text, that bytes were replaced, and data passed over."""
        for line in self._data_lines:
            yield Remark(reason=Reason.NOT_TEXT, where=f"line {line}", detail="data in base64")
        if self._replaced:
            yield Remark(
                reason=Reason.REPLACED,
                where=f"line {self._first_line}",
                detail=f"{self._replaced} bytes are not {self._encoding.name}",
            )

    def note_data(self, line: int) -> None:
        """Have it said that data was passed over."""
        if self._data_lines[-1:] != [line]:  # a long run comes in several windows
            self._data_lines.append(line)

    def _note(self, text: str, lines: int) -> None:
        count = text.count(_REPLACED)
        if count and not self._replaced:
            self._first_line = lines + text.count("\n", 0, text.index(_REPLACED))
        self._replaced += count


def windows(text: DecodedText) -> Iterator[Window]:
    """Yield a text in windows of at most MAX_BLOCK characters, but for data in base64."""
    for window in windows_of(text.pieces(), text.start):
        at = 0
        for start, end in data_runs(window.text):
            text.note_data(window.line + window.text.count("\n", 0, start))
            yield window.part(at, start)
            at = end
        yield window.part(at) if at else window


def windows_of(pieces: str | Iterable[str], start: int = 0) -> Iterator[Window]:
    """Yield a text, or one that comes in pieces, in windows of at most MAX_BLOCK characters."""
    rest, line = "", 1
    pieces = (pieces,) if isinstance(pieces, str) else pieces
    for piece in pieces:
        rest += piece
        at = 0
        while len(rest) - at > MAX_BLOCK:
            cut = _cut(rest, at)
            window = rest[at:cut]
            yield Window(text=window, start=start, line=line)
            start, line, at = start + len(window), line + window.count("\n"), cut
        rest = rest[at:]
    if rest:
        yield Window(text=rest, start=start, line=line)


def lines_of(text: DecodedText, limit: int) -> Iterator[tuple[int, str | None]]:
    """Yield (number from 1, line with its end); None for a line of more than `limit` characters."""
    number, rest = 1, ""
    too_long = False
    for piece in text.pieces():
        lines = (rest + piece).split("\n")
        rest = lines.pop()
        for line in lines:
            yield number, None if too_long else f"{line}\n"
            number, too_long = number + 1, False
        if len(rest) > limit:
            too_long, rest = True, ""
    if rest or too_long:
        yield number, None if too_long else rest


def _cut(text: str, start: int) -> int:
    """Where a window ends: after a paragraph in its second half, a line, a word, or anywhere."""
    half, end = start + MAX_BLOCK // 2, start + MAX_BLOCK
    ends = [match.end() for match in _PARAGRAPH.finditer(text, half, end)]
    if ends:
        return ends[-1]
    for mark in ("\n", "\r", ". ", " "):
        found = text.rfind(mark, half, end)
        if found >= 0:
            return found + len(mark)
    return end
