"""Rich Text Format (.rtf)."""

import re
from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError, Source
from edgeembed.ingest.readers.documents.packages import named_properties
from edgeembed.ingest.readers.documents.sections import pieces
from edgeembed_runtime.errors import MissingExtraError

# Pictures are long runs of hexadecimal digits; each digit would be read as a character.
_PICTURE = re.compile(rb"(?:[0-9a-fA-F]{16,}\s*){8,}")
# striprtf decodes such bytes only where they are escaped.
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_INFO = re.compile(rb"\{\\(title|author) ([^{}]{1,1000})\}")
_CREATED = re.compile(rb"\{\\creatim\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")
_HEAD = 1 << 16
_MAX_BYTES = 64 << 20


class RichTextReader:
    """Reads .rtf by striprtf."""

    name = "RTF"
    suffixes: frozenset[str] = frozenset({".rtf"})
    version = 1
    trusted = False

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """Yield the text without its control words and pictures.

        Raises:
            SkippedError: no RTF, or too large.
            MissingExtraError: striprtf is not installed.
        """
        try:
            from striprtf.striprtf import rtf_to_text
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("RTF", "documents") from error
        data = _PICTURE.sub(b"", source.stream.read())
        data = _BEYOND_ASCII.sub(lambda found: b"\\'%02x" % found[0][0], data)
        if not data.lstrip().startswith(b"{\\rtf"):
            raise SkippedError(Reason.DAMAGED, "does not begin with {\\rtf")
        if len(data) > _MAX_BYTES:
            raise SkippedError(
                Reason.TOO_LARGE,
                f"{len(data) >> 20} MB without its pictures, of at most {_MAX_BYTES >> 20} MB",
            )

        def text_of(part: bytes) -> str:
            text = rtf_to_text(part.decode("ascii"), errors="replace")
            # Characters beyond the first 65,536 are written as two halves.
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()

        head = data[:_HEAD]
        info = {
            name.decode(): " ".join(text_of(b"{\\rtf1\\ansi " + value + b"}").split())
            for name, value in _INFO.findall(head)
        }
        created = _CREATED.search(head)
        date = "-".join(part.decode().zfill(2) for part in created.groups()) if created else ""
        text = text_of(data)
        for piece in pieces(text) if text else ():
            yield Block(
                text=piece,
                title=info.get("title", ""),
                metadata=named_properties(info.get("author", ""), date),
            )
