"""Facts that people look for in their own files, each with a question in other words.

A template of facts.tsv has a sentence and a question about {who}, whose answer is {what}, and a
context. The same fact about others stands in other files, so that the topic alone does not give the
answer away.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from random import Random

_SUBJECTS = {
    "places": (
        "Elm Cottage",
        "Harbor Street",
        "Mill Lane",
        "the Old Bakery",
        "Pine Lodge",
        "Station Road",
        "Hill House",
        "the Studio",
        "Church Row",
        "Lake Cabin",
    ),
    "people": (
        "Anna Berg",
        "Tomas Novak",
        "Leila Haddad",
        "Kenji Mori",
        "Grace Okafor",
        "Pablo Ruiz",
        "Ingrid Dahl",
        "Samuel Cohen",
        "Mei Lin",
        "Olga Petrova",
    ),
    "towns": (
        "Lisbon",
        "Bergen",
        "Kyoto",
        "Marrakesh",
        "Quito",
        "Tallinn",
        "Palermo",
        "Galway",
        "Hanoi",
        "Zagreb",
    ),
    "firms": (
        "Norden Logistics",
        "Bluefin Foods",
        "Acme Tools",
        "Sunrise Textiles",
        "Vega Optics",
        "Delta Printing",
        "Orion Paper",
        "Kestrel Motors",
        "Amber Glass",
        "Polar Ice",
    ),
    "dishes": (
        "the plum cake",
        "the lentil stew",
        "the rye bread",
        "the fish pie",
        "the apple strudel",
        "the lamb tagine",
        "the onion tart",
        "the nut roast",
        "the cheese scones",
        "the pumpkin soup",
    ),
    "things": (
        "dishwasher",
        "electric drill",
        "telescope",
        "sewing machine",
        "record player",
        "lawn mower",
        "coffee grinder",
        "film camera",
        "kitchen scale",
        "bicycle computer",
    ),
}
_SYLLABLES = tuple(
    "bacedifoguhajekilomunaperisotuvawexiyozu"[at : at + 2] for at in range(0, 40, 2)
)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A sentence with an answer that stands nowhere else, and the question that it answers."""

    topic: str
    context: str
    """What stands before it: about the same, without the answer."""
    sentence: str
    question: str
    answer: str


def all_facts(seed: int = 0) -> list[Fact]:
    """Ten facts for each template, in an order that has nothing to do with them."""
    rng = Random(seed)
    facts: list[Fact] = []
    with Path(__file__).with_name("facts.tsv").open(encoding="utf-8", newline="") as file:
        for template in csv.DictReader(file, delimiter="\t"):
            for subject in _SUBJECTS[template["subjects"]]:
                answer = _answer(rng, len(facts))
                sentence = template["sentence"].format(who=subject, what=answer)
                facts.append(
                    Fact(
                        topic=template["topic"],
                        context=template["context"].format(who=subject),
                        sentence=sentence[:1].upper() + sentence[1:],
                        question=template["question"].format(who=subject),
                        answer=answer,
                    )
                )
    rng.shuffle(facts)
    return facts


def _answer(rng: Random, number: int) -> str:
    """A name that cannot be guessed from the question, and is no other fact's."""
    return "".join(rng.choices(_SYLLABLES, k=3)).capitalize() + f" {number + 11}"
