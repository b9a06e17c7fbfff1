"""The kinds of files that are read out of the box, and how files without a name are told apart."""

import re
from dataclasses import dataclass

from edgeembed.ingest.images.kinds import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from edgeembed.ingest.readers.code.languages import LANGUAGES

_READERS = "edgeembed.ingest.readers"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file, and the class that reads it, which is imported when it is needed."""

    name: str
    suffixes: frozenset[str]
    module: str
    reader: str


def _kind(name: str, suffixes: str, module: str, reader: str) -> Kind:
    return Kind(
        name=name,
        suffixes=frozenset(f".{suffix}" for suffix in suffixes.split()),
        module=f"{_READERS}.{module}",
        reader=reader,
    )


TEXT = _kind("text", "txt text log", "plain.text", "TextReader")
SOURCE_CODE = Kind(
    name="source code",
    suffixes=frozenset().union(*(each.suffixes for each in LANGUAGES)),
    module=f"{_READERS}.code.source_code",
    reader="CodeReader",
)
KINDS = (
    TEXT,
    _kind("Markdown", "md markdown mdown mkd mdx qmd rmd", "plain.markdown", "MarkdownReader"),
    _kind("reStructuredText", "rst rest", "plain.markdown", "RestReader"),
    _kind("LaTeX", "tex latex ltx", "plain.latex", "LatexReader"),
    _kind("subtitles", "srt vtt", "plain.subtitles", "SubtitlesReader"),
    _kind("CSV", "csv tsv", "data.tables", "TableReader"),
    _kind("JSON Lines", "jsonl ndjson", "data.json_lines", "JsonLinesReader"),
    _kind("JSON", "json geojson", "data.json_file", "JsonReader"),
    _kind("YAML", "yaml yml", "data.yaml_file", "YamlReader"),
    _kind("notebook", "ipynb", "data.notebook", "NotebookReader"),
    _kind("mail", "eml mht mhtml", "containers.mail", "MailReader"),
    _kind("mailbox", "mbox", "containers.mailbox", "MailboxReader"),
    _kind("Outlook mail", "msg", "containers.outlook", "OutlookReader"),
    _kind("zip", "zip", "containers.zipped", "ZipReader"),
    _kind("tar", "tar", "containers.tarred", "TarReader"),
    _kind("packed file", "gz bz2 xz tgz tbz2 txz", "containers.packed", "PackedReader"),
    _kind("PDF", "pdf", "documents.pdf", "PdfReader"),
    _kind("Word", "docx docm dotx dotm", "documents.word", "WordReader"),
    _kind("PowerPoint", "pptx pptm ppsx ppsm potx potm", "documents.slides", "SlidesReader"),
    _kind(
        "spreadsheet", "xlsx xlsm xltx xltm xls xlt xlsb ods", "documents.sheets", "SheetsReader"
    ),
    _kind(
        "OpenDocument",
        "odt ott odp otp fodt fodp fods",
        "documents.opendocument",
        "OpenDocumentReader",
    ),
    _kind("RTF", "rtf", "documents.rich_text", "RichTextReader"),
    _kind("EPUB", "epub", "documents.ebook", "EbookReader"),
    _kind("HTML", "html htm xhtml", "documents.web_page", "WebPageReader"),
    SOURCE_CODE,
)

_PICTURE = "picture: index it with an image bundle"
_SOUND = "sound"
_FILM = "film"
_PROGRAM = "program"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# By their first bytes: the name of a kind above, or what else they are.
_MAGIC = (
    (0, b"%PDF-", "PDF"),
    (0, b"{\\rtf", "RTF"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x1f\x8b", "packed file"),
    (0, b"BZh", "packed file"),
    (0, b"\xfd7zXZ\x00", "packed file"),
    (257, b"ustar", "tar"),
    (0, b"\x89PNG\r\n", _PICTURE),
    (0, b"\xff\xd8\xff", _PICTURE),
    (0, b"GIF87a", _PICTURE),
    (0, b"GIF89a", _PICTURE),
    (8, b"WEBP", _PICTURE),
    (0, b"II*\0", _PICTURE),
    (0, b"MM\0*", _PICTURE),
    (4, b"ftyphei", _PICTURE),
    (4, b"ftypmif1", _PICTURE),
    (4, b"ftypavif", _PICTURE),
    (4, b"jP  \r\n", _PICTURE),
    (0, b"8BPS", _PICTURE),
    (0, b"ID3", _SOUND),
    (0, b"OggS", _SOUND),
    (0, b"fLaC", _SOUND),
    (8, b"WAVE", _SOUND),
    (8, b"AVI ", _FILM),
    (4, b"ftyp", _FILM),
    (0, b"\x1aE\xdf\xa3", _FILM),
    (0, b"\x7fELF", _PROGRAM),
    (0, b"MZ\x90", _PROGRAM),
    (0, b"\xcf\xfa\xed\xfe", _PROGRAM),
    (0, b"\xca\xfe\xba\xbe", _PROGRAM),
    (0, b"\0asm", _PROGRAM),
    (0, b"SQLite format 3\0", "database"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive: unpack it"),
    (0, b"Rar!\x1a\x07", "RAR archive: unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "packed by zstd: unpack it"),
    (0, b"wOFF", "font"),
    (0, b"wOF2", "font"),
)
# By their suffix, where the first bytes say too little or are shared.
_OTHERS = {
    _SOUND: "mp3 wav flac ogg oga opus m4a aac wma aiff mid midi amr",
    _FILM: "mp4 m4v mov avi mkv webm wmv mpg mpeg flv 3gp",
    "font": "ttf otf woff woff2",
}
_BY_SUFFIX = {
    **{f".{s}": what for what, suffixes in _OTHERS.items() for s in suffixes.split()},
    **{suffix: f"picture: {what}" for suffix, what in UNREAD_SUFFIXES.items()},
    **dict.fromkeys(IMAGE_SUFFIXES, _PICTURE),
}
_OLD_OFFICE = {".doc": ".docx", ".dot": ".docx", ".ppt": ".pptx", ".pps": ".pptx"}
_MAILBOX = re.compile(rb"From \S+ [^\n]{0,100}\d\d?:\d\d:\d\d[^\n]{0,40}\n[A-Z][\w-]+: ")
BEGINNING = 1024
"""Bytes that `magic_of` looks at."""


def magic_of(beginning: bytes) -> str | None:
    """What a file is by its first bytes: a kind, or something that is not read; None if unknown."""
    for offset, mark, what in _MAGIC:
        if beginning.startswith(mark, offset):
            return what
    if _MAILBOX.match(beginning):
        return "mailbox"
    return "PDF" if b"%PDF-" in beginning[:BEGINNING] and b"\0" not in beginning[:5] else None


def other_kind(suffix: str) -> str | None:
    """What a file without text is by its suffix, such as a picture; None: not known as one."""
    return _BY_SUFFIX.get(suffix)


def unread_kind(suffix: str, beginning: bytes) -> str | None:
    """A document that no reader is for, and how to have it read; None: not known as one."""
    if beginning.startswith(_OLE) and suffix in _OLD_OFFICE:
        return f"an old Office format: save it as {_OLD_OFFICE[suffix]}"
    if beginning.startswith(_OLE) and suffix not in (".msg", ".xls", ".xlt"):
        return "an old Office format: save it as a newer one"
    return None
