"""edgeembed.evaluate where mteb is missing, or not wanted."""

import sys

import pytest

from edgeembed import Encoder
from edgeembed.evaluate.mteb_model import MtebModel
from edgeembed_runtime.errors import MissingExtraError


def test_without_mteb_the_error_says_what_to_install(tiny_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "mteb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mteb", None)
    with (
        Encoder.load(tiny_path, threads=1) as encoder,
        pytest.raises(MissingExtraError, match="pip install mteb"),
    ):
        MtebModel(encoder)


def test_neither_the_package_nor_the_module_imports_mteb(command):
    code = "import sys, edgeembed.evaluate.mteb_model; print({'mteb', 'torch'} & set(sys.modules))"
    done = command(code=code)
    assert done.stdout.strip() == b"set()", done.stderr
