"""What a test registers is gone after it."""

from copy import copy

import pytest

from edgeembed.evaluate.models import registry as model_forms
from edgeembed.evaluate.tasks import registry as task_kinds
from edgeembed_converters.quantization import registry as recipes
from edgeembed_converters.sources import registry as sources
from edgeembed_runtime.index.ann import registry as backends


def keep_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the test copies of every registry."""
    for module, name in [
        (backends, "_backends"),
        (sources, "_registered"),
        (recipes, "_registered"),
        (task_kinds, "_kinds"),
        (model_forms, "_forms"),
    ]:
        monkeypatch.setattr(module, name, copy(getattr(module, name)))
