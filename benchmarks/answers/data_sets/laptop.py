"""A folder as on a laptop: notes, mail, recipes, logs, code and tables, made with a seed.

The files that are asked for stand among about 570 others of the same kinds, whose texts are put
together from lists of words, so that words alone do not give an answer away.
"""

import random
from collections.abc import Callable

from benchmarks.answers.data_sets.data_set import DataSet, Document, passage
from benchmarks.answers.data_sets.laptop_answers import ANSWERS


def _words(text: str) -> list[str]:
    return text.split()


_PEOPLE = _words("Ana Tom Yusuf Iris Petra Marta Leo Jo Ravi Chen Olga Sam Nadia Felix Rosa")
_ROOMS = _words("kitchen bathroom hallway cellar attic balcony bedroom garage study garden")
_THINGS = _words("lamp shelf tap curtain carpet mirror drawer door window radiator socket chair")
_CITIES = _words("Oslo Vienna Porto Krakow Ghent Turin Bilbao Zagreb Leipzig Cork Tartu Bergen")
_DISHES = _words("soup stew salad gratin curry pie risotto omelette pancakes dumplings casserole")
_VEGETABLES = _words("carrots leeks pumpkin spinach beetroot mushrooms cabbage peas fennel turnips")
_SPICES = _words("thyme paprika nutmeg ginger sage cinnamon dill saffron caraway rosemary")
_SYSTEMS = _words("billing search checkout mailer exporter scheduler gateway crawler archive auth")
_PROBLEMS = (
    "times out",
    "uses too much memory",
    "shows an old value",
    "fails after the update",
    "is slow on Mondays",
    "ignores the time zone",
    "prints a warning",
    "sends two mails",
)
_VERBS = _words("parse merge sort filter count group split join load save check format")
_NOUNS = _words("rows words dates files users orders pages lines colors items points images")


def laptop(*, others: int = 568, seed: int = 11) -> DataSet:
    """The folder, and the questions of `laptop_answers`, each answered by one file."""
    draw = random.Random(seed)
    documents = [passage(path, text) for path, text, _ in ANSWERS]
    documents += [_MAKERS[number % len(_MAKERS)](draw, number) for number in range(others)]
    draw.shuffle(documents)
    asked = [(question, path) for path, _, questions in ANSWERS for question in questions]
    return DataSet(
        name="laptop",
        kind="files",
        documents=tuple(documents),
        queries={question: question for question, _ in asked},
        gains={question: {path: 1.0} for question, path in asked},
    )


def _note(draw: random.Random, number: int) -> Document:
    room, thing, other = draw.choice(_ROOMS), draw.choice(_THINGS), draw.choice(_THINGS)
    lines = [
        f"The {thing} in the {room} is loose; {draw.choice(_PEOPLE)} has the right screws.",
        f"Measured the {room}: {draw.randint(180, 420)} by {draw.randint(150, 390)} cm.",
        f"Buy a new {other} on {draw.randint(1, 28)} {draw.choice(['May', 'July', 'October'])}.",
        f"{draw.choice(_PEOPLE)} will help to carry the {other} to the {draw.choice(_ROOMS)}.",
    ]
    draw.shuffle(lines)
    return passage(f"Notes/Lists/{room}-{number}.md", f"# {room}, {thing}\n\n" + "\n".join(lines))


def _journey(draw: random.Random, number: int) -> Document:
    city, friend = draw.choice(_CITIES), draw.choice(_PEOPLE)
    text = (
        f"{city} with {friend}. Train at {draw.randint(5, 21)}:{draw.randint(10, 59)}, seat "
        f"{draw.randint(11, 98)}. We walked along the river, saw an exhibition of old maps, and "
        f"ate {draw.choice(_DISHES)} near the station. It rained for {draw.randint(1, 5)} hours. "
        f"Next time rather {draw.choice(_CITIES)}."
    )
    return passage(f"Notes/Diary/{city.lower()}-{number}.txt", text)


def _mail(draw: random.Random, number: int) -> Document:
    sender, friend = draw.choice(_PEOPLE), draw.choice(_PEOPLE)
    system, problem = draw.choice(_SYSTEMS), draw.choice(_PROBLEMS)
    bodies = (
        f"The {system} {problem} again. Could you have a look before "
        f"{draw.choice(['Friday', 'noon', 'the release'])}? {friend} saw it first.",
        f"Are you coming to {draw.choice(_CITIES)} in {draw.choice(['spring', 'autumn'])}? "
        f"{friend} has booked a table for {draw.randint(3, 9)}. Bring the photographs.",
        f"The parcel with the {draw.choice(_THINGS)} was left at number {draw.randint(2, 88)}. "
        f"Greetings to {friend}.",
        f"Attached are the minutes. Please send changes to {friend} by the "
        f"{draw.randint(2, 28)}th. The budget for the {system} stays as it is.",
    )
    subject = f"{system} {draw.choice(['again', 'question', 'news', 'tomorrow'])}"
    text = f"From: {sender}\nSubject: {subject}\n\nHi,\n{draw.choice(bodies)}\n{sender}\n"
    return passage(f"Mail/{draw.choice([2022, 2023, 2024])}/{sender.lower()}-{number}.txt", text)


def _recipe(draw: random.Random, number: int) -> Document:
    dish, (one, two) = draw.choice(_DISHES), draw.sample(_VEGETABLES, 2)
    text = (
        f"# {one.capitalize()} {dish}\n\nChop {draw.randint(2, 8)}00 g of {one} and some {two}. "
        f"Season with {draw.choice(_SPICES)} and {draw.choice(_SPICES)}, cook for "
        f"{draw.randint(2, 9)}0 minutes at medium heat, and let it rest. Serves "
        f"{draw.randint(2, 8)}."
    )
    return passage(f"Recipes/{one}-{dish}-{number}.md", text)


def _meeting(draw: random.Random, number: int) -> Document:
    system, other = draw.sample(_SYSTEMS, 2)
    one, two, three = draw.sample(_PEOPLE, 3)
    text = (
        f"# {system}\n\nPresent: {one}, {two}, {three}.\n\n- The {system} "
        f"{draw.choice(_PROBLEMS)}; {one} looks into it.\n- {two} moves the {other} to the new "
        f"servers in week {draw.randint(2, 50)}.\n- We keep the plan for the {other}. "
        f"Next meeting in {draw.randint(1, 4)} weeks.\n"
    )
    return passage(f"Work/meetings/{system}-{number}.md", text)


def _log(draw: random.Random, number: int) -> Document:
    day, system = draw.randint(1, 28), draw.choice(_SYSTEMS)
    lines = [
        f"2024-0{draw.randint(1, 9)}-{day:02} {draw.randint(0, 23):02}:{draw.randint(0, 59):02}:"
        f"{draw.randint(0, 59):02} {draw.choice(['INFO', 'INFO', 'WARN', 'ERROR'])} {system} "
        f"{draw.choice(['request', 'job', 'batch'])} {draw.randint(1000, 9999)} "
        f"{draw.choice(['done', 'queued', 'retried', f'failed with E{draw.randint(5000, 9999)}'])}"
        for _ in range(draw.randint(8, 40))
    ]
    return passage(f"Work/logs/{system}-{number}.log", "\n".join(lines) + "\n")


def _readme(draw: random.Random, number: int) -> Document:
    verb, noun, system = draw.choice(_VERBS), draw.choice(_NOUNS), draw.choice(_SYSTEMS)
    text = (
        f"# {verb}-{noun}\n\nA tool to {verb} {noun} for the {system}.\n\n## Install\n\nClone it "
        f"and run make. It needs {draw.choice(['Python', 'Go', 'Node', 'a C compiler'])}.\n\n"
        f"## Use\n\nPass a folder; the {noun} are written next to it. If it "
        f"{draw.choice(_PROBLEMS)}, ask {draw.choice(_PEOPLE)}.\n"
    )
    return passage(f"Projects/{verb}-{noun}-{number}/README.md", text)


def _code(draw: random.Random, number: int) -> Document:
    verb, noun, other = draw.choice(_VERBS), draw.choice(_NOUNS), draw.choice(_NOUNS)
    text = (
        f'def {verb}_{noun}({noun}, limit={draw.randint(2, 99)}):\n    """{verb.capitalize()} the '
        f'{noun} by their {other}."""\n    kept = []\n    for each in {noun}[:limit]:\n'
        f"        if each.{other}:\n            kept.append(each)\n    return kept\n"
    )
    return passage(f"Projects/tools-{number}/{verb}_{noun}.py", text)


def _table(draw: random.Random, number: int) -> Document:
    noun = draw.choice(_NOUNS)
    rows = [
        f"{draw.choice(_CITIES)},{draw.choice(_PEOPLE)},{draw.randint(1, 900)}"
        for _ in range(draw.randint(5, 30))
    ]
    return passage(f"Data/{noun}-{number}.csv", f"city,person,{noun}\n" + "\n".join(rows) + "\n")


_MAKERS: tuple[Callable[[random.Random, int], Document], ...] = (
    _note, _journey, _mail, _mail, _recipe, _meeting, _log, _readme, _code, _table,
)  # fmt: skip
