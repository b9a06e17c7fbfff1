"""A trained table as a bundle: one graph that looks up, sums and normalizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.export.table import Rows
from edgeembed_converters.matryoshka.truncated_dims import measured_truncations
from edgeembed_converters.packaging.assemble import (
    TOKENIZER,
    BundleParts,
    model_files,
    variants_of,
    write_proven,
)
from edgeembed_converters.packaging.space_fingerprint import fingerprint
from edgeembed_converters.pipeline.table_variants import table_variants
from edgeembed_converters.validation.probe_texts import probe_texts
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Golden, Manifest, TextTower
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from edgeembed_runtime.vectors import normalize

_POOLING = "sum of tokens"
_HEAD = ("Normalize",)


@dataclass(frozen=True, kw_only=True)
class StaticStudent:
    """A trained table (tokens, d) float32, its weights multiplied in, and what goes with it."""

    name: str
    table: NDArray[np.float32]
    tokenizer_json: bytes
    max_tokens: int
    teacher: Manifest
    card_files: Mapping[str, Path]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WrittenBundle:
    """What was written: its manifest, and notes on variants that were left out."""

    manifest: Manifest
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
    """Write a table with one variant per kind of rows, and prove it on its golden vectors.

    Raises:
        ConversionError: rows in 8 or 16 bits lose too much.
        StorageError: the disk is full, or `target` is taken.
    """
    tokenizer = static_tokenizer(student.tokenizer_json, student.max_tokens, student.name)
    golden = _golden(student, tokenizer)
    made = table_variants(student.table, rows, golden, tokenizer, normalize=True, on_step=on_step)
    variants = variants_of(made.models)
    source = replace(
        student.teacher.source, weights_sha256=storage.sha256_of(student.table.tobytes())
    )
    parts = BundleParts(
        name=student.name,
        space=fingerprint(
            {
                "weights": source.weights_sha256,
                "tokenizer": storage.sha256_of(student.tokenizer_json),
                "max_tokens": student.max_tokens,
                "pooling": _POOLING,
                "head": list(_HEAD),
            }
        ),
        source=source,
        normalized=True,
        text=TextTower(
            tokenizer=TOKENIZER,
            max_tokens=student.max_tokens,
            pooling=_POOLING,
            head=_HEAD,
            static=True,
            variants=variants,
        ),
        golden=golden,
        models=model_files(variants, made.models),
        files={TOKENIZER: student.tokenizer_json, **student.card_files},
        truncations=measured_truncations(golden.vectors),
        notes=(*student.notes, *made.notes),
    )
    manifest = write_proven(target, parts, overwrite=overwrite, on_step=on_step)
    return WrittenBundle(manifest=manifest, notes=made.notes)


def _golden(student: StaticStudent, tokenizer: TextTokenizer) -> Golden:
    """The table's vectors of the probe texts, computed by numpy in float64."""
    texts = probe_texts(student.max_tokens)
    table = student.table.astype(np.float64)
    sums = np.stack([table[tokenizer.encode(text).ids].sum(axis=0) for text in texts])
    return Golden(texts=texts, vectors=normalize(sums.astype(np.float32)))
