"""The registry of models: which forms there are, and what opens each."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from edgeembed.evaluate.models.model import Model
from edgeembed_runtime.errors import InputError

# From what people call a model to models; None where it is not of this form.
ModelOpener = Callable[[str], Sequence[Model] | None]

_forms: dict[str, ModelOpener] = {}


def register_model(form: str) -> Callable[[ModelOpener], ModelOpener]:
    """Register the decorated function as what opens models of one form.

    Args:
        form: what messages call it, with its article, such as "a bundle".

    Raises:
        InputError: the form is registered already.
    """
    if form in _forms:
        raise InputError(f"model form {form!r}: expected a new one, got one that is registered")

    def register(opener: ModelOpener) -> ModelOpener:
        _forms[form] = opener
        return opener

    return register


def registered_models() -> Mapping[str, ModelOpener]:
    """Every registered form and its opener, in the order of registration."""
    return MappingProxyType(_forms)
