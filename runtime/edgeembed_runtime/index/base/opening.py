"""The arguments of opening and creating an index, checked before anything is touched."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed_runtime.arguments import (
    checked_integer,
    checked_number,
    checked_path,
    checked_unicode,
    shown,
)
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder, check_encoder
from edgeembed_runtime.index.base.settings import IndexSettings

MAX_DIM = 8192
_MAX_TIMEOUT_S = 1e6  # SQLite counts milliseconds in 32 bits


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Checked arguments; None where nothing was said."""

    path: Path
    """Absolute."""
    encoder: IndexEncoder | None
    dim: int | None
    space: str | None
    info: dict[str, str] | None
    lock_timeout_s: float
    settings: IndexSettings


def checked_opening(
    path: object,
    *,
    encoder: object,
    dim: object,
    space: object,
    info: object,
    lock_timeout_s: object,
    settings: object,
) -> Opening:
    """Check the arguments of Index.create and Index.open.

    Raises:
        InputError: one cannot be used.
    """
    if not isinstance(settings, IndexSettings):
        raise InputError(f"settings: expected IndexSettings, got {shown(settings)}")
    return Opening(
        path=checked_path(path).absolute(),
        encoder=None if encoder is None else check_encoder(encoder),
        dim=None if dim is None else checked_integer(dim, "dim", 1, MAX_DIM),
        space=None if space is None else checked_unicode(space, "space"),
        info=None if info is None else _checked_info(info),
        lock_timeout_s=_checked_seconds(lock_timeout_s),
        settings=settings,
    )


def _checked_info(info: object) -> dict[str, str]:
    if not isinstance(info, Mapping):
        raise InputError(f"info: expected a dict of texts, got {shown(info)}")
    pairs = cast("Mapping[Any, Any]", info).items()
    return {checked_unicode(k, "info"): checked_unicode(v, "info") for k, v in pairs}


def _checked_seconds(value: object) -> float:
    return min(max(checked_number(value, "lock_timeout_s"), 0.0), _MAX_TIMEOUT_S)
