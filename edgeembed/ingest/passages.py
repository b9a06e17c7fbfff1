"""Passages: chunks of documents that fit the model, with keys that say where they are from."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from edgeembed.ingest.discover.found import FoundFile, LeftOut
from edgeembed.ingest.readers.base.places import placed
from edgeembed.ingest.readers.base.protocol import (
    Block,
    ReadingSettings,
    Reason,
    Remark,
    SkippedError,
)
from edgeembed.ingest.readers.registry import read_file
from edgeembed.ingest.titles import SEPARATOR, file_title, folder_title, joined_title
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.index.base.validation import MAX_KEY_CHARS
from edgeembed_runtime.storage import storage_errors

# Of one file and one reason: a mailbox may have a picture in every message.
_MAX_TOLD = 100
# A number comes behind it.
_MAX_DOCUMENT = MAX_KEY_CHARS - 11
# What an index cannot take; replaced by one character each, so that offsets stay.
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A chunk of a document, as it goes into the index.

    `key` is "document#number", with numbers from 0 in each document. The metadata has the file's
    name as `source`, the `part` of it that is a document of its own, the characters from `start` to
    `end` in the file as it is on disk, or in the document's text where that is not the file's, and
    what is known of `line`, `headings`, `page`, ...; see `placed`. `title` is what the text is
    about beyond its words: the file's name, the document's title, headings. `folder` is where the
    file is, below the one that is indexed.
    """

    key: str
    document: str
    number: int
    text: str
    title: str
    metadata: dict[str, Any]
    folder: str = ""

    @property
    def long_title(self) -> str:
        """The title behind the folder's words."""
        return long_title(self.folder, self.title)


def long_title(folder: str, title: str) -> str:
    """A title that keyword search finds by the words of a folder too.

    Vectors are those of the short title: so they stay when a folder is moved or renamed.
    """
    return SEPARATOR.join(part for part in (folder_title(folder), title) if part)


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """How documents are chunked.

    Attributes:
        max_tokens: tokens per passage, limited to what the model takes. None: what was measured
            to be best for the encoder, as its search profile says.
        overlap_tokens: up to how many tokens of whole sentences a passage repeats from the one
            before. None: what the profile says, or a quarter of a passage if that is less.
    """

    max_tokens: int | None = None
    overlap_tokens: int | None = None

    def tokens(self, encoder: Encoder) -> int:
        """The length of the passages of `encoder`."""
        return self.max_tokens or min(encoder.search_profile.passage_tokens, encoder.max_tokens)

    def overlap(self, encoder: Encoder) -> int:
        """The overlap of the passages of `encoder`."""
        if self.overlap_tokens is not None:
            return self.overlap_tokens
        most = min(self.tokens(encoder), encoder.max_tokens) // 4
        return min(encoder.search_profile.overlap_tokens, most)


@dataclass(frozen=True, kw_only=True)
class PassageReader:
    """Reads files into passages; `left_out` collects what could not be read of them."""

    encoder: Encoder
    chunks: ChunkSettings
    text_field: str = "text"
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])

    def read(self, file: FoundFile) -> Iterator[Passage]:
        """Yield the passages of one file, and of every part of it that is a document.

        Raises:
            StorageError: the file cannot be read.
        """
        before, count = len(self.left_out), 0
        try:
            with storage_errors("read", file.path):
                settings = ReadingSettings(text_field=self.text_field)
                for passage in self.cut(file, read_file(file.path, settings)):
                    count += 1
                    yield passage
        except SkippedError as error:
            self._note(file, Remark(reason=error.reason, where="", detail=error.detail))
        if not count and len(self.left_out) == before:
            self._note(file, Remark(reason=Reason.EMPTY, where=""))

    def cut(self, file: FoundFile, found: Iterable[Block | Remark]) -> Iterator[Passage]:
        """Yield the passages of what was read of a file."""
        own = document = _Document(file, "")
        told: Counter[Reason] = Counter()
        for each in found:
            if isinstance(each, Remark):
                told[each.reason] += 1
                if told[each.reason] <= _MAX_TOLD:
                    self._note(file, each)
                if each.reason == Reason.REPEATED:
                    document = own
                continue
            if not each.part:
                document = own
            elif each.part != document.part:
                document = _Document(file, each.part)
            yield from self._passages(document, each)
        for reason, count in told.items():
            if count > _MAX_TOLD:
                rest = f"{count - _MAX_TOLD} more places"
                self._note(file, Remark(reason=reason, where=rest))

    def _passages(self, document: "_Document", block: Block) -> Iterator[Passage]:
        text = _SURROGATES.sub("\ufffd", block.text or block.title)
        chunks = self.encoder.chunk(
            text,
            max_tokens=self.chunks.tokens(self.encoder),
            overlap_tokens=self.chunks.overlap(self.encoder),
            syntax="code" if block.code else "prose",
        )
        own = block.place.get("start")
        start = own if isinstance(own, int) else document.length
        line, position = block.place.get("line"), 0
        for chunk in chunks:
            if own is not None and isinstance(line, int):
                line += text.count("\n", position, chunk.start)
                position = chunk.start
            headings = (*block.headings, *chunk.headings)
            place = {
                "source": document.source,
                **({"folder": document.folder} if document.folder else {}),
                **({"part": block.part} if block.part and not block.part.startswith(":") else {}),
                **block.place,
                **({} if line is None else {"line": line}),
                "start": start + chunk.start,
                "end": start + chunk.end,
                **({"headings": list(headings)} if headings and not block.code else {}),
            }
            yield Passage(
                key=f"{document.key}#{document.count}",
                document=document.key,
                number=document.count,
                text=chunk.text,
                title=joined_title(document.title, (block.title, *headings)),
                metadata=placed(block.metadata, place),
                folder=document.folder,
            )
            document.count += 1
        document.length += len(text)

    def _note(self, file: FoundFile, remark: Remark) -> None:
        self.left_out.append(
            LeftOut(
                name=file.name,
                reason=remark.reason,
                place=file.place,
                where=remark.where,
                detail=remark.detail,
            )
        )


class _Document:
    """A document of a file while its blocks are cut: how many passages and characters so far."""

    def __init__(self, file: FoundFile, part: str) -> None:
        self.source = file.name
        self.part = part
        self.folder = "/".join(PurePath(file.below).parts[:-1])
        # Of a record, an entry or a message too: "roof.csv" says what its rows are about.
        self.title = file_title(file.name)
        self.key = document_key(file.name, part)
        self.count = self.length = 0


def document_key(source: str, part: str) -> str:
    """The key of a document in a file, in front of the numbers of its passages."""
    if not part:
        return source
    key = source + part if part.startswith(":") else f"{source}/{part}"
    if len(key) > _MAX_DOCUMENT:
        return f"{source}/{hashlib.sha256(part.encode()).hexdigest()[:12]}"
    return key
