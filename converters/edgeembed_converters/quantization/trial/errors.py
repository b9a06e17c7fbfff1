"""Whatever a surprising graph makes onnxruntime's quantizers raise, as errors of this package."""

from collections.abc import Generator
from contextlib import contextmanager

from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, StorageError


@contextmanager
def quantization_errors() -> Generator[None]:
    """Raise ConversionError for anything but a full or failing disk."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        raise ConversionError(
            f"onnxruntime could not quantize the model: {first_line(error)}; "
            "convert without quantize"
        ) from error
