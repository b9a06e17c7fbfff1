"""LaTeX: the words without the commands, under the headings of the sections."""

import itertools
import re
from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.plain.decoded import DecodedText, lines_of, windows_of
from edgeembed.ingest.readers.plain.latex_text import argument_of, plain_text
from edgeembed.ingest.readers.plain.text import TextReader

_LEVELS = {
    name: level
    for level, name in enumerate(
        ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
    )
}
_SECTION = re.compile(rf"\s*\\({'|'.join(_LEVELS)})\*?[ \t]*(?:\[[^\]\n]*\])?[ \t]*(?=\{{)")
_COMMENT = re.compile(r"(?<!\\)%.*")
_PREAMBLE = re.compile(r"\s*\\document(?:class|style)\b")
_BEGIN, _END = "\\begin{document}", "\\end{document}"
_PROPERTY = re.compile(r"\\(title|author|date)\s*(?:\[[^\]]{0,300}\])?(?=\{)")
# A place is as exact as blocks are short; about three passages.
_SIZE = 2000
_MAX_LINE = 1 << 16
_MAX_PROPERTIES = 20


class LatexReader:
    """Reads LaTeX; the preamble gives title, author and date."""

    name = "LaTeX"
    suffixes: frozenset[str] = frozenset({".tex", ".latex", ".ltx"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        writing = _Writing()
        found = False
        for number, line in lines_of(text, _MAX_LINE):
            for block in writing.add(number, _COMMENT.sub("", line or "")):
                found = True
                yield block
            if writing.ended:
                break
        for block in writing.end():
            found = found or bool(block.text or block.title)
            yield block
        if not found and not writing.has_preamble:  # whatever it is, it is text
            yield from TextReader().read(source)
            return
        yield from text.remarks()


class _Writing:
    """Collects paragraphs under one heading, and gives them as blocks."""

    def __init__(self) -> None:
        self.ended = self.has_preamble = False
        self._has_given = False
        self._preamble: list[str] | None = None
        self._properties: dict[str, str] = {}
        self._above: list[tuple[int, str]] = []
        self._paragraph: list[str] = []
        self._texts: list[str] = []
        self._size = self._length = 0
        self._line = self._begins = 1
        self._unsaid: Block | None = None
        """The last heading, if nothing stands below it yet."""

    def add(self, number: int, line: str) -> Iterator[Block]:
        if self._preamble is None and _PREAMBLE.match(line):
            self._preamble, self.has_preamble = [], True
        if self._preamble is not None:
            line = self._read_preamble(line)
        if _END in line:
            self.ended = True
            line = line.partition(_END)[0]
        section = _SECTION.match(line)
        if section or not line.strip():
            yield from self._end_paragraph()
        if section:
            title, end = argument_of(line, section.end())
            level = _LEVELS[section[1]]
            yield from self.flush(is_last=bool(self._above) and level <= self._above[-1][0])
            self._above = [each for each in self._above if each[0] < level]
            self._above.append((level, " ".join(plain_text(title).split())))
            self._unsaid = self._block(self._above[-1][1], number)
            line = line[end:]
        if line.strip():
            if not self._paragraph:
                self._begins = number
            self._paragraph.append(line)
            self._length += len(line)
            if self._length > _MAX_LINE:
                yield from self._end_paragraph()

    def end(self) -> Iterator[Block]:
        """Give what is left; a preamble that has no end is all there is."""
        if self._preamble:
            self._paragraph, self._preamble = self._preamble, None
        if not self._above and not self._has_given:
            self._unsaid = self._block("", 1)  # nothing but a title
        yield from self.flush(is_last=True)

    def flush(self, *, is_last: bool = False) -> Iterator[Block]:
        """Give what is collected; of a last section without a text, its heading."""
        yield from self._end_paragraph()
        text = "\n\n".join(self._texts)
        self._texts, self._size = [], 0
        for window in windows_of(text):
            self._unsaid, self._has_given = None, True
            yield self._block(window.text, self._line)
        if is_last and self._unsaid is not None:
            yield self._unsaid
            self._unsaid = None

    def _block(self, text: str, line: int) -> Block:
        properties = self._properties
        return Block(
            text=text,
            place={"line": line},
            title=properties.get("title", ""),
            headings=tuple(title for _, title in self._above if title),
            metadata={name: each for name, each in properties.items() if name != "title"},
        )

    def _end_paragraph(self) -> Iterator[Block]:
        text = plain_text("".join(self._paragraph)).strip()
        self._paragraph, self._length = [], 0
        if not text:
            return
        if self._size + len(text) > _SIZE and self._texts:
            yield from self.flush()
        if not self._texts:
            self._line = self._begins
        self._texts.append(text)
        self._size += len(text)

    def _read_preamble(self, line: str) -> str:
        """Take a line of the preamble; return what of it is the document's text."""
        assert self._preamble is not None
        before, begin, rest = line.partition(_BEGIN)
        if sum(map(len, self._preamble)) < _MAX_LINE:
            self._preamble.append(before)
        if not begin:
            return ""
        head = "".join(self._preamble)
        for found in itertools.islice(_PROPERTY.finditer(head), _MAX_PROPERTIES):
            value = " ".join(plain_text(argument_of(head, found.end())[0]).split())
            if value:
                self._properties.setdefault(found[1], value)
        self._preamble = None
        return rest
