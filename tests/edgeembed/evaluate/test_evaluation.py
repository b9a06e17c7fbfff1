"""Models side by side: intervals, differences, verdicts, the cache."""

import math

import numpy as np
import pytest
import scipy.stats

from edgeembed.evaluate import ObservationCache, evaluate, judge, open_tasks
from edgeembed.evaluate.report.summary import as_tree, is_sure, mean_score
from edgeembed.evaluate.runner.bootstrap import interval, resampled_scores
from edgeembed_runtime.errors import InputError

COUNT = 200
TEXTS = [f"text {n}" for n in range(COUNT)]


@pytest.fixture
def labeled(write):
    """A classification task."""
    lines = ["text\tlabel", *(f"{text}\t{n % 2}" for n, text in enumerate(TEXTS))]
    return str(write("labels.tsv", lines))


@pytest.fixture
def models(chosen):
    """A good model, one that is a little worse, and one that knows nothing."""

    def vectors(separation, seed):
        rng = np.random.default_rng(seed)
        return {t: rng.standard_normal(2) + separation * (n % 2) for n, t in enumerate(TEXTS)}

    good, worse, useless = (vectors(s, seed) for s, seed in ((3.0, 0), (1.0, 0), (0.0, 1)))
    return [chosen(good, "good"), chosen(worse, "worse"), chosen(useless, "useless")]


def test_differences_are_to_the_reference_and_chance_is_told_from_loss(models, labeled):
    result = evaluate(models, open_tasks([labeled], models[0]), draws=200)
    (task,) = result.tasks
    good, worse, useless = (task.measured[m.name] for m in models)
    assert result.reference == "good"
    assert good.difference is None
    assert worse.difference.value == pytest.approx(worse.score - good.score)
    assert is_sure(worse)
    assert is_sure(useless)
    assert not is_sure(good)
    assert worse.difference.interval.low < worse.difference.value < worse.difference.interval.high


def test_any_model_may_be_the_reference(models, labeled):
    tasks = open_tasks([labeled], models[1])
    result = evaluate(models, tasks, reference=models[1], draws=10)
    assert result.tasks[0].measured["worse"].difference is None
    assert result.tasks[0].measured["good"].difference.value > 0


def test_the_same_seed_gives_the_same_figures(models, labeled):
    def run(seed):
        tasks = open_tasks([labeled], models[0], seed=seed)
        tree = as_tree(evaluate(models, tasks, draws=50, seed=seed))
        for task in tree["tasks"]:
            for measured in task["measured"].values():
                del measured["seconds"]
        return tree

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_the_interval_of_a_mean_is_scipys(models, labeled):
    (task,) = open_tasks([labeled], models[0])
    values = task.observe(models[1], lambda step: None).values
    right = 100.0 * (values[:, 0] == values[:, 1])
    theirs = scipy.stats.bootstrap(
        (right,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    ours = interval(resampled_scores(task, [values], draws=4000, seed=0)[0])
    assert ours.low == pytest.approx(theirs.low, abs=0.6)
    assert ours.high == pytest.approx(theirs.high, abs=0.6)


def test_models_are_drawn_together_so_that_equal_models_differ_by_nothing(models, labeled, chosen):
    twin = chosen(models[1].vectors, "twin")
    tasks = open_tasks([labeled], twin)
    found = evaluate([models[1], twin], tasks, draws=50).tasks[0].measured["twin"].difference
    assert (found.value, found.interval.low, found.interval.high) == (0, 0, 0)


def test_a_score_that_is_not_defined_is_named_and_fails(write, chosen):
    path = str(write("p.tsv", ["a\tb\t1", "c\td\t2", "a\td\t3"]))
    fine = chosen({"a": [1, 0], "b": [0, 1], "c": [1, 1], "d": [1, 0.2]}, "fine")
    flat = chosen({text: [1, 0] for text in "abcd"}, "flat")
    result = evaluate([fine, flat], open_tasks([path], fine), draws=20)
    found = result.tasks[0].measured["flat"]
    assert math.isnan(found.score)
    assert found.notes == ("no spearman: nothing varies",)
    assert as_tree(result)["tasks"][0]["measured"]["flat"]["score"] is None
    assert not judge(result, 100).ok


def test_the_budget_is_points_at_any_quality_task(models, labeled):
    result = evaluate(models[:2], open_tasks([labeled, "bias"][:1], models[0]), draws=10)
    lost = -result.tasks[0].measured["worse"].difference.value
    assert judge(result, lost).ok
    failed = judge(result, lost - 0.01)
    assert not failed.ok
    assert [(f.model, f.task) for f in failed.failures] == [("worse", "labels")]


@pytest.mark.parametrize("budget", [-0.1, math.nan, math.inf])
def test_an_impossible_budget_is_an_error(models, labeled, budget):
    result = evaluate(models[:2], open_tasks([labeled], models[0]), draws=2)
    with pytest.raises(InputError, match="expected 0 points or more"):
        judge(result, budget)


def test_a_verdict_needs_two_models_and_a_quality_task(models, labeled):
    alone = evaluate(models[:1], open_tasks([labeled], models[0]), draws=2)
    with pytest.raises(InputError, match="expected two models or more"):
        judge(alone, 1)


def test_models_and_tasks_are_needed(models, labeled, chosen):
    tasks = open_tasks([labeled], models[0])
    for arguments in (([], tasks), (models, [])):
        with pytest.raises(InputError, match="expected models and tasks"):
            evaluate(*arguments)
    with pytest.raises(InputError, match="expected one of the models, got other"):
        evaluate(models, tasks, reference=chosen({"a": [1]}, "other"))


def test_means_are_over_quality_tasks_only(chosen, write, random_vectors):
    path = write("p.tsv", [f"{n}\ta{n}\tb{n}" for n in range(9)])
    model = chosen(random_vectors([f"{side}{n}" for side in "ab" for n in range(9)]), "m")
    tasks = open_tasks([str(path), f"geometry:{path}"], model)
    result = evaluate([model], tasks, draws=2)
    assert mean_score(result, "m") == result.tasks[0].measured["m"].score


@pytest.fixture
def cached(tmp_path, write, chosen, random_vectors):
    """A cached model, its task and the cache."""
    path = write("p.tsv", [f"{n}\ta{n}\tb{n}" for n in range(9)])
    vectors = random_vectors([f"{side}{n}" for side in "ab" for n in range(9)])
    model = chosen(vectors, "m", key="space 1")
    return model, path, ObservationCache(folder=tmp_path / "cache")


def test_a_model_is_never_asked_the_same_twice(cached, write):
    model, path, cache = cached

    def run():
        return evaluate([model], open_tasks([str(path)], model), draws=5, cache=cache)

    first, asked = run(), len(model.asked)
    again = run()
    assert len(model.asked) == asked
    assert again.tasks[0].measured["m"].score == first.tasks[0].measured["m"].score
    assert again.tasks[0].measured["m"].seconds == 0
    write("p.tsv", [f"{n + 1}\ta{n}\tb{(n + 1) % 9}" for n in range(9)])
    run()
    assert len(model.asked) > asked  # other data
    asked = len(model.asked)
    model.key = "space 2"
    run()
    assert len(model.asked) > asked  # another model


def test_a_model_without_identity_is_never_cached(cached):
    model, path, cache = cached
    model.key = None
    evaluate([model], open_tasks([str(path)], model), draws=2, cache=cache)
    assert not cache.folder.exists()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_a_damaged_cache_file_counts_as_none(cached, damage):
    model, path, cache = cached
    tasks = open_tasks([str(path)], model)
    first = evaluate([model], tasks, draws=2, cache=cache)
    (file,) = cache.folder.iterdir()
    whole = file.read_bytes()
    for content in (damage, whole[: len(whole) // 2], whole[:-30] + b"x" * 30):
        file.write_bytes(content)
        again = evaluate([model], tasks, draws=2, cache=cache)
        assert again.tasks[0].measured["m"].score == first.tasks[0].measured["m"].score


def test_a_cache_that_cannot_be_written_is_no_error(cached, tmp_path):
    model, path, _ = cached
    (tmp_path / "file").write_text("in the way")
    cache = ObservationCache(folder=tmp_path / "file" / "cache")
    evaluate([model], open_tasks([str(path)], model), draws=2, cache=cache)


def test_agreement_with_a_reference_without_identity_is_not_cached(cached, write, chosen):
    model, _, cache = cached
    texts = write("t.txt", ["a0", "a1", "b2", "b3"])
    reference = chosen(model.vectors, "reference")
    tasks = open_tasks([str(texts)], reference)
    evaluate([reference, model], tasks, draws=2, cache=cache)
    assert not cache.folder.exists()
