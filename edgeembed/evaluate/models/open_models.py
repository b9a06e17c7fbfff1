"""From names on the command line to models; importing this module registers the built-in forms."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgeembed.evaluate.models import bundle, sentence_transformers, word_vectors
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.models.registry import registered_models
from edgeembed_runtime.errors import InputError

BUILT_IN = (bundle, sentence_transformers, word_vectors)


def open_models(names: Sequence[str]) -> list[Model]:
    """Open models by name.

    A bundle ("path" for all its variants that run here, or "path@int8"), a directory of
    sentence-transformers, transformers or Optimum, or a text file of word vectors.

    Raises:
        InputError: it is none of them, or two models have one name.
        BundleError, MissingExtraError: it cannot be loaded.
    """
    models = [model for name in names for model in _open(name)]
    doubled = [name for name, count in Counter(m.name for m in models).items() if count > 1]
    if doubled:
        raise InputError(f"models: expected different ones, got {doubled[0]!r} twice")
    return models


def _open(name: str) -> Sequence[Model]:
    forms = registered_models()
    for opener in forms.values():
        models = opener(name)
        if models is not None:
            return models
    path = Path(name)
    found = "a file" if path.is_file() else "a directory" if path.is_dir() else "nothing"
    raise InputError(f"model {name}: expected {' or '.join(forms)}, found {found}")
