"""PLACEHOLDER until merged."""

from pathlib import Path
from typing import Any

from edgeembed_runtime.errors import ConversionError


def refuse_loading_info(directory: Path, info: Any) -> None:
    missing = [key for key in sorted(map(str, info["missing_keys"])) if "pooler" not in key]
    if missing:
        raise ConversionError(
            f"{directory}: {len(missing)} weights are missing from its files, the first is {missing[0]}; a model with random layers is not converted"
        )
