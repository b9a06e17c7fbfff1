"""How texts become vectors: one or many, cut or chunked, through a cache, in any precision."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.long_texts import Chunker
from edgeembed_runtime.encoder.output import Finishing, Shape
from edgeembed_runtime.encoder.progress import OnProgress, with_progress
from edgeembed_runtime.encoder.self_test import SelfTest, compare_golden
from edgeembed_runtime.engine.base import EncodeMany, Engine, NumberedText, at_position
from edgeembed_runtime.engine.handle import EngineHandle
from edgeembed_runtime.errors import BundleCorruptError, EdgeEmbedError
from edgeembed_runtime.inputs.text.truncation import (
    CutTexts,
    Truncation,
    allow_cut,
    check_truncation,
)
from edgeembed_runtime.inputs.text.validation import checked_texts


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """What `Encoder.encode` takes beside the inputs; `prefix` is the text put before each.

    `stop` ends the work on a list before the next text.
    """

    prefix: str
    shape: Shape = field(default_factory=Shape)
    truncation: Truncation = "truncate"
    chunk: bool = False
    progress: bool | OnProgress = False
    stop: threading.Event | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown policy before any work."""
        check_truncation(self.truncation)


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """The way from texts to vectors for one variant of a bundle."""

    bundle: Bundle
    variant: Variant
    engine: EngineHandle[Engine]
    cache: EmbeddingCache | None

    def encode(self, inputs: str | Sequence[str], options: EncodeOptions) -> NDArray[Any]:
        """One text to (d,), or n texts to (n, d); of equal texts only one is run."""
        dim = self.bundle.manifest.dim
        finish, shape = self._finishing.finish, options.shape
        self._finishing.check(shape)
        if isinstance(inputs, str):
            return finish(self._encode_one(inputs, options), shape)
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
        return finish(found, shape)

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

    def count_tokens(self, texts: str | Sequence[str]) -> int | list[int]:
        """How many tokens a text, or each of a list, has before truncation."""
        tokenizer = self.engine.get().tokenizer
        if isinstance(texts, str):
            return tokenizer.count(texts)
        counts: list[int] = []
        for position, text in enumerate(checked_texts(texts)):
            with at_position(position):
                counts.append(tokenizer.count(text))
        return counts

    def self_test(self) -> SelfTest:
        """Run the golden texts here and compare with the original model's vectors."""
        golden = self._finishing.golden()
        if not golden.texts:
            raise BundleCorruptError("golden.json: expected texts, found none; convert again")
        # Not through a cache: it is this machine that is tested.
        found = np.stack(list(self.engine.get().encode_many(enumerate(golden.texts), allow_cut)))
        return compare_golden(golden.vectors, found, "text", self.variant)

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
        # A text in the cache is not tokenized, so that nobody would know that it is too long.
        if self.cache is None or truncation != "truncate":
            return encode_many
        # Variants of one space differ a little, so a cache keeps them apart.
        manifest, engine = self.bundle.manifest, self.engine.get()
        model = f"{manifest.space} {manifest.files[self.variant.file].sha256}"
        if not engine.deterministic:  # nor are they what another provider gives
            model += f" {' '.join(engine.nodes_by_provider)}"
        return partial(self.cache.through, model, encode_many=encode_many, window=engine.window)

    @cached_property
    def _finishing(self) -> Finishing:
        return Finishing(bundle=self.bundle)
