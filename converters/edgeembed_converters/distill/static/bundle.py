"""A trained table as a bundle: one graph of lookup, weighted mean and unit length."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.export.table import Rows
from edgeembed_converters.matryoshka.truncation import matryoshka_dims, measured_truncations
from edgeembed_converters.packaging.assemble import write_proven
from edgeembed_converters.packaging.model_card import model_card
from edgeembed_converters.quantization.variants import OnStep
from edgeembed_converters.validation.fidelity import as_variant
from edgeembed_converters.validation.probe_texts import probe_texts
from edgeembed_converters.word_vectors.variants import table_variants
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Golden, Manifest, Source, TextTower, write_bundle
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from edgeembed_runtime.vectors import normalize
from edgeembed_runtime.version import __version__

_POOLING = "sum of tokens"
_HEAD = ("Normalize",)
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class StaticStudent:
    """A trained table (tokens, d) float32, weights and vectors in one, and what goes with it."""

    name: str
    table: NDArray[np.float32]
    tokenizer_json: bytes
    max_tokens: int
    teacher: Manifest
    card_files: Mapping[str, Path]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WrittenBundle:
    """What was written: its manifest, bytes by variant, and what was left out."""

    manifest: Manifest
    sizes: dict[str, int]
    notes: tuple[str, ...]


def static_tokenizer(tokenizer_json: bytes, max_tokens: int, name: str) -> TextTokenizer:
    """The tokenizer as the runtime loads it for a static bundle."""
    return TextTokenizer.from_bytes(tokenizer_json, max_tokens, name).taking_empty_texts()


def write_static_bundle(
    target: Path,
    student: StaticStudent,
    rows: Sequence[Rows],
    *,
    overwrite: bool,
    on_step: OnStep,
) -> WrittenBundle:
    """Write a table with its rows in the ways asked for, and prove it on its golden vectors.

    Raises:
        ConversionError: rows in 8 or 16 bits lose too much.
        StorageError: the disk is full, or `target` is taken.
    """
    tokenizer = static_tokenizer(student.tokenizer_json, student.max_tokens, student.name)
    golden = _golden(student, tokenizer)
    variants = table_variants(
        student.table, rows, golden, tokenizer, normalize=True, on_step=on_step
    )
    sha256 = storage.sha256_of(student.table.tobytes())
    manifest = Manifest(
        name=student.name,
        space="",
        dim=int(student.table.shape[1]),
        normalized=True,
        source=replace(student.teacher.source, weights_sha256=sha256),
        text=TextTower(
            tokenizer=_TOKENIZER,
            max_tokens=student.max_tokens,
            pooling=_POOLING,
            head=_HEAD,
            static=True,
            variants=tuple(as_variant(name, made) for name, made in variants.made.items()),
        ),
        made_by=f"edgeembed {__version__}",
        files={},
    )
    manifest = replace(manifest, space=_space(manifest.source, student))
    files_of = {v.file: variants.made[v.name] for v in manifest.text_tower().variants}
    truncations = measured_truncations(golden.vectors)
    manifest = replace(manifest, matryoshka_dims=matryoshka_dims(truncations))
    card = model_card(
        manifest,
        {file: made.size for file, made in files_of.items()},
        (*student.notes, *variants.notes),
        truncations,
    )
    files: dict[str, bytes | Path] = {
        _TOKENIZER: student.tokenizer_json,
        "golden.json": golden.to_json(),
        **{file: made.model for file, made in files_of.items()},
        **student.card_files,
        "README.md": card.encode(),
    }
    written = write_proven(
        target,
        lambda stage: write_bundle(stage, manifest, files).manifest,
        overwrite=overwrite,
        on_step=on_step,
    )
    sizes = {name: made.size for name, made in variants.made.items()}
    return WrittenBundle(manifest=written, sizes=sizes, notes=variants.notes)


def _golden(student: StaticStudent, tokenizer: TextTokenizer) -> Golden:
    """The table's vectors of the probe texts, computed by numpy in 64 bits."""
    texts = probe_texts(student.max_tokens)
    table = student.table.astype(np.float64)
    sums = np.stack([table[tokenizer.encode(text).ids].sum(axis=0) for text in texts])
    return Golden(texts=texts, vectors=normalize(sums.astype(np.float32)))


def _space(source: Source, student: StaticStudent) -> str:
    """SHA-256 over all that decides a vector: table, tokenizer, length, pooling, head."""
    parts = {
        "weights": source.weights_sha256,
        "tokenizer": storage.sha256_of(student.tokenizer_json),
        "max_tokens": student.max_tokens,
        "pooling": _POOLING,
        "head": list(_HEAD),
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"
