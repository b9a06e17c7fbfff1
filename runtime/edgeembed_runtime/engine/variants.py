"""Choosing the best of a bundle's variants for this machine."""

from edgeembed_runtime.bundle.towers import Tower, Variant
from edgeembed_runtime.engine.cpu import cpu_features
from edgeembed_runtime.engine.providers import CPU, short_name
from edgeembed_runtime.errors import InputError


def choose_variant(tower: Tower, wanted: str, provider: str) -> Variant:
    """Return the variant named `wanted`, or for "auto" the first of `ranked_variants`.

    Raises:
        InputError: there is no such variant, or none suits this machine.
    """
    return ranked_variants(tower, wanted, provider)[0]


def ranked_variants(tower: Tower, wanted: str, provider: str) -> tuple[Variant, ...]:
    """Return the variant named `wanted`, or for "auto" all that suit the provider, best first.

    On the CPU, the best is the one with the highest measured speedup whose `requires` this CPU
    meets. Other providers get a variant made for them, such as fp16 for CUDA, or else the one with
    the highest fidelity, because int8 graphs are made for CPUs.

    Raises:
        InputError: there is no such variant, or none suits this machine.
    """
    names = ", ".join(variant.name for variant in tower.variants)
    if wanted != "auto":
        variant = tower.variant(wanted)
        if variant is None:
            raise InputError(f"variant: expected auto or one of {names}, got {wanted!r}")
        return (variant,)
    suitable = [variant for variant in tower.variants if suits(variant, provider)]
    if not suitable:
        features = ", ".join(sorted(cpu_features())) or "unknown"
        target = f"this CPU ({features})" if provider == CPU else provider
        raise InputError(f"variant: none of {names} suits {target}; name one to force it")
    if provider == CPU:
        return tuple(sorted(suitable, key=lambda v: v.speedup, reverse=True))
    return tuple(
        sorted(suitable, key=lambda v: (bool(v.requires), v.fidelity.mean_cosine), reverse=True)
    )


def suits(variant: Variant, provider: str) -> bool:
    """Return whether the variant can run on any machine, or on this CPU or provider."""
    if not variant.padding and provider != CPU:
        return False
    here = cpu_features() if provider == CPU else {short_name(provider)}
    return not variant.requires or not here.isdisjoint(variant.requires)
