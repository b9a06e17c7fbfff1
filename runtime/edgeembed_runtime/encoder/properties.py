"""What an encoder is: what its bundle says, and what was loaded of it."""

from collections.abc import Mapping
from pathlib import Path

from edgeembed_runtime.bundle import Bundle, Manifest, Modality
from edgeembed_runtime.encoder.load import Loaded
from edgeembed_runtime.encoder.prompts import Role, usual_prompt
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.engine.handle import EngineHandle
from edgeembed_runtime.engine.image import ImageEngine
from edgeembed_runtime.vectors import Similarity


class EncoderFacts:
    """The facts that an encoder answers for."""

    def __init__(self, bundle: Bundle, loaded: Loaded) -> None:
        """`bundle` is open, and `loaded` of it."""
        self._bundle = bundle
        self._loaded = loaded

    @property
    def manifest(self) -> Manifest:
        """Everything that the bundle says of itself."""
        return self._bundle.manifest

    @property
    def path(self) -> Path:
        """The directory of the bundle."""
        return self._bundle.path

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self.manifest.dim

    @property
    def space(self) -> str:
        """The fingerprint of the vector space; only vectors of one space may be compared."""
        return self.manifest.space

    @property
    def similarity_name(self) -> Similarity:
        """How the model's vectors are meant to be compared."""
        return self.manifest.similarity

    @property
    def normalized(self) -> bool:
        """Whether the vectors have unit length."""
        return self.manifest.normalized

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text count, special ones included; the rest is cut off.

        Raises:
            InputError: the bundle encodes no texts.
        """
        return self.manifest.text_tower().max_tokens

    @property
    def prompts(self) -> Mapping[str, str]:
        """The model's own prompts by name; none where the bundle encodes no texts."""
        text = self.manifest.text
        return {} if text is None else text.prompts

    def usual_prompt(self, role: Role) -> str | None:
        """The name of the prompt that `encode_query` or `encode_document` uses, or None."""
        return usual_prompt(self.prompts, role)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it encodes: "text", "image", or both."""
        return tuple(self._loaded.encodings)

    @property
    def variant(self) -> str:
        """The name of the variant that runs; where towers differ, "text=int8 image=fp32"."""
        names = {m: each.variant.name for m, each in self._loaded.encodings.items()}
        if len(set(names.values())) == 1:
            return next(iter(names.values()))
        return " ".join(f"{modality}={name}" for modality, name in names.items())

    @property
    def threads(self) -> int:
        """How many threads it uses."""
        return self._any_engine().threads

    @property
    def active_providers(self) -> tuple[str, ...]:
        """The execution providers that really loaded, in order of preference."""
        return tuple(self.nodes_by_provider)

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """How many nodes of the graph each active provider runs; the CPU runs what others lack."""
        return self._any_engine().nodes_by_provider

    @property
    def deterministic(self) -> bool:
        """Whether an input's vector is the same to the bit, alone, in any company and order.

        True on the CPU. Other providers run texts in padded batches, which may change the last
        digits.
        """
        return self._any_engine().deterministic

    @property
    def _engine(self) -> EngineHandle[Engine]:
        return self._loaded.text_encoding().engine

    def _any_engine(self) -> Engine | ImageEngine:
        return next(iter(self._loaded.encodings.values())).engine.get()
