"""From the fastest recipe to the most faithful one, until the budget is met."""

from collections.abc import Callable, Iterator

from edgeembed_converters.quantization.budget import Budget
from edgeembed_converters.quantization.int8 import Bits, Int8Maker, Int8Recipe
from edgeembed_converters.quantization.subject import Subject, Trial

# The paper's strength of 0.5 is worse than none where scales are dynamic (docs/quantization.md).
_STRENGTHS = (None, 0.7, 0.75, 0.8)
# Shares of the layers that get a second pass, when all of that is not enough.
_SHARES = (1 / 12, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1)

OnTrial = Callable[[str], None]


class Int8Search:
    """Tries int8 recipes on one model; each once, however many budgets are asked for."""

    def __init__(self, subject: Subject, on_trial: OnTrial) -> None:
        """Read the model; `on_trial` hears the name of every recipe before it is tried."""
        self._subject = subject
        self._maker = Int8Maker(subject)
        self._on_trial = on_trial
        self._trials: dict[Int8Recipe, Trial] = {}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Everything that was tried, in order."""
        return tuple(self._trials.values())

    def fastest_within(self, budget: Budget, bits: Bits) -> Trial | None:
        """The first recipe, from fast to faithful, that meets the budget; None if none does."""
        met = (trial for trial in self._ladder(bits) if not budget.misses(trial.fidelity))
        return next(met, None)

    def _ladder(self, bits: Bits) -> Iterator[Trial]:
        smoothings = {
            strength: self._trial(Int8Recipe(bits=bits, smoothing=strength))
            for strength in (_STRENGTHS if self._maker.layers else _STRENGTHS[:1])
        }
        # They are equally fast, so that the most faithful one counts.
        best = max(smoothings, key=lambda s: smoothings[s].fidelity.mean_cosine)
        yield smoothings[best]
        counts = dict.fromkeys(max(1, round(share * self._maker.layers)) for share in _SHARES)
        for count in counts if self._maker.layers else ():
            yield self._trial(Int8Recipe(bits=bits, smoothing=best, residual_layers=count))

    def _trial(self, recipe: Int8Recipe) -> Trial:
        if recipe not in self._trials:
            self._on_trial(recipe.name)
            model = self._maker.make(recipe)
            self._trials[recipe] = Trial(
                recipe=recipe.name,
                model=model,
                requires=recipe.requires,
                padding=self._maker.padding,
                fidelity=self._subject.fidelity(model),
                speedup=self._subject.speedup(model),
            )
        return self._trials[recipe]


def pareto_front(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """The trials than which no other is both faster and closer (by mean cosine), fastest first."""
    ordered = sorted(trials, key=lambda t: (-t.speedup, -t.fidelity.mean_cosine))
    front: list[Trial] = []
    for trial in ordered:
        if not front or trial.fidelity.mean_cosine > front[-1].fidelity.mean_cosine:
            front.append(trial)
    return tuple(front)
