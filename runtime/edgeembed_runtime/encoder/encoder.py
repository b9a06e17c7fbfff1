"""The Encoder: a loaded bundle that encodes texts and images."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.bundle.packaged import DEFAULT
from edgeembed_runtime.bundle.signature import TOKEN_EMBEDDINGS
from edgeembed_runtime.encoder.awaitable import AwaitableEncoder
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.image import ImageOptions, check_max_pixels, checked_image_stream
from edgeembed_runtime.encoder.load import LoadOptions, Verify, load_towers
from edgeembed_runtime.encoder.output import OutputOptions
from edgeembed_runtime.encoder.outputs.long_texts import Chunker, ChunkVectors
from edgeembed_runtime.encoder.outputs.token_vectors import TokenVectors, compute_token_vectors
from edgeembed_runtime.encoder.outputs.zero_shot import (
    TEMPLATE,
    Classification,
    classifications,
    label_texts,
)
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.encoder.text import TextOptions
from edgeembed_runtime.encoder.word_neighbors import Neighbor, WordNeighbors
from edgeembed_runtime.engine.base import NumberedText
from edgeembed_runtime.engine.providers import Provider
from edgeembed_runtime.engine.schedule import Profile
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, ImageInput, is_single_image
from edgeembed_runtime.inputs.text.columns import Nulls, TextColumn, stream_column
from edgeembed_runtime.inputs.text.truncation import Truncation
from edgeembed_runtime.inputs.text.validation import checked_text


@public
class Encoder(AwaitableEncoder):
    """Encodes texts and images to vectors, locally and offline.

    Create one with `Encoder.load`. It is thread-safe, picklable (the copy is loaded from the same
    path) and usable after a fork. On the CPU, vectors are bit-identical regardless of batch
    composition, because texts are never padded.
    """

    def __init__(self, bundle: Bundle, options: LoadOptions) -> None:
        """Load an opened bundle; use `Encoder.load` instead."""
        super().__init__(bundle, *load_towers(bundle, options))
        self._options = options.with_proven(
            {modality: tower.variant.name for modality, tower in self._towers.items()}
        )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        variant: str = "auto",
        modalities: Sequence[Modality] | None = None,
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        profile: Profile = "balanced",
        max_memory_mb: int | None = None,
        verify: Verify = "hash",
        cache: EmbeddingCache | None = None,
    ) -> "Encoder":
        """Load the bundle in directory `path`, or one of those inside the package.

        Args:
            path: a directory written by `edgeembed convert`, or the name of a bundle inside the
                package: "default" (and None), which is all-MiniLM-L6-v2 as int8, or "static", a
                table of token vectors, far faster and less good. A string that is such a name
                always means the packaged bundle; a folder of that name is "./static".
            variant: a name from the manifest ("fp32", "int8"), or "auto" for the best one for this
                CPU or provider. With two towers, each picks its own; a tower without a variant of
                that name uses its first.
            modalities: load only the "text" or "image" tower of a bundle that has both.
            providers: onnxruntime execution providers, by name or as (name, options); None for the
                CPU. A requested provider that does not load is an error.
            threads: the number of threads; None for all CPUs this process may use.
            profile: "balanced"; "latency", whose threads spin between texts; "throughput", without
                the session for single texts; "background", one low-priority thread.
            max_memory_mb: limits the resident memory of the model and its runs, in MB, measured at
                load time with the longest input; reduces threads if necessary. CPU only.
            verify: what to check before use: file sizes ("size"), SHA-256 hashes ("hash"), or also
                the golden vectors on this machine ("golden"); there, "auto" falls back to the next
                variant, with a warning, if one fails.
                "isolated" is for bundles of strangers: first, the bundle is loaded and encodes its
                golden inputs in a process of its own, with limits of memory (not on Windows) and
                time. It also loads graphs and regular expressions that have no
                bound, which are refused otherwise; texts unlike the golden ones may make these take
                long.
            cache: reuses the vectors of texts that were encoded before.

        Raises:
            BundleError: the bundle is missing, damaged, unsafe or too new.
            ProviderError: a provider did not load.
            InputError: an option is invalid, or the memory limit is too low.
        """
        options = LoadOptions(
            variant=variant,
            modalities=modalities,
            providers=providers,
            threads=threads,
            profile=profile,
            max_memory_mb=max_memory_mb,
            verify=verify,
            cache=cache,
        )
        return cls(Bundle.open(DEFAULT.path if path is None else path), options)

    # -- encoding -----------------------------------------------------------------------------

    def encode(
        self,
        inputs: str | Sequence[str] | TextColumn | ImageInput | Sequence[ImageInput],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode one text to (d,) or a list of n texts to (n, d), in order, float32 by default.

        A list may also be a column: an Arrow array, or a Series of pandas or polars. With an
        image-only bundle, `inputs` are images, as in `encode_image`.

        Args:
            inputs: a text or a list of texts; an empty list gives (0, d).
            prompt_name: the name of one of the model's prompts, prepended to every text; without
                it and `prompt`, the model's default prompt, if any.
            prompt: a custom prompt to prepend to every text; "" for none.
            truncate_dim: keep only the first components; re-normalized if the model normalizes.
            precision: "float32", "float16", "int8", "uint8", or one bit per component: "binary",
                "ubinary".
            ranges: for 8-bit precisions, the minimum and maximum of each component, (2, d); see
                `calibration_ranges`. Defaults to widened ranges of the bundle's golden vectors.
            truncation: for texts over `max_tokens`: "truncate", "warn" (one warning for all) or
                "error".
            chunk: split texts that are too long into overlapping chunks and return the mean of
                their vectors, weighted by token count.
            nulls: for None, NaN and NA in a list: "error"; "zero" for a vector of zeros (in 8 bits,
                what stands for zeros); "skip" for none, so that there are fewer rows.
            show_progress_bar: show progress of a list on stderr (needs the extra 'cli'), or call a
                function with the number of distinct texts done and in total.

        Raises:
            InputError: an input is invalid (the message names its position), or an option is.
            InferenceError: the model failed.
            MissingExtraError: a progress bar needs the extra 'cli'.
        """
        if self.modalities == ("image",):
            if prompt_name is not None or prompt is not None or chunk or nulls != "error":
                raise self.manifest.lacks("text")
            return self.encode_image(
                cast("ImageInput | Sequence[ImageInput]", inputs),
                truncate_dim=truncate_dim,
                precision=precision,
                ranges=ranges,
                show_progress_bar=show_progress_bar,
            )
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            nulls=nulls,
            progress=show_progress_bar,
        )
        return self._text_encoder().encode(
            cast("str | Sequence[str] | TextColumn", inputs), options
        )

    def encode_query(
        self,
        inputs: str | Sequence[str] | TextColumn,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode search queries: like `encode`, with the model's query prompt, if it has one.

        The arguments, the result and the errors are those of `encode`.
        """
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt, "query"),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            nulls=nulls,
            progress=show_progress_bar,
        )
        return self._text_encoder().encode(inputs, options)

    def encode_document(
        self,
        inputs: str | Sequence[str] | TextColumn,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode documents: like `encode`, with the model's document prompt, if it has one.

        The arguments, the result and the errors are those of `encode`.
        """
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt, "document"),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            nulls=nulls,
            progress=show_progress_bar,
        )
        return self._text_encoder().encode(inputs, options)

    def encode_iter(
        self,
        inputs: Iterable[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
    ) -> Iterator[NDArray[np.float32]]:
        """Encode a stream of texts, in order and in constant memory.

        `inputs` may be endless; it is read only a little ahead of the consumer. For the options,
        see `encode`.

        Yields:
            The vector of each text: (d,) float32.

        Raises:
            InputError: an input is invalid; the vectors before it are yielded first.
            InferenceError: the model failed.
        """
        encoder, prefix = self._text_encoder(), self._prompt(prompt_name, prompt)

        def encode(texts: Iterable[NumberedText]) -> Iterator[NDArray[np.float32]]:
            return encoder.stream(texts, prefix, truncation, chunk)

        return stream_column(inputs, nulls, encode, self.dim)

    def encode_image(
        self,
        images: ImageInput | Sequence[ImageInput],
        *,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Encode one image to (d,) or a list of n images to (n, d), in order, float32 by default.

        An image is a path, a file's bytes, an open file, a PIL image, or a (height, width, 3) uint8
        array. Supported formats: JPEG, PNG, WebP, GIF, BMP, TIFF. The EXIF orientation is applied,
        only the first frame of an animation is used, and alpha is dropped.

        Args:
            images: an image or a list of images; an empty list gives (0, d).
            truncate_dim: see `encode`.
            precision: see `encode`.
            ranges: see `encode`.
            max_pixels: reject larger images; decoding needs four bytes of memory per pixel.
            show_progress_bar: see `encode`.

        Raises:
            InputError: an image is invalid (the message names its position and file), the bundle
                does not encode images, or an option is invalid.
            MissingExtraError: Pillow is not installed, or rich for a progress bar.
            InferenceError: the model failed.
        """
        options = ImageOptions(
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            max_pixels=max_pixels,
            progress=show_progress_bar,
        )
        return self._image_encoder().encode(images, options)

    def encode_image_iter(
        self, images: Iterable[ImageInput], *, max_pixels: int = DEFAULT_MAX_PIXELS
    ) -> Iterator[NDArray[np.float32] | InputError]:
        """Encode a stream of images, in order and in constant memory; see `encode_image`.

        Yields:
            Each image's vector, (d,) float32, or its InputError, so that one broken file among
            thousands does not stop the rest.

        Raises:
            InputError: `images` is a single image, the bundle does not encode images, or
                `max_pixels` is invalid.
            MissingExtraError: Pillow is not installed.
            InferenceError: the model failed.
        """
        if is_single_image(images):
            raise InputError(f"images: expected many images, got one {type(images).__name__}")
        checked = checked_image_stream(images)
        return self._image_encoder().stream(checked, check_max_pixels(max_pixels))

    @overload
    def classify(
        self, images: ImageInput, labels: Sequence[str], *, template: str = TEMPLATE
    ) -> Classification: ...

    @overload
    def classify(
        self, images: Sequence[ImageInput], labels: Sequence[str], *, template: str = TEMPLATE
    ) -> list[Classification]: ...

    def classify(
        self,
        images: ImageInput | Sequence[ImageInput],
        labels: Sequence[str],
        *,
        template: str = TEMPLATE,
    ) -> Classification | list[Classification]:
        """Classify an image, or each of a list, by zero-shot classification, as in CLIP.

        Args:
            images: an image or a list of images; see `encode_image`.
            labels: the candidate labels, each once.
            template: turns a label into a text; {} stands for the label.

        Returns:
            One `Classification` per image, with probabilities by the model's own logit scale.

        Raises:
            InputError: an image or a label is invalid, or the bundle lacks a tower or the logit
                scale.
            InferenceError: the model failed.
        """
        encoder, options = self._text_encoder(), TextOptions(prefix=self._prompt(None, None))
        texts = encoder.encode(label_texts(labels, template), options)
        vectors = np.atleast_2d(self.encode_image(images))
        cosines = vec.similarity_matrix(vectors, texts, "cosine")
        results = classifications(cosines, labels, self.manifest)
        return results[0] if is_single_image(images) else results

    def encode_chunks(
        self,
        text: str,
        *,
        max_tokens: int | None = None,
        overlap_tokens: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> ChunkVectors:
        """Split a long text into chunks and encode each of them.

        `max_tokens` and `overlap_tokens` are as in `chunk`, except that the overlap defaults to an
        eighth of a chunk; for the prompts, see `encode`.

        Raises:
            InputError: `text` or an option is invalid, or the prompt leaves no room for text.
            InferenceError: the model failed.
        """
        chunker = Chunker(
            tokenizer=self._text_encoder().engine.tokenizer,
            prompt=self._prompt(prompt_name, prompt),
        )
        chunks = chunker.chunks(
            checked_text(text, "text"), max_tokens=max_tokens, overlap_tokens=overlap_tokens
        )
        vectors = self.encode([c.text for c in chunks], prompt=chunker.prompt)
        return ChunkVectors(chunks=tuple(chunks), vectors=vectors)

    def encode_tokens(self, text: str) -> NDArray[np.float32]:
        """Return the contextual vector of every token, special tokens included: (t, width) float32.

        Raises:
            InputError: the bundle has no token vectors, or `text` is invalid.
            InferenceError: the model failed.
        """
        return self.token_vectors(text).vectors

    def token_vectors(self, text: str) -> TokenVectors:
        """Return a text's tokens and their contextual vectors, for lookup by word or span.

        The vectors are the model's last hidden layer, before pooling; no prompt is prepended.

        Raises:
            InputError: the bundle has no token vectors, or `text` is invalid.
            InferenceError: the model failed.
        """
        if TOKEN_EMBEDDINGS not in self.manifest.text_tower().outputs:
            raise InputError(
                f"bundle {self.path}: expected the output {TOKEN_EMBEDDINGS}, found only "
                f"{', '.join(self.manifest.text_tower().outputs)}; convert the model again"
            )
        return compute_token_vectors(self._text_encoder().engine, checked_text(text, "text"))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words that a static model has vectors for, ordered by token id.

        Raises:
            InputError: the model is not static.
        """
        return self._words.vocabulary

    def most_similar(
        self, positive: str | Sequence[str], negative: str | Sequence[str] = (), k: int = 10
    ) -> list[Neighbor]:
        """Return the `k` words of a static model most similar to `positive` minus `negative`.

        `most_similar(["king", "woman"], ["man"])` asks what is to woman as king is to man. The
        query words are excluded. Uses 3CosAdd, like gensim's `most_similar`: Mikolov, Yih & Zweig,
        NAACL 2013, https://aclanthology.org/N13-1090.

        Raises:
            InputError: the model is not static, has no vector for a word, `k` is not positive, or
                no words were given.
        """
        return self._words.most_similar(positive, negative, k)

    def __reduce__(self) -> tuple[Callable[..., "Encoder"], tuple[str, LoadOptions]]:
        """Pickle the path and the options; the copy is loaded from the same files."""
        return _reload, (str(self.path.absolute()), self._options)

    def __repr__(self) -> str:
        """Return the name, dimension and variant."""
        return f"Encoder({self.manifest.name!r}, dim={self.dim}, variant={self.variant!r})"

    # -- internals ----------------------------------------------------------------------------

    @cached_property
    def _words(self) -> WordNeighbors:
        return WordNeighbors(encoder=self._text_encoder())


def _reload(path: str, options: LoadOptions) -> Encoder:
    return Encoder(Bundle.open(path), options)
