"""The text encoder: one text, a list, or a stream; truncated or chunked; through a cache."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.arguments import checked_flag
from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.output import OutputOptions
from edgeembed_runtime.encoder.outputs.long_texts import Chunker
from edgeembed_runtime.encoder.progress import OnProgress, check_progress, with_progress
from edgeembed_runtime.encoder.self_test import SelfTest, compare_golden
from edgeembed_runtime.encoder.tower import LoadedTower
from edgeembed_runtime.engine.base import EncodeMany, Engine, NumberedText, at_position
from edgeembed_runtime.errors import BundleCorruptError, EdgeEmbedError
from edgeembed_runtime.inputs.text.columns import (
    Nulls,
    TextColumn,
    check_nulls,
    checked_column,
    with_zeros,
)
from edgeembed_runtime.inputs.text.truncation import (
    TruncatedTexts,
    Truncation,
    check_truncation,
    ignore_truncation,
)
from edgeembed_runtime.inputs.text.validation import checked_text, checked_texts


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """The options of `Encoder.encode`.

    `prefix` is the prompt text prepended to each input. Setting `stop` cancels the encoding of a
    list before its next text.
    """

    prefix: str
    output: OutputOptions = field(default_factory=OutputOptions)
    truncation: Truncation = "truncate"
    chunk: bool = False
    nulls: Nulls = "error"
    progress: bool | OnProgress = False
    stop: threading.Event | None = None

    def validate(self, dim: int) -> None:
        """Check the options before any work.

        Raises:
            InputError: one is unknown or out of range.
        """
        check_truncation(self.truncation)
        checked_flag(self.chunk, "chunk")
        check_nulls(self.nulls)
        check_progress(self.progress)
        self.output.validate(dim)


class TextEncoder(LoadedTower[Engine]):
    """The text tower of a bundle, loaded, with an optional cache."""

    def __init__(
        self,
        bundle: Bundle,
        variant: Variant,
        open_engine: Callable[[], Engine],
        cache: EmbeddingCache | None,
    ) -> None:
        """Open the engine; errors from `open_engine` propagate."""
        super().__init__(bundle, variant, open_engine)
        self._cache = cache

    def encode(
        self, inputs: str | Sequence[str] | TextColumn, options: TextOptions
    ) -> NDArray[Any]:
        """Encode one text to (d,), or n texts to (n, d); duplicates are encoded once."""
        options.validate(self.bundle.manifest.dim)
        if isinstance(inputs, str):
            text = checked_text(inputs, "inputs")
            return self.finish(self._encode_one(text, options), options.output)
        column = checked_column(inputs, options.nulls)
        rows: dict[str, int] = {}
        distinct: list[NumberedText] = []
        for position, text in enumerate(column):
            if text is not None and rows.setdefault(text, len(rows)) == len(distinct):
                distinct.append((position, text))
        vectors = np.empty((len(distinct), self.bundle.manifest.dim), np.float32)
        encoded = self._encode_many(distinct, options)
        for row, vector in enumerate(with_progress(encoded, len(distinct), options.progress)):
            vectors[row] = vector
            if options.stop is not None and options.stop.is_set():
                raise EdgeEmbedError("encoding was cancelled")
        texts = [text for text in column if text is not None]
        if len(distinct) < len(texts):
            vectors = vectors[[rows[text] for text in texts]]
        if len(texts) < len(column) and options.nulls == "zero":
            vectors = with_zeros(vectors, column)
        return self.finish(vectors, options.output)

    def stream(
        self, texts: Iterable[NumberedText], prefix: str, truncation: Truncation, chunk: bool
    ) -> Iterator[NDArray[np.float32]]:
        """Yield each text's vector, (d,) float32, in order; reads only a little ahead."""
        checked_flag(chunk, "chunk")
        engine = self.engine
        truncated = TruncatedTexts(truncation, engine.tokenizer)
        encode_many = self._cached(
            partial(engine.encode_many, on_truncation=truncated.note), truncation
        )
        if chunk:
            chunker = Chunker(tokenizer=engine.tokenizer, prompt=prefix)
            unit = self.bundle.manifest.normalized
            return truncated.warn_after(chunker.pooled(texts, encode_many, unit=unit))
        return truncated.warn_after(encode_many((at, prefix + text) for at, text in texts))

    def count_tokens(self, texts: str | Sequence[str]) -> int | list[int]:
        """Count the tokens of a text, or of each in a list, before truncation."""
        tokenizer = self.engine.tokenizer
        if isinstance(texts, str):
            return tokenizer.count(checked_text(texts, "texts"))
        counts: list[int] = []
        for position, text in enumerate(checked_texts(texts)):
            with at_position(position):
                counts.append(tokenizer.count(text))
        return counts

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text has a token that the model knows."""
        tokenizer = self.engine.tokenizer
        return [tokenizer.knows(text) for text in checked_texts(texts, "texts")]

    def self_test(self) -> SelfTest:
        """Run the golden texts here and compare with the original model's vectors.

        Raises:
            BundleCorruptError: the bundle has no golden texts, or they are damaged.
        """
        golden = self.golden()
        if not golden.texts:
            raise BundleCorruptError("golden.json: expected texts, found none; convert again")
        # Bypass the cache: this tests the machine.
        vectors = np.stack(
            list(self.engine.encode_many(enumerate(golden.texts), ignore_truncation))
        )
        return compare_golden(golden.vectors, vectors, "text", self.variant)

    def _encode_many(
        self, texts: Sequence[NumberedText], options: TextOptions
    ) -> Iterator[NDArray[np.float32]]:
        if len(texts) == 1:
            ((position, text),) = texts
            with at_position(position):
                yield self._encode_one(text, options)
        else:
            yield from self.stream(texts, options.prefix, options.truncation, options.chunk)

    def _encode_one(self, text: str, options: TextOptions) -> NDArray[np.float32]:
        if options.chunk:
            (vector,) = self.stream([(0, text)], options.prefix, options.truncation, chunk=True)
            return vector
        engine = self.engine
        truncated = TruncatedTexts(options.truncation, engine.tokenizer)

        def encode(texts: Iterable[NumberedText]) -> Iterator[NDArray[np.float32]]:
            return (engine.encode_one(text, truncated.note) for _, text in texts)

        (vector,) = self._cached(encode, options.truncation)([(0, options.prefix + text)])
        truncated.warn()
        return vector

    def _cached(self, encode_many: EncodeMany, truncation: Truncation) -> EncodeMany:
        # A cached text is not tokenized, so its truncation would go unnoticed.
        if self._cache is None or truncation != "truncate":
            return encode_many
        # Vectors differ slightly between a space's variants and providers, so both are in the key.
        manifest, engine = self.bundle.manifest, self.engine
        model = f"{manifest.space} {manifest.files[self.variant.file].sha256}"
        if not engine.deterministic:
            model += f" {' '.join(engine.nodes_by_provider)}"
        return partial(
            self._cache.through,
            model,
            encode_many=encode_many,
            window=engine.window,
            dim=manifest.dim,
            unit=manifest.normalized,
        )
