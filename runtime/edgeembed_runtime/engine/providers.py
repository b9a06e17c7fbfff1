"""Execution providers: by name with options, exactly those that were asked for."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.errors import InputError, ProviderError

Provider = str | tuple[str, Mapping[str, object]]
Providers = tuple[tuple[str, dict[str, str]], ...]
Shapes = Literal["exact", "batched", "fixed"]

CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_COREML = "CoreMLExecutionProvider"
# Options that hold unless the user gives others. CUDA: fp32 stays fp32 (TF32 keeps 10 bits of a
# mantissa), and memory grows by what is needed, not in powers of two.
# https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
# https://onnxruntime.ai/docs/execution-providers/CoreML-ExecutionProvider.html
_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    _CUDA: {"device_id": "0", "use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"},
    _COREML: {"ModelFormat": "MLProgram", "RequireStaticInputShapes": "1"},
}


def resolve_providers(providers: Sequence[Provider] | None) -> Providers:
    """Turn what a user asked for into (name, options) pairs; None means the CPU.

    Names are onnxruntime's, or their short form ("CUDA" for "CUDAExecutionProvider"). The CPU is
    added last: an operator that another provider lacks has to run somewhere.

    Raises:
        InputError: not a list of names or (name, options) pairs.
        ProviderError: this onnxruntime has no such provider.
    """
    if providers is None:
        return ((CPU, {}),)
    if not isinstance(providers, list | tuple) or not providers:
        raise InputError(
            f"providers: expected a list such as ['CPUExecutionProvider'], got {providers!r}"
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
                    f"providers: expected names or (name, options) pairs, got {provider!r}"
                )
    names = [name for name, _ in resolved]
    if len(set(names)) < len(names):
        raise InputError(f"providers: expected different ones, got {', '.join(names)}")
    if CPU not in names:
        resolved.append((CPU, {}))
    return tuple(resolved)


def short_name(provider: str) -> str:
    """A provider as users and manifests write it: "cuda" for "CUDAExecutionProvider"."""
    return provider.removesuffix("ExecutionProvider").lower()


def input_shapes(providers: Providers) -> Shapes:
    """How inputs are shaped for the first provider.

    "exact" (CPU): one text a run, its own length. "batched": texts of like length together.
    "fixed" (CoreML, which compiles a model for every shape): one text a run, a few lengths.
    """
    match providers[0][0]:
        case str(name) if name == CPU:
            return "exact"
        case str(name) if name == _COREML:
            return "fixed"
        case _:
            return "batched"


def coreml_cache() -> Path:
    """Where CoreML keeps compiled models unless ModelCacheDirectory says otherwise.

    Without one it compiles anew at every start, and leaves the results in temporary folders.
    """
    home = Path.home()
    base = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    return base / "edgeembed" / "coreml"


def _with_defaults(name: str, options: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    full = _full_name(name)
    user_options = {key: str(value) for key, value in options.items()}
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
        f"provider {name!r}: this onnxruntime {ort.__version__} has only {', '.join(available)}; "
        "install the onnxruntime build that carries it (onnxruntime-gpu for CUDA)"
    )
