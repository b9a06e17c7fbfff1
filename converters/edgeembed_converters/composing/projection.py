"""A small projection, trained on the user's images and their names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgeembed_converters.composing.label_vectors import name_vectors
from edgeembed_converters.composing.probability_mean import ProbabilityMean, centered
from edgeembed_converters.validation.pixels import ImageInputs, listed, runtime_pixels
from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

_BATCH = 16


def trained_projection(
    model: ProbabilityMean,
    examples: Mapping[str, ImageInputs],
    encoder: Encoder,
    preprocess: Preprocess,
    template: str,
    strength: float,
) -> Tensor:
    """Train the matrix (classes, d) that moves a model's image vectors towards their names.

    Args:
        model: without a projection.
        examples: images by name.
        encoder: of texts.
        preprocess: of the classifier's images.
        template: as for `label_vectors`.
        strength: of the ridge penalty; the higher, the less is learned.

    Raises:
        InputError: there are no images, or one cannot be read.
    """
    pixels, rows = _pixels(examples, preprocess)
    names = torch.from_numpy(name_vectors(encoder, list(examples), template))
    logits = torch.cat([model.classifier(batch) for batch in pixels.split(_BATCH)])
    return fitted(model, logits, names[rows], strength)


def fitted(model: ProbabilityMean, logits: Tensor, wanted: Tensor, strength: float) -> Tensor:
    """Ridge regression from (n, classes) logits to the residual of the (n, d) wanted vectors."""
    seen = centered(logits).double()
    residual = (wanted - model.from_logits(logits)).double()
    gram = seen @ seen.T
    ridge = strength * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return (seen.T @ torch.linalg.solve(gram + ridge, residual)).float()


def _pixels(
    examples: Mapping[str, ImageInputs], preprocess: Preprocess
) -> tuple[Tensor, list[int]]:
    found: list[Any] = []
    rows: list[int] = []
    for row, (name, images) in enumerate(examples.items()):
        chosen: Sequence[Any] = listed(images, f"examples[{name!r}]")
        found += [runtime_pixels(image, preprocess) for image in chosen]
        rows += [row] * len(chosen)
    if not found:
        raise InputError("examples: expected images by their names, got none")
    return torch.from_numpy(np.concatenate(found)), rows
