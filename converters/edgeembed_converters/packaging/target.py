"""Where a bundle is written, and who hears of the steps."""

from pathlib import Path

from edgeembed_runtime.bundle import MANIFEST_NAME
from edgeembed_runtime.errors import StorageError


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse to write where something stands that must not be lost.

    Raises:
        StorageError: it stands there.
    """
    if not target.exists():
        return
    if not overwrite:
        raise StorageError(f"{target} exists already; choose another path, or pass overwrite=True")
    if not (target / MANIFEST_NAME).is_file():
        raise StorageError(f"{target} is not a bundle, and is therefore never overwritten")


def ignore_step(step: str) -> None:
    """Hear of a step, and say nothing."""
    del step
