"""What a reader takes and gives: a source; blocks of text, and remarks on what is left out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from edgeembed_runtime.errors import InputError

MAX_BLOCK = 1 << 16
"""Characters of a block at most: what a run holds in memory of a file, however long it is."""


class Reason(StrEnum):
    """Why a file, or a part of one, is not in the index."""

    NOT_TEXT = "not text"
    NO_READER = "no reader installed"
    ENCRYPTED = "encrypted"
    SCANNED = "scanned, without text"
    TOO_LARGE = "too large"
    EMPTY = "empty"
    DAMAGED = "damaged"
    REPLACED = "bytes that are no text"
    """The rest is read."""
    REPEATED = "an id that came before"
    """The last record of an id is kept."""
    LINK = "link"
    HIDDEN = "hidden"
    RULE = "left out by a rule"
    TOOL_FOLDER = "filled by a tool"
    SPECIAL = "special file"
    OWN_OUTPUT = "written by edgeembed"
    GENERATED = "generated code"
    NOT_PICTURE = "not a picture"


class SkippedError(InputError):
    """A file has no text that can be had, and why."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """`detail` says more in a few words: what was found, or how to have it read."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["SkippedError"], tuple[Reason, str]]:
        """Pickled by its arguments: readers run in a process of their own."""
        return type(self), (self.reason, self.detail)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A stretch of text that stands in one place of one document.

    Attributes:
        text: at most MAX_BLOCK characters. "": the document says nothing beyond its title, which is
            then its text.
        place: where in the file, as numbers and names that people use: `page`, `slide`, `sheet` and
            `cells`, `cell`, `message`, `entry`; `line` (from 1) and `start` (characters from 0, in
            the file as it is on disk) where the text begins, if the text is the file's own. What
            is cut from the block then counts on from there.
        part: which document of the file, by a path that is stable when others come and go: a
            record's id, a message's id, the name of an archive's entry, as `part_name` makes them;
            of a record without a name, `line_part`. "": the file's own text. The blocks of a part
            follow each other; after a remark REPEATED it starts anew.
        title: the document's own, if it has one.
        headings: above the text, outermost first.
        metadata: what the author says of the document: front matter, columns, properties.
        code: whether it is source code, which has no headings and is cut between lines.
    """

    text: str
    place: Mapping[str, int | str] = field(default_factory=dict[str, int | str])
    part: str = ""
    title: str = ""
    headings: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A part of a file that is left out: where and why. The rest of the file is read."""

    reason: Reason
    where: str
    """`page 3`, `line 7`, `attachment.zip`."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadingSettings:
    """What readers are told, and their bounds against files made to exhaust a machine.

    Attributes:
        text_field: the field of a record that holds its text.
        max_depth: files within files: an attachment in a message in an archive is at depth 2.
        max_entries: documents within one file that are not its own text: attachments, entries.
        max_unpacked: bytes that one file may unpack to, everything within it together.
        max_ratio: unpacked bytes per packed one, beyond the first megabyte.
    """

    text_field: str = "text"
    max_depth: int = 4
    max_entries: int = 10_000
    max_unpacked: int = 1 << 30
    max_ratio: int = 200


@dataclass(frozen=True, kw_only=True)
class Source:
    """The bytes to read.

    Attributes:
        name: of the file, for its suffix and for messages; never opened.
        stream: at its beginning, seekable; the reader does not close it.
        size: of the stream in bytes.
        settings: see ReadingSettings.
        depth: 0 for a file on disk, 1 for what is in it, and so on.
        read_inner: reads a source within this one by the reader for its own kind.
    """

    name: str
    stream: BinaryIO
    size: int
    settings: ReadingSettings
    read_inner: "Callable[[Source], Iterator[Block | Remark]]"
    depth: int = 0


class Reader(Protocol):
    """Reads files of one kind.

    Memory stays bounded: blocks are given as they are read, and libraries that hold a whole
    document run in a process with a limit.
    """

    @property
    def name(self) -> str:
        """The kind, as people call it: "PDF"."""
        ...

    @property
    def suffixes(self) -> frozenset[str]:
        """In lower case, with the dot."""
        ...

    @property
    def version(self) -> int:
        """Raised when a reader gives other text than before: its files are read again."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether it is safe in this process: its memory and time are bounded by its own code."""
        ...

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield the text of a file in order.

        Raises:
            SkippedError: nothing can be had of it; blocks that were given before stay.
            MissingExtraError: the library that reads it is not installed.
        """
        ...
