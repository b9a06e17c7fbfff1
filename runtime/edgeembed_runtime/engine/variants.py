"""Which of a bundle's variants this machine should run."""

from edgeembed_runtime.bundle.towers import Tower, Variant
from edgeembed_runtime.engine.cpu import cpu_features
from edgeembed_runtime.engine.providers import CPU, short_name
from edgeembed_runtime.errors import InputError


def choose_variant(tower: Tower, wanted: str, provider: str) -> Variant:
    """The variant named `wanted`, or for "auto" the first of `ranked_variants`.

    Raises:
        InputError: no such variant, or none that suits this machine.
    """
    return ranked_variants(tower, wanted, provider)[0]


def ranked_variants(tower: Tower, wanted: str, provider: str) -> tuple[Variant, ...]:
    """The variant named `wanted`, or for "auto" all that suit the first provider, the best first.

    On the CPU the best is the one with the highest measured speed-up among those whose `requires`
    this processor meets. Other providers get a variant that was made for them, such as fp16 for
    CUDA, or else the most faithful one: int8 graphs are made for CPUs.

    Raises:
        InputError: no such variant, or none that suits this machine.
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
        place = f"this processor ({features})" if provider == CPU else provider
        raise InputError(f"variant: none of {names} suits {place}; name one to force it")
    if provider == CPU:
        return tuple(sorted(suitable, key=lambda v: v.speedup, reverse=True))
    return tuple(
        sorted(suitable, key=lambda v: (bool(v.requires), v.fidelity.mean_cosine), reverse=True)
    )


def suits(variant: Variant, provider: str) -> bool:
    """Whether the variant is made for any machine, or for this processor or provider."""
    if not variant.padding and provider != CPU:
        return False
    here = cpu_features() if provider == CPU else {short_name(provider)}
    return not variant.requires or not here.isdisjoint(variant.requires)
