"""Converters: a trained PyTorch encoder in, a proven bundle out. Needs the extra 'convert'."""

from typing import TYPE_CHECKING

from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from edgeembed_converters.convert import convert as convert
    from edgeembed_converters.quantization.budget import Budget as Budget
    from edgeembed_converters.quantize import quantize as quantize
    from edgeembed_converters.report import ConversionReport as ConversionReport
    from edgeembed_converters.report import QuantizationReport as QuantizationReport

__all__ = ["Budget", "ConversionReport", "QuantizationReport", "convert", "quantize"]

_HOMES = {
    "Budget": "quantization.budget",
    "ConversionReport": "report",
    "QuantizationReport": "report",
    "convert": "convert",
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
