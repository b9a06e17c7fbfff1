"""The Encoder: a bundle, loaded and ready to turn texts and images into vectors."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.bundle.files import default_bundle
from edgeembed_runtime.bundle.signature import TOKEN_EMBEDDINGS
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.image import ImageOptions, check_max_pixels
from edgeembed_runtime.encoder.load import LoadOptions, Verify, load_towers
from edgeembed_runtime.encoder.long_texts import Chunker, ChunkVectors
from edgeembed_runtime.encoder.output import OutputOptions
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.encoder.prompts import Role, prompt_text
from edgeembed_runtime.encoder.properties import EncoderProperties
from edgeembed_runtime.encoder.self_test import SelfTest
from edgeembed_runtime.encoder.text import TextOptions
from edgeembed_runtime.encoder.token_vectors import TokenVectors, compute_token_vectors
from edgeembed_runtime.encoder.word_neighbors import Neighbor, WordNeighbors
from edgeembed_runtime.encoder.zero_shot import (
    TEMPLATE,
    Classification,
    classifications,
    label_texts,
)
from edgeembed_runtime.engine.providers import Provider
from edgeembed_runtime.engine.schedule import Profile
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, ImageInput, is_single_image
from edgeembed_runtime.inputs.text.chunking import Chunk
from edgeembed_runtime.inputs.text.truncation import Truncation
from edgeembed_runtime.inputs.text.validation import checked_stream, checked_text


@public
class Encoder(EncoderProperties):
    """Texts and images to vectors, on this machine, with no network.

    Make one with `Encoder.load`. It may be shared by any number of threads, pickled (it is loaded
    again from its path) and used after a fork. On the CPU the same input gives the same vector to
    the bit, alone or among others: texts are never padded to each other's length.
    """

    def __init__(self, bundle: Bundle, options: LoadOptions) -> None:
        """Load an opened bundle; use `Encoder.load`."""
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
        """Load the bundle in directory `path`, or the small one that ships inside the package.

        Args:
            path: what `edgeembed convert` wrote; None for the default bundle.
            variant: a name from the manifest ("fp32", "int8"), or "auto" for the best one for
                this processor or provider. In a bundle for texts and images each tower takes its
                own; one that has none of that name takes its first.
            modalities: load only what encodes "text" or "image", of a bundle that does both.
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
            modalities=modalities,
            providers=providers,
            threads=threads,
            profile=profile,
            max_memory_mb=max_memory_mb,
            verify=verify,
            cache=cache,
        )
        return cls(Bundle.open(default_bundle() if path is None else path), options)

    # -- encoding -----------------------------------------------------------------------------

    def encode(
        self,
        inputs: str | Sequence[str] | ImageInput | Sequence[ImageInput],
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

        A bundle that encodes images only takes images here, as `encode_image` does.

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
        if self.modalities == ("image",):
            if prompt_name is not None or prompt is not None or chunk:
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
            progress=show_progress_bar,
        )
        return self._text_encoder().encode(cast("str | Sequence[str]", inputs), options)

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
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt, "query"),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
        )
        return self._text_encoder().encode(inputs, options)

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
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt, "document"),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
        )
        return self._text_encoder().encode(inputs, options)

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
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            progress=show_progress_bar,
            stop=stop,
        )
        try:
            return await asyncio.to_thread(self._text_encoder().encode, inputs, options)
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
        encoder, prefix = self._text_encoder(), self._prompt(prompt_name, prompt)
        numbered = (
            (at, checked_text(t, f"inputs[{at}]")) for at, t in enumerate(checked_stream(inputs))
        )
        return encoder.stream(numbered, prefix, truncation, chunk)

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
        """Encode one image to (d,) or a list of n images to (n, d), in order.

        An image is a path, a file's bytes, an open file, a PIL image, or an array of
        (height, width, 3) uint8. JPEG, PNG, WebP, GIF, BMP and TIFF are read. It is turned as its
        EXIF orientation says; of an animation the first frame counts; alpha is dropped.

        Args:
            images: an image or a list of images; an empty list gives (0, d).
            truncate_dim: see `encode`, and so for `precision`, `ranges`, `show_progress_bar`.
            precision: see `encode`.
            ranges: see `encode`.
            max_pixels: larger images are refused; four bytes of memory for each are needed.
            show_progress_bar: see `encode`.

        Raises:
            InputError: an image cannot be used (its position and its file are named), the bundle
                encodes no images, or an option is unknown.
            MissingExtraError: Pillow is not installed.
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
        """Encode a stream of images, in order; memory stays flat.

        For each image comes its vector, (d,) float32, or the error that says what is wrong with
        it, so that one broken file among thousands stops nothing. See `encode_image`.
        """
        if is_single_image(images):
            raise InputError(f"images: expected many images, got one {type(images).__name__}")
        return self._image_encoder().stream(images, check_max_pixels(max_pixels))

    @overload
    def classify(
        self,
        images: list[ImageInput] | tuple[ImageInput, ...],
        labels: Sequence[str],
        *,
        template: str = TEMPLATE,
    ) -> list[Classification]: ...

    @overload
    def classify(
        self, images: ImageInput, labels: Sequence[str], *, template: str = TEMPLATE
    ) -> Classification: ...

    def classify(
        self,
        images: ImageInput | Sequence[ImageInput],
        labels: Sequence[str],
        *,
        template: str = TEMPLATE,
    ) -> Classification | list[Classification]:
        """Say which of `labels` an image, or each of a list, shows: zero-shot, as CLIP does.

        `template` makes a text of a label, in place of {}. The probabilities come from the model's
        own logit scale.

        Raises:
            InputError: see `encode_image`; or the bundle has not both towers, or no logit scale.
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
        """Encode the chunks of a long text, each with its place: see `chunk`."""
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
        """The contextual vector of every token of a text, special ones too: (t, width) float32."""
        return self.token_vectors(text).vectors

    def token_vectors(self, text: str) -> TokenVectors:
        """The tokens of a text with their contextual vectors, and those of a word or a span.

        They are the model's last hidden layer, before pooling; no prompt is put before the text.

        Raises:
            InputError: the bundle gives no token vectors, or `text` is no usable text.
        """
        if TOKEN_EMBEDDINGS not in self.manifest.text_tower().outputs:
            raise InputError(
                f"bundle {self.path}: expected the output {TOKEN_EMBEDDINGS}, found only "
                f"{', '.join(self.manifest.text_tower().outputs)}; convert the model again"
            )
        return compute_token_vectors(self._text_encoder().engine, checked_text(text, "text"))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words that a static model has vectors for, as `most_similar` takes and gives them.

        Raises:
            InputError: the model is not static: it has vectors for texts only.
        """
        return self._words.vocabulary

    def most_similar(
        self, positive: str | Sequence[str], negative: str | Sequence[str] = (), k: int = 10
    ) -> list[Neighbor]:
        """The `k` words of a static model nearest to words, or to words less others: see there.

        `most_similar(["king", "woman"], ["man"])` asks what is to woman as king is to man.

        Raises:
            InputError: the model is not static, or it has no vector for one of the words.
        """
        return self._words.most_similar(positive, negative, k)

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
        return self._text_encoder().count_tokens(texts)

    def chunk(
        self, text: str, *, max_tokens: int | None = None, overlap_tokens: int = 0
    ) -> list[Chunk]:
        """Cut a long text into pieces that the model takes whole; see `chunk_text`.

        `max_tokens` defaults to all that the model takes beside its special tokens.
        """
        chunker = Chunker(tokenizer=self._text_encoder().engine.tokenizer)
        return chunker.chunks(
            checked_text(text, "text"), max_tokens=max_tokens, overlap_tokens=overlap_tokens
        )

    def self_test(self) -> SelfTest:
        """Run the bundle's golden inputs here and compare with the original model's vectors.

        Of a bundle with two towers, the outcome of the one that is nearer to its bound.
        """
        tests = [tower.self_test() for tower in self._towers.values()]
        return min(tests, key=lambda test: test.min_cosine - test.expected_min_cosine)

    def close(self) -> None:
        """Give back memory and threads; the encoder cannot be used after. Closing twice is fine."""
        for tower in self._towers.values():
            tower.close()

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
        return _reload, (str(self.path.absolute()), self._options)

    def __repr__(self) -> str:
        """Name, dimension and variant."""
        return f"Encoder({self.manifest.name!r}, dim={self.dim}, variant={self.variant!r})"

    # -- inside -------------------------------------------------------------------------------

    def _prompt(self, prompt_name: str | None, prompt: str | None, role: Role | None = None) -> str:
        return prompt_text(self.manifest.text_tower(), prompt_name, prompt, role)

    @cached_property
    def _words(self) -> WordNeighbors:
        return WordNeighbors(encoder=self._text_encoder())


def _reload(path: str, options: LoadOptions) -> Encoder:
    return Encoder(Bundle.open(path), options)
