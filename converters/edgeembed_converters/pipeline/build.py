"""From a loaded source to a model that is ready to be written: its towers, proven."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgeembed_converters.matryoshka.truncated_dims import TruncationReport, measured_truncations
from edgeembed_converters.pipeline.image import SYNTHETIC_CALIBRATION, build_image_tower
from edgeembed_converters.pipeline.mobile import mobile_files
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.pipeline.text import build_text_tower
from edgeembed_converters.pipeline.tower import BuiltTower
from edgeembed_converters.quantization.registry import needs_calibration
from edgeembed_converters.sources.base.encoders import AnySource, image_of, text_of
from edgeembed_converters.validation.prompted import PromptedVectors
from edgeembed_runtime.bundle import Golden, Modality
from edgeembed_runtime.errors import InputError, UnsupportedModelError


@dataclass(frozen=True, kw_only=True)
class BuiltModel:
    """What goes into a bundle; `images` are the golden ones, `mobile` the files for phones.

    `prompted` is what the witness returns for texts with prompts.
    """

    source: AnySource
    towers: Mapping[Modality, BuiltTower]
    golden: Golden
    prompted: PromptedVectors | None
    images: Mapping[str, bytes]
    mobile: Mapping[str, bytes]
    notes: tuple[str, ...]
    truncations: tuple[TruncationReport, ...]


def build_model(source: AnySource, options: BuildOptions) -> BuiltModel:
    """Export the towers of a source, prove each against the original, and quantize them.

    Raises:
        ExportError: the exporter failed.
        ParityError: an exported tower is not the original.
        InputError: an option does not suit images, or there are no images to calibrate on.
        UnsupportedModelError: the towers do not share a dimension.
    """
    text, image = text_of(source), image_of(source)
    if image is not None and (options.mobile or options.exporter == "optimum"):
        raise InputError(
            "mobile and exporter='optimum' are for text models; convert images without them"
        )
    towers: dict[Modality, BuiltTower] = {}
    golden, images, mobile = Golden(), {}, {}
    prompted: PromptedVectors | None = None
    notes: tuple[str, ...] = ()
    if text is not None:
        proven = build_text_tower(text, options)
        towers["text"], golden, prompted = proven.tower, proven.golden, proven.prompted
        notes = proven.notes
        if options.mobile:
            options.on_step("Converting for phones")
            mobile = mobile_files(towers["text"].models, text.max_tokens)
    if image is not None:
        towers["image"], golden_images = build_image_tower(image, options)
        _require_same_dim(golden, golden_images.vectors.shape[1])
        golden = replace(
            golden, images=tuple(golden_images.files), image_vectors=golden_images.vectors
        )
        images = golden_images.files
    return BuiltModel(
        source=source,
        towers=towers,
        golden=golden,
        prompted=prompted,
        images=images,
        mobile=mobile,
        notes=(*_notes(source, towers, options), *notes),
        truncations=measured_truncations(golden.vectors),
    )


def _require_same_dim(texts: Golden, dim: int) -> None:
    if texts.texts and texts.dim != dim:
        raise UnsupportedModelError(
            f"the towers: expected vectors of one length, got {texts.dim} for texts and {dim} for "
            "images; add the projections to the modules"
        )


def _notes(
    source: AnySource, towers: Mapping[Modality, BuiltTower], options: BuildOptions
) -> tuple[str, ...]:
    """What was assumed, what was refused, and anything else the user should know."""
    notes = list(source.notes)
    for modality, tower in towers.items():
        which = f" of the {modality} tower" if len(towers) > 1 else ""
        notes += [f"{n}{which} was refused: {why}" for n, why in tower.outcome.refused.items()]
    calibrated = "image" in towers and needs_calibration(options.quantize)
    if calibrated and options.calibration_images is None:
        notes.append(SYNTHETIC_CALIBRATION)
    return tuple(notes)
