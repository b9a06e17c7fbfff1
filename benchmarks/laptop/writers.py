"""Writes a document as a file of each kind, by the libraries that made such files in the wild."""

import csv
import gzip
import io
import json
import mailbox
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

Place = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and paragraphs of one line each."""

    heading: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """The paragraphs with empty lines between."""
        return "\n\n".join(self.paragraphs)


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a file is to hold."""

    title: str
    author: str
    date: str
    sections: tuple[Section, ...]


# Each writes a document and returns the place of each of its sections, by the names that edgeembed
# gives to places; "encoding" says that the passage has to stand at its own offsets in the file.
Writer = Callable[[Path, Document], list[Place]]


def _plain(document: Document, heading: Callable[[str], str]) -> str:
    parts = [f"{heading(section.heading)}\n\n{section.text}\n" for section in document.sections]
    return "\n".join(parts)


def _text(encoding: str, newline: str = "\n") -> Writer:
    def write(path: Path, document: Document) -> list[Place]:
        text = _plain(document, str.upper).replace("\n", newline)
        path.write_bytes(text.encode(encoding))
        return [{"encoding": encoding}] * len(document.sections)

    return write


def _markdown(path: Path, document: Document) -> list[Place]:
    front = f"---\ntitle: {document.title}\nauthor: {document.author}\ndate: {document.date}\n---\n"
    path.write_text(front + _plain(document, lambda heading: f"## {heading}"), "utf-8")
    return [{"encoding": "utf-8", "author": document.author} for _ in document.sections]


def _rst(path: Path, document: Document) -> list[Place]:
    path.write_text(_plain(document, lambda name: f"{name}\n{'=' * len(name)}"), "utf-8")
    return [{}] * len(document.sections)


def _latex(path: Path, document: Document) -> list[Place]:
    body = _plain(document, lambda heading: f"\\section{{{heading}}}")
    for plain, special in (("&", "\\&"), ("%", "\\%"), ("#", "\\#"), ("_", "\\_"), ("$", "\\$")):
        body = body.replace(plain, special)
    head = f"\\documentclass{{article}}\n\\title{{{document.title}}}\n\\begin{{document}}\n"
    path.write_text(f"{head}{body}\n\\end{{document}}\n", "utf-8")
    return [{}] * len(document.sections)


def html(document: Document) -> str:
    """The document as a page with navigation, a script and a style around it."""
    import html as escapes

    links = "".join(f'<li><a href="/{n}">Item {n}</a></li>' for n in range(12))
    parts = [
        f"<h2>{escapes.escape(section.heading)}</h2>"
        + "".join(f"<p>{escapes.escape(paragraph)}</p>" for paragraph in section.paragraphs)
        for section in document.sections
    ]
    return (
        f"<!doctype html><html><head><title>{escapes.escape(document.title)}</title>"
        f"<style>p {{ color: black }}</style><script>var tracking = 'on';</script></head><body>"
        f"<nav><ul>{links}</ul></nav><main><article>{''.join(parts)}</article></main></body></html>"
    )


def _html(path: Path, document: Document) -> list[Place]:
    path.write_text(html(document), "utf-8")
    return [{}] * len(document.sections)


def _notebook(path: Path, document: Document) -> list[Place]:
    cells: list[dict[str, Any]] = []
    for section in document.sections:
        source = f"## {section.heading}\n\n{section.text}"
        cells.append({"cell_type": "markdown", "metadata": {}, "source": source})
        picture = {"image/png": "iVBORw0KGgo" * 400}
        output = {"output_type": "display_data", "data": picture, "metadata": {}}
        code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "source": "plot()"}
        cells.append(code | {"outputs": [output], "execution_count": 1})
    tree = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(tree), "utf-8")
    return [{"cell": 2 * number + 1} for number in range(len(document.sections))]


def _rows(document: Document) -> list[dict[str, str]]:
    return [
        {"topic": section.heading, "written": document.date, "note": section.paragraphs[-1]}
        for section in document.sections
    ]


def _table(delimiter: str) -> Writer:
    def write(path: Path, document: Document) -> list[Place]:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ["topic", "written", "note"], delimiter=delimiter)
            table.writeheader()
            table.writerows(_rows(document))
        return [{"topic": section.heading} for section in document.sections]

    return write


def _json(path: Path, document: Document) -> list[Place]:
    records = [{"text": row.pop("note"), **row} for row in _rows(document)]
    path.write_text(json.dumps(records), "utf-8")
    return [{"topic": section.heading} for section in document.sections]


def _jsonl(path: Path, document: Document) -> list[Place]:
    records = [{"text": row.pop("note"), **row} for row in _rows(document)]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return [{"topic": section.heading} for section in document.sections]


def _yaml(path: Path, document: Document) -> list[Place]:
    import yaml

    path.write_text(yaml.safe_dump({"title": document.title, "notes": _rows(document)}), "utf-8")
    return [{}] * len(document.sections)


def _subtitles(head: str, comma: str) -> Writer:
    def write(path: Path, document: Document) -> list[Place]:
        lines = [line for section in document.sections for line in section.paragraphs]
        cues = [
            f"{number + 1}\n00:{number:02}:01{comma}000 --> 00:{number:02}:09{comma}500\n{line}\n"
            for number, line in enumerate(lines)
        ]
        path.write_text(head + "\n".join(cues), "utf-8")
        return [{}] * len(document.sections)

    return write


def _message(document: Document, number: int) -> EmailMessage:
    section, message = document.sections[number], EmailMessage()
    message["Subject"] = f"{document.title}: {section.heading} ✓"
    message["From"] = f"{document.author} <someone@example.org>"
    message["To"] = "me@example.org"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    message["Message-ID"] = f"<{document.title.replace(' ', '-')}-{number}@example.org>"
    message.set_content(section.text, cte="base64" if number % 2 else "quoted-printable")
    return message


def _mail(path: Path, document: Document) -> list[Place]:
    message = _message(document, 0)
    for section in document.sections[1:]:
        message.add_attachment(section.text, filename=f"{section.heading}.txt")
    path.write_bytes(message.as_bytes())
    return [{}] * len(document.sections)


def _mailbox(path: Path, document: Document) -> list[Place]:
    box = mailbox.mbox(path)
    for number in range(len(document.sections)):
        box.add(_message(document, number))
    box.close()
    return [{}] * len(document.sections)


def _pdf(path: Path, document: Document) -> list[Place]:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

    styles, flow = getSampleStyleSheet(), []
    for section in document.sections:
        flow.append(Paragraph(section.heading, styles["Heading1"]))
        flow += [
            Paragraph(text.replace("<", "&lt;"), styles["Normal"]) for text in section.paragraphs
        ]
        flow.append(PageBreak())
    SimpleDocTemplate(str(path), title=document.title, author=document.author).build(flow)
    return [{"page": number + 1} for number in range(len(document.sections))]


def _docx(path: Path, document: Document) -> list[Place]:
    import docx

    made = docx.Document()
    made.core_properties.title, made.core_properties.author = document.title, document.author
    for section in document.sections:
        made.add_heading(section.heading, level=1)
        for paragraph in section.paragraphs:
            made.add_paragraph(paragraph)
    made.save(str(path))
    return [{"headings": [section.heading]} for section in document.sections]


def _pptx(path: Path, document: Document) -> list[Place]:
    import pptx

    made = pptx.Presentation()
    for section in document.sections:
        slide = made.slides.add_slide(made.slide_layouts[1])
        heading, body = slide.placeholders[0], slide.placeholders[1]
        heading.text_frame.text = section.heading  # pyright: ignore[reportAttributeAccessIssue]
        body.text_frame.text = "\n".join(section.paragraphs)  # pyright: ignore[reportAttributeAccessIssue]
    made.save(str(path))
    return [{"slide": number + 1} for number in range(len(document.sections))]


def _xlsx(path: Path, document: Document) -> list[Place]:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Notes"
    for row in [["topic", "written", "note"], *(list(row.values()) for row in _rows(document))]:
        sheet.append(row)
    book.save(path)
    return [{"sheet": "Notes"} for _ in document.sections]


def _odf(kind: str) -> Writer:
    def write(path: Path, document: Document) -> list[Place]:
        from odf import opendocument, table, text

        if kind == "ods":
            made: Any = opendocument.OpenDocumentSpreadsheet()
            sheet = table.Table(name="Notes")
            for row in [["topic", "written", "note"], *(list(r.values()) for r in _rows(document))]:
                line = table.TableRow()
                for value in row:
                    cell = table.TableCell(valuetype="string")
                    cell.addElement(text.P(text=value))
                    line.addElement(cell)
                sheet.addElement(line)
            made.spreadsheet.addElement(sheet)
            made.save(str(path))
            return [{"sheet": "Notes"} for _ in document.sections]
        made = opendocument.OpenDocumentText()
        for section in document.sections:
            made.text.addElement(text.H(outlinelevel=1, text=section.heading))
            for paragraph in section.paragraphs:
                made.text.addElement(text.P(text=paragraph))
        made.save(str(path))
        return [{"headings": [section.heading]} for section in document.sections]

    return write


def _rtf(path: Path, document: Document) -> list[Place]:
    body = _plain(document, lambda heading: f"{{\\b {heading}}}")
    escaped = body.replace("\n\n", "\\par\n")
    path.write_text(f"{{\\rtf1\\ansi\\deff0{{\\fonttbl{{\\f0 Times;}}}}\n{escaped}}}", "cp1252")
    return [{}] * len(document.sections)


def _epub(path: Path, document: Document) -> list[Place]:
    from ebooklib import epub

    book = epub.EpubBook()
    book.set_identifier(path.stem)
    book.set_title(document.title)
    book.set_language("en")
    chapters = []
    for number, section in enumerate(document.sections):
        chapter = epub.EpubHtml(title=section.heading, file_name=f"{number}.xhtml")
        texts = "".join(
            f"<p>{text.replace('&', '&amp;').replace('<', '&lt;')}</p>"
            for text in section.paragraphs
        )
        chapter.content = f"<html><body><h1>{section.heading}</h1>{texts}</body></html>"
        book.add_item(chapter)
        chapters.append(chapter)
    book.toc, book.spine = chapters, ["nav", *chapters]
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    epub.write_epub(str(path), book)
    return [{}] * len(document.sections)


def _gzip(path: Path, document: Document) -> list[Place]:
    path.write_bytes(gzip.compress(_plain(document, str.upper).encode()))
    return [{}] * len(document.sections)


def _zip(path: Path, document: Document) -> list[Place]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for section in document.sections:
            archive.writestr(f"{section.heading}.txt", section.text)
    path.write_bytes(packed.getvalue())
    return [{}] * len(document.sections)


WRITERS: Mapping[str, Writer] = {
    "txt": _text("utf-8"),
    "crlf.txt": _text("utf-8", "\r\n"),
    "utf16.txt": _text("utf-16"),
    "latin.txt": _text("cp1252"),
    "md": _markdown,
    "rst": _rst,
    "tex": _latex,
    "html": _html,
    "ipynb": _notebook,
    "csv": _table(","),
    "tsv": _table("\t"),
    "json": _json,
    "jsonl": _jsonl,
    "yaml": _yaml,
    "srt": _subtitles("", ","),
    "vtt": _subtitles("WEBVTT\n\n", "."),
    "eml": _mail,
    "mbox": _mailbox,
    "pdf": _pdf,
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "odt": _odf("odt"),
    "ods": _odf("ods"),
    "rtf": _rtf,
    "epub": _epub,
    "txt.gz": _gzip,
    "zip": _zip,
}
"""By the end of the file's name."""
