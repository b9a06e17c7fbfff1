"""The recipes that variants can be asked for by name: the built-in ones, and registered ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast, get_args

from edgeembed_converters.quantization.recipes.fp16 import half_precision
from edgeembed_converters.quantization.search import Recipe, Search
from edgeembed_converters.quantization.trial.bits import Bits, max_exact_bits
from edgeembed_converters.quantization.trial.budget import FAITHFUL, Budget
from edgeembed_converters.quantization.trial.candidate import Candidate
from edgeembed_runtime.errors import InputError

Quantization = Literal["int8", "int8-faithful", "int8-portable", "fp16"]
# Not quantized, or not a variant.
_TAKEN = ("fp32", "auto")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class Int8:
    """int8 for CPUs: the fastest candidate that meets the budget."""

    name: str
    bits: Bits | None = None
    """The width of weights; by default what this machine multiplies exactly."""
    fixed_gate: Budget | None = None
    """A gate that replaces the user's budget."""
    needs_calibration: bool = True
    least_share: ClassVar[float] = 1 / 4

    def gate(self, budget: Budget) -> Budget:
        """The recipe's own gate, or the user's budget."""
        return self.fixed_gate or budget

    def fastest(self, search: Search) -> Sequence[Candidate]:
        """One candidate per way to scale activations."""
        return search.int8.fastest(self.bits or max_exact_bits())


@dataclass(frozen=True, kw_only=True)
class HalfPrecision:
    """fp16 for GPUs and Apple's accelerators."""

    name: str = "fp16"
    needs_calibration: bool = False
    least_share: ClassVar[float] = 1 / 2

    def gate(self, budget: Budget) -> Budget:
        """Nearly the original's vectors, whatever the budget."""
        del budget
        return FAITHFUL

    def fastest(self, search: Search) -> Sequence[Candidate]:
        """The only candidate."""
        return [half_precision(search.baseline)]


_BUILT_IN: tuple[Recipe, ...] = (
    Int8(name="int8"),
    Int8(name="int8-faithful", fixed_gate=FAITHFUL),
    Int8(name="int8-portable", bits=7),
    HalfPrecision(),
)
assert tuple(recipe.name for recipe in _BUILT_IN) == get_args(Quantization)
_registered: list[Recipe] = []


def register_recipe(recipe: Recipe) -> None:
    """Let `convert` and `quantize` make variants by a recipe of your own, asked for by its name.

    Raises:
        InputError: the recipe lacks a part of the protocol, or its name is invalid or taken.
    """
    name = cast(object, getattr(recipe, "name", None))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"recipe: expected a name of lowercase letters, digits and hyphens, got {name!r}"
        )
    if name in (*_TAKEN, *recipe_names()):
        raise InputError(f"recipe {name!r}: expected a name that is not taken yet; choose another")
    if not isinstance(cast(object, getattr(recipe, "needs_calibration", None)), bool):
        raise InputError(f"recipe {name!r}: expected needs_calibration to be True or False")
    for method in ("gate", "fastest"):
        if not callable(getattr(recipe, method, None)):
            raise InputError(f"recipe {name!r}: expected a method {method}(), found none")
    _registered.append(recipe)


def recipe_names() -> tuple[str, ...]:
    """Every name that can be asked for."""
    return tuple(recipe.name for recipe in (*_BUILT_IN, *_registered))


def recipe_named(name: str) -> Recipe:
    """The recipe for a name that `checked_quantizations` accepted."""
    return next(recipe for recipe in (*_BUILT_IN, *_registered) if recipe.name == name)


def checked_quantizations(
    wanted: Quantization | str | Sequence[Quantization | str] | None,
) -> tuple[str, ...]:
    """The names asked for, without duplicates, in the order given.

    Raises:
        InputError: there is no such recipe.
    """
    names = () if wanted is None else (wanted,) if isinstance(wanted, str) else tuple(wanted)
    known = recipe_names()
    for name in names:
        if name not in known:
            raise InputError(f"quantize: expected {', '.join(known)} or None, got {name!r}")
    return tuple(dict.fromkeys(names))


def least_share(name: str) -> float:
    """The share of fp32's bytes that a recipe's models take at least; 0 if that is unknown."""
    recipe = recipe_named(name)
    return recipe.least_share if isinstance(recipe, Int8 | HalfPrecision) else 0


def needs_calibration(names: Sequence[str]) -> bool:
    """Whether any of these recipes reads calibration inputs."""
    return any(recipe_named(name).needs_calibration for name in names)
