"""From a model's float32 vectors to those that were asked for: shorter, or in fewer bits."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime.bundle import Bundle, Golden
from edgeembed_runtime.errors import BundleCorruptError

# Ranges from a bundle's few dozen golden vectors are too narrow for all inputs: by this share.
_GOLDEN_MARGIN = 0.25


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is asked for: the length of vectors, and how their components are stored."""

    truncate_dim: int | None = None
    precision: vec.Precision = "float32"
    ranges: NDArray[Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """Gives vectors of a bundle's models the shape that was asked for."""

    bundle: Bundle

    def golden(self) -> Golden:
        """The bundle's golden inputs and vectors.

        Raises:
            BundleCorruptError: they are damaged, or of another length than the manifest says.
        """
        manifest = self.bundle.manifest
        golden = Golden.from_json(self.bundle.read(manifest.golden))
        if golden.dim != manifest.dim:
            raise BundleCorruptError(
                f"golden.json: expected vectors of {manifest.dim}, found {golden.dim}"
            )
        return golden

    def check(self, shape: Shape) -> None:
        """Refuse a shape that cannot be, before any work.

        Raises:
            InputError: an option is unknown, or contradicts another.
        """
        self.finish(np.zeros((0, self.bundle.manifest.dim), np.float32), shape)

    def finish(self, found: NDArray[np.float32], shape: Shape) -> NDArray[Any]:
        """Vectors, (d,) or (n, d) float32, in the shape that was asked for."""
        ranges = shape.ranges
        if ranges is None and shape.precision in ("int8", "uint8"):
            golden = self._shortened(self._golden_vectors, shape.truncate_dim)
            ranges = vec.calibration_ranges(golden, margin=_GOLDEN_MARGIN)
        short = self._shortened(found, shape.truncate_dim)
        return vec.to_precision(short, shape.precision, ranges)

    @cached_property
    def _golden_vectors(self) -> NDArray[np.float32]:
        return self.golden().all_vectors

    def _shortened(self, found: NDArray[np.float32], dim: int | None) -> NDArray[np.float32]:
        if dim is None:
            return found
        return vec.truncate(found, dim, unit=self.bundle.manifest.normalized)
