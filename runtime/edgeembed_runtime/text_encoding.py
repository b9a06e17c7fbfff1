"""How texts become vectors: one or many, cut or chunked, through a cache, in any precision."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime.bundle import Bundle, Golden, Variant
from edgeembed_runtime.cache import EmbeddingCache
from edgeembed_runtime.engine.engine import EncodeMany, NumberedText, at_position
from edgeembed_runtime.engine.handle import EngineHandle
from edgeembed_runtime.errors import BundleCorruptError, EdgeEmbedError
from edgeembed_runtime.inputs.texts import checked_texts
from edgeembed_runtime.inputs.truncation import CutTexts, Truncation, check_truncation
from edgeembed_runtime.long_texts import Chunker
from edgeembed_runtime.progress import OnProgress, with_progress

# Ranges from a bundle's few dozen golden vectors are too narrow for all texts: by this share.
_GOLDEN_MARGIN = 0.25


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """What `Encoder.encode` takes beside the inputs; `prefix` is the text put before each.

    `stop` ends the work on a list before the next text.
    """

    prefix: str
    truncate_dim: int | None
    precision: vec.Precision
    ranges: NDArray[Any] | None
    truncation: Truncation
    chunk: bool
    progress: bool | OnProgress
    stop: threading.Event | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown policy before any work."""
        check_truncation(self.truncation)


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """The way from texts to vectors for one variant of a bundle."""

    bundle: Bundle
    variant: Variant
    engine: EngineHandle
    cache: EmbeddingCache | None

    def encode(self, inputs: str | Sequence[str], options: EncodeOptions) -> NDArray[Any]:
        """One text to (d,), or n texts to (n, d); of equal texts only one is run."""
        dim = self.bundle.manifest.dim
        # A wrong option is refused before any work.
        self._finish(np.zeros((0, dim), np.float32), options)
        if isinstance(inputs, str):
            return self._finish(self._encode_one(inputs, options), options)
        texts = checked_texts(inputs)
        rows: dict[str, int] = {}
        distinct: list[NumberedText] = []
        for position, text in enumerate(texts):
            if rows.setdefault(text, len(rows)) == len(distinct):
                distinct.append((position, text))
        found = np.empty((len(distinct), dim), np.float32)
        vectors = self._vectors(distinct, options)
        for row, vector in enumerate(with_progress(vectors, len(distinct), options.progress)):
            found[row] = vector
            if options.stop is not None and options.stop.is_set():
                raise EdgeEmbedError("encoding was cancelled")
        if len(distinct) < len(texts):
            found = found[[rows[text] for text in texts]]
        return self._finish(found, options)

    def stream(
        self, texts: Iterable[NumberedText], prefix: str, truncation: Truncation, chunk: bool
    ) -> Iterator[NDArray[np.float32]]:
        """The vector of each text, (d,) float32, in order; reads only a little ahead."""
        engine = self.engine.get()
        cuts = CutTexts(truncation, engine.tokenizer)
        encode_many = self._cached(partial(engine.encode_many, on_cut=cuts.note), truncation)
        if chunk:
            chunker = Chunker(tokenizer=engine.tokenizer, prompt=prefix)
            unit = self.bundle.manifest.normalized
            return cuts.warn_after(chunker.pooled(texts, encode_many, unit=unit))
        return cuts.warn_after(encode_many((at, prefix + text) for at, text in texts))

    def golden(self) -> Golden:
        """The bundle's golden texts and vectors.

        Raises:
            BundleCorruptError: they are damaged, or of another length than the manifest says.
        """
        manifest = self.bundle.manifest
        golden = Golden.from_json(self.bundle.read(manifest.golden))
        if golden.vectors.shape[1] != manifest.dim:
            raise BundleCorruptError(
                f"golden.json: expected vectors of {manifest.dim}, found {golden.vectors.shape[1]}"
            )
        return golden

    def _vectors(
        self, texts: Sequence[NumberedText], options: EncodeOptions
    ) -> Iterator[NDArray[np.float32]]:
        if len(texts) == 1:
            ((position, text),) = texts
            with at_position(position):
                yield self._encode_one(text, options)
        else:
            yield from self.stream(texts, options.prefix, options.truncation, options.chunk)

    def _encode_one(self, text: str, options: EncodeOptions) -> NDArray[np.float32]:
        if options.chunk:
            (found,) = self.stream([(0, text)], options.prefix, options.truncation, chunk=True)
            return found
        engine = self.engine.get()
        cuts = CutTexts(options.truncation, engine.tokenizer)

        def encode(texts: Iterable[NumberedText]) -> Iterator[NDArray[np.float32]]:
            return (engine.encode_one(text, cuts.note) for _, text in texts)

        (found,) = self._cached(encode, options.truncation)([(0, options.prefix + text)])
        cuts.warn()
        return found

    def _cached(self, encode_many: EncodeMany, truncation: Truncation) -> EncodeMany:
        # A text in the cache is not tokenised, so that nobody would know that it is too long.
        if self.cache is None or truncation != "truncate":
            return encode_many
        # Variants of one space differ a little, so a cache keeps them apart.
        manifest, engine = self.bundle.manifest, self.engine.get()
        model = f"{manifest.space} {manifest.files[self.variant.file].sha256}"
        if not engine.deterministic:  # nor are they what another provider gives
            model += f" {' '.join(engine.nodes_by_provider)}"
        return partial(self.cache.through, model, encode_many=encode_many, window=engine.window)

    @cached_property
    def _golden_vectors(self) -> NDArray[np.float32]:
        return self.golden().vectors

    def _finish(self, found: NDArray[np.float32], options: EncodeOptions) -> NDArray[Any]:
        ranges = options.ranges
        if ranges is None and options.precision in ("int8", "uint8"):
            golden = self._shortened(self._golden_vectors, options.truncate_dim)
            ranges = vec.calibration_ranges(golden, margin=_GOLDEN_MARGIN)
        short = self._shortened(found, options.truncate_dim)
        return vec.to_precision(short, options.precision, ranges)

    def _shortened(self, found: NDArray[np.float32], dim: int | None) -> NDArray[np.float32]:
        if dim is None:
            return found
        return vec.truncate(found, dim, unit=self.bundle.manifest.normalized)
