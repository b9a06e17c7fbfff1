"""The teacher: an encoder whose vectors a student learns, each computed only once."""

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
# The cache on disk must never evict a vector.
_UNLIMITED_MB = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """An encoder with a cache on disk; made by `open_teacher`, used in a `with` block."""

    encoder: Encoder
    cache: EmbeddingCache

    @property
    def manifest(self) -> Manifest:
        """The manifest of the teacher's bundle."""
        return self.encoder.manifest

    def vectors(
        self, texts: Sequence[str], on_progress: OnProgress | None = None
    ) -> NDArray[np.float32]:
        """The teacher's vectors of texts, in order: (n, dim) float32.

        Vectors computed before, also by a run that was killed, come from the disk. Texts get the
        teacher's default prompt, if it has one. `on_progress` gets the number of distinct texts
        that are done, and their total.

        Raises:
            InputError: a text is invalid; the message names its position.
        """
        return self.encoder.encode(list(texts), show_progress_bar=on_progress or False)

    def tokenizer_json(self) -> bytes:
        """The teacher's tokenizer.json."""
        return (self.encoder.path / self.manifest.text_tower().tokenizer).read_bytes()

    def close(self) -> None:
        """Release memory and threads."""
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
    """Where a distillation stores intermediate results: by default next to its output."""
    return Path(work_dir) if work_dir is not None else output.with_name(f"{output.name}.work")


def open_teacher(
    source: str | Path,
    work_dir: Path,
    *,
    variant: str = "auto",
    on_step: OnStep | None = None,
) -> Teacher:
    """Open a bundle, or anything that `convert` takes, as a teacher with a cache in `work_dir`.

    The cache is keyed by the SHA-256 of the text, the teacher's space and the variant's file; every
    vector has a checksum, and damaged ones are computed again. A model that is not a bundle is
    converted first, once, with int8: less than half the time, at a cosine of 0.999 to the exact
    vectors. Pass `variant` "fp32" for those.

    Raises:
        InputError: there is nothing at `source`, or the cache file is something else.
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
    """16 hex digits of a model directory's files, or of a Hub id."""
    digest = hashlib.sha256(str(source).encode() if not Path(source).is_dir() else b"")
    if Path(source).is_dir():
        for file in sorted(found for found in Path(source).rglob("*") if found.is_file()):
            digest.update(f"{file.relative_to(source)} {storage.sha256_file(file)}\n".encode())
    return digest.hexdigest()[:16]
