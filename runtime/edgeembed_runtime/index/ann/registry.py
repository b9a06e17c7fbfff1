"""The ANN backends that this process knows, by name."""

import re
from typing import cast

from edgeembed_runtime.arguments import shown
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.ann.annoy import Annoy
from edgeembed_runtime.index.ann.backend import AnnBackend
from edgeembed_runtime.index.ann.faiss import Faiss
from edgeembed_runtime.index.ann.usearch import Usearch
from edgeembed_runtime.index.base.layout import SEGMENT_ROLES, is_suffix
from edgeembed_runtime.index.base.settings import AUTO, EXACT, IndexSettings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_MAX_PARAMETER = 1 << 31
_METHODS = ("is_available", "fits", "build", "find_problem", "load")
_backends: dict[str, AnnBackend] = {}


def register_ann_backend(backend: AnnBackend) -> None:
    """Let indexes of this process use a backend; "auto" tries backends in order of registration.

    Register it in every process that should search with it. An index that was built with a backend
    that is not registered is searched exactly.

    Raises:
        InputError: its name or suffix is invalid or taken, or an attribute is missing or invalid.
    """
    name, suffix = getattr(backend, "name", None), getattr(backend, "suffix", None)
    if not is_backend_name(name):
        raise InputError(f"backend: expected a name like 'my_ann', got {name!r:.80}")
    if not is_suffix(suffix):
        raise InputError(f"backend {name}: expected a suffix like 'myann', got {suffix!r:.80}")
    if name in (AUTO, EXACT) or name in _backends:
        raise InputError(f"backend {name}: the name is taken; choose another")
    if suffix in SEGMENT_ROLES or suffix in ann_suffixes():
        raise InputError(f"backend {name}: the suffix {suffix!r} is taken; choose another")
    for method in _METHODS:
        if not callable(getattr(backend, method, None)):
            raise InputError(f"backend {name}: expected a method {method}(), found none")
    _check_numbers(backend)
    _backends[backend.name] = backend


def _check_numbers(backend: AnnBackend) -> None:
    parameters: object = getattr(backend, "build_parameters", None)
    default: object = getattr(backend, "default_build_parameter", None)
    effort: object = getattr(backend, "first_effort", None)
    if not isinstance(parameters, range) or default not in parameters:
        raise InputError(
            f"backend {backend.name}: expected build_parameters, a range that holds "
            f"default_build_parameter, got {parameters!r:.80} and {default!r:.80}"
        )
    if parameters.step < 0 or parameters[0] < 0 or parameters[-1] >= _MAX_PARAMETER:
        raise InputError(
            f"backend {backend.name}: expected build_parameters from 0 to {_MAX_PARAMETER - 1}, "
            f"got {parameters!r:.80}"
        )
    if not isinstance(effort, int) or effort < 1:
        raise InputError(
            f"backend {backend.name}: expected first_effort of at least 1, got {effort!r:.80}"
        )


def is_backend_name(name: object) -> bool:
    """Whether a backend may be called so, registered here or not."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def find_backend(name: str) -> AnnBackend | None:
    """The registered backend of a name, if there is one."""
    return _backends.get(name)


def backend_of_suffix(suffix: str) -> AnnBackend | None:
    """The registered backend whose files have a suffix, if there is one."""
    return next((b for b in _backends.values() if b.suffix == suffix), None)


def ann_suffixes() -> frozenset[str]:
    """The suffixes of the registered backends' files."""
    return frozenset(backend.suffix for backend in _backends.values())


def allowed_backends(settings: IndexSettings) -> list[AnnBackend]:
    """The backends that compact() may build with, in order of registration.

    Raises:
        InputError: settings name a backend that is not registered, or a build parameter that it
            does not take.
    """
    if not isinstance(cast("object", settings.backend), str):
        raise InputError(f"settings.backend: expected a text, got {shown(settings.backend)}")
    if settings.backend == AUTO:
        return list(_backends.values())
    if settings.backend == EXACT:
        return []
    backend = find_backend(settings.backend) if is_backend_name(settings.backend) else None
    if backend is None:
        known = ", ".join([AUTO, EXACT, *_backends])
        raise InputError(
            f"settings.backend: expected one of {known}, got {settings.backend!r:.80}; call "
            f"register_ann_backend() first for another"
        )
    parameter = settings.build_parameter
    if parameter is not None and (
        type(parameter) is not int or parameter not in backend.build_parameters
    ):
        first, last = backend.build_parameters[0], backend.build_parameters[-1]
        raise InputError(
            f"settings.build_parameter: expected {first} to {last} for {backend.name}, got "
            f"{shown(parameter)}"
        )
    return [backend]


register_ann_backend(Faiss())  # the fastest first
register_ann_backend(Usearch())
register_ann_backend(Annoy())
