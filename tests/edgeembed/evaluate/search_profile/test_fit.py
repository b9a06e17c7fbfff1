"""Profiles fitted to small judged sets by a real encoder."""

import itertools

import pytest

from edgeembed import Encoder
from edgeembed.evaluate.datasets.judgments import Judgments
from edgeembed.evaluate.search_profile import fit_search_profile
from edgeembed_runtime.bundle import SearchProfile
from edgeembed_runtime.errors import InputError
from helpers import tiny_bundle

WORDS = ("cat", "dog", "rain", "sun", "train", "music", "soup", "tomato", "guitar", "river")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    path = tiny_bundle.write_tiny_bundle(tmp_path_factory.mktemp("fit") / "tiny.bundle")
    with Encoder.load(path, variant="fp32") as loaded:
        yield loaded


def judged(n=45, *, titles=False):
    """Documents of two words each, asked for by these words."""
    pairs = list(itertools.combinations(WORDS, 2))[:n]
    return Judgments(
        queries={f"q{i}": f'{a} "{b}" -on the mat' for i, (a, b) in enumerate(pairs)},
        documents={f"d{i}": f"{a} {b} on the mat" for i, (a, b) in enumerate(pairs)},
        gains={f"q{i}": {f"d{i}": 1.0} for i in range(len(pairs))},
        titles={f"d{i}": a for i, (a, _) in enumerate(pairs)} if titles else {},
    )


def test_a_profile_is_fitted_and_checked_on_sets_that_it_did_not_see(encoder):
    steps = []
    usual = SearchProfile(passage_tokens=64, overlap_tokens=8)
    report = fit_search_profile(
        encoder,
        {"fit": judged(titles=True)},
        held_out={"other": judged(20)},
        profile=usual,
        on_step=steps.append,
    )
    fitted, checked = report.sets
    profile = report.profile
    assert (fitted.name, fitted.fitted, fitted.queries, fitted.documents) == ("fit", True, 45, 45)
    assert (checked.name, checked.fitted, checked.queries) == ("other", False, 20)
    assert (profile.passage_tokens, profile.overlap_tokens) == (64, 8)
    assert list(fitted.ndcg.hybrid) == [round(0.1 * n, 1) for n in range(11)]
    assert list(checked.ndcg.hybrid) == [profile.weight]
    # What stands in quotes, or behind a minus, is text here.
    assert fitted.ndcg.keyword > 90
    assert fitted.ndcg.hybrid[1.0] == pytest.approx(fitted.ndcg.dense)
    assert fitted.gain == fitted.ndcg.hybrid[profile.weight] - max(
        fitted.ndcg.dense, fitted.ndcg.keyword
    )
    assert profile.calibration is not None
    assert profile.calibration.probability(1.0) > profile.calibration.probability(0.0)
    assert report.reliability is not None and checked.reliability is not None
    assert report.reliability.brier < report.reliability.brier_of_mean
    assert any("indexing 45 documents" in step for step in steps)


def test_the_same_sets_give_the_same_profile(encoder):
    first, again = (fit_search_profile(encoder, {"a": judged()}, seed=3) for _ in range(2))
    assert first == again


def test_of_many_queries_some_are_drawn(encoder):
    report = fit_search_profile(encoder, {"a": judged()}, max_queries=30)
    assert report.sets[0].queries == 30


def test_queries_that_cannot_be_answered_are_left_out(encoder):
    data = judged()
    more = Judgments(
        queries={**data.queries, "none": "the cat", "blank": "  "},
        documents=data.documents,
        gains={**data.gains, "none": {"d0": 0.0}, "blank": {"d0": 1.0}},
    )
    assert fit_search_profile(encoder, {"a": more}).sets[0].queries == 45


def test_cosines_that_say_nothing_are_noted(encoder):
    data = judged()
    everything = dict.fromkeys(data.documents, 1.0)
    all_relevant = Judgments(
        queries=data.queries,
        documents=data.documents,
        gains=dict.fromkeys(data.queries, everything),
    )
    report = fit_search_profile(encoder, {"a": all_relevant})
    assert report.profile.calibration is None
    assert report.reliability is None
    assert report.sets[0].reliability is None
    assert any("no calibration" in note for note in report.notes)


def test_too_little_to_go_by_is_an_error(encoder):
    with pytest.raises(InputError, match="expected a data set or more, got none"):
        fit_search_profile(encoder, {})
    with pytest.raises(InputError, match=r"expected 30 queries with an answer or more .* got 12"):
        fit_search_profile(encoder, {"a": judged(12)})
    with pytest.raises(InputError, match="a: expected queries with a relevant document"):
        fit_search_profile(encoder, {"a": Judgments(queries={}, documents={"d": "cat"}, gains={})})
    with pytest.raises(InputError, match="sets that are not fitted on, got 'a'"):
        fit_search_profile(encoder, {"a": judged()}, held_out={"a": judged()})
