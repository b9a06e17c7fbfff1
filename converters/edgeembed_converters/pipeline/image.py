"""The image tower of a bundle, from a source of images."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters.export import torch as torch_exporter
from edgeembed_converters.export.image_tower import OUTPUTS, ImageTower
from edgeembed_converters.graph.merge_linears import merge_linears
from edgeembed_converters.pipeline.options import (
    BuildOptions,
    BuiltTower,
    built_tower,
    needs_calibration,
)
from edgeembed_converters.quantization.trial.subject import Subject
from edgeembed_converters.sources.base import ImageSource
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.image_fidelity import image_fidelity, image_subject
from edgeembed_converters.validation.pixels import (
    PixelSets,
    pixel_sets,
    require_pillow,
    runtime_pixels,
)
from edgeembed_converters.validation.probe_images import probe_images
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.bundle.signature import PIXEL_VALUES

MADE_BY_CODE = (
    "int8 was calibrated on images made by code: pass calibration_images, a folder of images "
    "like yours, for a closer one"
)


@dataclass(frozen=True, kw_only=True)
class GoldenImages:
    """PNG files by their names in the bundle, and the original's vectors for them, (n, d)."""

    files: Mapping[str, bytes]
    vectors: NDArray[np.float32]


def golden_images(source: ImageSource) -> GoldenImages:
    """The probe images through the original model and its own processor.

    Raises:
        ConversionError: the original cannot be run on them.
    """
    files = probe_images()
    return GoldenImages(
        files={f"golden/{number:02}.png": file for number, file in enumerate(files)},
        vectors=parity.reference_image_vectors(source, files),
    )


def build_image_tower(
    source: ImageSource, options: BuildOptions
) -> tuple[BuiltTower, GoldenImages]:
    """Export an image encoder, prove it on the probe images, quantize it if asked.

    Raises:
        MissingExtraError: Pillow is not installed.
        ExportError: the exporter failed.
        ParityError: the exported model, fed by the runtime, does not give the original's vectors.
        InputError: images to calibrate on cannot be read.
    """
    require_pillow()
    options.on_step("Running the original on the probe images")
    golden = golden_images(source)
    options.on_step("Exporting the image tower with torch")
    noise = torch.rand(2, 3, *source.preprocess.size, generator=torch.Generator().manual_seed(1))
    model = torch_exporter.export_module(
        ImageTower(source), [noise], (PIXEL_VALUES,), OUTPUTS, free_axes=1
    )
    options.on_step("Comparing with the original")
    images = [runtime_pixels(file, source.preprocess) for file in golden.files.values()]

    def measured(fp32: bytes) -> Fidelity:
        found = image_fidelity(fp32, images, golden.vectors)
        parity.require_parity(found, parity.FP32_IMAGE_COSINE)
        return found

    def subject(path: Path) -> Subject:
        others = PixelSets()
        if needs_calibration(options.quantize):
            others = pixel_sets(options.calibration_images, source.preprocess)
        return image_subject(path, images, golden.vectors, others)

    with tempfile.TemporaryDirectory() as folder:
        built = built_tower(merge_linears(model), Path(folder), options, measured, subject)
    return built, golden
