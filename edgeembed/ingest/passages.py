"""Passages: chunks of documents that fit the model, with keys that say where they are from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from edgeembed.ingest.files import FoundFile, read_text_file
from edgeembed.ingest.texts import format_of, read_records, text_of
from edgeembed.ingest.titles import file_title, joined_title
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_keys, check_metadatas
from edgeembed_runtime.storage import storage_errors

KEY_FIELDS = ("key", "id", "_id")
_TITLE_FIELD = "title"
_MAX_NUMBER = 10**9  # keys leave room for it


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A chunk of a document, as it goes into the index.

    `key` is "source#number", with numbers from 0 in each document. The metadata has the document's
    name as `source`, the first `line`, the characters from `start` to `end`, and, if there are any,
    the `headings` above them. `title` is what the text is about beyond its words: the
    file's name and headings, or a record's own title.
    """

    key: str
    number: int
    text: str
    title: str
    metadata: dict[str, Any]


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
    """Reads files into passages; `skipped` collects the names of files that are not text."""

    encoder: Encoder
    chunks: ChunkSettings
    text_field: str = "text"
    skipped: list[str] = field(default_factory=list[str])

    def read(self, file: FoundFile) -> Iterator[Passage]:
        """Yield the passages of one file; of a .jsonl file, those of each record.

        Raises:
            InputError: a record has no text, or a key or metadata that an index cannot take.
            StorageError: the file cannot be read.
        """
        if format_of(file.path) == "jsonl":
            yield from self._read_records(file)
            return
        with storage_errors("read", file.path):
            text = read_text_file(file.path)
        if text is None:
            self.skipped.append(file.name)
        else:
            yield from self.split(file.name, text, {}, file_title(file.name))

    def split(
        self, name: str, text: str, metadata: dict[str, Any], title: str = ""
    ) -> Iterator[Passage]:
        """Yield the passages of one document, whose own title is `title`."""
        chunks = self.encoder.chunk(
            text,
            max_tokens=self.chunks.tokens(self.encoder),
            overlap_tokens=self.chunks.overlap(self.encoder),
        )
        line, position = 1, 0
        for number, chunk in enumerate(chunks):
            line += text.count("\n", position, chunk.start)
            position = chunk.start
            place: dict[str, Any] = {
                "source": name,
                "line": line,
                "start": chunk.start,
                "end": chunk.end,
            }
            if chunk.headings:
                place["headings"] = list(chunk.headings)
            yield Passage(
                key=f"{name}#{number}",
                number=number,
                text=chunk.text,
                title=joined_title(title, chunk.headings),
                metadata={**metadata, **place},
            )

    def _read_records(self, file: FoundFile) -> Iterator[Passage]:
        with storage_errors("read", file.path), file.path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            done = 0
            for number, record in read_records(stream, str(file.path)):
                if done >= size:  # a writer that appends may be faster than the model
                    return
                done = stream.tell()
                text = text_of(record, self.text_field, str(file.path), number)
                key = next((record[k] for k in KEY_FIELDS if k in record), f"{file.name}:{number}")
                if not isinstance(key, str | int):
                    raise InputError(
                        f"{file.path}, line {number}: expected a text or a number as key, "
                        f"got {type(key).__name__}"
                    )
                rest = {k: v for k, v in record.items() if k not in (*KEY_FIELDS, self.text_field)}
                _check(f"{key}#{_MAX_NUMBER}", rest, f"{file.path}, line {number}")
                title = record.get(_TITLE_FIELD)
                known = title if isinstance(title, str) else ""
                yield from self.split(str(key), text, rest, known)


def _check(key: str, metadata: dict[str, Any], place: str) -> None:
    """Refuse what the index would refuse, while the location is known."""
    try:
        check_keys([key], what="key")
        check_metadatas([metadata])
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
