"""A served model: what its bundle says, and its encoder while it is loaded."""

import time
from dataclasses import dataclass
from pathlib import Path

from edgeembed.serve.base.jobs import ServedModel
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.engine.estimate import Rate
from edgeembed.serve.engine.runners import (
    ImageRunner,
    ServedEncoder,
    TextRunner,
    TokenRunner,
    TokenVectorRunner,
)
from edgeembed_runtime.bundle import Bundle, Manifest, Tower, Variant
from edgeembed_runtime.bundle.files import MANIFEST_NAME
from edgeembed_runtime.bundle.signature import TOKEN_EMBEDDINGS
from edgeembed_runtime.encoder.load import LoadOptions
from edgeembed_runtime.encoder.prompts import Role, prompt_text
from edgeembed_runtime.engine.providers import resolve_providers
from edgeembed_runtime.engine.variants import ranked_variants
from edgeembed_runtime.errors import InputError

# First guesses, until something ran: seconds for a token, for an image.
_TOKEN_SECONDS, _IMAGE_SECONDS = 1e-4, 0.05
# Resident memory of a loaded model, by the size of its graph: the graph as read, and packed.
_MEMORY_PER_BYTE, _MEMORY = 3, 32 << 20
_WARM_UP = "a text of some words, as it is usual"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory, and what runs its inputs."""

    encoder: ServedEncoder
    texts: TextRunner | None
    token_vectors: TokenVectorRunner | None
    tokens: TokenRunner | None
    images: ImageRunner | None


class Model:
    """A served model. Only the event loop changes it."""

    def __init__(self, name: str, path: Path, options: LoadOptions) -> None:
        """Read the manifest of the bundle at `path`, and no other file.

        Raises:
            BundleError, InputError: there is no such bundle, or variant.
        ProviderError: onnxruntime lacks the device's provider.
        """
        self.name = name
        self.bundle: Bundle = Bundle.open(path)
        self.token_rate: Rate = Rate(_TOKEN_SECONDS)
        self.image_rate: Rate = Rate(_IMAGE_SECONDS)
        self.loaded: Loaded | None = None
        self.users = 0
        self.used: float = time.monotonic()
        self._options = options
        provider = resolve_providers(options.providers)[0][0]
        self._variants = {
            modality: _chosen(tower, options.variant, provider)
            for modality, tower in self.manifest.towers.items()
        }

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.bundle.manifest

    @property
    def max_tokens(self) -> int | None:
        """The longest text in tokens; None without a text tower."""
        return None if self.manifest.text is None else self.manifest.text.max_tokens

    @property
    def memory(self) -> int:
        """What loading it takes, by estimate, in bytes."""
        files = self.manifest.files
        graphs = sum(files[variant.file].bytes for variant in self._variants.values())
        return graphs * _MEMORY_PER_BYTE + _MEMORY

    def prefix(self, role: Role | None, prompt_name: str | None) -> str:
        """The prompt that is put in front of a text.

        Raises:
            InputError: the model has no prompt of that name, or does not encode texts.
        """
        return prompt_text(self.manifest.text_tower(), prompt_name, None, role)

    def load(self, meters: Meters) -> Loaded:
        """Load it and run it once; takes a while, in any thread.

        Raises:
            EdgeEmbedError: it does not load.
        """
        encoder = ServedEncoder(self.bundle, self._options)
        texts = token_vectors = tokens = images = None
        if "text" in encoder.modalities:
            texts = TextRunner.of(encoder, self.token_rate, meters)
            tokens = TokenRunner(engine=texts.engine)
            if TOKEN_EMBEDDINGS in self.manifest.text_tower().outputs:
                token_vectors = TokenVectorRunner(engine=texts.engine)
            _warm_up(texts)
        if "image" in encoder.modalities:
            images = ImageRunner(encoder=encoder, rate=self.image_rate)
        return Loaded(
            encoder=encoder,
            texts=texts,
            token_vectors=token_vectors,
            tokens=tokens,
            images=images,
        )

    def described(self) -> ServedModel:
        """What is known of it."""
        files = self.manifest.files
        variants = tuple(self._variants.values())
        names = list(dict.fromkeys(variant.name for variant in variants))
        return ServedModel(
            name=self.name,
            path=str(self.bundle.path),
            dim=self.manifest.dim,
            max_tokens=self.max_tokens,
            modalities=tuple(self.manifest.modalities),
            prompts=() if self.manifest.text is None else tuple(self.manifest.text.prompts),
            variant=" ".join(names),
            size=sum(entry.bytes for entry in files.values()),
            created=int((self.bundle.path / MANIFEST_NAME).stat().st_mtime),
            sha256=files[variants[0].file].sha256,
            loaded=self.loaded is not None,
        )


def _chosen(tower: Tower, wanted: str, provider: str) -> Variant:
    try:
        return ranked_variants(tower, wanted, provider)[0]
    except InputError:
        if tower.variant(wanted) is None and wanted != "auto":
            return tower.variants[0]  # as the encoder does for a tower that lacks it
        raise


def _warm_up(runner: TextRunner) -> None:
    """Open both of the engine's sessions, and learn how long a token takes."""
    tokens = runner.engine.tokenizer.encode(_WARM_UP)
    seconds = 0.0
    for alone in (True, False, True, False):
        began = time.perf_counter()
        runner.engine.encode_tokenized([tokens], alone=alone)
        seconds = time.perf_counter() - began
    runner.rate.seconds = seconds / len(tokens.ids)
