"""Results in the terminal: blocks for people, one line each for other programs."""

import re
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from edgeembed.ingest.readers.base.places import place_of
from edgeembed.ingest.readers.code.languages import LANGUAGES
from edgeembed.results.answers import ELLIPSIS, Answer, nothing_fits
from edgeembed.results.confidence import (
    BLOCKS,
    NEAREST,
    NOTHING_FITS,
    filled_blocks,
)
from edgeembed.results.printable import one_line, printable, unwrapped

EXCERPT = 320
_LINE_EXCERPT = 160
_COLORS = {"likely": "green", "possible": "yellow", "unlikely": "bright_black"}
_BEST, _WORD, _QUIET, _HEADINGS = "bold", "underline cyan", "dim", "italic"
_CODE_LINES = 8
# Pygments has the names that the grammars have.
_LEXERS = {language.name: language.grammar for language in LANGUAGES}
_UNICODE_BAR, _ASCII_BAR = "■□", "#-"


def print_blocks(console: Console, answers: Sequence[Answer], *, full: bool = False) -> None:
    """Print a block for each result: rank, how sure, where; then the passage, wrapped.

    Where nothing fits, that is said first, and what comes nearest is dimmed.

    Args:
        console: where to.
        answers: the results, best first.
        full: whole passages, not only what is around the best sentence.
    """
    far = nothing_fits(answers)
    if far:
        console.print(Text(NOTHING_FITS, style="bold"))
        console.print(Text(f"{NEAREST}\n", style=_QUIET))
    for answer in answers:
        ascii_only = console.options.ascii_only
        limit = None if full else EXCERPT
        console.print(answer_block(answer, limit=limit, far=far, ascii_only=ascii_only))
        console.print()


def lines_of(answers: Sequence[Answer], *, full: bool = False) -> list[str]:
    """One line for each result: place, score and passage, with tabs between.

    Args:
        answers: the results, best first.
        full: whole passages, on one line all the same.
    """
    limit = None if full else _LINE_EXCERPT
    return [
        "\t".join(
            (
                one_line(answer.location.name),
                f"{answer.hit.score:.3f}",
                one_line("".join(segment.text for segment in answer.segments(limit))),
            )
        )
        for answer in answers
    ]


def answer_block(
    answer: Answer, *, limit: int | None, far: bool = False, ascii_only: bool = False
) -> RenderableType:
    """A result as rich renders it, the passage below its headline and to the right.

    Args:
        answer: the result.
        limit: about how many characters of the passage; None: all, and its lines are kept.
        far: the result does not fit, and is dimmed.
        ascii_only: the terminal shows nothing but ASCII.
    """
    parts = _below(answer, limit=limit, neighbors=True, far=far)
    indented = (Padding(part, (0, 0, 0, 4), expand=False) for part in parts)
    return Group(headline(answer, ascii_only=ascii_only), *indented)


def answer_text(
    answer: Answer, *, limit: int | None, neighbors: bool = True, far: bool = False
) -> Text:
    """A result as one text, which Textual draws faster than blocks; see answer_block.

    Args:
        answer: the result.
        limit: about how many characters of the passage; None: all, and its lines are kept.
        neighbors: also the text around the passage, where it was asked for.
        far: the result does not fit, and is dimmed.
    """
    parts = _below(answer, limit=limit, neighbors=neighbors, far=far)
    return Text("\n").join([headline(answer), *parts])


def _below(answer: Answer, *, limit: int | None, neighbors: bool, far: bool) -> list[Text]:
    """What stands below the headline, each a paragraph."""
    parts: list[Text] = []
    if answer.location.heading_path:
        parts.append(Text(one_line(answer.location.heading_path), style=_HEADINGS))
    if neighbors and answer.hit.before:
        parts.append(_neighbor(answer.hit.before))
    parts.append(_code(answer, whole=limit is None) or passage_text(answer, limit=limit))
    if neighbors and answer.hit.after:
        parts.append(_neighbor(answer.hit.after))
    if answer.also_in:
        places = ", ".join(one_line(place.name) for place in answer.also_in)
        parts.append(Text(f"also in: {places}", style=_QUIET))
    shown = [part for part in parts if part.plain]
    if far:
        for part in shown:
            part.stylize(_QUIET)
    return shown


def headline(answer: Answer, *, ascii_only: bool = False) -> Text:
    """Rank, how sure, and where, on one line."""
    line = Text(f"{answer.rank:>2}  ")
    word = answer.confidence
    if word is None or answer.hit.probability is None:
        line.append(f"{answer.hit.score:.3f}", style=_QUIET)
    else:
        filled = filled_blocks(answer.hit.probability)
        on, off = _ASCII_BAR if ascii_only else _UNICODE_BAR
        line.append(on * filled + off * (BLOCKS - filled), style=_COLORS[word])
        line.append(f" {word:<8}", style=_COLORS[word])
    file = answer.location.file()
    # Terminals that can make it a link.
    style = "bold" if file is None else f"bold link {file.as_uri()}"
    return line.append("  ").append(one_line(answer.location.name), style=style)


def passage_text(answer: Answer, *, limit: int | None) -> Text:
    """The passage, its best sentence and the words of the query set off.

    Args:
        answer: the result.
        limit: about how many characters, in one paragraph; None: all, and its lines are kept.
    """
    text = Text()
    for segment in answer.segments(limit):
        piece = segment.text
        if limit is not None:
            piece = re.sub(r"\s+", " ", piece)
            if not text.plain or text.plain.endswith(" "):
                piece = piece.lstrip()
        style = " ".join([_BEST] * segment.best + [_WORD] * segment.word)
        text.append(piece, style=style or None)
    text.rstrip()
    return text


def _code(answer: Answer, *, whole: bool) -> Text | None:
    """Source code as it stands, in colors: its first lines, or whole; None if it is none."""
    language = place_of(answer.hit.metadata).get("language")
    lexer = _LEXERS.get(language) if isinstance(language, str) else None
    if lexer is None:
        return None
    lines = printable(answer.text).splitlines()
    shown = lines if whole else lines[:_CODE_LINES]
    text = Syntax("", lexer, theme="ansi_dark").highlight("\n".join(shown))
    text.rstrip()
    text.no_wrap = True
    return text.append(f"\n{ELLIPSIS}") if len(shown) < len(lines) else text


def _neighbor(passage: str) -> Text:
    return Text(printable(unwrapped(passage)).strip(), style=_QUIET)
