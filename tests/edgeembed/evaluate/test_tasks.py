"""Every task, on vectors that are chosen so that the right score is known or another library's."""

import math

import numpy as np
import pytest
import pytrec_eval
import scipy.stats
import sklearn.metrics.pairwise

from edgeembed.evaluate import open_tasks
from edgeembed.evaluate.tasks.bias import Bias
from edgeembed.evaluate.tasks.images import TEMPLATE
from edgeembed_runtime.errors import InputError


def one(name, model):
    (task,) = open_tasks([str(name)], model)
    return task


def observed(task, model):
    return task.observe(model, lambda step: None)


def score(task, model):
    return task.score(observed(task, model).values)


def test_similarity_is_scipys_spearman_and_asks_for_every_text_once(write, chosen, random_vectors):
    texts = [f"text {n}" for n in range(20)]
    model = chosen(random_vectors(texts))
    rows = [(n % 6, texts[n], texts[(n + 7) % 20]) for n in range(20)]
    task = one(write("sts.tsv", [f"{s}\t{a}\t{b}" for s, a, b in rows]), model)
    cosines = [
        1 - scipy.spatial.distance.cosine(model.vectors[a], model.vectors[b]) for _, a, b in rows
    ]
    given = [s for s, _, _ in rows]
    expected = np.asarray(scipy.stats.spearmanr(given, cosines))[0]
    found = observed(task, model)
    assert (task.kind, task.metric) == ("similarity", "spearman")
    assert task.score(found.values) == pytest.approx(100 * expected, abs=1e-6)
    assert task.details(found.values)["pearson"] == pytest.approx(
        100 * np.asarray(scipy.stats.pearsonr(given, cosines))[0], abs=1e-4
    )
    assert len(model.asked) == 1
    assert len(model.asked[0][1]) == 20


def test_pairs_with_unknown_words_are_left_out_and_counted(write, chosen):
    model = chosen({"a": [1, 0], "b": [1, 0.1], "c": [0, 1], "d": [1, 1]})
    lines = ["a\tb\t5", "a\tc\t1", "a\td\t3", "a\tzebra\t4"]
    found = observed(one(write("words.tsv", lines), model), model)
    assert found.notes == ("1 of 4 pairs have unknown words",)
    assert score(one(write("words.tsv", lines), model), model) == pytest.approx(100)


def test_a_model_that_finds_all_alike_has_no_correlation(write, chosen):
    model = chosen({"a": [1, 0], "b": [1, 0], "c": [1, 0]})
    assert math.isnan(score(one(write("w.tsv", ["a\tb\t5", "a\tc\t1"]), model), model))


def test_duplicates_are_scored_by_average_precision(write, chosen, random_vectors):
    texts = [f"t{n}" for n in range(40)]
    model = chosen(random_vectors(texts))
    labels = [n % 3 == 0 for n in range(20)]
    lines = [f"{int(same)}\tt{n}\tt{n + 20}" for n, same in enumerate(labels)]
    task = one(write("questions.tsv", lines), model)
    a, b = (np.stack([model.vectors[t] for t in part]) for part in (texts[:20], texts[20:]))
    cosines = sklearn.metrics.pairwise.paired_cosine_distances(a, b)
    expected = sklearn.metrics.average_precision_score(labels, 1 - cosines)
    assert task.kind == "duplicates"
    assert score(task, model) == pytest.approx(100 * expected, abs=1e-6)


def test_the_best_f1_of_duplicates_comes_with_its_threshold(write, chosen):
    model = chosen({"a": [1, 0], "b": [1, 0.01], "c": [0, 1]})
    task = one(write("d.tsv", ["a\tb\t1", "a\tc\t0"]), model)
    details = task.details(observed(task, model).values)
    assert details["best f1"] == 100
    assert 0.9 < details["at similarity"] <= 1


def test_retrieval_is_trec_evals_over_random_vectors(beir, chosen, random_vectors):
    rng = np.random.default_rng(0)
    documents = [{"_id": f"d{n}", "text": f"document {n}"} for n in range(150)]
    queries = [{"_id": f"q{n}", "text": f"query {n}"} for n in range(12)]
    qrels = {
        f"q{q}": {f"d{d}": int(rng.integers(1, 3)) for d in rng.choice(150, 5)} for q in range(12)
    }
    rows = [(q, d, g) for q, gains in qrels.items() for d, g in gains.items()]
    model = chosen(random_vectors([each["text"] for each in (*documents, *queries)]))
    task = one(beir(documents, queries, rows), model)
    found = observed(task, model)
    run = {
        q["_id"]: {
            d["_id"]: float(
                1
                - scipy.spatial.distance.cosine(model.vectors[q["text"]], model.vectors[d["text"]])
            )
            for d in documents
        }
        for q in queries
    }
    measures = {"ndcg_cut.10", "recall.10,100", "map_cut.100"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    for column, name in (
        (0, "ndcg_cut_10"),
        (1, "recall_10"),
        (2, "recall_100"),
        (4, "map_cut_100"),
    ):
        np.testing.assert_allclose(
            found.values[:, column], [theirs[q["_id"]][name] for q in queries], atol=1e-9
        )
    assert [role for role, _ in model.asked] == ["query", "document"]


def test_the_title_is_part_of_a_document(beir, chosen):
    model = chosen({"Cats They purr": [1, 0], "no title": [0, 1], "cats?": [1, 0]})
    task = one(
        beir(
            [
                {"_id": "1", "title": "Cats", "text": "They purr"},
                {"_id": "2", "title": "", "text": "no title"},
            ],
            [{"_id": "q", "text": "cats?"}],
            [("q", "1", 1)],
        ),
        model,
    )
    assert score(task, model) == 100


def test_queries_without_a_relevant_document_are_left_out_and_counted(beir, chosen):
    model = chosen({"a": [1, 0], "b": [0, 1], "qa": [1, 0]})
    documents = [{"_id": "1", "text": "a"}, {"_id": "2", "text": "b"}]
    queries = [{"_id": "x", "text": "qa"}, {"_id": "y", "text": "qb"}, {"_id": "z", "text": "qc"}]
    task = one(beir(documents, queries, [("x", "1", 1), ("z", "2", 0)]), model)
    found = observed(task, model)
    assert len(found.values) == 1
    assert found.notes == ("2 queries left out: no document is judged relevant to them",)


def test_judged_pairs_of_ones_own_share_their_documents(write, chosen):
    model = chosen({"q1": [1, 0], "q2": [0, 1], "one": [1, 0.1], "two": [0.1, 1]})
    path = write("mine.csv", ["query,document", "q1,one", "q2,two"])
    assert one(path, model).kind == "retrieval"
    assert score(one(path, model), model) == 100


def test_reranking_is_mean_average_precision_and_ties_earn_nothing(write, chosen):
    records = [{"query": "q", "positive": ["p"], "negative": ["n", "m"]}]
    good = chosen({"q": [1, 0], "p": [1, 0], "n": [0, 1], "m": [0, 1]})
    flat = chosen({"q": [1, 0], "p": [1, 0], "n": [1, 0], "m": [1, 0]})
    task = one(write("rank.jsonl", records), good)
    assert (task.kind, score(task, good)) == ("reranking", 100)
    assert score(task, flat) == pytest.approx(100 / 3)


def labeled(random_vectors, separation):
    texts = {f"{label} {n}": label for label in ("cat", "dog", "sun") for n in range(30)}
    centers = {"cat": [1, 0, 0], "dog": [0, 1, 0], "sun": [0, 0, 1]}
    noise = random_vectors(texts, dim=3)
    vectors = {t: separation * np.array(centers[label]) + noise[t] for t, label in texts.items()}
    return [f"{text}\t{label}" for text, label in texts.items()], vectors


def test_classification_learns_what_can_be_learnt_and_nothing_else(write, chosen, random_vectors):
    for separation, low, high in ((20, 100, 100), (0, 10, 60)):
        lines, vectors = labeled(random_vectors, separation)
        model = chosen(vectors)
        task = one(write("labels.tsv", ["text\tlabel", *lines]), model)
        assert task.kind == "classification"
        assert low <= score(task, model) <= high


def test_clustering_is_scikit_learns_v_measure(write, chosen, random_vectors):
    lines, vectors = labeled(random_vectors, 3)
    model = chosen(vectors)
    task = one(f"clustering:{write('labels.tsv', lines)}", model)
    rows = observed(task, model).values
    expected = sklearn.metrics.v_measure_score(rows[:, 0], rows[:, 1])
    assert task.score(rows) == pytest.approx(100 * expected)
    assert expected > 0.5
    np.testing.assert_array_equal(rows, observed(task, model).values)  # seeded


def test_bitext_finds_translations_both_ways(write, chosen):
    model = chosen({"eins": [1, 0], "zwei": [0, 1], "one": [1, 0.2], "two": [0.9, 1]})
    path = write("de-en.tsv", ["eins\tone", "zwei\ttwo"])
    task = one(f"bitext:{path}", model)
    assert score(task, model) == 100
    worse = chosen({"eins": [1, 0], "zwei": [0, 1], "one": [1, 0.2], "two": [1, 0.1]})
    found = observed(task, worse).values
    assert task.details(found) == {"left to right": 0.0, "right to left": 50.0}


def test_agreement_is_100_with_the_reference_itself_and_less_with_another(
    write, chosen, random_vectors
):
    texts = [f"line {n}" for n in range(50)]
    reference = chosen(random_vectors(texts))
    task = one(write("texts.txt", texts), reference)
    assert (task.kind, task.metric) == ("agreement", "overlap@10")
    assert score(task, reference) == 100
    assert score(task, chosen(random_vectors(texts))) == 100  # the same vectors
    assert 5 < score(task, chosen(random_vectors(texts, seed=9))) < 50  # by chance 10 of 49


def test_analogies_take_the_nearest_other_word(write, chosen):
    vectors = {
        "king": [1, 1],
        "man": [1, 0],
        "woman": [0.2, 0.1],
        "queen": [0.2, 1.1],
        "far": [-1, -1],
    }
    model = chosen(vectors, vocabulary=tuple(vectors))
    lines = [
        ": royal",
        "man king woman queen",
        "MAN KING WOMAN QUEEN",
        ": odd",
        "man king woman far",
    ]
    lines.append("man king woman zebra")
    task = one(write("questions.txt", lines), model)
    found = observed(task, model)
    assert task.kind == "analogies"
    assert task.details(found.values) == {"royal": 100.0, "odd": 0.0}
    assert found.notes == ("1 of 4 questions have unknown words",)
    assert task.score(found.values) == pytest.approx(200 / 3)


def test_analogies_of_a_model_of_texts_use_the_words_of_the_questions(write, chosen):
    vectors = {"Oslo": [1, 1], "Norway": [1, 0], "Sweden": [0.2, 0.1], "Stockholm": [0.2, 1.1]}
    model = chosen(vectors)
    task = one(write("q.txt", [": capitals", "Norway Oslo Sweden Stockholm"]), model)
    assert score(task, model) == 100


def test_analogies_that_no_word_is_known_of_are_an_error(write, chosen):
    model = chosen({"a": [1, 0]}, vocabulary=("a",))
    with pytest.raises(InputError, match="knows the words of no question"):
        observed(one(write("q.txt", [": s", "b c d e"]), model), model)


def test_the_built_in_word_lists_have_groups_of_equal_size(chosen, random_vectors):
    tasks = open_tasks(["bias"], chosen({"a": [1]}))
    assert {task.name for task in tasks} >= {"flowers-insects", "math-arts-gender"}
    for task in tasks:
        assert isinstance(task, Bias)
        sizes = [len(group.words) for group in task.test.targets]
        assert sizes[0] == sizes[1]
        assert not set(task.test.targets[0].words) & set(task.test.targets[1].words)
        words = [w for g in (*task.test.targets, *task.test.attributes) for w in g.words]
        model = chosen(random_vectors(words, dim=50))
        assert -2 <= score(task, model) <= 2
        assert not task.is_quality


def test_bias_finds_what_was_put_in(write, chosen):
    lists = {
        "targets": {"flowers": ["rose", "lily"], "insects": ["wasp", "flea"]},
        "attributes": {"good": ["joy"], "bad": ["war"]},
    }
    vectors = {
        "rose": [1, 0.1],
        "lily": [1, 0.2],
        "wasp": [0.1, 1],
        "flea": [0.2, 1],
        "joy": [1, 0],
        "war": [0, 1],
    }
    model = chosen(vectors)
    task = one(write("mine.json", [lists]), model)
    found = observed(task, model)
    assert task.score(found.values) > 1.5
    details = task.details(found.values)
    assert details["p"] == pytest.approx(1 / 6)
    assert details["projection of flowers"] > 0 > details["projection of insects"]


def test_bias_of_unknown_words_is_an_error_that_names_the_group(write, chosen):
    lists = {"targets": {"x": ["a"], "y": ["b"]}, "attributes": {"c": ["c"], "d": ["d"]}}
    task = one(write("mine.json", [lists]), chosen({"a": [1]}))
    with pytest.raises(InputError, match="knows no word of 'c'"):
        observed(task, chosen({"a": [1], "b": [1]}))
    with pytest.raises(InputError, match="knows no word of 'y'"):
        observed(task, chosen({"a": [1], "c": [1], "d": [1]}))


def test_geometry_describes_and_does_not_judge(write, chosen, random_vectors):
    texts = [f"t{n}" for n in range(40)]
    lines = [f"{5 * (n % 2)}.5\tt{n}\tt{n + 20}" for n in range(20)]
    even, narrow = random_vectors(texts), random_vectors(texts)
    narrow = {text: v + 10 for text, v in narrow.items()}
    model, other = chosen(even), chosen(narrow)
    task = one(f"geometry:{write('p.tsv', lines)}", model)
    assert not task.is_quality
    assert score(task, model) < score(task, other) < 0
    details = task.details(observed(task, other).values)
    assert details["anisotropy"] > 0.9


NAMED = {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1]}


class Colors:
    """A real, tiny encoder of images and texts into one space: an image is its mean color."""

    name, key, megabytes, dim, similarity = "colors", None, None, 3, "cosine"

    def encode(self, texts, role):
        return np.stack([self._of(text) for text in texts]).astype(np.float32)

    def _of(self, text):
        return np.sum([v for word, v in NAMED.items() if word in text], axis=0)

    def encode_images(self, images):
        rows = [path.read_bytes()[-48:] for path in images]
        return np.stack([np.frombuffer(r, np.uint8).reshape(-1, 3).mean(0) for r in rows]).astype(
            np.float32
        )

    def compare(self, a, b):
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
        return unit[0] @ unit[1].T


def image(path, color):
    """A small PPM file of one color; its suffix is what the folders look for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6\n4 4\n255\n" + bytes(color) * 16)


def test_zero_shot_names_images_by_their_folders(tmp_path):
    for label, color in (("red", (250, 10, 5)), ("green", (9, 240, 3)), ("blue", (0, 10, 255))):
        for number in range(3):
            image(tmp_path / "set" / label / f"{number}.png", color)
    image(tmp_path / "set" / "blue" / "wrong.png", (255, 0, 0))
    task = one(tmp_path / "set", Colors())
    assert (task.kind, task.metric) == ("zero-shot", "accuracy")
    assert score(task, Colors()) == 90
    assert "{}" in TEMPLATE
    before = task.fingerprint
    image(tmp_path / "set" / "blue" / "wrong.png", (0, 0, 255))
    assert task.fingerprint != before  # the same names, other images


def test_image_text_recall_counts_captions_and_images(tmp_path, write):
    for name, color in (("a.png", (255, 0, 0)), ("b.png", (0, 255, 0)), ("c.png", (0, 0, 255))):
        image(tmp_path / "photos" / name, color)
    captions = {
        "a.png": ["a red wall", "red"],
        "b.png": ["green grass"],
        "c.png": ["red or blue red"],
    }
    write("photos/captions.json", [captions])
    task = one(tmp_path / "photos", Colors())
    found = observed(task, Colors())
    assert task.kind == "image-text"
    assert len(found.values) == 4
    assert task.score(found.values) == 75  # "red or blue" is as near to red, which stands first
    assert task.details(found.values)["recall@5"] == 100


def test_a_model_of_texts_cannot_do_images(tmp_path, chosen):
    for label in ("red", "green"):
        image(tmp_path / "set" / label / "1.png", (1, 2, 3))
    model = chosen({"a": [1]})
    with pytest.raises(InputError, match="expected a model of images and texts"):
        observed(one(tmp_path / "set", model), model)
