"""From an image source to a proven image tower."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters.export.encoders import ImageEncoder
from edgeembed_converters.export.torch import export_module
from edgeembed_converters.graph.merge_linears import merge_linears
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.pipeline.size import require_variant_that_fits
from edgeembed_converters.pipeline.tower import BuiltTower, built_tower
from edgeembed_converters.quantization.registry import needs_calibration
from edgeembed_converters.quantization.variants import make_variants
from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.image_baseline import ImageBaseline, measured_image_fidelity
from edgeembed_converters.validation.pixels import (
    PixelSets,
    pixel_sets,
    require_pillow,
    runtime_pixels,
)
from edgeembed_converters.validation.probe_images import probe_images
from edgeembed_runtime.bundle.signature import PIXEL_VALUES

SYNTHETIC_CALIBRATION = (
    "int8 was calibrated on images made by code: pass calibration_images, a folder of images "
    "like yours, for a closer one"
)


@dataclass(frozen=True, kw_only=True)
class GoldenImages:
    """PNG files by their names in the bundle, and the original's vectors of them, (n, d)."""

    files: Mapping[str, bytes]
    vectors: NDArray[np.float32]


def build_image_tower(
    source: ImageSource, options: BuildOptions
) -> tuple[BuiltTower, GoldenImages]:
    """Export an image encoder, prove it on the probe images, and quantize it.

    Raises:
        MissingExtraError: Pillow is not installed.
        UnsupportedModelError: nothing that was asked for fits into one ONNX file.
        ExportError: the exporter failed.
        ParityError: the exported model with the runtime's preprocessing is not the original.
        InputError: images to calibrate on cannot be read.
        ConversionError: the model cannot be quantized.
    """
    require_pillow()
    require_variant_that_fits(source.name, ImageEncoder(source), options)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        return _built(source, options, Path(scratch))


def _built(
    source: ImageSource, options: BuildOptions, scratch: Path
) -> tuple[BuiltTower, GoldenImages]:
    options.on_step("Running the original on the probe images")
    golden = _golden_images(source)

    options.on_step("Exporting the image tower with torch")
    noise = torch.rand(2, 3, *source.preprocess.size, generator=torch.Generator().manual_seed(1))
    encoder = ImageEncoder(source)
    exported = export_module(
        encoder, [noise], (PIXEL_VALUES,), encoder.outputs, free_axes=1, scratch=scratch
    )
    model = OnnxModel.of(merge_linears(exported))

    options.on_step("Comparing with the original")
    images = [runtime_pixels(file, source.preprocess) for file in golden.files.values()]
    fidelity = measured_image_fidelity(model, images, golden.vectors)
    parity.require_parity(fidelity, parity.FP32_IMAGE_COSINE)

    user_images = PixelSets()
    if needs_calibration(options.quantize):
        user_images = pixel_sets(options.calibration_images, source.preprocess)
    baseline = ImageBaseline(
        fp32=model, images=images, reference=golden.vectors, user_images=user_images
    )
    outcome = make_variants(baseline, options.quantize, options.budget, options.on_step)
    return built_tower(model, options.exporter, fidelity, outcome), golden


def _golden_images(source: ImageSource) -> GoldenImages:
    files = probe_images()
    return GoldenImages(
        files={f"golden/{number:02}.png": file for number, file in enumerate(files)},
        vectors=parity.reference_image_vectors(source, files),
    )
