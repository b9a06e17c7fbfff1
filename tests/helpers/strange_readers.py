"""Readers that behave badly, for the process that reads in their place."""

import ctypes
import os
import time
import zlib
from pathlib import Path

from edgeembed.ingest.readers.base.protocol import Block, Reason, Remark, SkippedError
from edgeembed_runtime.errors import MissingExtraError


class _Reader:
    name = "strange"
    suffixes = frozenset({".txt"})
    version = 1
    trusted = False


class Lines(_Reader):
    """A good one: a block for each line, a remark at the end."""

    def read(self, source):
        for number, line in enumerate(source.stream, 1):
            yield Block(
                text=line.decode().strip(),
                place={"line": number},
                part="p",
                title=source.name,
                headings=("a", "b"),
                metadata={
                    "tags": ["x"],
                    "depth": source.depth,
                    "field": source.settings.text_field,
                },
            )
        yield Remark(reason=Reason.SCANNED, where="page 3", detail="why")


class _OneBlockThen(_Reader):
    def read(self, source):
        yield Block(text="first")
        self.fail(source)
        yield Block(text="never")


class Killed(_OneBlockThen):
    def fail(self, source):
        os.kill(os.getpid(), 9)


class Crashes(_OneBlockThen):
    def fail(self, source):
        ctypes.string_at(0)


class Exits(_OneBlockThen):
    def fail(self, source):
        os._exit(3)


class Hangs(_OneBlockThen):
    def fail(self, source):
        time.sleep(600)


class HangsInC(_OneBlockThen):
    """Without letting other threads run, and without heeding any signal that Python handles."""

    def fail(self, source):
        ctypes.PyDLL(None).sleep(600)


class EatsMemory(_OneBlockThen):
    def fail(self, source):
        self.held = [bytes(1 << 20) for _ in range(1 << 14)]


class AbortsWithoutMemory(_OneBlockThen):
    """As a library in Rust does."""

    def fail(self, source):
        os.write(2, b"memory allocation of 1099511627776 bytes failed\n")
        os.abort()


class Raises(_OneBlockThen):
    def fail(self, source):
        raise zlib.error("Error -3 while decompressing data:\n invalid block type")


class RecursesForEver(_OneBlockThen):
    def fail(self, source):
        self.fail(source)


class Encrypted(_Reader):
    def read(self, source):
        raise SkippedError(Reason.ENCRYPTED, "a password opens it")


class NotInstalled(_Reader):
    def read(self, source):
        raise MissingExtraError.for_extra("strange files", "documents")


class Prints(_Reader):
    """To the stream on which the blocks travel, and more errors than a pipe holds."""

    def read(self, source):
        os.write(1, b"noise\n")
        print("noise", flush=True)
        os.write(2, b"warning\n" * 100_000)
        yield Block(text="quiet")


class Endless(_Reader):
    """Counts what it has given in the file."""

    def read(self, source):
        path = Path(source.stream.name)
        for number in range(1 << 30):
            path.write_text(str(number))
            yield Block(text="x" * 60_000)


class Grows(_Reader):
    def read(self, source):
        type(self).held = [bytes([n % 256]) * (1 << 20) for n in range(128)]
        yield Block(text=str(os.getpid()))


class SaysWhichProcess(_Reader):
    def read(self, source):
        yield Block(text=str(os.getpid()))


class LooksInside(_Reader):
    def read(self, source):
        yield from source.read_inner(source)


def read_inner(source):
    yield Block(text=f"inside {source.name}")


lines = Lines()
