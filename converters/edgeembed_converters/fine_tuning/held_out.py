"""Hold out a part of the examples, none of whose anchors and positives is trained on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_converters.fine_tuning.examples import Examples, TrainingExample
from edgeembed_runtime.errors import InputError

MIN_PART = 2
_SHARE = 10
_WAY_OUT = "give more examples, or other examples to measure on"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Examples to train on, and others to measure on."""

    train: tuple[TrainingExample, ...]
    held_out: tuple[TrainingExample, ...]


def parts_of(examples: Examples, evaluate_on: Examples | None, held_out: int, seed: int) -> Parts:
    """Hold out at most `held_out` examples and about a tenth, or take `evaluate_on` for them.

    Examples that share an anchor or a positive, however far around, are held out together: what
    was trained on would be measured otherwise.

    Raises:
        InputError: there are too few examples, or all hang together.
    """
    if evaluate_on is not None:
        _require(len(examples.items), MIN_PART, "examples")
        _require(len(evaluate_on.items), MIN_PART, "evaluate_on")
        if evaluate_on.kind != examples.kind:
            raise InputError(
                f"evaluate_on: expected {examples.kind}, as the examples to train on are, got "
                f"{evaluate_on.kind}"
            )
        return Parts(train=examples.items, held_out=evaluate_on.items)
    if held_out < MIN_PART:
        raise InputError(f"held_out: expected at least {MIN_PART} examples, got {held_out}")
    _require(len(examples.items), 2 * MIN_PART, "examples")
    wanted = max(MIN_PART, min(held_out, len(examples.items) // _SHARE))
    groups = _groups(examples.items)
    taken: set[int] = set()
    for number in np.random.default_rng(seed).permutation(len(groups)).tolist():
        if len(taken) + len(groups[number]) <= wanted:
            taken.update(groups[number])
    if len(taken) < MIN_PART:
        raise InputError(
            f"examples: expected {wanted} of {len(examples.items)} to hold out that share no text "
            f"with the others, found {len(taken)}; {_WAY_OUT}"
        )
    numbered = tuple(enumerate(examples.items))
    return Parts(
        train=tuple(item for number, item in numbered if number not in taken),
        held_out=tuple(item for number, item in numbered if number in taken),
    )


def _require(found: int, least: int, what: str) -> None:
    if found < least:
        raise InputError(
            f"{what}: expected at least {least} different ones, got {found}; {_WAY_OUT}"
        )


def _groups(items: Sequence[TrainingExample]) -> list[list[int]]:
    """The numbers of examples that hang together by anchors and positives."""
    above: dict[str, str] = {}

    def top(text: str) -> str:
        while (upper := above.setdefault(text, text)) != text:
            above[text] = above[upper]
            text = above[text]
        return text

    for item in items:
        above[top(item.positive)] = top(item.anchor)
    groups: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        groups[top(item.anchor)].append(number)
    return list(groups.values())
