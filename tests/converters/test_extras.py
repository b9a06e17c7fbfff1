"""A missing package is named with the command that installs it."""

import importlib.util

import pytest

import edgeembed
from edgeembed_runtime.errors import MissingExtraError


@pytest.mark.parametrize("package", ["torch", "transformers", "onnx", "onnxscript", "safetensors"])
@pytest.mark.parametrize("name", ["convert", "ConversionReport"])
def test_missing_package(package, name, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *rest: None if n == package else find(n, *rest)
    )
    monkeypatch.delitem(vars(edgeembed), name, raising=False)
    with pytest.raises(MissingExtraError) as caught:
        getattr(edgeembed, name)
    assert str(caught.value) == (
        "converting models needs the extra 'convert'. Run: pip install 'edgeembed[convert]'"
    )


def test_unknown_name():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = edgeembed.no_such_name
