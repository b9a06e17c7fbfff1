"""Output options: truncation and quantization of vectors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime.bundle import Bundle, Golden
from edgeembed_runtime.errors import BundleCorruptError

# A few dozen golden vectors do not cover all inputs, so their ranges are widened by this fraction.
_GOLDEN_MARGIN = 0.25


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """The dimension and precision of output vectors."""

    truncate_dim: int | None = None
    precision: vec.Precision = "float32"
    ranges: NDArray[Any] | None = None

    def validate(self, dim: int) -> None:
        """Check the options against vectors of `dim` components, before any work.

        Raises:
            InputError: an option is unknown, or contradicts another.
        """
        if self.truncate_dim is not None:
            vec.check_truncate_dim(self.truncate_dim, dim)
            dim = self.truncate_dim
        vec.check_precision(self.precision, dim, self.ranges)

    @property
    def needs_golden_ranges(self) -> bool:
        """Whether the precision is 8-bit and no ranges are given."""
        return self.ranges is None and self.precision in ("int8", "uint8")


def golden_of(bundle: Bundle) -> Golden:
    """Read a bundle's golden inputs and vectors.

    Raises:
        BundleCorruptError: they are damaged, or their dimension differs from the manifest's.
    """
    manifest = bundle.manifest
    golden = Golden.from_json(bundle.read(manifest.golden))
    if golden.dim != manifest.dim:
        raise BundleCorruptError(
            f"golden.json: expected vectors of dimension {manifest.dim}, found {golden.dim}"
        )
    return golden


def apply_output_options(
    vectors: NDArray[np.float32],
    options: OutputOptions,
    *,
    unit: bool,
    golden_vectors: NDArray[np.float32] | None,
) -> NDArray[Any]:
    """Truncate and quantize (d,) or (n, d) float32 vectors.

    Args:
        vectors: the model's output.
        options: validated options.
        unit: whether to re-normalize truncated vectors.
        golden_vectors: (m, d) vectors to take 8-bit ranges from, if the options need them.
    """
    truncated = _truncated(vectors, options.truncate_dim, unit)
    ranges = options.ranges
    if golden_vectors is not None and options.needs_golden_ranges:
        ranges = golden_ranges(golden_vectors, options.truncate_dim, unit=unit)
    return vec.to_precision(truncated, options.precision, ranges)


def golden_ranges(
    golden_vectors: NDArray[np.float32], truncate_dim: int | None, *, unit: bool
) -> NDArray[np.float32]:
    """Return the ranges of (m, d) golden vectors, truncated and widened: (2, d) float32."""
    golden = _truncated(golden_vectors, truncate_dim, unit)
    return vec.calibration_ranges(golden, margin=_GOLDEN_MARGIN)


def _truncated(vectors: NDArray[np.float32], dim: int | None, unit: bool) -> NDArray[np.float32]:
    return vectors if dim is None else vec.truncate(vectors, dim, unit=unit)
