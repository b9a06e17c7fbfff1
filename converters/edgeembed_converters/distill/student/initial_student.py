"""A student before its training: cut out of its teacher, in the form that is exported."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_converters.distill.student.embedding_rank import check_rank, factorize
from edgeembed_converters.distill.student.layers import (
    Keep,
    chosen_layers,
    layer_names,
    with_layers,
)
from edgeembed_converters.distill.student.narrow import check_width, narrowed
from edgeembed_converters.distill.teaching.projection import linear_layer, principal_directions
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.text.live_text import state_sha256
from edgeembed_converters.sources.text.transformers_text import TokenVectors
from edgeembed_runtime.bundle import Source
from edgeembed_runtime.errors import InputError, UnsupportedModelError


@dataclass(frozen=True, kw_only=True)
class StudentShape:
    """What a student keeps of its teacher; None keeps all.

    `layers` is how many, evenly spaced, or which, by number or name. `width` is that of the hidden
    states, `embedding_rank` that of the factorized token embeddings, `dim` that of the output.
    """

    layers: Keep | None = None
    width: int | None = None
    embedding_rank: int | None = None
    dim: int | None = None


@dataclass(frozen=True, kw_only=True)
class Student:
    """A student before or after its training.

    `projection` (teacher's dim, dim) maps the teacher's vectors to the student's targets; None if
    they are the targets. `kept` names the layers.
    """

    source: TextSource
    kept: tuple[str, ...]
    projection: Tensor | None
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample of the training texts for PCA: token ids, and teacher vectors (n, d)."""

    ids: Sequence[Tensor]
    vectors: Tensor


def check_shape(teacher: TextSource, shape: StudentShape) -> None:
    """Refuse an impossible student, before the teacher runs for hours.

    Raises:
        InputError: the student would not be smaller than its teacher.
        UnsupportedModelError: the teacher's architecture is not supported.
    """
    if not isinstance(teacher.backbone, TokenVectors) or not teacher.pooling:
        raise UnsupportedModelError(
            f"teacher {teacher.name}: expected a transformers model that gives token vectors, "
            f"got {teacher.model_type}"
        )
    model = teacher.backbone.model
    fewer = shape.layers is not None and (
        len(chosen_layers(model, shape.layers)) < len(layer_names(model))
    )
    if not fewer and shape.width is None and shape.embedding_rank is None:
        raise InputError(
            "student: expected fewer layers than the teacher's, a lower width or an "
            "embedding_rank, got none of them"
        )
    if shape.width is not None:
        check_width(model, shape.width)
        if shape.embedding_rank is not None and shape.embedding_rank >= shape.width:
            raise InputError(
                f"embedding_rank: expected less than the student's width {shape.width}, "
                f"got {shape.embedding_rank}"
            )
    if shape.embedding_rank is not None:
        check_rank(model, shape.embedding_rank)


def make_student(teacher: TextSource, shape: StudentShape, sample: Sample, name: str) -> Student:
    """Cut a student out of a loaded teacher, which is not changed.

    Raises:
        InputError, UnsupportedModelError: as `check_shape`, or the dim is not below the teacher's.
    """
    check_shape(teacher, shape)
    assert isinstance(teacher.backbone, TokenVectors)
    model = teacher.backbone.model
    notes: list[str] = []
    kept = tuple(layer_names(model))
    if shape.layers is None:
        model = copy.deepcopy(model)
    else:
        numbers = chosen_layers(model, shape.layers)
        model, kept = with_layers(model, numbers), tuple(kept[number] for number in numbers)
    head: list[nn.Module] = [copy.deepcopy(each) for each in teacher.head]
    if shape.width is not None:
        model, basis = narrowed(model, shape.width, sample.ids)
        head.insert(0, linear_layer(torch.cat([basis.T] * len(teacher.pooling), dim=0)))
        notes.append(f"width {shape.width}, from {basis.shape[0]}, by PCA of the token vectors")
    if shape.embedding_rank is not None:
        share = factorize(model, shape.embedding_rank, sample.ids)
        notes.append(f"token table of rank {shape.embedding_rank}: {share:.1%} of its variance")
    projection = None
    if shape.dim is not None:
        projection, share = _principal(sample.vectors, shape.dim)
        head = _with_projection(head, projection)
        notes.append(f"{shape.dim} components by PCA: {share:.1%} of the teacher's variance")
    return Student(
        source=_as_source(teacher, model, head, name),
        kept=kept,
        projection=projection,
        notes=tuple(notes),
    )


def _principal(vectors: Tensor, dim: int) -> tuple[Tensor, float]:
    if not 1 <= dim < vectors.shape[1]:
        raise InputError(
            f"dim: expected 1 to {vectors.shape[1] - 1}, less than the teacher's, got {dim}"
        )
    if len(vectors) < dim:
        raise InputError(f"dim: expected at most the number of texts, {len(vectors)}, got {dim}")
    return principal_directions(vectors, dim)


def _with_projection(head: Sequence[nn.Module], matrix: Tensor) -> list[nn.Module]:
    layers = [each for each in head if not isinstance(each, Normalize)]
    ends = [Normalize()] if len(layers) < len(head) else []
    return [*layers, linear_layer(matrix), *ends]


def _as_source(
    teacher: TextSource, model: nn.Module, head: Sequence[nn.Module], name: str
) -> TextSource:
    return replace(
        teacher,
        name=name,
        backbone=TokenVectors(model).eval(),
        head=nn.Sequential(*head),
        witness=None,
        original=None,
        directory=None,
        notes=(),
    )


def finished(student: Student, teacher: TextSource) -> TextSource:
    """The student's source, with the hash of its current weights."""
    source = student.source
    weights = nn.ModuleList([source.backbone, source.head])
    note = f"A student of {teacher.name}: layers {', '.join(student.kept)}"
    return replace(
        source,
        source=Source(
            id=teacher.source.id,
            revision=teacher.source.revision,
            weights_sha256=state_sha256(weights),
            license=teacher.source.license,
        ),
        notes=(note, *student.notes),
    )


def freeze_tables(model: nn.Module) -> int:
    """Freeze the embedding tables; returns their number of parameters.

    They hold most of a small model's parameters, but each batch has gradients for only a few rows.
    """
    frozen = 0
    tables: list[Any] = [m for m in model.modules() if isinstance(m, nn.Embedding)]
    for table in tables:
        table.weight.requires_grad_(False)
        frozen += table.weight.numel()
    return frozen
