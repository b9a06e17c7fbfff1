"""A message that Outlook has saved."""

from collections.abc import Iterator
from typing import Any

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.containers.mail import MAX_MESSAGE
from edgeembed.ingest.readers.containers.message import (
    Attachment,
    Envelope,
    Mail,
    iso_date,
    mail_blocks,
)
from edgeembed_runtime.errors import MissingExtraError


class OutlookReader:
    """Reads .msg by python-oxmsg."""

    name = "Outlook mail"
    suffixes: frozenset[str] = frozenset({".msg"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        if source.size > MAX_MESSAGE:
            raise SkippedError(Reason.TOO_LARGE, f"a message of more than {MAX_MESSAGE >> 20} MB")
        try:
            from oxmsg import Message
        except ImportError as error:
            raise MissingExtraError.for_extra("Outlook mail", "documents") from error
        try:
            mail = _mail(Message.load(source.stream))
        except Exception as error:  # it checks little of what it reads
            detail = f"no message of Outlook: {error}"[:200]
            raise SkippedError(Reason.DAMAGED, detail) from error
        yield from mail_blocks(mail, source, "", {})


def _mail(message: Any) -> Mail:
    headers = {name.lower(): value for name, value in message.message_headers.items()}
    sent = message.sent_date
    people = (f"{each.name} <{each.email_address}>" for each in message.recipients)
    envelope = Envelope(
        id=headers.get("message-id", "").strip().strip("<>"),
        subject=message.subject or "",
        sender=(message.sender or "").replace('"', ""),
        to=tuple(people),
        date=sent.isoformat() if sent is not None else iso_date(headers.get("date", "")),
    )
    return Mail(
        envelope=envelope,
        text=(message.body or "").replace("\r\n", "\n"),
        html=(message.html_body or "").encode("utf-8", "replace"),
        attachments=tuple(
            Attachment(name=each.file_name or f"attachment {number}", data=each.file_bytes or b"")
            for number, each in enumerate(message.attachments, 1)
        ),
    )
