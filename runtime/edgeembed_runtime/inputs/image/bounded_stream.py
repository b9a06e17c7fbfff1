"""An open file that a stranger's image cannot keep a decoder busy with."""

from typing import IO, Any

# Pillow parses headers, tags and run lengths in Python, a few bytes at a time: 5 MB of empty JPEG
# segments take it 3 s and 3.7 million reads. Pixels are read in blocks of 64 KB.
_MAX_READS = 500_000


class TooManyPartsError(Exception):
    """The file consists of more parts than an image has."""


class BoundedStream:
    """A file whose `read` may be called half a million times."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Wrap a stream, which stays the caller's to close."""
        self._stream = stream
        self._reads = 0

    def read(self, size: int = -1, /) -> bytes:
        """Read as the file does.

        Raises:
            TooManyPartsError: this was called too often.
        """
        self._reads += 1
        if self._reads > _MAX_READS:
            raise TooManyPartsError(
                f"it takes more than {_MAX_READS} reads, for its many chunks, segments or runs; "
                "save it anew"
            )
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
