"""A mailbox: messages one behind the other, read one by one."""

import re
from collections.abc import Iterator

from edgeembed.ingest.readers.base.parts import part_name
from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, Source
from edgeembed.ingest.readers.base.seen import SeenParts
from edgeembed.ingest.readers.containers.mail import MAX_MESSAGE
from edgeembed.ingest.readers.containers.message import mail_blocks, parsed

_CHUNK = 1 << 20
_FROM = b"\nFrom "
# The line above each message: "From ann@example.org Mon Jan  1 10:00:00 2024".
_SEPARATOR = re.compile(rb"\nFrom [^\n]{0,200}?\d\d?:\d\d[^\n]{0,60}\n")
_QUOTED = re.compile(rb"\n>(>*From )")


class MailboxReader:
    """Reads .mbox; every message is a part, by its id."""

    name = "mailbox"
    suffixes: frozenset[str] = frozenset({".mbox"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        seen = SeenParts("message")
        for number, data in enumerate(_messages(source), 1):
            where = f"message {number}"
            if data is None:
                detail = f"more than {MAX_MESSAGE >> 20} MB"
                yield Remark(reason=Reason.TOO_LARGE, where=where, detail=detail)
                continue
            try:
                mail = parsed(_QUOTED.sub(rb"\n\1", data) if b"\n>" in data else data)
            except (RecursionError, ValueError, LookupError, TypeError, AttributeError) as error:
                yield Remark(reason=Reason.DAMAGED, where=where, detail=f"{error}"[:200])
                continue
            part = part_name(mail.envelope.id or where)
            yield from seen.check(part, number)
            yield from mail_blocks(mail, source, part, {"number": number})


def _separator(data: bytearray, start: int) -> re.Match[bytes] | None:
    """The next line above a message; found by its first word, which no pattern is as fast at."""
    while (at := data.find(_FROM, start)) >= 0:
        if found := _SEPARATOR.match(data, at):
            return found
        start = at + 1
    return None


def _messages(source: Source) -> Iterator[bytes | None]:
    """Yield each message without the line above it; None for one that is too long."""
    waiting = bytearray(b"\n")
    start, is_first, too_long = 0, True, False
    left = source.size
    while left > 0 and (chunk := source.stream.read(min(_CHUNK, left))):
        left -= len(chunk)
        look = max(start, len(waiting) - 300)
        waiting += chunk
        while found := _separator(waiting, look):
            if not is_first:
                yield None if too_long else bytes(waiting[start + 1 : found.start() + 1])
            is_first = too_long = False
            start = look = found.end() - 1
        if start:
            del waiting[:start]
            start = 0
        if len(waiting) > MAX_MESSAGE:
            too_long = True
            del waiting[:-300]
    if waiting.strip():
        yield None if too_long else bytes(waiting[1:])
