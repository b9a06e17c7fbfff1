"""The benchmark of answers: its data sets are what they say, and its metrics are right."""

import json
import random
import re

import numpy as np
import pytest

from benchmarks.answers.data_sets.bilingual import LANGUAGES, bilingual
from benchmarks.answers.data_sets.data_set import DataSet, file_of, passage
from benchmarks.answers.data_sets.documentation import documentation
from benchmarks.answers.data_sets.judged import cosqa, cranfield, scifact
from benchmarks.answers.data_sets.laptop import laptop
from benchmarks.answers.data_sets.long_notes import long_notes
from benchmarks.answers.measure import indexing_speed, measure, nothing_there
from benchmarks.answers.metrics import auc, is_right_place, scores
from benchmarks.answers.report import figures_of, summary, table_of
from benchmarks.answers.systems.edgeembed_index import EdgeEmbed, Setup, SharedIndex
from benchmarks.answers.systems.peers import KeptVectors, open_peer, paragraphs, whole
from benchmarks.answers.systems.system import Found

PARTS = [(f"s{n}", f"Title {n}", f"Body number {n}.") for n in range(4)]


def notes(*, headings=True):
    """Two files of two sections; each query is answered by one section."""
    return DataSet(
        name="notes",
        kind="files",
        documents=(
            file_of("a.md", PARTS[:2], headings=headings),
            file_of("b.md", PARTS[2:], headings=headings),
        ),
        queries={f"q{n}": f"number {n}" for n in range(4)},
        gains={f"q{n}": {f"s{n}": 1.0} for n in range(4)},
    )


def judged(count, queries, seed=0):
    """Passages and graded judgments at random."""
    draw = random.Random(seed)
    keys = [f"d{n}" for n in range(count)]
    return DataSet(
        name="judged",
        kind="passages",
        documents=tuple(passage(key, f"text of {key}", "Title") for key in keys),
        queries={f"q{n}": f"query {n}" for n in range(queries)},
        gains={
            f"q{n}": {key: float(draw.choice([1, 2, 3])) for key in draw.sample(keys, 7)}
            for n in range(queries)
        },
    )


def hit(document, start=0, end=10, score=1.0, fits=None):
    return Found(document=document, start=start, end=end, score=score, fits=fits)


def section_texts(data):
    return {s.key: d.text[s.start : s.end] for d in data.documents for s in d.sections}


# Metrics


def test_ndcg_and_recall_are_those_of_trec_eval():
    pytrec_eval = pytest.importorskip("pytrec_eval")
    data, draw = judged(60, 25), random.Random(1)
    runs = {query: draw.sample([d.key for d in data.documents], 10) for query in data.queries}
    qrels = {q: {k: int(g) for k, g in gains.items()} for q, gains in data.gains.items()}
    judge = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.10"})
    right = judge.evaluate(
        {q: {key: float(-rank) for rank, key in enumerate(keys)} for q, keys in runs.items()}
    )
    for query, keys in runs.items():
        found = scores(data, query, [hit(key) for key in keys])
        assert found.ndcg == pytest.approx(right[query]["ndcg_cut_10"])
        assert found.recall == pytest.approx(right[query]["recall_10"])


def test_auc_is_the_area_under_the_roc_curve():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(2)
    present, absent = draw.integers(0, 9, 40) + 2.0, draw.integers(0, 9, 30) + 0.0
    labels = [1] * len(present) + [0] * len(absent)
    right = metrics.roc_auc_score(labels, np.concatenate([present, absent]))
    assert auc(list(present), list(absent)) == pytest.approx(right)


def test_a_document_counts_once_at_its_best_passage():
    data = notes()
    found = scores(data, "q2", [hit("a.md"), hit("a.md", 20, 30), hit("b.md")])
    assert found.ndcg == pytest.approx(1 / np.log2(3))
    assert (found.recall, found.document_first) == (1.0, 0.0)


def test_the_right_document_may_show_the_wrong_place():
    data = notes()
    right, wrong = data.documents[1].sections
    for section, worth in ((right, 1.0), (wrong, 0.0)):
        found = scores(data, "q2", [hit("b.md", section.start, section.end)])
        assert (found.document_first, found.place_first) == (1.0, worth)


def test_a_passage_is_the_right_place_if_half_of_it_is_or_it_holds_a_short_answer():
    long = file_of("c", [("one", "", "x" * 2000), ("two", "", "y" * 3000)], headings=False)
    data = DataSet(
        name="c", kind="files", documents=(long,), queries={"q": ""}, gains={"q": {"one": 1.0}}
    )
    assert is_right_place(data, "q", hit("c", 0, 4000))
    assert not is_right_place(data, "q", hit("c", 0, 4500))
    assert is_right_place(data, "q", hit("c", 1900, 2100))
    assert not is_right_place(data, "q", hit("c", 1950, 2200))
    assert not is_right_place(data, "q", hit("other", 0, 100))
    assert is_right_place(notes(), "q0", hit("a.md", 0, len(notes().documents[0].text)))


def test_no_hits_are_worth_nothing():
    found = scores(notes(), "q0", [])
    assert (found.ndcg, found.recall, found.document_first, found.place_first) == (0, 0, 0, 0)


def test_queries_with_and_without_an_answer_are_told_apart_by_the_first_hit():
    data = notes().without(["q0", "q1"])
    answers = {
        "q0": [hit("b.md", score=0.1, fits=False)],
        "q1": [],
        "q2": [hit("b.md", score=0.8, fits=True)],
        "q3": [hit("b.md", score=0.05, fits=False)],
    }
    found = nothing_there(data, frozenset({"q0", "q1"}), answers)
    assert (found.auc, found.false_alarms, found.misses) == (0.75, 0.0, 0.5)
    silent = {query: [hit("b.md", score=0.3)] for query in answers}
    found = nothing_there(data, frozenset({"q0", "q1"}), silent)
    assert (found.auc, found.false_alarms, found.misses) == (0.5, None, None)


# Documents and sections


@pytest.mark.parametrize("headings", [True, False])
@pytest.mark.parametrize("gone", [(), ("s0",), ("s1",), ("s0", "s3"), ("s2", "s3")])
def test_what_is_cut_out_leaves_the_other_sections_whole(headings, gone):
    data = notes(headings=headings)
    before = section_texts(data)
    reduced = data.without([f"q{key[1:]}" for key in gone])
    assert section_texts(reduced) == {k: t for k, t in before.items() if k not in gone}
    assert not any(before[key] in document.text for key in gone for document in reduced.documents)
    assert all(set(gains) <= section_texts(reduced).keys() for gains in reduced.gains.values())


def test_the_queries_without_an_answer_are_the_same_in_every_run():
    one, two = judged(60, 40), judged(60, 40)
    assert one.absent == two.absent
    assert len(one.absent) == 10
    reduced = one.without(one.absent)
    assert all(reduced.gains[query] == {} for query in one.absent)


def test_headings_are_markdown_or_the_first_words():
    assert section_texts(notes())["s1"] == "## Title 1\n\nBody number 1."
    assert section_texts(notes(headings=False))["s1"] == "Title 1 Body number 1."


# Data sets


def written_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


def scifact_like(folder, count=30):
    texts = [{"_id": str(n), "title": f"About {n}", "text": f"Fact {n}."} for n in range(count)]
    written_lines(folder / "corpus.jsonl", texts)
    written_lines(
        folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"{n}?"} for n in range(count)]
    )
    (folder / "qrels").mkdir()
    rows = [f"q{n}\t{n}\t1" for n in range(8)] + ["q8\t8\t0"]
    (folder / "qrels" / "test.tsv").write_text(
        "\n".join(["query-id\tcorpus-id\tscore", *rows]), encoding="utf-8"
    )
    return scifact(folder)


def test_scifact_has_titles_and_judged_queries_only(tmp_path):
    data = scifact_like(tmp_path)
    assert (data.documents[3].title, data.documents[3].text) == ("About 3", "Fact 3.")
    assert data.queries["q3"] == "3?"
    assert data.gains["q3"] == {"3": 1.0}
    assert "q20" not in data.queries


def test_cranfield_counts_queries_by_place_and_leaves_out_empty_documents(
    tmp_path,
):
    texts = [".I 1\n.T\nwings\n.A\nb.\n.B\nj.\n.W\nwings lift\nwell .", ".I 2\n.T\nx\n.W\n"]
    (tmp_path / "cran.all.1400").write_text("\n".join(texts), encoding="utf-8")
    (tmp_path / "cran.qry").write_text(".I 004\n.W\nlift ?\n.I 009\n.W\ndrag\n?", encoding="utf-8")
    (tmp_path / "QRelsCorrectedforTRECeval").write_text(
        "1 0 1 3\n1 0 2 5\n2 0 2 1\n", encoding="utf-8"
    )
    data = cranfield(tmp_path)
    assert [document.text for document in data.documents] == ["wings lift well ."]
    assert data.queries == {"1": "lift ?"}
    assert data.gains == {"1": {"1": 3.0}}


def test_cosqa_has_one_function_for_each_question(tmp_path):
    written_lines(tmp_path / "functions.jsonl", [{"id": n, "code": f"f{n}()"} for n in range(3)])
    written_lines(tmp_path / "dev.jsonl", [{"query": "how", "id": 2}, {"query": "how", "id": 0}])
    data = cosqa(tmp_path)
    assert data.queries == {"0": "how", "1": "how"}
    assert data.gains == {"0": {"2": 1.0}, "1": {"0": 1.0}}


def test_long_notes_hold_every_answer_and_the_same_abstracts_in_both_forms(tmp_path):
    source = scifact_like(tmp_path)
    made = [long_notes(source, headings=h, claims=5, abstracts=24) for h in (True, False)]
    for data in made:
        assert len(data.queries) == 5
        assert [len(document.sections) for document in data.documents] == [10, 10, 4]
        assert {key for gains in data.gains.values() for key in gains} <= section_texts(data).keys()
        assert all("Fact" in text for text in section_texts(data).values())
    assert list(section_texts(made[0])) == list(section_texts(made[1]))
    assert made[0].queries == made[1].queries
    assert made[0] == long_notes(source, headings=True, claims=5, abstracts=24)
    assert made[0] != long_notes(source, headings=True, claims=5, abstracts=24, seed=2)


def test_the_laptop_is_the_same_for_the_same_seed():
    assert laptop() == laptop()
    assert laptop() != laptop(seed=12)


def test_the_laptop_has_600_files_and_one_answer_for_each_question():
    data = laptop()
    texts = section_texts(data)
    assert len(texts) == len(data.documents) == 600
    assert len(data.queries) >= 28
    assert all(len(gains) == 1 and set(gains) <= texts.keys() for gains in data.gains.values())
    numbers = [query for query in data.queries if re.search(r"\d{4}", query)]
    assert numbers
    for query in numbers:
        assert {key for key, text in texts.items() if query in text} == set(data.gains[query])


def test_questions_are_in_another_language_than_their_answers():
    data = bilingual()
    assert len(data.documents) == 150
    assert len(data.queries) >= 40
    assert data.multilingual
    pairs = {(query[:2], key[:2]) for query, gains in data.gains.items() for key in gains}
    assert all(asked != told for asked, told in pairs)
    assert {language for pair in pairs for language in pair} == set(LANGUAGES)
    assert len({document.text for document in data.documents}) == 150


@pytest.mark.slow
def test_the_documentation_answers_its_questions():
    data = documentation()
    assert len(data.queries) >= 40
    assert {key for gains in data.gains.values() for key in gains} <= section_texts(data).keys()
    assert section_texts(data)["shutil.rmtree"].startswith("## shutil.rmtree\n\nRecursively")


# Systems


def test_splitters_lose_nothing():
    document = passage("d", "a" * 700 + "\n\n" + "b" * 2500 + "\n\n" + "c" * 10)
    pieces = [document.text[start:end] for start, end in paragraphs(document)]
    assert "".join(pieces) == document.text
    assert max(map(len, pieces)) <= 1000
    assert pieces[0] == "a" * 700 + "\n\n"
    assert list(whole(document)) == [(0, len(document.text))]


def test_vectors_are_encoded_once_and_kept(tmp_path):
    asked = []

    def encode(texts):
        asked.extend(texts)
        return np.array([[len(text), 1] for text in texts])

    first = KeptVectors(tmp_path / "kept.npz", encode).of(["one", "three", "one"])
    again = KeptVectors(tmp_path / "kept.npz", encode).of(["three", "seven!"])
    assert asked == ["one", "three", "seven!"]
    assert first.tolist() == [[3, 1], [5, 1], [3, 1]]
    assert again.tolist() == [[5, 1], [6, 1]]


def test_edgeembed_finds_places_in_files_and_passages(tmp_path):
    shared = SharedIndex(Setup(name="edgeembed"), tmp_path)
    default, keyword = EdgeEmbed(shared, None), EdgeEmbed(shared, "keyword")
    folder = laptop(others=20)
    try:
        assert default.index(folder) == keyword.index(folder) >= 52
        for side in (default, keyword):
            (found,) = side.search("boiler pressure gauge", 1)
            assert found.document == "Notes/Household/boiler.md"
            assert found.start == 0 < found.end
        passages = judged(12, 4)
        assert default.index(passages) == 12
        assert keyword.search("d7", 10)[0].document == "d7"
        seconds, made = default.time_indexing(folder)
        assert seconds > 0 < made
        assert len(shared.index) == 12
    finally:
        default.close()


@pytest.mark.parametrize("name", ["bm25s", "WordLlama"])
def test_peers_find_what_they_indexed(name, tmp_path):
    peer = open_peer(name, tmp_path)
    if peer is None:
        pytest.skip(f"{name} is not installed")
    data = laptop(others=20)
    assert peer.index(data) >= 52
    found = peer.search("boiler pressure gauge in bar", 3)
    assert found[0].document == "Notes/Household/boiler.md"
    assert [each.score for each in found] == sorted((e.score for e in found), reverse=True)
    peer.close()


class Oracle:
    """Finds what it was told; remembers what it was asked to index."""

    index_name = name = "oracle"

    def __init__(self, answers, *, multilingual=False):
        self.answers = answers
        self.multilingual = multilingual
        self.indexed = []

    def index(self, data):
        self.indexed.append(data)
        return len(data.documents)

    def time_indexing(self, data):
        return 1.0, len(data.documents)

    def close(self):
        """Nothing to close."""

    def search(self, query, k):
        texts = {document.key for document in self.indexed[-1].documents}
        return [hit(key) for key in self.answers.get(query, ())[:k] if key in texts]


def test_a_run_ranks_over_all_documents_and_then_asks_for_what_is_gone():
    data = judged(60, 20)
    right = {
        text: sorted(data.gains[query], key=lambda key, query=query: -data.gains[query][key])
        for query, text in data.queries.items()
    }
    oracle = Oracle(right)
    found = measure(data, [oracle], lambda _: None)["oracle"]
    assert (found.ranking.ndcg, found.ranking.place_first) == (1.0, 1.0)
    assert [len(d.documents) for d in oracle.indexed] == [
        60,
        len(data.without(data.absent).documents),
    ]
    lines = table_of(data, {"oracle": found}).splitlines()
    assert lines[-1].startswith("| oracle | 100.0 |")
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert figures_of(data, {"oracle": found})["systems"]["oracle"]["ndcg"] == 1.0
    assert "| oracle | 100.0 |" in summary({"judged": figures_of(data, {"oracle": found})})


def test_indexing_is_timed_once_for_all_ways_to_search_an_index():
    sides = [Oracle({}), Oracle({})]
    assert indexing_speed(judged(60, 2), sides, documents=50, rounds=3) == {"oracle": 20.0}


def test_only_encoders_of_many_languages_are_asked_in_many_languages():
    data = bilingual()
    assert measure(data, [Oracle({})], lambda _: None) == {}
    assert measure(data, [Oracle({}, multilingual=True)], lambda _: None).keys() == {"oracle"}
