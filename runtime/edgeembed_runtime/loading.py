"""How a bundle is loaded: the options, and from them the variant and its engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.cache import EmbeddingCache
from edgeembed_runtime.engine.engine import Engine
from edgeembed_runtime.engine.handle import EngineHandle
from edgeembed_runtime.engine.open_engine import open_engine
from edgeembed_runtime.engine.providers import Provider, resolve_providers
from edgeembed_runtime.engine.schedule import Profile, schedule_for
from edgeembed_runtime.engine.variants import choose_variant, ranked_variants
from edgeembed_runtime.errors import InputError

Verify = Literal["size", "hash", "golden"]


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What `Encoder.load` takes beside the path; see there."""

    variant: str = "auto"
    providers: Sequence[Provider] | None = None
    threads: int | None = None
    profile: Profile = "balanced"
    max_memory_mb: int | None = None
    verify: Verify = "hash"
    cache: EmbeddingCache | None = None


def ranked_names(bundle: Bundle, options: LoadOptions) -> tuple[str, ...]:
    """The variants that may be loaded here, the best first; one if it was named.

    Raises:
        ProviderError, InputError: see `load_engine`.
    """
    providers = resolve_providers(options.providers)
    ranked = ranked_variants(bundle.manifest.text, options.variant, providers[0][0])
    return tuple(variant.name for variant in ranked)


def load_engine(bundle: Bundle, options: LoadOptions) -> tuple[Variant, EngineHandle]:
    """Choose the variant and open its engine.

    Raises:
        BundleError: the bundle is damaged or unsafe.
        ProviderError: a provider did not load.
        InputError: an option is unknown.
    """
    if options.verify not in ("size", "hash", "golden"):
        raise InputError(f"verify: expected size, hash or golden, got {options.verify!r}")
    if not isinstance(cast(object, options.cache), EmbeddingCache | None):
        raise InputError(f"cache: expected an EmbeddingCache, got {options.cache!r}")
    schedule = schedule_for(options.profile, options.threads, options.max_memory_mb)
    providers = resolve_providers(options.providers)
    variant = choose_variant(bundle.manifest.text, options.variant, providers[0][0])

    def opened() -> Engine:
        return open_engine(
            bundle,
            variant,
            providers=providers,
            schedule=schedule,
            check="size" if options.verify == "size" else "hash",
        )

    return variant, EngineHandle(opened)
