"""PLACEHOLDER until merged."""

from pathlib import Path

from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, EdgeEmbedError


def loading_error(directory: Path, error: Exception) -> EdgeEmbedError:
    return ConversionError(
        f"{directory}: could not be loaded: {type(error).__name__}: {first_line(error)}"
    )
