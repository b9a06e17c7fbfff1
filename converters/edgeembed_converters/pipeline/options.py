"""What is asked of every tower, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from torch import Tensor

from edgeembed_converters.export import torch as torch_exporter
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.subject import Made, Subject
from edgeembed_converters.quantization.variants import (
    OnStep,
    Outcome,
    Quantization,
    make_variants,
)
from edgeembed_converters.validation.pixels import ImageInputs
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import Fidelity

Exporter = Literal["torch", "optimum"]
BASE = "fp32"


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a source is made a bundle; see `convert`."""

    exporter: Exporter
    quantize: Sequence[Quantization]
    budget: Budget
    mobile: bool
    example_inputs: Sequence[Tensor]
    calibration_images: ImageInputs | None
    on_step: OnStep


@dataclass(frozen=True, kw_only=True)
class BuiltTower:
    """ONNX models by variant name, and what was measured of them."""

    models: Mapping[str, Made]
    outcome: Outcome


def needs_calibration(wanted: Sequence[Quantization]) -> bool:
    """Whether inputs to calibrate on are needed for any of the variants."""
    return any(name.startswith("int8") for name in wanted)


def built_tower(
    model: onnx.ModelProto,
    folder: Path,
    options: BuildOptions,
    measured: Callable[[bytes], Fidelity],
    subject_of: Callable[[Path], Subject],
) -> BuiltTower:
    """The fp32 model as a file of `folder`, and the smaller variants that are wanted.

    `measured` compares the fp32 model with the original, and refuses one that is not the same.

    Raises:
        ExportError: the model is too large for one file.
        ParityError: from `measured`.
        ConversionError: the graph cannot be quantized.
    """
    path = folder / f"{BASE}.onnx"
    with storage.storage_errors("write", path):
        torch_exporter.save_model(model, path)
    fp32 = path.read_bytes()
    fidelity = measured(fp32)
    outcome = make_variants(subject_of(path), options.quantize, options.budget, options.on_step)
    exported = Made(
        recipe=f"{options.exporter}, float32",
        size=len(fp32),
        model=fp32,
        requires=(),
        padding=True,
        fidelity=fidelity,
        speedup=1.0,
    )
    return BuiltTower(models={BASE: exported, **outcome.made}, outcome=outcome)
