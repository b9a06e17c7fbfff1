"""New variants for the towers of an existing bundle."""

from collections.abc import Sequence

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.pipeline.tower import BASE
from edgeembed_converters.quantization.registry import needs_calibration
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.variants import QuantizationOutcome, make_variants
from edgeembed_converters.validation.image_baseline import ImageBaseline
from edgeembed_converters.validation.pixels import (
    ImageInputs,
    PixelSets,
    pixel_sets,
    runtime_pixels,
)
from edgeembed_converters.validation.text_baseline import TextBaseline
from edgeembed_runtime.bundle import Bundle, Golden, Modality, Variant
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.word_tokenizer import load_tokenizer


def base_variant(source: Bundle, modality: Modality) -> Variant:
    """The variant to start from.

    Raises:
        InputError: the bundle has none.
    """
    tower = source.manifest.towers[modality]
    base = tower.variant(BASE)
    if base is None:
        raise InputError(
            f"bundle {source.path}: expected an {BASE} variant to start from, "
            f"found {', '.join(tower.variant_names)}"
        )
    return base


def requantize_text(
    source: Bundle,
    wanted: Sequence[str],
    budget: Budget | None,
    texts: Sequence[str],
    on_step: OnStep,
) -> QuantizationOutcome:
    """Variants of the text tower, calibrated on `texts`.

    Raises:
        InputError: there is no fp32 variant, or none of the texts has tokens.
        ConversionError: the model cannot be quantized.
    """
    tower = source.manifest.text_tower()
    base = base_variant(source, "text")
    golden = Golden.from_json(source.read(source.manifest.golden))
    baseline = TextBaseline(
        fp32=OnnxModel.in_one_file(source.read(base.file)),
        tokenizer=load_tokenizer(
            source.read(tower.tokenizer), tower, f"bundle {source.path}: {tower.tokenizer}"
        ),
        golden=golden,
        # Never calibrate on the texts that fidelity is measured on.
        calibration_texts=[text for text in texts if text not in set(golden.texts)],
    )
    if not baseline.calibration:
        raise InputError("calibration: the model's tokenizer finds no token in any of the texts")
    return make_variants(baseline, wanted, budget, on_step)


def requantize_image(
    source: Bundle,
    wanted: Sequence[str],
    budget: Budget | None,
    images: ImageInputs | None,
    on_step: OnStep,
) -> QuantizationOutcome:
    """Variants of the image tower, calibrated on `images`.

    Raises:
        InputError: there is no fp32 variant, or an image cannot be read.
        ConversionError: the model cannot be quantized.
    """
    preprocess = source.manifest.image_tower().preprocess
    base = base_variant(source, "image")
    golden = Golden.from_json(source.read(source.manifest.golden))
    baseline = ImageBaseline(
        fp32=OnnxModel.in_one_file(source.read(base.file)),
        images=[runtime_pixels(source.read(name), preprocess) for name in golden.images],
        reference=golden.image_vectors,
        user_images=pixel_sets(images, preprocess) if needs_calibration(wanted) else PixelSets(),
    )
    return make_variants(baseline, wanted, budget, on_step)
