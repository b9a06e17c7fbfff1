"""Public judged collections, read from the folder that the benchmark is given."""

import re
from collections import defaultdict
from pathlib import Path

from benchmarks.answers.data_sets.data_set import DataSet, passage
from edgeembed.evaluate.datasets.judgments import read_beir
from edgeembed.ingest.texts import read_records

# "The two sentences are mostly equivalent, but some unimportant details differ."
_SAME_MEANING = 4.0


def scifact(folder: Path, split: str = "test") -> DataSet:
    """SciFact in BEIR's form (https://github.com/beir-cellar/beir): 300 claims, 5,183 abstracts.

    In the split "train" it is 809 claims about the same abstracts.
    """
    judged = read_beir(folder, (split,))
    with (folder / "corpus.jsonl").open("rb") as stream:
        documents = tuple(
            passage(str(record["_id"]), record["text"], record["title"])
            for _, record in read_records(stream, "corpus.jsonl")
        )
    gains = {
        query: {key: gain for key, gain in found.items() if gain > 0}
        for query, found in judged.gains.items()
    }
    return DataSet(
        name="SciFact",
        kind="passages",
        documents=documents,
        queries={query: judged.queries[query] for query in gains},
        gains=gains,
    )


def cranfield(folder: Path) -> DataSet:
    """The Cranfield collection: 225 questions, 1,400 abstracts on aerodynamics.

    Judgments name questions by their place, not by the numbers in cran.qry. They are the copy for
    trec_eval, where a higher grade is a better answer: gains of 1 to 5, one 5 for each question.
    """
    texts = _fields((folder / "cran.all.1400").read_text(encoding="utf-8"))
    questions = _fields((folder / "cran.qry").read_text(encoding="utf-8"))
    documents = tuple(
        passage(key, fields["W"], fields["T"]) for key, fields in texts if fields["W"]
    )
    # Two documents are empty; nobody can find them.
    known = {document.key for document in documents}
    gains: dict[str, dict[str, float]] = defaultdict(dict)
    for line in (folder / "QRelsCorrectedforTRECeval").read_text(encoding="utf-8").splitlines():
        query, _, document, grade = line.split()
        if document in known:
            gains[query][document] = float(grade)
    queries = {str(place): fields["W"] for place, (_, fields) in enumerate(questions, 1)}
    return DataSet(
        name="Cranfield",
        kind="passages",
        documents=documents,
        queries={query: queries[query] for query in gains},
        gains=gains,
    )


def cosqa(folder: Path) -> DataSet:
    """CoSQA's development questions (https://aclanthology.org/2021.acl-long.442): Python code."""
    with (folder / "functions.jsonl").open("rb") as stream:
        documents = tuple(
            passage(str(record["id"]), record["code"])
            for _, record in read_records(stream, "functions.jsonl")
        )
    with (folder / "dev.jsonl").open("rb") as stream:
        asked = [(r["query"], str(r["id"])) for _, r in read_records(stream, "dev.jsonl")]
    return DataSet(
        name="CoSQA",
        kind="passages",
        documents=documents,
        queries={str(place): query for place, (query, _) in enumerate(asked)},
        gains={str(place): {key: 1.0} for place, (_, key) in enumerate(asked)},
    )


def sentences(path: Path, name: str) -> DataSet:
    """Pairs of an STS benchmark as questions and answers: those with a score of 4 to 5.

    The second sentences of all pairs are the documents.
    """
    pairs = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    keys = {text: str(place) for place, text in enumerate(dict.fromkeys(p[2] for p in pairs))}
    gains: dict[str, dict[str, float]] = defaultdict(dict)
    for score, asked, answer in pairs:
        if float(score) >= _SAME_MEANING:
            gains[asked][keys[answer]] = 1.0
    return DataSet(
        name=name,
        kind="passages",
        documents=tuple(passage(key, text) for text, key in keys.items()),
        queries={query: query for query in gains},
        gains=gains,
    )


def _fields(text: str) -> list[tuple[str, dict[str, str]]]:
    """(number, fields by letter) of every record in the form of the SMART system."""
    records = re.split(r"^\.I +(\d+)\s*$", text, flags=re.MULTILINE)[1:]
    found: list[tuple[str, dict[str, str]]] = []
    for number, record in zip(records[::2], records[1::2], strict=True):
        parts = re.split(r"^\.([TABW])\s*$", record, flags=re.MULTILINE)[1:]
        pairs = zip(parts[::2], parts[1::2], strict=True)
        found.append((number, {letter: " ".join(body.split()) for letter, body in pairs}))
    return found
