"""PLACEHOLDER until merged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def unread_settings(
    directory: Path,
    *,
    config: Any,
    model_class: type,
    tokenizer: Any,
    modules: Sequence[tuple[str, object]],
) -> tuple[str, ...]:
    return ()
