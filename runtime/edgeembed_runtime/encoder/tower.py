"""A loaded tower of a bundle: its engine, which survives forks, and its output options."""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.forks import follow_forks, never_delete
from edgeembed_runtime.bundle import Bundle, Golden, Variant
from edgeembed_runtime.encoder.output import (
    OutputOptions,
    apply_output_options,
    golden_of,
    golden_ranges,
)
from edgeembed_runtime.engine.memory import trim_heap
from edgeembed_runtime.errors import EdgeEmbedError


class Closable(Protocol):
    """Any engine that can be closed."""

    def close(self) -> None:
        """Stop its threads."""
        ...


E = TypeVar("E", bound=Closable)


class LoadedTower(Generic[E]):
    """One variant of a tower and its engine, which a forked child reopens on first use.

    A child cannot use the parent's engine, because its threads do not exist there.
    """

    def __init__(self, bundle: Bundle, variant: Variant, open_engine: Callable[[], E]) -> None:
        """Open the engine; errors from `open_engine` propagate."""
        self.bundle = bundle
        self.variant = variant
        self._open_engine = open_engine
        self._lock = threading.Lock()
        self._engine: E | None = open_engine()
        self._closed = False
        follow_forks(self, in_child=LoadedTower[E]._forget_engine)

    @property
    def engine(self) -> E:
        """This process's engine.

        Raises:
            EdgeEmbedError: it is closed.
        """
        with self._lock:
            if self._closed:
                raise EdgeEmbedError("this encoder is closed; load the bundle again")
            if self._engine is None:
                self._engine = self._open_engine()
            return self._engine

    def close(self) -> None:
        """Stop the engine and release its memory; closing twice is fine."""
        with self._lock:
            engine, self._engine, self._closed = self._engine, None, True
        if engine is not None:
            engine.close()
            del engine
            trim_heap()

    def golden(self) -> Golden:
        """Return the bundle's golden inputs and vectors; raises like `golden_of`."""
        return golden_of(self.bundle)

    def finish(self, vectors: NDArray[np.float32], options: OutputOptions) -> NDArray[Any]:
        """Truncate and quantize (d,) or (n, d) float32 vectors."""
        golden_vectors = self._golden_vectors if options.needs_golden_ranges else None
        return apply_output_options(
            vectors,
            options,
            unit=self.bundle.manifest.normalized,
            golden_vectors=golden_vectors,
        )

    def default_ranges(self, truncate_dim: int | None) -> NDArray[np.float32]:
        """Return the ranges of 8-bit precisions for vectors of this dimension: (2, d) float32."""
        unit = self.bundle.manifest.normalized
        return golden_ranges(self._golden_vectors, truncate_dim, unit=unit)

    @cached_property
    def _golden_vectors(self) -> NDArray[np.float32]:
        return self.golden().all_vectors

    def _forget_engine(self) -> None:
        self._lock = threading.Lock()
        if self._engine is not None:
            never_delete(self._engine)
            self._engine = None
