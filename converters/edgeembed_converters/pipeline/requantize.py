"""Smaller variants of the towers of a bundle that is there already."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeembed_converters.pipeline.options import BASE, needs_calibration
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.subject import Subject
from edgeembed_converters.quantization.variants import (
    OnStep,
    Outcome,
    Quantization,
    make_variants,
)
from edgeembed_converters.validation.fidelity import text_subject
from edgeembed_converters.validation.image_fidelity import image_subject
from edgeembed_converters.validation.pixels import (
    ImageInputs,
    PixelSets,
    pixel_sets,
    runtime_pixels,
)
from edgeembed_runtime import storage
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
    wanted: Sequence[Quantization],
    budget: Budget,
    texts: Sequence[str],
    on_step: OnStep,
) -> Outcome:
    """Variants of the text tower, calibrated on `texts`.

    Raises:
        InputError: there is no fp32 variant, or no token in any of the texts.
        ConversionError: the graph cannot be quantized.
    """
    tower = source.manifest.text_tower()
    name = f"bundle {source.path}: {tower.tokenizer}"
    base = base_variant(source, "text")
    tokenizer = load_tokenizer(source.read(tower.tokenizer), tower, name)
    golden = Golden.from_json(source.read(source.manifest.golden))
    # Texts that are measured on must not be calibrated on.
    kept = [text for text in texts if text not in set(golden.texts)]

    def subject(path: Path) -> Subject:
        found = text_subject(path, tokenizer, golden, kept)
        if not found.calibration:
            raise InputError(
                "calibration: the model's tokenizer finds no token in any of the texts"
            )
        return found

    return _variants(source.read(base.file), subject, wanted, budget, on_step)


def requantize_image(
    source: Bundle,
    wanted: Sequence[Quantization],
    budget: Budget,
    images: ImageInputs | None,
    on_step: OnStep,
) -> Outcome:
    """Variants of the image tower, calibrated on `images`; raises as `requantize_text` does."""
    preprocess = source.manifest.image_tower().preprocess
    base = base_variant(source, "image")
    golden = Golden.from_json(source.read(source.manifest.golden))
    measured = [runtime_pixels(source.read(name), preprocess) for name in golden.images]
    others = pixel_sets(images, preprocess) if needs_calibration(wanted) else PixelSets()
    return _variants(
        source.read(base.file),
        lambda path: image_subject(path, measured, golden.image_vectors, others),
        wanted,
        budget,
        on_step,
    )


def _variants(
    fp32: bytes,
    subject: Callable[[Path], Subject],
    wanted: Sequence[Quantization],
    budget: Budget,
    on_step: OnStep,
) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{BASE}.onnx"
        storage.write_file(path, fp32)
        return make_variants(subject(path), wanted, budget, on_step)
