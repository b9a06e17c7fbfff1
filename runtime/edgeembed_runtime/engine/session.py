"""onnxruntime sessions: made from checked bytes, on exactly the providers that were asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeembed_runtime.errors import BundleCorruptError, InferenceError, InputError, ProviderError

Provider = str | tuple[str, Mapping[str, object]]
CPU = "CPUExecutionProvider"
_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """How a session runs: threads inside one run, and the providers in order of preference."""

    threads: int
    providers: tuple[tuple[str, dict[str, object]], ...] = ((CPU, {}),)


def resolve_providers(
    providers: Sequence[Provider] | None,
) -> tuple[tuple[str, dict[str, object]], ...]:
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
    resolved: list[tuple[str, dict[str, object]]] = []
    for provider in providers:
        match provider:
            case str(name):
                resolved.append((_full_name(name), {}))
            case (str(name), Mapping() as options):
                resolved.append((_full_name(name), dict(options)))
            case _:
                raise InputError(
                    f"providers: expected names or (name, options) pairs, got {provider!r}"
                )
    if all(name != CPU for name, _ in resolved):
        resolved.append((CPU, {}))
    return tuple(resolved)


def _full_name(name: str) -> str:
    available: list[str] = ort.get_available_providers()
    for known in available:
        if name.lower() in (known.lower(), known.removesuffix("ExecutionProvider").lower()):
            return known
    raise ProviderError(
        f"provider {name!r}: this onnxruntime {ort.__version__} has only {', '.join(available)}; "
        "install the onnxruntime build that carries it (onnxruntime-gpu for CUDA)"
    )


class Session:
    """An onnxruntime session with types: the one place where onnxruntime is called."""

    def __init__(self, model: bytes, name: str, settings: SessionSettings) -> None:
        """Load an ONNX model's bytes; `name` is for messages.

        Raises:
            BundleCorruptError: onnxruntime cannot load the model.
            ProviderError: a provider that was asked for did not load.
        """
        try:
            self._session = ort.InferenceSession(
                model, _options(settings), providers=list(settings.providers)
            )
        except Exception as error:  # onnxruntime raises a dozen types without a common base
            raise BundleCorruptError(
                f"{name}: onnxruntime could not load it: {_first_line(error)}"
            ) from error
        for wanted, _ in settings.providers:
            if wanted not in self.providers:
                raise ProviderError(
                    f"provider {wanted}: asked for, but onnxruntime loaded only "
                    f"{', '.join(self.providers)}; check its driver and libraries, "
                    "or leave it out of providers="
                )

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that loaded, in order of preference."""
        return tuple(str(name) for name in self._session.get_providers())

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return tuple(str(node.name) for node in self._session.get_inputs())

    @property
    def outputs(self) -> dict[str, tuple[int | str | None, ...]]:
        """The shapes of the graph's outputs by name; a free axis is a name or None."""
        return {str(node.name): tuple(node.shape) for node in self._session.get_outputs()}

    def run(self, feeds: Mapping[str, NDArray[np.int64]], output: str) -> NDArray[np.float32]:
        """Run one batch and return the named output.

        Raises:
            InferenceError: the run failed, or the output has NaN or infinite values.
        """
        try:
            result = np.asarray(self._session.run([output], dict(feeds))[0], np.float32)
        except Exception as error:  # see __init__
            raise InferenceError(f"the model failed while it ran: {_first_line(error)}") from error
        if not np.isfinite(result).all():
            raise InferenceError(
                "the model returned NaN or infinite values; run `edgeembed verify` on the bundle"
            )
        return result


def _options(settings: SessionSettings) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin inside a run halve the latency of a short text; between two runs they
    # would keep a laptop's core busy.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # The arena and the memory pattern keep the largest input's memory for ever.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return options


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
