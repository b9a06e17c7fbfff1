"""The structure of plain text, Markdown and reStructuredText: headings, paragraphs, lines."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Syntax = Literal["prose", "code"]
"""What a text is: prose has headings and sentences; the lines of code are its only structure."""
_LINE = re.compile(r"\S[^\n\r]*+")
# A line is examined up to here; nothing that is longer is a heading.
_HEAD = 200
_MAX_TITLE = 120
_HASHES = re.compile(r"(#{1,6})[ \t]+(\S.*?)(?:[ \t]+#+)?$")
_EQUALS = re.compile(r"(={2,6})[ \t]+(\S.*?)(?:[ \t]+=+)?$")
_UNDERLINE = re.compile(r"([=\-~^\"'*+#`:._])\1{2,}$")
_FENCE = re.compile(r"(`{3,}|~{3,})")
_ITEM = re.compile(r"(?:[-*+•‣◦–]|\(?(?:\d{1,3}|[A-Za-z])[.)])[ \t]+\S|[|>]|\[[ xX]\][ \t]")
_NUMBERED = re.compile(r"\d{1,2}((?:\.\d{1,2})+)\.?[ \t]+[^\W\d_]")
_DIVISION = re.compile(
    r"(?:chapter|part|appendix|kapitel|chapitre|cap[ií]tulo)[ \t]+[\dIVXLC]+\b", re.I
)
_FRONT_MATTER = re.compile(
    r"\s{0,9}(---|\+\+\+)[ \t]*\r?\n(?P<body>(?s:.){0,5000}?)\n\1[ \t]*(?:\r?\n|$)"
)
_FRONT_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(\S.*?)[ \t]*\r?$", re.M | re.I)
_SENTENCE_ENDS = frozenset(".!?…,;。！？：，")


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading: where its lines start and end, its level from 1, and its text without marks."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Where the parts of a text start, each as positions of its first character, in order.

    `items` are list items, table rows, and lines that end before their paragraph's width. `lines`
    are all lines but a paragraph's first. `title` is the title in front matter, or empty.
    """

    title: str
    headings: list[Heading] = field(default_factory=list[Heading])
    paragraphs: list[int] = field(default_factory=list[int])
    items: list[int] = field(default_factory=list[int])
    lines: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    indent: int
    head: str
    """Its beginning, without the white space after it."""

    @property
    def length(self) -> int:
        return self.indent + self.end - self.start


def structure_of(text: str, syntax: Syntax = "prose") -> Structure:
    """Find the structure of `text`, in time linear in its length."""
    if syntax == "code":
        blocks = [[line.start for line in block] for block in _blocks(text, 0)]
        return Structure(
            title="",
            paragraphs=[starts[0] for starts in blocks],
            items=[start for starts in blocks for start in starts[1:]],
        )
    front = _FRONT_MATTER.match(text)
    found = _FRONT_TITLE.search(front["body"]) if front else None
    scanner = _Scanner(Structure(title=found[1].strip("\"' ") if found else ""))
    for block in _blocks(text, front.end() if front else 0):
        scanner.visit(block)
    return scanner.found


def _blocks(text: str, position: int) -> Iterator[list[_Line]]:
    """Yield the lines between blank lines; front matter, up to `position`, is a block."""
    block: list[_Line] = []
    end = 0
    for match in _LINE.finditer(text):
        start = match.start()
        gap = text[end:start]
        breaks = gap.count("\n") or gap.count("\r")
        if block and (breaks > 1 or "\f" in gap or block[-1].start < position <= start):
            yield block
            block = []
        indent = len(gap) - 1 - max(gap.rfind("\n"), gap.rfind("\r"))
        end = match.end()
        head = text[start : min(end, start + _HEAD)]
        if end - start <= _HEAD:
            head = head.rstrip()
        block.append(_Line(start, start + len(head) if end - start <= _HEAD else end, indent, head))
    if block:
        yield block


class _Scanner:
    """Takes the blocks in order, and remembers an open code fence and the styles of headings."""

    def __init__(self, found: Structure) -> None:
        self.found = found
        self._fence = ""
        self._styles: dict[str, int] = {}

    def visit(self, block: list[_Line]) -> None:
        """Add a block's parts."""
        if self._fence:
            self.found.items.append(block[0].start)
        else:
            self.found.paragraphs.append(block[0].start)
        comment = _is_comment(block)
        at = 0
        opening = 0  # the first line of the paragraph that is open
        while at < len(block):
            line = block[at]
            if self._follow_fence(line):
                self.found.paragraphs.append(line.start)
                at, opening = at + 1, at + 1
                continue
            heading, taken = (None, 1)
            if not (self._fence or comment or line.length > _HEAD):
                heading, taken = self._heading(block, at, is_first=at == opening)
            if heading is not None:
                self._add_lines(block[opening:at])
                self.found.headings.append(heading)
                at, opening = at + taken, at + taken
                if at < len(block):
                    self.found.paragraphs.append(block[at].start)
            else:
                at += 1
        self._add_lines(block[opening:])

    def _follow_fence(self, line: _Line) -> bool:
        """Open or close a code fence; return whether this line opens one."""
        match = _FENCE.match(line.head)
        if match is None:
            return False
        if not self._fence:
            self._fence = match[1]
            return True
        if match[1].startswith(self._fence) and line.head == match[1]:
            self._fence = ""
        return False

    def _add_lines(self, lines: list[_Line]) -> None:
        """Add the lines of a paragraph; the first one is known as the paragraph's start."""
        if len(lines) < 2:
            return
        width = max(line.length for line in lines)
        for before, line in itertools.pairwise(lines):
            word = line.head.find(" ")
            word = len(line.head) if word < 0 else word
            # The next word would have fitted: the line was ended on purpose.
            is_short = not self._fence and before.length + 1 + word <= width
            if is_short or (not self._fence and _ITEM.match(line.head)):
                self.found.items.append(line.start)
            else:
                self.found.lines.append(line.start)

    def _heading(
        self, block: list[_Line], at: int, *, is_first: bool
    ) -> tuple[Heading | None, int]:
        """Return the heading that starts at a line, if any, and the number of its lines."""
        line = block[at]
        if line.indent <= 3 and line.head[0] in "#=":
            marked = _HASHES.match(line.head) or _EQUALS.match(line.head)
            if marked:
                return _made(line, line, len(marked[1]), marked[2]), 1
        if not is_first:
            return None, 1
        over = _UNDERLINE.match(line.head)
        if over and at + 2 < len(block):
            under = block[at + 2]
            if under.head == line.head and len(line.head) >= len(block[at + 1].head):
                level = self._level("over" + over[1])
                return _made(line, under, level, block[at + 1].head), 3
        if at + 1 < len(block) and not over:
            under = _UNDERLINE.match(block[at + 1].head)
            if under and _is_under(under, line.head):
                level = self._level(under[1])
                return _made(line, block[at + 1], level, line.head), 2
        style = _plain_style(line.head) if len(block) == 1 else ""
        if style:
            return _made(line, line, self._level(style), line.head), 1
        return None, 1

    def _level(self, style: str) -> int:
        """The level of a heading style: styles are numbered as they come, as in docutils."""
        return self._styles.setdefault(style, len(self._styles) + 1)


def _made(first: _Line, last: _Line, level: int, title: str) -> Heading:
    title = title.strip().strip("*_").strip()
    return Heading(start=first.start, end=last.end, level=level, title=title)


def _is_under(match: re.Match[str], title: str) -> bool:
    """Whether a line of one character underlines the line above it."""
    length = match.end()
    if len(title) > _MAX_TITLE or _UNDERLINE.match(title) or _ITEM.match(title):
        return False
    return (match[1] in "=-" and abs(length - len(title)) <= 3 + len(title) // 2) or (
        length >= len(title)
    )


def _plain_style(line: str) -> str:
    """The heading style of a line that stands alone, or empty if it is no heading."""
    if len(line) > 80 or line[-1] in _SENTENCE_ENDS:
        return ""
    if _DIVISION.match(line):
        return "division"
    numbered = _NUMBERED.match(line)
    if numbered:
        return f"numbered {numbered[1].count('.')}"
    letters = sum(map(str.isalpha, line))
    if letters >= 4 and 2 * letters >= len(line) and line.isupper():
        return "capitals"
    return ""


def _is_comment(block: list[_Line]) -> bool:
    """Whether the lines with one hash are a program's comments: Markdown has no two in a row."""
    marked = [line.head.startswith(("# ", "#!")) for line in block]
    return any(a and b for a, b in itertools.pairwise(marked))
