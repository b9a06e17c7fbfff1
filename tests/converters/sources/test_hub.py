"""Hub ids without a network: one line, at once."""

import sys
import time

import pytest

from edgeembed import convert
from edgeembed_runtime.errors import ConversionError, InputError, MissingExtraError


@pytest.fixture
def offline(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants", reason="not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("hub_id", ["somebody/no-such-model", "no-such-model"])
def test_offline(offline, hub_id, tmp_path):
    began = time.monotonic()
    with pytest.raises(ConversionError, match=hub_id) as caught:
        convert(hub_id, tmp_path / "bundle")
    assert time.monotonic() - began < 10
    assert "\n" not in str(caught.value)
    assert "network" in str(caught.value)
    assert not (tmp_path / "bundle").exists()


def test_missing_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"edgeembed\[hub\]"):
        convert("somebody/no-such-model", tmp_path / "bundle")


@pytest.mark.parametrize("source", ["no/such/directory", "./no-such-directory/", "https://x.org/a"])
def test_what_is_no_hub_id_is_never_asked_for(source, tmp_path):
    with pytest.raises(InputError, match="expected a model directory or a Hub id, found nothing"):
        convert(source, tmp_path / "bundle")
