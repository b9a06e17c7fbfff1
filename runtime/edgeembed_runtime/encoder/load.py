"""How a bundle is loaded: the options, and from them a variant and an engine for each tower."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from edgeembed_runtime.bundle import Bundle, Manifest, Modality, Tower, Variant
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.image import ImageEncoding
from edgeembed_runtime.encoder.text import TextEncoding
from edgeembed_runtime.engine.handle import EngineHandle
from edgeembed_runtime.engine.open import Opening, open_image_engine, open_text_engine
from edgeembed_runtime.engine.providers import Provider, Providers, resolve_providers
from edgeembed_runtime.engine.schedule import Profile, Schedule, schedule_for
from edgeembed_runtime.engine.variants import ranked_variants
from edgeembed_runtime.errors import BundleCorruptError, InputError

Verify = Literal["size", "hash", "golden"]
Encoding = TextEncoding | ImageEncoding


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What `Encoder.load` takes beside the path; see there.

    `proven` names the variants that passed their golden inputs here, by tower.
    """

    variant: str = "auto"
    modalities: Sequence[Modality] | None = None
    providers: Sequence[Provider] | None = None
    threads: int | None = None
    profile: Profile = "balanced"
    max_memory_mb: int | None = None
    verify: Verify = "hash"
    cache: EmbeddingCache | None = None
    proven: Mapping[Modality, str] = field(default_factory=dict[Modality, str])


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What is loaded of each tower that is wanted."""

    manifest: Manifest
    texts: TextEncoding | None
    images: ImageEncoding | None

    def text_encoding(self) -> TextEncoding:
        """What encodes texts.

        Raises:
            InputError: the bundle encodes none, or was loaded without.
        """
        self.manifest.text_tower()
        if self.texts is None:
            raise InputError("this encoder was loaded for images only; load it for texts as well")
        return self.texts

    def image_encoding(self) -> ImageEncoding:
        """What encodes images; raises as `text_encoding` does."""
        self.manifest.image_tower()
        if self.images is None:
            raise InputError("this encoder was loaded for texts only; load it for images as well")
        return self.images

    @property
    def encodings(self) -> Mapping[Modality, Encoding]:
        """What there is, by the kind of its input."""
        found: dict[Modality, Encoding] = {}
        if self.texts is not None:
            found["text"] = self.texts
        if self.images is not None:
            found["image"] = self.images
        return found

    def close(self) -> None:
        """Give back memory and threads."""
        for encoding in self.encodings.values():
            encoding.engine.close()


def load_towers(bundle: Bundle, options: LoadOptions) -> Loaded:
    """Choose a variant of each wanted tower and open its engine, proven if that was asked for.

    Raises:
        BundleError: the bundle is damaged or unsafe, or no variant is right on this machine.
        ProviderError: a provider did not load.
        InputError: an option is unknown.
    """
    loader = _Loader(bundle, options)
    wanted = loader.wanted_modalities()
    texts = images = None
    if "text" in wanted:
        texts = cast(TextEncoding, loader.load("text", loader.open_texts))
    try:
        if "image" in wanted:
            images = cast(ImageEncoding, loader.load("image", loader.open_images))
    except BaseException:
        if texts is not None:
            texts.engine.close()
        raise
    return Loaded(manifest=bundle.manifest, texts=texts, images=images)


class _Loader:
    def __init__(self, bundle: Bundle, options: LoadOptions) -> None:
        if options.verify not in ("size", "hash", "golden"):
            raise InputError(f"verify: expected size, hash or golden, got {options.verify!r}")
        if not isinstance(cast(object, options.cache), EmbeddingCache | None):
            raise InputError(f"cache: expected an EmbeddingCache, got {options.cache!r}")
        self._bundle = bundle
        self._options = options
        self._schedule: Schedule = schedule_for(
            options.profile, options.threads, options.max_memory_mb
        )
        self._providers: Providers = resolve_providers(options.providers)

    def wanted_modalities(self) -> Sequence[Modality]:
        here, wanted = self._bundle.manifest.modalities, self._options.modalities
        if wanted is None:
            return here
        if isinstance(wanted, str) or not wanted or not set(wanted) <= set(here):
            raise InputError(f"modalities: expected some of {', '.join(here)}, got {wanted!r}")
        return wanted

    def load(self, modality: Modality, open_encoding: Callable[[Variant], Encoding]) -> Encoding:
        tower = self._bundle.manifest.towers[modality]
        proven = self._options.proven.get(modality)
        ranked = self._ranked(tower, proven or self._options.variant)
        if self._options.verify != "golden" or proven is not None:
            return open_encoding(ranked[0])
        return self._proven(ranked, open_encoding)

    def open_texts(self, variant: Variant) -> TextEncoding:
        opening = self._opening(variant)
        return TextEncoding(
            bundle=self._bundle,
            variant=variant,
            engine=EngineHandle(lambda: open_text_engine(opening)),
            cache=self._options.cache,
        )

    def open_images(self, variant: Variant) -> ImageEncoding:
        opening = self._opening(variant)
        return ImageEncoding(
            bundle=self._bundle,
            variant=variant,
            engine=EngineHandle(lambda: open_image_engine(opening)),
        )

    def _ranked(self, tower: Tower, name: str) -> tuple[Variant, ...]:
        """The variants that may be loaded, the best first; one if it was named.

        A tower without the named variant runs its first one, if another tower has it.
        """
        towers = self._bundle.manifest.towers.values()
        if tower.variant(name) is None and any(other.variant(name) for other in towers):
            return tower.variants[:1]
        return ranked_variants(tower, name, self._providers[0][0])

    def _proven(
        self, ranked: tuple[Variant, ...], open_encoding: Callable[[Variant], Encoding]
    ) -> Encoding:
        failures: list[str] = []
        for variant in ranked:
            encoding = open_encoding(variant)
            if (result := encoding.self_test()).ok:
                if failures:
                    warnings.warn(
                        f"bundle {self._bundle.path}: {'; '.join(failures)}; {variant.name} is "
                        "right, and is used",
                        stacklevel=6,
                    )
                return encoding
            encoding.engine.close()
            failures.append(
                f"variant {variant.name}: expected golden cosines of at least "
                f"{result.expected_min_cosine:.6f} on this machine, found {result.min_cosine:.6f}"
            )
        raise BundleCorruptError(
            f"bundle {self._bundle.path}: {'; '.join(failures)}; try another variant, "
            "or convert again"
        )

    def _opening(self, variant: Variant) -> Opening:
        return Opening(
            bundle=self._bundle,
            variant=variant,
            providers=self._providers,
            schedule=self._schedule,
            check="size" if self._options.verify == "size" else "hash",
        )


def with_proven(options: LoadOptions, loaded: Loaded) -> LoadOptions:
    """The options by which the same variants are loaded again, without proving them again."""
    if options.verify != "golden":
        return options
    names = {modality: each.variant.name for modality, each in loaded.encodings.items()}
    return replace(options, proven=names)
