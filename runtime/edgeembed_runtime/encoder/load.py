"""Loading a bundle: choosing a variant and opening an engine for each tower."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar, cast, get_args

from edgeembed_runtime._internal.limited_process import LimitedProcessError, Limits, run_limited
from edgeembed_runtime.arguments import checked_choice, checked_unicode, shown
from edgeembed_runtime.bundle import Bundle, Modality, Variant
from edgeembed_runtime.bundle.manifest_json import manifest_to_json
from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.image import ImageEncoder
from edgeembed_runtime.encoder.text import TextEncoder
from edgeembed_runtime.engine.open import EngineSpec, open_image_engine, open_text_engine
from edgeembed_runtime.engine.providers import Provider, resolve_providers
from edgeembed_runtime.engine.schedule import Profile, schedule_for
from edgeembed_runtime.engine.variants import ranked_variants
from edgeembed_runtime.errors import BundleCorruptError, BundleUnsafeError, InputError
from edgeembed_runtime.storage import sha256_of

Verify = Literal["size", "hash", "golden", "isolated"]
"""What to verify when a bundle is loaded; see `Encoder.load`."""
VERIFICATIONS: tuple[Verify, ...] = get_args(Verify)
Tower = TypeVar("Tower", TextEncoder, ImageEncoder)


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The options of `Encoder.load`.

    `proven` maps each modality to the variant that passed its golden inputs on this machine.
    `isolated` says that the bundle was used in a process of its own, or that this is that process.
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
    isolated: bool = False

    def validate(self, modalities: Sequence[Modality]) -> None:
        """Check the options for a bundle with these modalities.

        Raises:
            InputError: one is unknown.
        """
        checked_choice(self.verify, VERIFICATIONS, "verify")
        checked_unicode(self.variant, "variant")
        if not isinstance(cast(object, self.cache), EmbeddingCache | None):
            raise InputError(f"cache: expected an EmbeddingCache, got {shown(self.cache)}")
        wanted = cast(object, self.modalities)
        if wanted is None:
            return
        if not isinstance(wanted, list | tuple | set | frozenset) or not wanted:
            raise InputError(
                f"modalities: expected some of {', '.join(modalities)}, got {shown(wanted)}"
            )
        for modality in cast("Sequence[object]", wanted):
            checked_choice(modality, tuple(modalities), "modalities")

    def with_proven(self, variants: Mapping[Modality, str]) -> "LoadOptions":
        """Return options that load the same variants without running the golden inputs again."""
        return replace(self, proven=variants) if self.verify == "golden" else self


def load_towers(
    bundle: Bundle, options: LoadOptions
) -> tuple[TextEncoder | None, ImageEncoder | None]:
    """Choose a variant for each requested tower and open its engine, verified as requested.

    Raises:
        BundleError: the bundle is damaged or unsafe, or no variant passes its golden inputs here.
        ProviderError: a provider did not load.
        InputError: an option is invalid.
    """
    available = bundle.manifest.modalities
    options.validate(available)
    if options.verify == "isolated":
        options = _proven_in_isolation(bundle, options)
    wanted = available if options.modalities is None else options.modalities
    make_spec = partial(
        EngineSpec,
        bundle=bundle,
        providers=resolve_providers(options.providers),
        schedule=schedule_for(options.profile, options.threads, options.max_memory_mb),
        check="size" if options.verify == "size" else "hash",
        proven=options.isolated,
    )

    def open_text(variant: Variant) -> TextEncoder:
        spec = make_spec(variant=variant)
        return TextEncoder(bundle, variant, lambda: open_text_engine(spec), options.cache)

    def open_image(variant: Variant) -> ImageEncoder:
        spec = make_spec(variant=variant)
        return ImageEncoder(bundle, variant, lambda: open_image_engine(spec))

    text = _load_tower(bundle, options, "text", open_text) if "text" in wanted else None
    try:
        image = _load_tower(bundle, options, "image", open_image) if "image" in wanted else None
    except BaseException:
        if text is not None:
            text.close()
        raise
    return text, image


def _proven_in_isolation(bundle: Bundle, options: LoadOptions) -> LoadOptions:
    """Load and use the bundle in a child process under limits; return options to load it here."""
    task = {
        "path": str(bundle.path),
        "variant": options.variant,
        "modalities": None if options.modalities is None else list(options.modalities),
    }
    size = sum(entry.bytes for entry in bundle.manifest.files.values())
    try:
        found = run_limited(f"{__name__}:prove", json.dumps(task), Limits.for_bytes(size))
    except LimitedProcessError as error:
        raise BundleUnsafeError(
            f"bundle {bundle.path}: expected it to load and to encode its own golden inputs in a "
            f"process of its own, found: {error}; do not use this bundle"
        ) from error
    if found != _fingerprint(bundle):
        raise BundleCorruptError(f"bundle {bundle.path}: it changed meanwhile; load it again")
    return replace(options, verify="hash", isolated=True)


def prove(task: str) -> str:
    """Load the bundle of a task, encode its golden inputs; return which bundle it was.

    Raises:
        EdgeEmbedError: it does not load, or not work.
    """
    given = json.loads(task)
    bundle = Bundle.open(Path(given["path"]))
    options = LoadOptions(
        variant=given["variant"], modalities=given["modalities"], threads=1, isolated=True
    )
    for tower in load_towers(bundle, options):
        if tower is not None:
            result = tower.self_test()
            if not result.ok:
                raise BundleCorruptError(
                    f"variant {result.variant}: expected golden cosines of at least "
                    f"{result.expected_min_cosine:.6f}, found {result.min_cosine:.6f}"
                )
    return _fingerprint(bundle)


def _fingerprint(bundle: Bundle) -> str:
    return sha256_of(manifest_to_json(bundle.manifest))


def _load_tower(
    bundle: Bundle,
    options: LoadOptions,
    modality: Modality,
    open_tower: Callable[[Variant], Tower],
) -> Tower:
    proven = options.proven.get(modality)
    ranked = _ranked(bundle, modality, proven or options.variant, options.providers)
    if options.verify != "golden" or proven is not None:
        return open_tower(ranked[0])
    return _first_proven(bundle, ranked, open_tower)


def _ranked(
    bundle: Bundle, modality: Modality, name: str, providers: Sequence[Provider] | None
) -> tuple[Variant, ...]:
    """Return the variants to try, best first; only one if it was named.

    A tower that lacks the named variant uses its first one if another tower has it.
    """
    tower = bundle.manifest.towers[modality]
    others = bundle.manifest.towers.values()
    if tower.variant(name) is None and any(other.variant(name) for other in others):
        return tower.variants[:1]
    return ranked_variants(tower, name, resolve_providers(providers)[0][0])


def _first_proven(
    bundle: Bundle, ranked: Sequence[Variant], open_tower: Callable[[Variant], Tower]
) -> Tower:
    """Open the first variant that reproduces its golden vectors on this machine."""
    failures: list[str] = []
    for variant in ranked:
        tower = open_tower(variant)
        if (result := tower.self_test()).ok:
            if failures:
                warnings.warn(
                    f"bundle {bundle.path}: {'; '.join(failures)}; using {variant.name}, which "
                    "passes",
                    stacklevel=6,
                )
            return tower
        tower.close()
        failures.append(
            f"variant {variant.name}: expected golden cosines of at least "
            f"{result.expected_min_cosine:.6f} on this machine, found {result.min_cosine:.6f}"
        )
    raise BundleCorruptError(
        f"bundle {bundle.path}: {'; '.join(failures)}; try another variant, or convert again"
    )
