"""What an encoder says of itself: from its bundle, and from what was loaded of it."""

from collections.abc import Mapping
from pathlib import Path

from edgeembed_runtime.bundle import Bundle, Manifest, Modality
from edgeembed_runtime.encoder.image import ImageEncoder
from edgeembed_runtime.encoder.prompts import Role, usual_prompt
from edgeembed_runtime.encoder.text import TextEncoder
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.engine.image import ImageEngine
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import Similarity


class EncoderProperties:
    """The properties of an encoder."""

    def __init__(
        self, bundle: Bundle, text: TextEncoder | None, image: ImageEncoder | None
    ) -> None:
        """`bundle` is open; `text` and `image` are its towers, as far as they are loaded."""
        self._bundle = bundle
        self._text = text
        self._image = image

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
        """How many tokens of a text count, special tokens included; the rest is truncated.

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
        return tuple(self._towers)

    @property
    def variant(self) -> str:
        """The name of the variant that runs; where towers differ, "text=int8 image=fp32"."""
        names = {modality: tower.variant.name for modality, tower in self._towers.items()}
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
        """Whether vectors are bit-identical regardless of batch composition and order.

        True on the CPU. Other providers run texts in padded batches, which may change the last
        digits.
        """
        return self._any_engine().deterministic

    @property
    def _towers(self) -> Mapping[Modality, TextEncoder | ImageEncoder]:
        """The loaded towers, by the kind of their input."""
        towers: dict[Modality, TextEncoder | ImageEncoder] = {}
        if self._text is not None:
            towers["text"] = self._text
        if self._image is not None:
            towers["image"] = self._image
        return towers

    def _text_encoder(self) -> TextEncoder:
        """The loaded text tower.

        Raises:
            InputError: the bundle has none, or was loaded without.
        """
        if self._text is None:
            raise self._not_loaded("text")
        return self._text

    def _image_encoder(self) -> ImageEncoder:
        """The loaded image tower; raises as `_text_encoder` does."""
        if self._image is None:
            raise self._not_loaded("image")
        return self._image

    def _not_loaded(self, modality: Modality) -> InputError:
        if modality not in self.manifest.towers:
            return self.manifest.lacks(modality)
        (other,) = self.modalities
        return InputError(
            f"this encoder was loaded for {other}s only; load it for {modality}s as well"
        )

    def _any_engine(self) -> Engine | ImageEngine:
        return next(iter(self._towers.values())).engine
