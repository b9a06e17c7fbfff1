"""What the reading process and its parent tell each other: JSON, one message a line.

Not pickle: a reader that a file has taken over must not run code in the parent.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from edgeembed.ingest.readers.base.protocol import (
    Block,
    ReadingSettings,
    Reason,
    Remark,
    SkippedError,
)
from edgeembed_runtime.errors import MissingExtraError, StorageError

MAX_MESSAGE = 8 << 20
"""Bytes of a message: a block of characters that are escaped, and its metadata."""


class NoMessageError(Exception):
    """The process writes what no sound reader would."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A file to read.

    Attributes:
        path: what is opened.
        name: of the file in the folder, message or archive that it is from.
        reader: "module:attribute", an object or a class.
        settings: of the reader.
        depth: of the file within others.
    """

    path: str
    name: str
    reader: str
    settings: ReadingSettings
    depth: int

    def line(self) -> bytes:
        """The message that asks for it."""
        return _line(asdict(self))

    @classmethod
    def from_line(cls, line: bytes) -> "Request":
        """Read that message."""
        found = json.loads(line)
        settings = ReadingSettings(**found.pop("settings"))
        return cls(settings=settings, **found)


@dataclass(frozen=True, kw_only=True)
class End:
    """The end of a file, and whether the process ends with it: it has grown."""

    leaves: bool


Message = Block | Remark | SkippedError | MissingExtraError | StorageError | End


def message_line(message: Message) -> bytes:
    """Write what the reading process has to say."""
    match message:
        case Block():
            found = {name: value for name, value in vars(message).items() if value}
            return _line(["block", found])
        case Remark():
            return _line(["remark", asdict(message)])
        case SkippedError():
            return _line(["skipped", [message.reason, message.detail]])
        case MissingExtraError():
            return _line(["missing", f"{message}"])
        case StorageError():
            return _line(["unreadable", f"{message}"])
        case End():
            return _line(["end", message.leaves])


def message_of(line: bytes) -> Message:
    """Read it.

    Raises:
        NoMessageError: it is none.
    """
    try:
        kind, content = json.loads(line)
        match kind:
            case "block":
                return _block(content)
            case "remark":
                return Remark(
                    reason=Reason(content["reason"]),
                    where=str(content["where"]),
                    detail=str(content["detail"]),
                )
            case "skipped":
                return SkippedError(Reason(content[0]), str(content[1]))
            case "missing":
                return MissingExtraError(content)
            case "unreadable":
                return StorageError(content)
            case "end":
                return End(leaves=bool(content))
            case _:
                raise NoMessageError(f"{kind}")
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise NoMessageError(f"{error}") from error


def _block(content: Mapping[str, Any]) -> Block:
    metadata = cast("dict[str, Any]", dict(content.get("metadata", {})))
    place = cast("dict[str, int | str]", dict(content.get("place", {})))
    return Block(
        text=str(content.get("text", "")),
        place=place,
        part=str(content.get("part", "")),
        title=str(content.get("title", "")),
        headings=tuple(map(str, content.get("headings", ()))),
        metadata=metadata,
        code=bool(content.get("code")),
    )


def _line(content: object) -> bytes:
    # Escaped, so that names that are not UTF-8 travel as well.
    return json.dumps(content, default=str).encode("ascii") + b"\n"
