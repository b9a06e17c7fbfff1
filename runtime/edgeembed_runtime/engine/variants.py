"""Which of a bundle's variants this machine should run."""

from edgeembed_runtime.bundle.manifest import TextTower, Variant
from edgeembed_runtime.engine.cpu import cpu_features
from edgeembed_runtime.engine.session import CPU
from edgeembed_runtime.errors import InputError


def choose_variant(tower: TextTower, wanted: str, first_provider: str) -> Variant:
    """The variant named `wanted`, or for "auto" the fastest that suits this machine.

    On the CPU that is the highest measured speed-up among those whose `requires` this processor
    meets. Other providers get the most faithful one: int8 graphs are made for CPUs.

    Raises:
        InputError: no such variant, or none that suits this machine.
    """
    names = ", ".join(variant.name for variant in tower.variants)
    if wanted != "auto":
        variant = tower.variant(wanted)
        if variant is None:
            raise InputError(f"variant: expected auto or one of {names}, got {wanted!r}")
        return variant
    if first_provider != CPU:
        return max(tower.variants, key=lambda variant: variant.fidelity.mean_cosine)
    suitable = [variant for variant in tower.variants if runs_well_here(variant)]
    if not suitable:
        raise InputError(
            f"variant: none of {names} suits this processor "
            f"({', '.join(sorted(cpu_features())) or 'unknown'}); name one to force it"
        )
    return max(suitable, key=lambda variant: variant.speedup)


def runs_well_here(variant: Variant) -> bool:
    """Whether this processor has one of the features that the variant requires (or it has none)."""
    return not variant.requires or not cpu_features().isdisjoint(variant.requires)
