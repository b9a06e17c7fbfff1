"""Converters: a trained PyTorch encoder in, a proven bundle out. Needs the extra 'convert'."""

from typing import TYPE_CHECKING

from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from edgeembed_converters.composing.classifier import Composition as Composition
    from edgeembed_converters.composing.classifier import compose_classifier as compose_classifier
    from edgeembed_converters.convert import convert as convert
    from edgeembed_converters.distill.distill_static import distill_static as distill_static
    from edgeembed_converters.distill.distill_student import distill_student as distill_student
    from edgeembed_converters.distill.feature_student import FeatureStudent as FeatureStudent
    from edgeembed_converters.distill.feature_student import distill_features as distill_features
    from edgeembed_converters.distill.static_course import StaticLosses as StaticLosses
    from edgeembed_converters.distill.static_report import StaticReport as StaticReport
    from edgeembed_converters.distill.student_report import StudentReport as StudentReport
    from edgeembed_converters.distill.text_course import LossWeights as LossWeights
    from edgeembed_converters.distill.training_settings import TrainingSettings as TrainingSettings
    from edgeembed_converters.quantization.budget import Budget as Budget
    from edgeembed_converters.quantize import quantize as quantize
    from edgeembed_converters.report import ConversionReport as ConversionReport
    from edgeembed_converters.report import QuantizationReport as QuantizationReport
    from edgeembed_converters.sources.module_pair import ModulePair as ModulePair
    from edgeembed_converters.word_vectors.importing import (
        import_word_vectors as import_word_vectors,
    )

__all__ = [
    "Budget",
    "Composition",
    "ConversionReport",
    "FeatureStudent",
    "LossWeights",
    "ModulePair",
    "QuantizationReport",
    "StaticLosses",
    "StaticReport",
    "StudentReport",
    "TrainingSettings",
    "compose_classifier",
    "convert",
    "distill_features",
    "distill_static",
    "distill_student",
    "import_word_vectors",
    "quantize",
]

_HOMES = {
    "Budget": "quantization.budget",
    "Composition": "composing.classifier",
    "ConversionReport": "report",
    "FeatureStudent": "distill.feature_student",
    "LossWeights": "distill.text_course",
    "ModulePair": "sources.module_pair",
    "QuantizationReport": "report",
    "StaticLosses": "distill.static_course",
    "StaticReport": "distill.static_report",
    "StudentReport": "distill.student_report",
    "TrainingSettings": "distill.training_settings",
    "compose_classifier": "composing.classifier",
    "convert": "convert",
    "distill_features": "distill.feature_student",
    "distill_static": "distill.distill_static",
    "distill_student": "distill.distill_student",
    "import_word_vectors": "word_vectors.importing",
    "quantize": "quantize",
}
_NEEDED = ("torch", "transformers", "onnx", "onnxscript", "safetensors")


def __getattr__(name: str) -> object:
    """Import the heavy modules on first use, and say which extra is missing."""
    import importlib
    import importlib.util

    if name not in _HOMES:
        raise AttributeError(f"module 'edgeembed_converters' has no attribute {name!r}")
    if any(importlib.util.find_spec(package) is None for package in _NEEDED):
        raise MissingExtraError.for_extra("converting models", "convert")
    module = importlib.import_module(f"edgeembed_converters.{_HOMES[name]}")
    found = getattr(module, name)
    globals()[name] = found  # `convert` and `quantize` are also the names of their modules
    return found
