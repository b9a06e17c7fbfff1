"""What an encoder is apart from encoding: its towers, its properties, its life cycle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast, get_args, overload

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.arguments import shown
from edgeembed_runtime.bundle import Bundle, Manifest, Modality
from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.encoder.image import ImageEncoder
from edgeembed_runtime.encoder.outputs.long_texts import Chunker
from edgeembed_runtime.encoder.prompts import Role, prompt_text, usual_prompt
from edgeembed_runtime.encoder.self_test import SelfTest
from edgeembed_runtime.encoder.text import TextEncoder
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.engine.image import ImageEngine
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.chunking import Chunk
from edgeembed_runtime.inputs.text.structure import Syntax
from edgeembed_runtime.inputs.text.validation import checked_text
from edgeembed_runtime.vectors import Similarity, similarity_matrix


class EncoderBase:
    """A bundle with its loaded towers."""

    def __init__(
        self, bundle: Bundle, text: TextEncoder | None, image: ImageEncoder | None
    ) -> None:
        """Wrap an open bundle and those of its towers that are loaded."""
        self._bundle = bundle
        self._text = text
        self._image = image

    @property
    def manifest(self) -> Manifest:
        """The bundle's manifest."""
        return self._bundle.manifest

    @property
    def path(self) -> Path:
        """The bundle's directory."""
        return self._bundle.path

    @property
    def dim(self) -> int:
        """The dimension of the vectors."""
        return self.manifest.dim

    @property
    def space(self) -> str:
        """The fingerprint of the vector space; only vectors of the same space are comparable."""
        return self.manifest.space

    @property
    def similarity_name(self) -> Similarity:
        """The similarity function the model was trained for."""
        return self.manifest.similarity

    @property
    def normalized(self) -> bool:
        """Whether the vectors have unit length."""
        return self.manifest.normalized

    @property
    def max_tokens(self) -> int:
        """The maximum length of a text in tokens, special tokens included.

        Raises:
            InputError: the bundle does not encode texts.
        """
        return self.manifest.text_tower().max_tokens

    @property
    def prompts(self) -> Mapping[str, str]:
        """The model's prompts by name; empty if the bundle does not encode texts."""
        text = self.manifest.text
        return {} if text is None else text.prompts

    def usual_prompt(self, role: Role) -> str | None:
        """Return the name of the prompt that `encode_query` or `encode_document` uses, or None."""
        return usual_prompt(self.prompts, role)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The loaded modalities: "text", "image", or both."""
        return tuple(self._towers)

    @property
    def variant(self) -> str:
        """The name of the loaded variant; if towers differ, "text=int8 image=fp32"."""
        names = {modality: tower.variant.name for modality, tower in self._towers.items()}
        if len(set(names.values())) == 1:
            return next(iter(names.values()))
        return " ".join(f"{modality}={name}" for modality, name in names.items())

    @property
    def threads(self) -> int:
        """The number of threads that encode a list of inputs.

        Raises:
            EdgeEmbedError: the encoder is closed.
        """
        return self._any_engine().threads

    @property
    def active_providers(self) -> tuple[str, ...]:
        """The execution providers that actually loaded, in order of preference.

        Raises:
            EdgeEmbedError: the encoder is closed.
        """
        return tuple(self.nodes_by_provider)

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """The number of graph nodes each active provider runs; the CPU runs what others lack.

        Raises:
            EdgeEmbedError: the encoder is closed.
        """
        return self._any_engine().nodes_by_provider

    @property
    def deterministic(self) -> bool:
        """Whether vectors are bit-identical regardless of batch composition and order.

        True on the CPU. Other providers run texts in padded batches, which can change the last
        digits.

        Raises:
            EdgeEmbedError: the encoder is closed.
        """
        return self._any_engine().deterministic

    def similarity(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
        """Compare rows of (n, d) with rows of (m, d) by the model's similarity: (n, m) float32.

        Raises:
            InputError: `a` and `b` are not vectors of the same length.
        """
        return similarity_matrix(a, b, self.similarity_name)

    def default_ranges(self, truncate_dim: int | None = None) -> NDArray[np.float32]:
        """Return the minimum and maximum of each component that "int8" and "uint8" use.

        They are widened ranges of the bundle's golden vectors: (2, d) float32, or (2, truncate_dim)
        after truncation. With `to_precision`, vectors that are kept as float32 get the same 8-bit
        form as `encode` gives.

        Raises:
            InputError: `truncate_dim` is not between 1 and d.
            BundleCorruptError: the golden inputs are missing or damaged.
        """
        return next(iter(self._towers.values())).default_ranges(truncate_dim)

    @overload
    def count_tokens(self, texts: str) -> int: ...

    @overload
    def count_tokens(self, texts: list[str] | tuple[str, ...]) -> list[int]: ...

    def count_tokens(self, texts: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """Count the tokens of a text, or of each in a list, before truncation.

        Special tokens are included.

        Raises:
            InputError: a text is invalid; the message names its position.
        """
        return self._text_encoder().count_tokens(texts)

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text has a token, in its beginning, that the model knows.

        Texts without one, such as those in another script, all get the same vector.

        Raises:
            InputError: the bundle does not encode texts.
        """
        return self._text_encoder().knows(texts)

    @property
    def search_profile(self) -> SearchProfile:
        """How to search with it: as its bundle says, or as is usual."""
        return self.manifest.search or SearchProfile()

    def chunk(
        self,
        text: str,
        *,
        max_tokens: int | None = None,
        overlap_tokens: int = 0,
        syntax: Syntax = "prose",
    ) -> list[Chunk]:
        """Split a long text into chunks that fit the model.

        A heading (plain text, Markdown, reStructuredText) starts a chunk, together with what
        follows it; tiny sections share one. A longer section is split evenly, after a paragraph if
        one ends nearby, else a sentence, a line or clause, a word, or anywhere. Runs of characters
        unknown to the model count by their length. A text without tokens has no chunks.

        Args:
            text: the text.
            max_tokens: the maximum length of a chunk, special tokens excluded; limited to, and by
                default, what the model takes.
            overlap_tokens: up to how many tokens of whole sentences a chunk repeats from the one
                before (of words, where that ends inside a sentence), never across a heading; at
                most half of `max_tokens`.
            syntax: "prose", or "code": without headings, and cut between its lines.

        Raises:
            InputError: `text` or an option is invalid.
        """
        if not isinstance(cast(object, syntax), str) or syntax not in get_args(Syntax):
            raise InputError(f"syntax: expected prose or code, got {shown(syntax)}")
        chunker = Chunker(tokenizer=self._text_encoder().engine.tokenizer)
        return chunker.chunks(
            checked_text(text, "text"),
            max_tokens=max_tokens,
            overlap_tokens=overlap_tokens,
            syntax=syntax,
        )

    def self_test(self) -> SelfTest:
        """Run the bundle's golden inputs on this machine; compare with the original's vectors.

        Returns:
            The result; with two towers, that of the one closer to its bound.

        Raises:
            BundleCorruptError: the golden inputs are missing or damaged.
            InferenceError: the model failed.
        """
        tests = [tower.self_test() for tower in self._towers.values()]
        return min(tests, key=lambda test: test.min_cosine - test.expected_min_cosine)

    def close(self) -> None:
        """Release memory and threads; closing twice is fine.

        An encoder that was closed raises EdgeEmbedError when it is used.
        """
        for tower in self._towers.values():
            tower.close()

    def __enter__(self) -> Self:
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

    @property
    def _towers(self) -> Mapping[Modality, TextEncoder | ImageEncoder]:
        """The loaded towers by modality."""
        towers: dict[Modality, TextEncoder | ImageEncoder] = {}
        if self._text is not None:
            towers["text"] = self._text
        if self._image is not None:
            towers["image"] = self._image
        return towers

    def _text_encoder(self) -> TextEncoder:
        """Return the text tower.

        Raises:
            InputError: the bundle has none, or it was not loaded.
        """
        if self._text is None:
            raise self._not_loaded("text")
        return self._text

    def _image_encoder(self) -> ImageEncoder:
        """Return the image tower; raises like `_text_encoder`."""
        if self._image is None:
            raise self._not_loaded("image")
        return self._image

    def _prompt(self, prompt_name: str | None, prompt: str | None, role: Role | None = None) -> str:
        return prompt_text(self.manifest.text_tower(), prompt_name, prompt, role)

    def _not_loaded(self, modality: Modality) -> InputError:
        if modality not in self.manifest.towers:
            return self.manifest.lacks(modality)
        (other,) = self.modalities
        return InputError(
            f"this encoder was loaded for {other}s only; load it for {modality}s as well"
        )

    def _any_engine(self) -> Engine | ImageEngine:
        return next(iter(self._towers.values())).engine
