"""Source code: a block for each function, with the class that it is in as its heading."""

import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.code.generated import why_generated
from edgeembed.ingest.readers.code.languages import LANGUAGES, Language, language_of
from edgeembed.ingest.readers.code.outline import Part, outline
from edgeembed.ingest.readers.plain.decoded import DecodedText, Window, windows, windows_of

# What is longer is data, or was written by a program; a tree of it takes fifty times its size.
_MAX_PARSED = 2 << 20
_BEGINNING = 1 << 16
_FUNCTIONS = frozenset({"function", "method"})
# Where the case changes: camelCase, HTTPServer.
_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class CodeReader:
    """Reads source code by structure; by lines where its grammar, or the extra, is missing."""

    name = "source code"
    suffixes: frozenset[str] = frozenset().union(*(each.suffixes for each in LANGUAGES))

    def __init__(self) -> None:
        """Look whether the grammars are installed."""
        self._parses = find_spec("tree_sitter_language_pack") is not None

    @property
    def version(self) -> int:
        """Files that were read by lines are read again when the grammars are there."""
        return 3 if self._parses else 1

    @property
    def trusted(self) -> bool:
        """Parsers made from grammars are C code; one may crash."""
        return not self._parses

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`.

        Raises:
            SkippedError: it is no text, or nobody's own code.
        """
        text = DecodedText(source)
        if self._parses and source.size <= _MAX_PARSED:
            pieces: Iterable[Window] = [
                Window(text="".join(text.pieces()), start=text.start, line=1)
            ]
        else:
            pieces = windows(text)
        language: Language | None = None
        for piece in pieces:
            if piece.start == text.start:
                language = _checked_language(source.name, piece.text)
            if language is None or source.size > _MAX_PARSED or not self._parses:
                yield from _blocks(piece, Part(start=0, end=0), language)
                continue
            for part, window in _parts(piece, language):
                yield from _blocks(window, part, language)
        yield from text.remarks()


def _checked_language(name: str, beginning: str) -> Language | None:
    """The language of a file, unless it is nobody's own code.

    Raises:
        SkippedError: it is not.
    """
    if why := why_generated(beginning[:_BEGINNING]):
        raise SkippedError(Reason.GENERATED, why)
    return language_of(name, beginning.partition("\n")[0])


def _parts(whole: Window, language: Language) -> Iterator[tuple[Part, Window]]:
    """Yield the parts of a file with their text; the places of parts are in bytes of UTF-8."""
    data = whole.text.encode()
    rest, at = whole, 0
    for part in outline(data, language):
        before = len(data[at : part.start].decode())
        length = len(data[part.start : part.end].decode())
        window = rest.part(before, before + length)
        yield part, window
        rest, at = rest.part(before + length), part.end


def _as_words(name: str) -> str:
    return " ".join(_CASE.sub(" ", name.replace("_", " ")).split())


def _blocks(window: Window, part: Part, language: Language | None) -> Iterator[Block]:
    place = {
        **({"language": language.name} if language else {}),
        **({"symbol": part.symbol, "kind": part.kind} if part.symbol else {}),
        **({"signature": part.signature} if part.signature else {}),
    }
    # What a part stands in, and itself: its later pieces lack its first line.
    names = (*part.scopes, part.name) if part.name else part.scopes
    headings = tuple(map(_as_words, names))
    if part.signature and part.kind in _FUNCTIONS:
        # What a function takes says much of what it does: the words of its parameters.
        headings = (*headings[:-1], f"{headings[-1]}: {_as_words(part.signature)}")
    for piece in windows_of(window.text):
        if piece.text.isspace():
            continue
        at = window.part(piece.start, piece.start + len(piece.text))
        yield Block(
            text=piece.text,
            place={**place, "line": at.line, "start": at.start},
            headings=headings,
            code=True,
        )
