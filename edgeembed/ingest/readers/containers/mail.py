"""A file with one e-mail."""

from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.containers.message import mail_blocks, parsed

MAX_MESSAGE = 36 << 20
"""Bytes of a message; mail services refuse smaller ones."""


class MailReader:
    """Reads .eml, and pages saved as mail: the text is the file's own, attachments are parts."""

    name = "mail"
    suffixes: frozenset[str] = frozenset({".eml", ".mht", ".mhtml"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        if source.size > MAX_MESSAGE:
            raise SkippedError(Reason.TOO_LARGE, f"a message of more than {MAX_MESSAGE >> 20} MB")
        try:
            mail = parsed(source.stream.read(MAX_MESSAGE))
        except RecursionError as error:
            raise SkippedError(Reason.DAMAGED, "parts within parts without end") from error
        yield from mail_blocks(mail, source, "", {})
