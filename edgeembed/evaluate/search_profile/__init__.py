"""Measure how to search with an encoder, for its bundle's manifest: weight and calibration."""

from edgeembed.evaluate.search_profile.calibration import Errors, Reliability
from edgeembed.evaluate.search_profile.fit import (
    SearchProfileReport,
    SetReport,
    fit_search_profile,
)
from edgeembed.evaluate.search_profile.weights import WeightCurve

__all__ = [
    "Errors",
    "Reliability",
    "SearchProfileReport",
    "SetReport",
    "WeightCurve",
    "fit_search_profile",
]
