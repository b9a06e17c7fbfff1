"""PLACEHOLDER until merged."""

from pathlib import Path


def check_before_loading(
    directory: Path, *, trust_remote_code: bool, pooling_given: bool
) -> None: ...
