"""Passages: chunks of documents that fit the model, with keys that say where they are from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from edgeembed.ingest.files import FoundFile, read_text_file
from edgeembed.ingest.texts import format_of, read_records, text_of
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_keys, check_metadatas
from edgeembed_runtime.storage import storage_errors

KEY_FIELDS = ("key", "id", "_id")
_MAX_NUMBER = 10**9  # keys leave room for it


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A chunk of a document, as it goes into the index.

    `key` is "source#number", with numbers from 0 in each document. The metadata has the document's
    name as `source`, the first `line`, and the characters from `start` to `end`.
    """

    key: str
    number: int
    text: str
    metadata: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """How documents are chunked: tokens per passage (None: the model's limit) and their overlap."""

    max_tokens: int | None = None
    overlap_tokens: int = 0


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
            yield from self.split(file.name, text, {})

    def split(self, name: str, text: str, metadata: dict[str, Any]) -> Iterator[Passage]:
        """Yield the passages of one document."""
        chunks = self.encoder.chunk(
            text,
            max_tokens=self.chunks.max_tokens,
            overlap_tokens=self.chunks.overlap_tokens,
        )
        line, position = 1, 0
        for number, chunk in enumerate(chunks):
            line += text.count("\n", position, chunk.start)
            position = chunk.start
            place = {"source": name, "line": line, "start": chunk.start, "end": chunk.end}
            yield Passage(
                key=f"{name}#{number}",
                number=number,
                text=chunk.text,
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
                yield from self.split(str(key), text, rest)


def _check(key: str, metadata: dict[str, Any], place: str) -> None:
    """Refuse what the index would refuse, while the location is known."""
    try:
        check_keys([key], what="key")
        check_metadatas([metadata])
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
