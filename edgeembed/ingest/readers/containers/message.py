"""One e-mail as blocks: who wrote it, what it says, and what is attached."""

import email
import email.errors
import email.header
import email.policy
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message
from io import BytesIO
from typing import Any

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.parts import joined_part
from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.containers.unpacking import Within
from edgeembed.ingest.readers.plain.decoded import windows_of

_MAX_HEADER = 4000
_MAX_PEOPLE = 50
_MAX_LEVELS = 20
# Attachments, on lines that the parser would take one by one.
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{40,100}\r?\n){16,}")
_NAMELESS = {"text/plain": ".txt", "text/html": ".html", "message/rfc822": ".eml"}


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What stands on a message: its id, subject, people and date, decoded."""

    id: str
    subject: str
    sender: str
    to: tuple[str, ...]
    date: str
    """ISO 8601, or ""."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What the author says of the message."""
        found = {"subject": self.subject, "from": self.sender, "date": self.date}
        named = {name: value for name, value in found.items() if value}
        return clean_metadata({**named, **({"to": list(self.to)} if self.to else {})})

    @property
    def head(self) -> str:
        """The lines above the text, by which people look for a message."""
        lines = (("From", self.sender), ("To", ", ".join(self.to)), ("Date", self.date))
        return "\n".join(f"{name}: {value[:300]}" for name, value in lines if value)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file in a message."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A message: its text and its HTML, of which the text is read if there is any."""

    envelope: Envelope
    text: str
    html: bytes
    attachments: tuple[Attachment, ...]


class _Bounded(email.policy.Compat32):
    """Headers end: the time for the parameters of one grows with the square of its length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_MAX_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:
        del name
        return value  # bytes beyond ASCII stay, as surrogates, for us to decode


def parsed(data: bytes) -> Mail:
    """Take a message apart.

    Raises:
        RecursionError: more parts within parts than Python can follow.
    """
    if b"base64" in data:
        data = _BASE64.sub(lambda found: b"".join(found[0].split()) + b"\n", data)
    # The modern policy takes minutes for the headers of some messages; this one decodes nothing.
    message = email.message_from_bytes(data, policy=_Bounded())
    envelope = Envelope(
        id=_decoded(message["Message-ID"]).strip().strip("<>"),
        subject=_decoded(message["Subject"]),
        sender=_decoded(message["From"]),
        to=tuple(_people(message)),
        date=iso_date(_decoded(message["Date"])),
    )
    texts: list[str] = []
    pages: list[bytes] = []
    attachments: list[Attachment] = []
    for part in _leaves(message, 0):
        kind = part.get_content_type()
        name = _decoded(part.get_filename())
        if kind == "message/rfc822":
            inner = part.get_payload()
            whole = inner[0] if isinstance(inner, list) and inner else None
            if isinstance(whole, Message):
                subject = _decoded(whole["Subject"]) or "message"
                attached = Attachment(name=name or f"{subject[:80]}.eml", data=whole.as_bytes())
                attachments.append(attached)
            continue
        body = part.get_payload(decode=True)
        content = body if isinstance(body, bytes) else b""
        if kind == "text/plain" and not name:
            texts.append(_text(content, part))
        elif kind == "text/html" and not name:
            pages.append(_html(content, part))
        elif content:
            name = name or f"attachment {len(attachments) + 1}{_NAMELESS.get(kind, '')}"
            attachments.append(Attachment(name=name, data=content))
    return Mail(
        envelope=envelope,
        text="\n\n".join(text for text in texts if text.strip()),
        html=b"\n".join(pages),
        attachments=tuple(attachments),
    )


def mail_blocks(
    mail: Mail, source: Source, part: str, place: dict[str, int | str]
) -> Iterator[Block | Remark]:
    """Yield the text of a message, and of what is attached.

    Args:
        mail: the message.
        source: the file that it is in.
        part: of the message in the file, "" if the file is the message.
        place: of the message.
    """
    size = len(mail.text) + len(mail.html) + sum(len(each.data) for each in mail.attachments)
    within = Within(source, size)
    envelope = mail.envelope
    place = {**place, **({"message": envelope.id[:300]} if envelope.id else {})}

    def placed(block: Block) -> Block:
        attached = (block.title,) if block.title else ()
        return replace(
            block,
            part=joined_part(part, block.part),
            place={**block.place, **place},
            title=envelope.subject,
            headings=(*attached, *block.headings),
            metadata={**envelope.metadata, **block.metadata},
        )

    for found in _body(mail, within):
        if isinstance(found, Block):
            yield placed(found)
        else:
            yield replace(found, where=part or "body")
    for attachment in mail.attachments:
        for found in within.entry(attachment.name, [attachment.data]):
            if isinstance(found, Block):
                yield placed(found)
            else:
                yield replace(found, where=", ".join(filter(None, (part, found.where))))
        if within.budget.spent:
            return


def _body(mail: Mail, within: Within) -> Iterator[Block | Remark]:
    head = mail.envelope.head
    if mail.text or not mail.html:
        for window in windows_of(f"{head}\n\n{mail.text}" if head else mail.text):
            yield Block(text=window.text)
        if not head and not mail.text.strip():
            yield Block(text="")  # the subject says it all
        return
    if head:
        yield Block(text=head)
    for found in within(within.source("body.html", BytesIO(mail.html))):
        # The page has no place in the message, and the message has a title.
        yield replace(found, place={}, title="") if isinstance(found, Block) else found


def iso_date(text: str) -> str:
    """A date of a header as ISO 8601; "" if it is none."""
    try:
        return email.utils.parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _leaves(message: Message, level: int) -> Iterator[Message]:
    """The parts of a message that are no lists of parts; messages within it are not opened."""
    parts = message.get_payload()
    is_list = message.get_content_maintype() == "multipart" and isinstance(parts, list)
    if not is_list:
        yield message
    elif level < _MAX_LEVELS:
        for part in parts:
            if isinstance(part, Message):
                yield from _leaves(part, level + 1)


def _decoded(header: object) -> str:
    """A header in words: encoded ones decoded, on one line, without an end if it has none."""
    raw = str(header or "")[:_MAX_HEADER]
    try:
        text = str(email.header.make_header(email.header.decode_header(raw)))
    except (LookupError, ValueError, email.errors.HeaderParseError):
        text = raw
    # Bytes beyond ASCII that nobody has encoded.
    data = text.encode("utf-8", "surrogateescape")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return " ".join(text.split())


def _people(message: Message) -> Iterator[str]:
    found = [_decoded(each) for name in ("To", "Cc") for each in message.get_all(name, [])]
    for name, address in email.utils.getaddresses(found)[:_MAX_PEOPLE]:
        if name or address:
            yield f"{name} <{address}>" if name and address else name or address


def _text(content: bytes, part: Message) -> str:
    charset = part.get_content_charset("utf-8")
    try:
        return content.decode(charset)
    except (LookupError, UnicodeDecodeError):
        pass
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _html(content: bytes, part: Message) -> bytes:
    """A page in UTF-8, and saying so: what it says of its charset itself is often wrong."""
    text = _text(content, part)
    return b'<meta charset="utf-8">' + text.encode("utf-8", "replace")
