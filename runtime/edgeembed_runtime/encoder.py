"""The Encoder: a bundle, loaded and ready to turn text into vectors."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime.bundle import Bundle, Golden, Manifest
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.engine.session import Provider, resolve_providers
from edgeembed_runtime.engine.text_engine import TextEngine, open_text_engine
from edgeembed_runtime.engine.variants import choose_variant
from edgeembed_runtime.errors import BundleCorruptError, EdgeEmbedError, InputError
from edgeembed_runtime.inputs.chunking import Chunk, chunk_text
from edgeembed_runtime.progress import progress_bar
from edgeembed_runtime.self_test import SelfTest, compare_golden

Verify = Literal["size", "hash", "golden"]
Role = Literal["query", "document"]
# The names under which sentence-transformers says it looks for a prompt, in its order.
_PROMPTS: Mapping[Role, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}


class _PromptChoice(TypedDict):
    prompt_name: str | None
    prompt: str | None


class Encoder:
    """Text to vectors, on this machine, with no network.

    Make one with `Encoder.load`. It may be shared by any number of threads. The same text gives
    the same vector, alone or among others: texts are never padded to each other's length.
    """

    def __init__(self, bundle: Bundle, engine: TextEngine, variant: str) -> None:
        """Put an opened bundle and its engine together; use `Encoder.load`."""
        self._bundle = bundle
        self._engine: TextEngine | None = engine
        self._variant = variant

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        variant: str = "auto",
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        verify: Verify = "hash",
    ) -> "Encoder":
        """Load the bundle in directory `path`.

        Args:
            path: what `edgeembed convert` wrote.
            variant: a name from the manifest ("fp32", "int8"), or "auto" for the fastest one that
                suits this processor.
            providers: onnxruntime execution providers, by name or as (name, options); None is the
                CPU. One that is asked for and does not load is an error.
            threads: None for all processors that this process may use.
            verify: what is checked before a file is used: its "size", its SHA-256 ("hash"), or
                also the golden vectors on this machine ("golden").

        Raises:
            BundleError: there is no bundle, or it is damaged, unsafe or too new.
            ProviderError: a provider did not load.
            InputError: an option is unknown.
        """
        if verify not in ("size", "hash", "golden"):
            raise InputError(f"verify: expected size, hash or golden, got {verify!r}")
        if threads is not None and (type(threads) is not int or threads < 1):
            raise InputError(f"threads: expected 1 or more, or None, got {threads!r}")
        resolved = resolve_providers(providers)
        bundle = Bundle.open(path)
        chosen = choose_variant(bundle.manifest.text, variant, resolved[0][0])
        engine = open_text_engine(
            bundle,
            chosen,
            threads=threads or available_cpus(),
            providers=resolved,
            check="size" if verify == "size" else "hash",
        )
        encoder = cls(bundle, engine, chosen.name)
        if verify == "golden" and not (result := encoder.self_test()).ok:
            encoder.close()
            raise BundleCorruptError(
                f"bundle {path}: variant {chosen.name}: expected golden cosines of at least "
                f"{result.expected_min_cosine:.6f} on this machine, found {result.min_cosine:.6f}; "
                "try another variant, or convert again"
            )
        return encoder

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
        return self._variant

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
        return next((name for name in _PROMPTS[role] if name in self.prompts), None)

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
        return self._open_engine().threads

    @property
    def active_providers(self) -> tuple[str, ...]:
        """The execution providers that really loaded, in order of preference."""
        return self._open_engine().active_providers

    # -- encoding -----------------------------------------------------------------------------

    def encode(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        show_progress_bar: bool = False,
    ) -> NDArray[Any]:
        """Encode one text to (d,) or a list of n texts to (n, d), in order, float32 by default.

        Args:
            inputs: a text or a list of texts; an empty list gives (0, d).
            prompt_name: which of the model's prompts to put before every text; without it and
                `prompt` the model's default prompt, if it has one.
            prompt: text to put before every text, instead of a named prompt; "" for none.
            truncate_dim: keep this many components, and unit length where the model has it.
            precision: "float32", "float16", or one bit a component: "binary", "ubinary".
            show_progress_bar: on stderr, for a list; needs the extra 'cli'.

        Raises:
            InputError: an input is not a usable text (its position is named), or an option is
                unknown.
            InferenceError: the model failed.
        """
        engine = self._open_engine()
        prefix = self._prefix(prompt_name, prompt)
        self._check_options(truncate_dim, precision)
        if isinstance(inputs, str):
            found = engine.encode_one(prefix + inputs)
        else:
            texts = _checked_texts(inputs)
            found = np.empty((len(texts), self.dim), np.float32)
            encoded = engine.encode_many(prefix + text for text in texts)
            for row, vector in enumerate(progress_bar(encoded, len(texts), show_progress_bar)):
                found[row] = vector
        return self._finish(found, truncate_dim, precision)

    def encode_query(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        show_progress_bar: bool = False,
    ) -> NDArray[Any]:
        """Encode what is searched for: `encode` with the model's query prompt, if it has one."""
        return self.encode(
            inputs,
            **self._prompt_for("query", prompt_name, prompt),
            truncate_dim=truncate_dim,
            precision=precision,
            show_progress_bar=show_progress_bar,
        )

    def encode_document(
        self,
        inputs: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        show_progress_bar: bool = False,
    ) -> NDArray[Any]:
        """Encode what is found: `encode` with the model's document prompt, if it has one."""
        return self.encode(
            inputs,
            **self._prompt_for("document", prompt_name, prompt),
            truncate_dim=truncate_dim,
            precision=precision,
            show_progress_bar=show_progress_bar,
        )

    def encode_iter(
        self, inputs: Iterable[str], *, prompt_name: str | None = None, prompt: str | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Encode a stream of texts: (d,) float32 each, in order; memory stays flat.

        `inputs` may be endless; it is read only a little ahead of what is consumed.

        Raises:
            InputError: an input is not a usable text; vectors before it were given already.
        """
        engine = self._open_engine()
        prefix = self._prefix(prompt_name, prompt)
        checked = (_checked_text(text, f"inputs[{at}]") for at, text in enumerate(inputs))
        return engine.encode_many(prefix + text for text in checked)

    # -- around it ----------------------------------------------------------------------------

    def similarity(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
        """Compare rows of (n, d) with rows of (m, d) by the model's own similarity: (n, m)."""
        return vec.similarity_matrix(a, b, self.similarity_name)

    def count_tokens(self, texts: str | Sequence[str]) -> int | list[int]:
        """How many tokens a text, or each of a list, has before truncation, special ones too."""
        tokenizer = self._open_engine().tokenizer
        if isinstance(texts, str):
            return tokenizer.count(texts)
        return [tokenizer.count(text) for text in _checked_texts(texts)]

    def chunk(
        self, text: str, *, max_tokens: int | None = None, overlap_tokens: int = 0
    ) -> list[Chunk]:
        """Cut a long text into pieces that the model takes whole; see `chunk_text`.

        `max_tokens` defaults to all that the model takes beside its special tokens.
        """
        tokenizer = self._open_engine().tokenizer
        room = self.max_tokens - tokenizer.special_tokens
        chunks = chunk_text(
            _checked_text(text, "text"),
            tokenizer,
            max_tokens=room if max_tokens is None else max_tokens,
            overlap_tokens=overlap_tokens,
        )
        return list(chunks)

    def self_test(self) -> SelfTest:
        """Run the bundle's golden inputs here and compare with the original model's vectors."""
        manifest = self.manifest
        golden = Golden.from_json(self._bundle.read(manifest.golden))
        if golden.vectors.shape[1] != self.dim:
            raise BundleCorruptError(
                f"golden.json: expected vectors of {self.dim}, found {golden.vectors.shape[1]}"
            )
        variant = manifest.text.variant(self._variant)
        assert variant is not None  # the constructor's caller took it from this manifest
        found = np.asarray(self.encode(list(golden.texts), prompt=""), np.float32)
        return compare_golden(golden.vectors, found, variant.name, variant.fidelity.min_cosine)

    def close(self) -> None:
        """Give back memory and threads; the encoder cannot be used after. Closing twice is fine."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

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

    def __repr__(self) -> str:
        """Name, dimension and variant."""
        return f"Encoder({self.manifest.name!r}, dim={self.dim}, variant={self._variant!r})"

    # -- inside -------------------------------------------------------------------------------

    def _open_engine(self) -> TextEngine:
        if self._engine is None:
            raise EdgeEmbedError("this encoder is closed; load the bundle again")
        return self._engine

    def _prompt_for(
        self, role: Role, prompt_name: str | None, prompt: str | None
    ) -> "_PromptChoice":
        if prompt_name is not None or prompt is not None:
            return {"prompt_name": prompt_name, "prompt": prompt}
        usual = self.usual_prompt(role)
        # As in sentence-transformers: without a prompt for the role there is none at all.
        return {"prompt_name": usual, "prompt": None if usual else ""}

    def _prefix(self, prompt_name: str | None, prompt: str | None) -> str:
        if prompt is not None:
            return _checked_text(prompt, "prompt")
        name = prompt_name or self.manifest.text.default_prompt_name
        if name is None:
            return ""
        if name not in self.prompts:
            known = ", ".join(self.prompts) or "none"
            raise InputError(
                f"prompt_name: expected one of the model's own ({known}), got {name!r}"
            )
        return self.prompts[name]

    def _check_options(self, truncate_dim: int | None, precision: vec.Precision) -> None:
        self._finish(np.zeros((0, self.dim), np.float32), truncate_dim, precision)

    def _finish(
        self, found: NDArray[np.float32], truncate_dim: int | None, precision: vec.Precision
    ) -> NDArray[Any]:
        if truncate_dim is not None:
            found = vec.truncate(found, truncate_dim, unit=self.normalized)
        return vec.to_precision(found, precision)


def _checked_texts(inputs: object) -> list[str]:
    wrong = InputError(f"inputs: expected a text or a list of texts, got {type(inputs).__name__}")
    if isinstance(inputs, bytes | bytearray | dict) or not isinstance(inputs, Iterable):
        raise wrong
    try:
        texts = list(inputs)
    except TypeError as error:  # a numpy array without dimensions calls itself iterable
        raise wrong from error
    return [_checked_text(text, f"inputs[{position}]") for position, text in enumerate(texts)]


def _checked_text(text: object, where: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{where}: expected a text, got {type(text).__name__}")
    return text
