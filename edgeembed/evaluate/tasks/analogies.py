"""Analogies: a is to b as c is to ?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.datasets.word_lists import Question, is_analogies, read_analogies
from edgeembed.evaluate.models.model import Model, Vectors
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint, known, left_out
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import normalize

# As in gensim: a large vocabulary is truncated to its first words, the most frequent ones.
MAX_WORDS = 300_000
_QUESTIONS_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class Analogies:
    """Accuracy of 3CosAdd: the word nearest to b - a + c, these excluded; rows: section, 0 or 1.

    Words are compared case-insensitively. The vocabulary is the model's own, or, for a model
    that takes any text, the words of the questions. Source: Mikolov, Yih & Zweig, NAACL 2013.
    """

    name: str
    questions: tuple[Question, ...]
    kind = "analogies"
    metric = "accuracy"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.questions)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding the vocabulary")
        words, vectors = self._vocabulary(model)
        rows = {word: row for row, word in enumerate(words)}
        asked = [[rows.get(word.lower(), -1) for word in q.words] for q in self.questions]
        places = np.array(asked)
        answerable = np.flatnonzero((places >= 0).all(axis=1))
        sections = {name: number for number, name in enumerate(self._sections())}
        values = np.full((len(places), 2), np.nan)
        values[:, 0] = [sections[question.section] for question in self.questions]
        on_step(f"{self.name}: answering {len(answerable)} questions")
        unit = normalize(vectors)
        for start in range(0, len(answerable), _QUESTIONS_AT_ONCE):
            chosen = answerable[start : start + _QUESTIONS_AT_ONCE]
            answers = _answers(unit, places[chosen, :3])
            values[chosen, 1] = answers == places[chosen, 3]
        if not len(answerable):
            raise InputError(f"{self.name}: {model.name} knows the words of no question")
        return Observed(values=values, notes=left_out(values, "questions have unknown words"))

    def score(self, values: Values) -> float:
        """See `Task`."""
        rows = known(values)
        return 100 * float(rows[:, 1].mean()) if len(rows) else float("nan")

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`; the accuracy of each section."""
        rows = known(values)
        chosen = {name: rows[rows[:, 0] == n, 1] for n, name in enumerate(self._sections())}
        return {name: 100 * float(right.mean()) for name, right in chosen.items() if len(right)}

    def _sections(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(question.section for question in self.questions))

    def _vocabulary(self, model: Model) -> tuple[Sequence[str], Vectors]:
        """Distinct lower-case words, and the vector of the first spelling of each."""
        own = model.vocabulary()
        words = own[:MAX_WORDS] if own else [word for q in self.questions for word in q.words]
        first: dict[str, str] = {}
        for word in words:
            first.setdefault(word.lower(), word)
        return tuple(first), model.encode(tuple(first.values()), "plain")


@register_task("analogies", matches_path=is_analogies)
def open_analogies(source: TaskSource) -> Analogies:
    """Open questions of four words a line."""
    return Analogies(name=source.path.stem, questions=read_analogies(source.path))


def _answers(unit: Vectors, asked: NDArray[np.intp]) -> NDArray[np.intp]:
    a, b, c = (unit[asked[:, position]] for position in range(3))
    scores = (b - a + c) @ unit.T
    np.put_along_axis(scores, asked, -np.inf, axis=1)
    return scores.argmax(axis=1)
