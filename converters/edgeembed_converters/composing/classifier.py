"""Compose an image classifier and a text bundle into one bundle, in the texts' own space."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.composing.label_vectors import label_vectors
from edgeembed_converters.composing.parts import composed_parts
from edgeembed_converters.composing.probability_mean import ProbabilityMean
from edgeembed_converters.composing.projection import trained_projection
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.packaging.assemble import check_target, write_proven
from edgeembed_converters.packaging.report import ConversionReport, conversion_report
from edgeembed_converters.pipeline.image import build_image_tower
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.quantization.registry import Quantization, checked_quantizations
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.live_image import load_image_module
from edgeembed_converters.sources.text.live_text import kept_modes, state_sha256
from edgeembed_converters.sources.timm import is_timm_model, own_transform
from edgeembed_converters.validation.pixels import ImageInputs
from edgeembed_runtime import storage
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Bundle, Manifest, Preprocess, Source
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

TEMPLATE = "a photo of a {}"
_LIMITS = (
    "images are described by the classifier's {classes} classes: anything else is only found "
    "through similar classes, and counts, positions and actions are not captured"
)
_LICENSE = "the license is the text model's; the classifier and its labels have their own"
_TRAINED = "a projection was trained on images of {names} names: others are found a little worse"


@public
@dataclass(frozen=True, kw_only=True)
class Composition:
    """How an image's labels become its vector.

    The `top` most likely labels count, by the classifier's probabilities at `temperature`.
    `template` turns a label into a phrase. `strength` regularizes the projection that is trained on
    `examples`. `logit_scale` multiplies cosines before the softmax of `Encoder.classify`. The
    defaults did best in benchmarks/images/photo_search.py.
    """

    top: int = 50
    temperature: float = 1.5
    template: str = TEMPLATE
    strength: float = 3.0
    logit_scale: float = 20.0

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            InputError: there is one.
        """
        if type(self.top) is not int or self.top < 1:
            raise InputError(f"top: expected a positive number, got {self.top!r}")
        for name in ("temperature", "strength", "logit_scale"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)!r}")
        if "{}" not in self.template:
            raise InputError(f"template: expected a text with {{}} in it, got {self.template!r}")


@public
def compose_classifier(
    classifier: nn.Module,
    labels: Sequence[str],
    text_bundle: str | Path,
    output: str | Path,
    *,
    preprocess: Preprocess | Any = None,
    composition: Composition | None = None,
    examples: Mapping[str, ImageInputs] | None = None,
    quantize: Quantization | str | Sequence[Quantization | str] | None = None,
    budget: Budget | None = None,
    calibration_images: ImageInputs | None = None,
    name: str | None = None,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> ConversionReport:
    """Turn a classifier into photo search: texts find images, in the text model's own space.

    An image's vector is the probability-weighted mean of its most likely labels' vectors (ConSE),
    in one ONNX graph; the text tower is the text bundle's own, unchanged. It knows the classes that
    the classifier was trained on, and little else: see docs/notes/image-models.md. The bundle has
    its own space fingerprint, so existing indexes of texts must be rebuilt.

    Args:
        classifier: a live module from (n, 3, h, w) float32 to (n, classes) logits.
        labels: one per class, in order; synonyms are separated by commas.
        text_bundle: the directory of a text bundle.
        output: the directory to write. It appears whole, at the end, or not at all.
        preprocess: of the classifier's images: a Preprocess, or a torchvision transform. A timm
            model has its own.
        composition: how labels become a vector.
        examples: your own images by name, a folder or a list each: a small projection is trained
            on them. What they name is found far better, anything else a little worse.
        quantize: variants to add to the image tower, as in `convert`.
        budget: what "int8" and "int8-portable" may lose.
        calibration_images: as in `convert`.
        name: of the bundle.
        overwrite: replace a bundle at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        InputError: labels and classes do not match, or an option is unknown.
        UnsupportedModelError: the classifier cannot be run on images.
        ExportError: the exporter failed.
        ParityError: the exported model does not return PyTorch's vectors.
        BundleError: the text bundle is damaged.
        StorageError: the disk is full, or `output` is taken.
    """
    start = time.perf_counter()
    target, composition = Path(output), composition or Composition()
    options = BuildOptions(
        quantize=checked_quantizations(quantize),
        budget=budget,
        calibration_images=calibration_images,
        on_step=on_step or ignore_step,
    )
    check_target(target, overwrite)
    texts = Bundle.open(text_bundle)
    tower = texts.manifest.text_tower()
    base = "fp32" if tower.variant("fp32") else tower.variants[0].name
    options.on_step("Loading the text bundle")
    with kept_modes(classifier), Encoder.load(text_bundle, variant=base) as encoder:
        plain = _classifier_source(classifier, preprocess)
        options.on_step("Encoding the labels")
        model = _composed(plain, labels, encoder, composition)
        if examples is not None:
            options.on_step("Training the projection")
            model = _trained(model, plain, examples, encoder, composition)
        source = _source(plain, model, texts.manifest, name, len(examples or ()))
        built, golden = build_image_tower(source, options)
    parts = composed_parts(texts, source, built, golden, composition.logit_scale)
    manifest = write_proven(target, parts, overwrite=overwrite, on_step=options.on_step)
    return conversion_report(
        target,
        manifest,
        {"image": built.outcome},
        pooling=tower.pooling,
        head=tower.head,
        exporter=options.exporter,
        notes=parts.notes,
        seconds=time.perf_counter() - start,
    )


def _classifier_source(classifier: nn.Module, preprocess: Any) -> ImageSource:
    if preprocess is None and is_timm_model(classifier):
        preprocess = own_transform(classifier)
    return load_image_module(classifier.eval(), SourceOptions(preprocess=preprocess))


def _composed(
    plain: ImageSource, labels: Sequence[str], encoder: Encoder, composition: Composition
) -> ProbabilityMean:
    with torch.no_grad():
        classes = plain.backbone(torch.zeros(1, 3, *plain.preprocess.size)).shape[1]
    if isinstance(labels, str) or len(labels) != classes:
        raise InputError(
            f"labels: expected a list of {classes}, one for each class, got {len(labels)}"
        )
    vectors = label_vectors(encoder, labels, composition.template)
    return ProbabilityMean(
        plain.backbone,
        torch.from_numpy(vectors),
        top=min(composition.top, classes),
        temperature=composition.temperature,
    ).eval()


def _trained(
    model: ProbabilityMean,
    plain: ImageSource,
    examples: Mapping[str, ImageInputs],
    encoder: Encoder,
    composition: Composition,
) -> ProbabilityMean:
    with torch.no_grad():
        projection = trained_projection(
            model,
            examples,
            encoder,
            plain.preprocess,
            composition.template,
            composition.strength,
        )
    return ProbabilityMean(
        plain.backbone,
        model.label_vectors,
        top=model.top,
        temperature=model.temperature,
        projection=projection,
    ).eval()


def _source(
    plain: ImageSource,
    model: ProbabilityMean,
    texts: Manifest,
    name: str | None,
    examples: int,
) -> ImageSource:
    """The image tower; its weights' hash covers everything that decides an image's vector."""
    both = f"{state_sha256(model)} {model.top} {model.temperature} {texts.space}"
    return replace(
        plain,
        name=name or f"{plain.name}-{texts.name}",
        source=Source(
            id=f"{plain.name} + {texts.source.id}",
            weights_sha256=storage.sha256_of(both.encode()),
            license=texts.source.license,
        ),
        backbone=model,
        head=nn.Sequential(Normalize()),
        normalized=True,
        notes=(*plain.notes, _LIMITS.format(classes=len(model.label_vectors)), _LICENSE)
        + ((_TRAINED.format(names=examples),) if examples else ()),
    )
