"""The Encoder: a bundle, loaded and ready to turn text into vectors."""

import asyncio
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime.bundle import Bundle, Manifest
from edgeembed_runtime.cache import EmbeddingCache
from edgeembed_runtime.engine.engine import TOKEN_EMBEDDINGS, at_position
from edgeembed_runtime.engine.providers import Provider
from edgeembed_runtime.engine.schedule import Profile
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.chunking import Chunk
from edgeembed_runtime.inputs.texts import checked_text, checked_texts, stream_of
from edgeembed_runtime.inputs.truncation import Truncation, allow_cut
from edgeembed_runtime.loading import LoadOptions, Verify, load_engine, ranked_names
from edgeembed_runtime.long_texts import Chunker, ChunkVectors
from edgeembed_runtime.progress import OnProgress
from edgeembed_runtime.prompts import Role, prompt_text, usual_prompt
from edgeembed_runtime.self_test import SelfTest, compare_golden
from edgeembed_runtime.text_encoding import EncodeOptions, TextEncoding
from edgeembed_runtime.token_vectors import Token, TokenVectors


class Encoder:
    """Text to vectors, on this machine, with no network.

    Make one with `Encoder.load`. It may be shared by any number of threads, pickled (it is loaded
    again from its path) and used after a fork. On the CPU the same text gives the same vector to
    the bit, alone or among others: texts are never padded to each other's length.
    """

    def __init__(self, bundle: Bundle, options: LoadOptions) -> None:
        """Load an opened bundle; use `Encoder.load`."""
        self._bundle = bundle
        self._options = options
        self._variant, self._engine = load_engine(bundle, options)
        self._texts = TextEncoding(
            bundle=bundle, variant=self._variant, engine=self._engine, cache=options.cache
        )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        variant: str = "auto",
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        profile: Profile = "balanced",
        max_memory_mb: int | None = None,
        verify: Verify = "hash",
        cache: EmbeddingCache | None = None,
    ) -> "Encoder":
        """Load the bundle in directory `path`.

        Args:
            path: what `edgeembed convert` wrote.
            variant: a name from the manifest ("fp32", "int8"), or "auto" for the best one for
                this processor or provider.
            providers: onnxruntime execution providers, by name or as (name, options); None is the
                CPU. One that is asked for and does not load is an error.
            threads: None for all processors that this process may use.
            profile: "balanced"; "latency", which keeps threads awake between texts; "throughput",
                which does without the session for single texts; "background", one thread of low
                priority.
            max_memory_mb: of resident memory that the model and its runs may take, measured here
                with its longest input; there are fewer threads if need be. CPU only.
            verify: what is checked before a file is used: its "size", its SHA-256 ("hash"), or
                also the golden vectors on this machine ("golden"), where "auto" goes on to the
                next variant, with a warning, if one is wrong here.
            cache: where vectors of texts that come again are kept.

        Raises:
            BundleError: there is no bundle, or it is damaged, unsafe or too new.
            ProviderError: a provider did not load.
            InputError: an option is unknown, or the memory does not suffice.
        """
        options = LoadOptions(
            variant=variant,
            providers=providers,
            threads=threads,
            profile=profile,
            max_memory_mb=max_memory_mb,
            verify=verify,
            cache=cache,
        )
        bundle = Bundle.open(path)
        if verify != "golden":
            return cls(bundle, options)
        failures: list[str] = []
        for name in ranked_names(bundle, options):
            encoder = cls(bundle, replace(options, variant=name))
            if (result := encoder.self_test()).ok:
                if failures:
                    warnings.warn(
                        f"bundle {path}: {'; '.join(failures)}; {name} is right, and is used",
                        stacklevel=2,
                    )
                return encoder
            encoder.close()
            failures.append(
                f"variant {name}: expected golden cosines of at least "
                f"{result.expected_min_cosine:.6f} on this machine, found {result.min_cosine:.6f}"
            )
        raise BundleCorruptError(
            f"bundle {path}: {'; '.join(failures)}; try another variant, or convert again"
        )

    # -- what it is ---------------------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """Everything that the bundle says of itself."""
        return self._bundle.manifest

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self.manifest.dim

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text count, special ones included; the rest is cut off."""
        return self.manifest.text.max_tokens

    @property
    def space(self) -> str:
        """The fingerprint of the vector space; only vectors of one space may be compared."""
        return self.manifest.space

    @property
    def variant(self) -> str:
        """The name of the variant that runs."""
        return self._variant.name

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it encodes."""
        return ("text",)

    @property
    def prompts(self) -> Mapping[str, str]:
        """The model's own prompts by name."""
        return self.manifest.text.prompts

    def usual_prompt(self, role: Role) -> str | None:
        """The name of the prompt that `encode_query` or `encode_document` uses, or None."""
        return usual_prompt(self.manifest.text, role)

    @property
    def path(self) -> Path:
        """The directory of the bundle."""
        return self._bundle.path

    @property
    def similarity_name(self) -> vec.Similarity:
        """How the model's vectors are meant to be compared."""
        return self.manifest.similarity

    @property
    def normalized(self) -> bool:
        """Whether the vectors have unit length."""
        return self.manifest.normalized

    @property
    def threads(self) -> int:
        """How many threads it uses."""
        return self._engine.get().threads

    @property
    def active_providers(self) -> tuple[str, ...]:
        """The execution providers that really loaded, in order of preference."""
        return tuple(self.nodes_by_provider)

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """How many nodes of the graph each active provider runs; the CPU runs what others lack."""
        return self._engine.get().nodes_by_provider

    @property
    def deterministic(self) -> bool:
        """Whether a text's vector is the same to the bit, alone, in any company and order.

        True on the CPU. Other providers run texts in padded batches, which may change the last
        digits.
        """
        return self._engine.get().deterministic

    # -- encoding -----------------------------------------------------------------------------

    def encode(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode one text to (d,) or a list of n texts to (n, d), in order, float32 by default.

        Args:
            inputs: a text or a list of texts; an empty list gives (0, d).
            prompt_name: which of the model's prompts to put before every text; without it and
                `prompt` the model's default prompt, if it has one.
            prompt: text to put before every text, instead of a named prompt; "" for none.
            truncate_dim: keep this many components, and unit length where the model has it.
            precision: "float32", "float16", "int8", "uint8", or one bit a component: "binary",
                "ubinary".
            ranges: for 8 bits, the least and greatest value of each component, (2, d); see
                `calibration_ranges`. By default those of the bundle's golden vectors, widened.
            truncation: of a text with more than `max_tokens`: "truncate" it, "warn" once of all
                of them, or "error".
            chunk: cut a text that is too long into overlapping chunks, and take the mean of their
                vectors, weighted by tokens.
            show_progress_bar: on stderr, for a list (needs the extra 'cli'); or a function that is
                called with how many distinct texts are done, and how many there are.

        Raises:
            InputError: an input is not a usable text (its position is named), or an option is
                unknown.
            InferenceError: the model failed.
        """
        options = EncodeOptions(
            prefix=self._prefix(prompt_name, prompt),
            truncate_dim=truncate_dim,
            precision=precision,
            ranges=ranges,
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
        )
        return self._texts.encode(inputs, options)

    def encode_query(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode what is searched for: `encode` with the model's query prompt, if it has one."""
        options = EncodeOptions(
            prefix=self._prefix(prompt_name, prompt, "query"),
            truncate_dim=truncate_dim,
            precision=precision,
            ranges=ranges,
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
        )
        return self._texts.encode(inputs, options)

    def encode_document(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode what is found: `encode` with the model's document prompt, if it has one."""
        options = EncodeOptions(
            prefix=self._prefix(prompt_name, prompt, "document"),
            truncate_dim=truncate_dim,
            precision=precision,
            ranges=ranges,
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
        )
        return self._texts.encode(inputs, options)

    async def aencode(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode like `encode`, on another thread, so that an event loop goes on meanwhile."""
        stop = threading.Event()
        options = EncodeOptions(
            prefix=self._prefix(prompt_name, prompt),
            truncate_dim=truncate_dim,
            precision=precision,
            ranges=ranges,
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
            stop=stop,
        )
        try:
            return await asyncio.to_thread(self._texts.encode, inputs, options)
        finally:  # when it is cancelled, the thread need not go on
            stop.set()

    def encode_iter(
        self,
        inputs: Iterable[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
    ) -> Iterator[NDArray[np.float32]]:
        """Encode a stream of texts: (d,) float32 each, in order; memory stays flat.

        `inputs` may be endless; it is read only a little ahead of what is consumed.

        Raises:
            InputError: an input is not a usable text; vectors before it were given already.
        """
        prefix = self._prefix(prompt_name, prompt)
        numbered = (
            (at, checked_text(t, f"inputs[{at}]")) for at, t in enumerate(stream_of(inputs))
        )
        return self._texts.stream(numbered, prefix, truncation, chunk)

    def encode_chunks(
        self,
        text: str,
        *,
        max_tokens: int | None = None,
        overlap_tokens: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> ChunkVectors:
        """Encode the chunks of a long text, each with its place: see `chunk`."""
        chunker = Chunker(
            tokenizer=self._engine.get().tokenizer, prompt=self._prefix(prompt_name, prompt)
        )
        chunks = chunker.chunks(
            checked_text(text, "text"), max_tokens=max_tokens, overlap_tokens=overlap_tokens
        )
        vectors = self.encode([c.text for c in chunks], prompt=chunker.prompt)
        return ChunkVectors(chunks=tuple(chunks), vectors=vectors)

    def encode_tokens(self, text: str) -> NDArray[np.float32]:
        """The contextual vector of every token of a text, special ones too: (t, width) float32."""
        return self.token_vectors(text).vectors

    def token_vectors(self, text: str) -> TokenVectors:
        """The tokens of a text with their contextual vectors, and those of a word or a span.

        They are the model's last hidden layer, before pooling; no prompt is put before the text.

        Raises:
            InputError: the bundle gives no token vectors, or `text` is no usable text.
        """
        if TOKEN_EMBEDDINGS not in self.manifest.text.outputs:
            raise InputError(
                f"bundle {self.path}: expected the output {TOKEN_EMBEDDINGS}, found only "
                f"{', '.join(self.manifest.text.outputs)}; convert the model again"
            )
        engine = self._engine.get()
        tokens, vectors = engine.encode_tokens(checked_text(text, "text"), allow_cut)
        encoding = tokens.encoding
        places = zip(encoding.tokens, encoding.offsets, strict=True)
        found = tuple(Token(token=token, start=start, end=end) for token, (start, end) in places)
        return TokenVectors(text=text, cut=tokens.cut, tokens=found, vectors=vectors)

    # -- around it ----------------------------------------------------------------------------

    def similarity(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
        """Compare rows of (n, d) with rows of (m, d) by the model's own similarity: (n, m)."""
        return vec.similarity_matrix(a, b, self.similarity_name)

    @overload
    def count_tokens(self, texts: str) -> int: ...

    @overload
    def count_tokens(self, texts: list[str] | tuple[str, ...]) -> list[int]: ...

    def count_tokens(self, texts: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """How many tokens a text, or each of a list, has before truncation, special ones too."""
        tokenizer = self._engine.get().tokenizer
        if isinstance(texts, str):
            return tokenizer.count(texts)
        counts: list[int] = []
        for position, text in enumerate(checked_texts(texts)):
            with at_position(position):
                counts.append(tokenizer.count(text))
        return counts

    def chunk(
        self, text: str, *, max_tokens: int | None = None, overlap_tokens: int = 0
    ) -> list[Chunk]:
        """Cut a long text into pieces that the model takes whole; see `chunk_text`.

        `max_tokens` defaults to all that the model takes beside its special tokens.
        """
        chunker = Chunker(tokenizer=self._engine.get().tokenizer)
        return chunker.chunks(
            checked_text(text, "text"), max_tokens=max_tokens, overlap_tokens=overlap_tokens
        )

    def self_test(self) -> SelfTest:
        """Run the bundle's golden inputs here and compare with the original model's vectors."""
        golden = self._texts.golden()
        engine, variant = self._engine.get(), self._variant
        # Not through a cache: it is this machine that is tested.
        found = np.stack(list(engine.encode_many(enumerate(golden.texts), allow_cut)))
        return compare_golden(golden.vectors, found, variant.name, variant.fidelity.min_cosine)

    def close(self) -> None:
        """Give back memory and threads; the encoder cannot be used after. Closing twice is fine."""
        self._engine.close()

    def __enter__(self) -> "Encoder":
        """Return the encoder itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __reduce__(self) -> tuple[Callable[..., "Encoder"], tuple[str, LoadOptions]]:
        """Pickle as a path and options: the copy is loaded anew, from the same files."""
        return _load_again, (str(self.path.absolute()), self._options)

    def __repr__(self) -> str:
        """Name, dimension and variant."""
        return f"Encoder({self.manifest.name!r}, dim={self.dim}, variant={self.variant!r})"

    # -- inside -------------------------------------------------------------------------------

    def _prefix(self, prompt_name: str | None, prompt: str | None, role: Role | None = None) -> str:
        return prompt_text(self.manifest.text, prompt_name, prompt, role)


def _load_again(path: str, options: LoadOptions) -> Encoder:
    return Encoder(Bundle.open(path), options)
