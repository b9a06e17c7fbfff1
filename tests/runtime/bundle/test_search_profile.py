"""How to search with a bundle, as its manifest says."""

import pytest

from edgeembed import Calibration, Encoder, SearchProfile
from edgeembed_runtime.errors import BundleCorruptError
from helpers import tiny_bundle


def _set(bundle, search):
    tiny_bundle.edit_manifest(bundle, lambda tree: tree.update(search=search))


def test_a_bundle_that_says_nothing_has_the_usual_profile(own_bundle):
    assert Encoder.load(own_bundle).search_profile == SearchProfile()
    _set(own_bundle, None)
    assert Encoder.load(own_bundle).search_profile == SearchProfile()


def test_what_a_bundle_says_is_used(own_bundle):
    _set(own_bundle, {"weight": 0.7, "calibration": {"slope": 9, "intercept": -3.5}, "new": 1})
    assert Encoder.load(own_bundle).search_profile == SearchProfile(
        weight=0.7, calibration=Calibration(slope=9.0, intercept=-3.5)
    )


def test_code_may_have_a_weight_of_its_own(own_bundle):
    _set(own_bundle, {"weight": 0.5, "code_weight": 0.75})
    assert Encoder.load(own_bundle).search_profile.code_weight == 0.75
    _set(own_bundle, {"weight": 0.5})
    assert Encoder.load(own_bundle).search_profile.code_weight is None


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"weight": 1.1}, r"search\.weight: expected a number of 0 to 1"),
        ({"weight": -0.1}, r"search\.weight"),
        ({"weight": "0.5"}, r"search\.weight"),
        ({"code_weight": 1.1}, r"search\.code_weight: expected a number of 0 to 1"),
        ({"code_weight": "0.5"}, r"search\.code_weight"),
        ({"weight": True}, r"search\.weight"),
        ({"passage_tokens": 0}, r"search\.passage_tokens"),
        ({"passage_tokens": 1.5}, r"search\.passage_tokens"),
        ({"passage_tokens": 32, "overlap_tokens": 32}, r"search\.overlap_tokens"),
        ({"overlap_tokens": -1}, r"search\.overlap_tokens"),
        ({"calibration": {"slope": 1}}, r"search\.calibration"),
        ({"calibration": {"slope": 10**400, "intercept": 0}}, r"search\.calibration"),
        ({"calibration": [1, 2]}, r"search\.calibration"),
        ([], "search"),
    ],
)
def test_a_profile_that_cannot_be_is_named(own_bundle, search, message):
    _set(own_bundle, search)
    with pytest.raises(BundleCorruptError, match=message):
        Encoder.load(own_bundle)


def test_an_infinite_calibration_is_no_calibration():
    profile = SearchProfile(calibration=Calibration(slope=float("inf"), intercept=0))
    with pytest.raises(BundleCorruptError, match=r"search\.calibration\.slope"):
        profile.check()
