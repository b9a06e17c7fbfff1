"""The text of HTML as its parser reports it: menus, lists of links, scripts and styles left out."""

import contextlib
import re
from collections.abc import Iterator, Mapping

from edgeembed.ingest.readers.base.protocol import MAX_BLOCK, Block, Reason, SkippedError
from edgeembed.ingest.readers.documents.markup_tables import MarkupTable
from edgeembed.ingest.readers.documents.sections import Sections
from edgeembed_runtime.errors import MissingExtraError

# Elements that begin and end a paragraph.
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd",
        "details", "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer",
        "form", "header", "hgroup", "hr", "html", "legend", "li", "main", "ol", "p", "pre",
        "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LINES = frozenset({"li", "dt", "dd"})  # whose paragraphs are lines
# Elements whose text is none of the page.
_SILENT = frozenset(
    {
        "applet", "audio", "button", "canvas", "datalist", "embed", "head", "iframe", "map",
        "noscript", "object", "script", "select", "style", "svg", "template", "video",
    }
)  # fmt: skip
_MENU_ROLES = frozenset({"menu", "menubar", "navigation", "tablist", "toolbar"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_AROUND_LINES = re.compile(r" *\n\s*")
_MENU_LINKS = 3  # in one paragraph of links alone, or such paragraphs one after another
_LINKED = 0.8  # of the characters of a paragraph of links alone
_MAX_MENUS = 1 << 18  # characters of menus kept for a page that is nothing else
_MAX_TITLE = 500


class MarkupText:
    """Feeds HTML to libxml2's parser, which keeps no tree, and what it reports to sections."""

    def __init__(self, sections: Sections) -> None:
        """Make a parser.

        Raises:
            MissingExtraError: lxml is not installed.
        """
        try:
            import lxml.etree as etree
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("HTML", "documents") from error
        self._page = _Page(sections)
        self._parser = etree.HTMLParser(
            target=self._page,  # pyright: ignore[reportArgumentType] any object with its methods
            encoding="utf-8",
            huge_tree=True,
        )
        self._error = etree.LxmlError

    @property
    def title(self) -> str:
        """The page's title, once it is known."""
        return self._page.title

    @property
    def named(self) -> Mapping[str, str]:
        """The contents of its `meta` elements by their names in lower case."""
        return self._page.named

    def feed(self, text: str) -> Iterator[Block]:
        """Give the blocks that became complete by some more of the page.

        Raises:
            SkippedError: the parser gave up.
        """
        if text:
            try:
                self._parser.feed(text.encode("utf-8", "replace"))
            except self._error as error:
                raise SkippedError(Reason.DAMAGED, f"{error}") from error
        yield from self._page.taken()

    def close(self) -> Iterator[Block]:
        """End the page. One that has nothing but links is read with them."""
        with contextlib.suppress(self._error):  # there was no element at all
            self._parser.close()
        self._page.finish()
        yield from self._page.taken()


class _Page:
    """What the parser calls for each element, from `start` to `end`, and each piece of text."""

    def __init__(self, sections: Sections) -> None:
        self.title = ""
        self.named: dict[str, str] = {}
        self._sections = sections
        self._blocks: list[Block] = []
        self._open: list[tuple[bool, bool]] = []  # of each element: is it silent, is it a menu
        self._silent = self._menu = self._pre = self._lines = self._links_open = 0
        self._in_title = False
        self._paragraph = _Paragraph()
        self._heading = 0
        self._table: MarkupTable | None = None
        self._run: list[str] = []  # paragraphs of links alone, one after another
        self._run_is_menu = False
        self._menus: list[str] = []
        self._menus_size = 0
        self._has_text = False

    def taken(self) -> list[Block]:
        """The blocks since the last call."""
        blocks, self._blocks = self._blocks, []
        return blocks

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "meta":
            name = attributes.get("name") or attributes.get("property") or ""
            self.named.setdefault(name.lower(), attributes.get("content", "")[:_MAX_TITLE].strip())
        self._in_title = tag == "title" and not self.title
        is_silent = tag in _SILENT or _is_hidden(attributes)
        is_menu = tag == "nav" or attributes.get("role", "").lower() in _MENU_ROLES
        self._open.append((is_silent, is_menu))
        if is_menu or tag in _BLOCKS or tag in _HEADINGS:
            self._end_paragraph()
        self._silent += is_silent
        self._menu += is_menu
        if not self._silent:
            self._begin(tag)

    def _begin(self, tag: str) -> None:
        self._pre += tag == "pre"
        self._lines += tag in _LINES
        if tag == "a":
            self._paragraph.links += 1
            self._links_open += 1
        elif tag == "br":
            self.data("\n" if self._pre else "\0")
        elif tag in _HEADINGS:
            self._heading = _HEADINGS[tag]
        elif tag == "table":
            if self._table:  # a table within another one: the outer is a frame
                self._give_table()
            self._table = MarkupTable()
        elif self._table and tag in ("tr", "td", "th"):
            self._table.begin(tag)

    def end(self, tag: str) -> None:
        self._in_title = False
        is_silent, is_menu = self._open.pop() if self._open else (False, False)
        if is_menu or tag in _BLOCKS or tag in _HEADINGS:
            self._end_paragraph()
        if not self._silent:
            self._pre -= tag == "pre"
            self._lines -= tag in _LINES
            self._links_open -= tag == "a"
            if tag == "table":
                self._give_table()
        self._silent -= is_silent
        self._menu -= is_menu

    def data(self, text: str) -> None:
        if self._in_title and len(self.title) < _MAX_TITLE:
            self.title = " ".join(f"{self.title}{text}".split())[:_MAX_TITLE]
        if not self._silent:
            if not self._pre:
                text = _SPACES.sub(" ", text).replace("\0", "\n")
            self._paragraph.add(text, is_linked=self._links_open > 0)
            if self._paragraph.size > MAX_BLOCK:
                self._end_paragraph()

    def close(self) -> None:
        """The parser wants it."""

    def finish(self) -> None:
        """The page's end."""
        self._end_paragraph()
        self._give_table()
        self._end_run()
        if not self._has_text:
            self._blocks.extend(self._sections.paragraph("\n".join(self._menus)))

    def _end_paragraph(self) -> None:
        paragraph, self._paragraph = self._paragraph, _Paragraph()
        heading, self._heading = self._heading, 0
        text = paragraph.text(is_kept=self._pre > 0)
        if not text:
            return
        if self._menu:
            self._keep_menu(text)
        elif heading and not (self._table and self._table.in_cell):
            self._end_run()
            self._blocks.extend(self._sections.heading(heading, text))
        elif self._table and self._table.in_cell:
            self._table.add(text)
            if self._table.is_full:
                self._give_rows(self._table)
        elif paragraph.is_links:
            self._add_links(paragraph, text)
        else:
            self._give(text)

    def _give(self, text: str) -> None:
        self._end_run()
        self._has_text = True
        self._blocks.extend(self._sections.paragraph(text, "\n" if self._lines else "\n\n"))

    def _give_table(self) -> None:
        if self._table:
            self._give_rows(self._table)
        self._table = None

    def _give_rows(self, table: MarkupTable) -> None:
        for text in table.taken():
            self._give(text)

    def _add_links(self, paragraph: "_Paragraph", text: str) -> None:
        self._run.append(text)
        if paragraph.links >= _MENU_LINKS or len(self._run) >= _MENU_LINKS:
            self._run_is_menu = True
        if self._run_is_menu:
            self._keep_menu(*self._run)
            self._run.clear()

    def _end_run(self) -> None:
        run, self._run, self._run_is_menu = self._run, [], False
        for text in run:
            self._give(text)

    def _keep_menu(self, *texts: str) -> None:
        for text in texts:
            if self._menus_size < _MAX_MENUS:
                self._menus.append(text)
                self._menus_size += len(text)


class _Paragraph:
    """Text on the way to a paragraph, and how much of it is in links."""

    def __init__(self) -> None:
        self.size = 0  # characters
        self.links = 0
        self._linked = 0
        self._parts: list[str] = []

    def add(self, text: str, *, is_linked: bool) -> None:
        self._parts.append(text)
        self.size += len(text)
        if is_linked:
            self._linked += len(text)
            self.links = self.links or 1  # its link began in the paragraph before

    @property
    def is_links(self) -> bool:
        return self.links > 0 and self._linked >= _LINKED * sum(len(p.strip()) for p in self._parts)

    def text(self, *, is_kept: bool) -> str:
        text = "".join(self._parts)
        if is_kept:
            return text.strip("\r\n") if text.strip() else ""
        return _AROUND_LINES.sub("\n", re.sub("  +", " ", text)).strip()


def _is_hidden(attributes: Mapping[str, str]) -> bool:
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(attributes.get("style", "")))
    )
