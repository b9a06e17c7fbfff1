"""What a model is fine-tuned on: pairs, triplets and scored pairs of texts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError

ExampleKind = Literal["pairs", "triplets", "scored pairs"]


@public
@dataclass(frozen=True, kw_only=True)
class TrainingExample:
    """Two texts that belong together, or two texts and how similar they are.

    `anchor` is what people type, `positive` what they should find; `negatives` are texts that they
    should not find, though they look like it. With a `score` from -1 to 1, a cosine, `positive`
    may be any text. `place` says where the example comes from, for messages.
    """

    anchor: str
    positive: str
    negatives: tuple[str, ...] = ()
    score: float | None = None
    place: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Examples of one kind that were checked."""

    kind: ExampleKind
    items: tuple[TrainingExample, ...]


def checked_examples(examples: Iterable[TrainingExample], what: str) -> Examples:
    """Check examples, of which all must be of one kind; `what` names them in messages.

    An example that comes again is left out.

    Raises:
        InputError: there are none, one is damaged, or they are of several kinds.
    """
    items: list[TrainingExample] = []
    for number, item in enumerate(examples):
        if not isinstance(cast(object, item), TrainingExample):
            raise InputError(
                f"{what}[{number}]: expected a TrainingExample, got {type(item).__name__}"
            )
        _check(item, item.place or f"{what}[{number}]")
        items.append(item)
    if not items:
        raise InputError(f"{what}: expected pairs of texts, got none")
    first = _kind(items[0])
    for number, item in enumerate(items):
        if _kind(item) != first:
            raise InputError(
                f"{item.place or f'{what}[{number}]'}: expected {first}, as the examples before, "
                f"got one of {_kind(item)}; train on one kind at a time"
            )
    return Examples(kind=first, items=tuple(dict.fromkeys(items)))


def _kind(item: TrainingExample) -> ExampleKind:
    if item.score is not None:
        return "scored pairs"
    return "triplets" if item.negatives else "pairs"


def _check(item: TrainingExample, place: str) -> None:
    if not isinstance(cast(object, item.negatives), tuple):
        raise InputError(
            f"{place}: negatives: expected a tuple of texts, got {type(item.negatives).__name__}"
        )
    _check_text(item.anchor, place, "anchor")
    _check_text(item.positive, place, "positive")
    for text in item.negatives:
        _check_text(text, place, "negative")
        if text == item.positive:
            raise InputError(f"{place}: expected a negative that differs from the positive")
    _check_score(item.score, place)
    if item.score is not None and item.negatives:
        raise InputError(f"{place}: expected a score or negatives, got both")


def _check_text(text: object, place: str, name: str) -> None:
    if not isinstance(text, str):
        raise InputError(f"{place}: expected a text in {name!r}, got {text!r:.80}")
    if not text.strip():
        raise InputError(f"{place}: expected a text in {name!r}, got an empty one")


def _check_score(score: object, place: str) -> None:
    if score is None:
        return
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise InputError(f"{place}: expected a number in 'score', got {score!r:.80}")
    if not -1 <= score <= 1:
        raise InputError(
            f"{place}: expected a score from -1 to 1, as a cosine is, got {score:g}; divide all "
            "scores by the largest possible one"
        )


def texts_of(items: Sequence[TrainingExample]) -> list[str]:
    """All texts of examples, with duplicates."""
    return [t for item in items for t in (item.anchor, item.positive, *item.negatives)]
