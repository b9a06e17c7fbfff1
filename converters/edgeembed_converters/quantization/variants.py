"""The variants that can be asked for by name, each through its gate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from edgeembed_converters.quantization.recipes.half import half_precision
from edgeembed_converters.quantization.search import Int8Search
from edgeembed_converters.quantization.trial.bits import Bits
from edgeembed_converters.quantization.trial.budget import FAITHFUL, Budget
from edgeembed_converters.quantization.trial.subject import Made, Subject, Trial
from edgeembed_runtime.engine.cpu import cpu_features
from edgeembed_runtime.errors import InputError

Quantization = Literal["int8", "int8-faithful", "int8-portable", "fp16"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
OnStep = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of the variants that were asked for.

    `made` and `refused` (why, in words) are by variant name; `trials` is every recipe tried.
    """

    made: Mapping[str, Made]
    refused: Mapping[str, str]
    trials: tuple[Trial, ...]


def checked_quantizations(
    wanted: Quantization | Sequence[Quantization] | None,
) -> tuple[Quantization, ...]:
    """The names asked for, each once, in the order in which they were first named.

    Raises:
        InputError: there is no such variant.
    """
    names = () if wanted is None else (wanted,) if isinstance(wanted, str) else tuple(wanted)
    for name in names:
        if name not in QUANTIZATIONS:
            raise InputError(f"quantize: expected {', '.join(QUANTIZATIONS)} or None, got {name!r}")
    return tuple(dict.fromkeys(names))


def make_variants(
    subject: Subject,
    wanted: Sequence[Quantization],
    budget: Budget,
    on_step: OnStep,
) -> Outcome:
    """Make the variants that are wanted; those that miss their budget are refused.

    `budget` is for "int8" and "int8-portable"; "int8-faithful" has one of its own.

    Raises:
        ConversionError: the graph cannot be quantized.
    """
    made: dict[str, Made] = {}
    refused: dict[str, str] = {}
    trials: list[Trial] = []
    if "fp16" in wanted:
        on_step("Converting to fp16")
        made["fp16"] = half_precision(subject)
        trials.append(made["fp16"])
    int8 = [name for name in wanted if name != "fp16"]
    if int8:
        search = Int8Search(subject, lambda recipe: on_step(f"Trying {recipe}"))
        for name in int8:
            asked = FAITHFUL if name == "int8-faithful" else budget
            found = search.fastest_within(asked, 7 if name == "int8-portable" else _widest())
            if found is None:
                refused[name] = _why(asked, search.trials)
            else:
                made[name] = found
        trials += search.trials
    return Outcome(
        made={name: made[name] for name in wanted if name in made},
        refused=refused,
        trials=tuple(trials),
    )


def _widest() -> Bits:
    """The width of weights that this processor multiplies rightly, and can be measured here."""
    return 8 if {"vnni", "neon"} & cpu_features() else 7


def _why(budget: Budget, trials: Sequence[Trial]) -> str:
    # Others, for another width of weights, may have met it.
    missed = [trial for trial in trials if budget.misses(trial.fidelity)]
    closest = max(missed, key=lambda trial: trial.fidelity.mean_cosine)
    return (
        f"none of {len(missed)} recipes meets the budget; the closest ({closest.recipe}) has "
        f"{', '.join(budget.misses(closest.fidelity))}: use fp32, or a wider budget"
    )
