"""What a conversion did, for people and for machines."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeembed_runtime.bundle import Source, Variant


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """The outcome of `convert`.

    `sizes` is bytes by variant name. `notes` is what was assumed and what the user should know.
    """

    path: Path
    name: str
    source: Source
    space: str
    dim: int
    max_tokens: int
    pooling: str
    head: tuple[str, ...]
    exporter: str
    variants: tuple[Variant, ...]
    sizes: dict[str, int]
    seconds: float
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}
