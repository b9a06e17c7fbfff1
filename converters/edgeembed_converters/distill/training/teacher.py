"""The teacher: an encoder whose vectors a student learns, each of them computed once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.conversion import convert
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import MANIFEST_NAME, Manifest
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.errors import InputError

CACHE_NAME = "teacher-vectors.sqlite"
# Of vectors on disk: the limit of a cache that must never forget one.
_UNLIMITED_MB = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """An encoder with a memory on disk; make one with `open_teacher`, use it in a `with`."""

    encoder: Encoder
    cache: EmbeddingCache

    @property
    def manifest(self) -> Manifest:
        """What the teacher's bundle says of itself."""
        return self.encoder.manifest

    def vectors(
        self, texts: Sequence[str], on_progress: OnProgress | None = None
    ) -> NDArray[np.float32]:
        """The teacher's vectors of texts, in order: (n, dim) float32.

        What was computed before, in this run or one that was killed, comes from the disk. No prompt
        is put before a text, unless the teacher has a default one. `on_progress` hears how many
        distinct texts are done, and how many there are.

        Raises:
            InputError: a text is unusable; its position is named.
        """
        return self.encoder.encode(list(texts), show_progress_bar=on_progress or False)

    def tokenizer_json(self) -> bytes:
        """The teacher's tokenizer.json."""
        return (self.encoder.path / self.manifest.text_tower().tokenizer).read_bytes()

    def close(self) -> None:
        """Give back memory and threads."""
        self.encoder.close()

    def __enter__(self) -> "Teacher":
        """Return the teacher itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def work_folder(output: Path, work_dir: str | Path | None) -> Path:
    """Where a distillation keeps what it computes: by default beside its output."""
    return Path(work_dir) if work_dir is not None else output.with_name(f"{output.name}.work")


def open_teacher(
    source: str | Path,
    work_dir: Path,
    *,
    variant: str = "auto",
    on_step: OnStep | None = None,
) -> Teacher:
    """Open a bundle, or anything that `convert` takes, as a teacher that works in `work_dir`.

    The vectors are kept there by the SHA-256 of the text, the teacher's space and the file of its
    variant, each with a checksum; a damaged one is computed again. A model that is no bundle is
    converted first, with int8, once: int8 gives the same vectors but for a cosine of 0.999, in less
    than half the time. Name the `variant` "fp32" for the exact ones.

    Raises:
        InputError: there is nothing at `source`, or the cache's file is something else.
        BundleError, ConversionError: the bundle is damaged, or the model cannot be converted.
        StorageError: `work_dir` cannot be written.
    """
    storage.make_folder(work_dir)
    bundle = _as_bundle(source, work_dir, on_step or ignore_step)
    cache = EmbeddingCache(work_dir / CACHE_NAME, max_mb=_UNLIMITED_MB)
    return Teacher(encoder=Encoder.load(bundle, variant=variant, cache=cache), cache=cache)


def _as_bundle(source: str | Path, work_dir: Path, on_step: OnStep) -> Path:
    path = Path(source)
    if (path / MANIFEST_NAME).is_file():
        return path
    if path.is_file():
        raise InputError(
            f"teacher {source}: expected a bundle, a model directory or a Hub id, found a file"
        )
    made = work_dir / f"teacher-{_fingerprint(source)}.bundle"
    if not made.exists():
        on_step("Converting the teacher")
        convert(source, made, quantize="int8", on_step=on_step)
    return made


def _fingerprint(source: str | Path) -> str:
    """16 digits that change with any file of a model directory; of a Hub id, with its name."""
    digest = hashlib.sha256(str(source).encode() if not Path(source).is_dir() else b"")
    if Path(source).is_dir():
        for file in sorted(found for found in Path(source).rglob("*") if found.is_file()):
            digest.update(f"{file.relative_to(source)} {storage.sha256_file(file)}\n".encode())
    return digest.hexdigest()[:16]
