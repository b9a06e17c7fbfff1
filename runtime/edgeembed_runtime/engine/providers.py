"""Execution providers: exactly the requested ones, by name with options."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.arguments import checked_unicode, shown
from edgeembed_runtime.errors import InputError, ProviderError

Provider = str | tuple[str, Mapping[str, object]]
"""An onnxruntime execution provider: its name, or (name, options)."""
Providers = tuple[tuple[str, dict[str, str]], ...]
Shapes = Literal["exact", "batched", "fixed"]

CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_COREML = "CoreMLExecutionProvider"
# Default options, overridden by the user's. CUDA: no TF32 (it keeps 10 bits of the mantissa), and
# memory grows by the amount needed, not in powers of two.
# https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
# https://onnxruntime.ai/docs/execution-providers/CoreML-ExecutionProvider.html
_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    _CUDA: {"device_id": "0", "use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"},
    _COREML: {"ModelFormat": "MLProgram", "RequireStaticInputShapes": "1"},
}


def resolve_providers(providers: Sequence[Provider] | None) -> Providers:
    """Resolve requested providers to (name, options) pairs; None means the CPU.

    Names are onnxruntime's or their short form ("CUDA" for "CUDAExecutionProvider"). The CPU is
    added last, to run operators that another provider lacks.

    Raises:
        InputError: not a list of distinct names or (name, options) pairs.
        ProviderError: this onnxruntime has no such provider.
    """
    if providers is None:
        return ((CPU, {}),)
    if not isinstance(providers, list | tuple) or not providers:
        raise InputError(
            f"providers: expected a list such as ['CPUExecutionProvider'], got {shown(providers)}"
        )
    resolved: list[tuple[str, dict[str, str]]] = []
    for provider in providers:
        match provider:
            case str(name):
                resolved.append(_with_defaults(name, {}))
            case (str(name), Mapping() as options):
                resolved.append(_with_defaults(name, options))
            case _:
                raise InputError(
                    f"providers: expected names or (name, options) pairs, got {shown(provider)}"
                )
    names = [name for name, _ in resolved]
    if len(set(names)) < len(names):
        raise InputError(f"providers: expected each one once, got {', '.join(names)}")
    if CPU not in names:
        resolved.append((CPU, {}))
    return tuple(resolved)


def short_name(provider: str) -> str:
    """Return a provider's short name: "cuda" for "CUDAExecutionProvider"."""
    return provider.removesuffix("ExecutionProvider").lower()


def input_shapes(providers: Providers) -> Shapes:
    """Return how inputs are shaped for the first provider.

    "exact" (CPU): one text per run, at its own length. "batched": texts of similar length together.
    "fixed" (CoreML, which compiles the model per shape): one text per run, padded to a few lengths.
    """
    match providers[0][0]:
        case str(name) if name == CPU:
            return "exact"
        case str(name) if name == _COREML:
            return "fixed"
        case _:
            return "batched"


def coreml_cache() -> Path:
    """Return the default ModelCacheDirectory for CoreML.

    Without one, CoreML recompiles at every start and leaves the results in temporary folders.
    """
    home = Path.home()
    base = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    return base / "edgeembed" / "coreml"


def _with_defaults(name: str, options: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    full = _full_name(name)
    user_options = {
        checked_unicode(key, "providers: an option"): checked_unicode(
            value if isinstance(value, str) else shown(value), f"providers: {key}"
        )
        for key, value in options.items()
    }
    resolved = {**_DEFAULTS.get(full, {}), **user_options}
    if full == _COREML:
        resolved.setdefault("ModelCacheDirectory", str(coreml_cache()))
    return full, resolved


def _full_name(name: str) -> str:
    available: list[str] = ort.get_available_providers()
    for known in available:
        if name.lower() in (known.lower(), short_name(known)):
            return known
    raise ProviderError(
        f"provider {shown(name)}: onnxruntime {ort.__version__} here has only "
        f"{', '.join(available)}; "
        "install the onnxruntime build that includes it (onnxruntime-gpu for CUDA)"
    )
