"""The image tower of a bundle, from a source of pictures."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters import parity
from edgeembed_converters.export import torch_exporter
from edgeembed_converters.export.image_tower import OUTPUTS, PIXEL_VALUES, ImageTower
from edgeembed_converters.export.merge_linears import merge_linears
from edgeembed_converters.measure_images import image_fidelity, image_subject
from edgeembed_converters.pictures import (
    PixelSets,
    pixel_sets,
    require_pillow,
    runtime_pixels,
)
from edgeembed_converters.probe_pictures import probe_pictures
from edgeembed_converters.quantization.subject import Subject
from edgeembed_converters.sources.source import ImageSource
from edgeembed_converters.towers.built import (
    BuildOptions,
    BuiltTower,
    built_tower,
    needs_calibration,
)
from edgeembed_runtime.bundle import Fidelity

MADE_BY_CODE = (
    "int8 was calibrated on pictures made by code: pass calibration_images, a folder of pictures "
    "like yours, for a closer one"
)


@dataclass(frozen=True, kw_only=True)
class GoldenPictures:
    """PNG files by their names in the bundle, and the original's vectors for them, (n, d)."""

    files: Mapping[str, bytes]
    vectors: NDArray[np.float32]


def golden_pictures(source: ImageSource) -> GoldenPictures:
    """The probe pictures through the original model and its own processor.

    Raises:
        ConversionError: the original cannot be run on them.
    """
    files = probe_pictures()
    return GoldenPictures(
        files={f"golden/{number:02}.png": file for number, file in enumerate(files)},
        vectors=parity.reference_image_vectors(source, files),
    )


def build_image_tower(
    source: ImageSource, options: BuildOptions
) -> tuple[BuiltTower, GoldenPictures]:
    """Export an image encoder, prove it on the probe pictures, quantize it if asked.

    Raises:
        MissingExtraError: Pillow is not installed.
        ExportError: the exporter failed.
        ParityError: the exported model, fed by the runtime, does not give the original's vectors.
        InputError: pictures to calibrate on cannot be read.
    """
    require_pillow()
    options.on_step("Running the original on the probe pictures")
    golden = golden_pictures(source)
    options.on_step("Exporting the image tower with torch")
    noise = torch.rand(2, 3, *source.preprocess.size, generator=torch.Generator().manual_seed(1))
    model = torch_exporter.export_module(
        ImageTower(source), [noise], (PIXEL_VALUES,), OUTPUTS, free_axes=1
    )
    options.on_step("Comparing with the original")
    pictures = [runtime_pixels(file, source.preprocess) for file in golden.files.values()]

    def measured(fp32: bytes) -> Fidelity:
        found = image_fidelity(fp32, pictures, golden.vectors)
        parity.require_parity(found, parity.FP32_IMAGE_COSINE)
        return found

    def subject(path: Path) -> Subject:
        others = PixelSets()
        if needs_calibration(options.quantize):
            others = pixel_sets(options.calibration_images, source.preprocess)
        return image_subject(path, pictures, golden.vectors, others)

    with tempfile.TemporaryDirectory() as folder:
        built = built_tower(merge_linears(model), Path(folder), options, measured, subject)
    return built, golden
