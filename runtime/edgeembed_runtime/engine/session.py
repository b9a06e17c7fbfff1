"""onnxruntime sessions: made from checked bytes, on exactly the providers that were asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.engine.memory import trim_heap
from edgeembed_runtime.engine.providers import CPU, Providers
from edgeembed_runtime.errors import BundleCorruptError, InferenceError, ProviderError
from edgeembed_runtime.storage import storage_errors

_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """How a session runs.

    `threads` share one run; with `spin` they stay awake between runs. `sizes` fixes free axes of
    the inputs by their names, for providers that compile a model for a shape. With `io_binding`
    the output stays on the device until the run is over.
    """

    providers: Providers = ((CPU, {}),)
    threads: int = 1
    spin: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    io_binding: bool = False


class Session:
    """An onnxruntime session with types: the one place where onnxruntime is called."""

    def __init__(self, model: bytes, name: str, settings: SessionSettings) -> None:
        """Load an ONNX model's bytes; `name` is for messages.

        Raises:
            BundleCorruptError: onnxruntime cannot load the model.
            ProviderError: a provider that was asked for did not load.
        """
        self._io_binding = settings.io_binding
        for _, options in settings.providers:
            if folder := options.get("ModelCacheDirectory"):
                with storage_errors("make", Path(folder)):
                    Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            self._session = ort.InferenceSession(
                model, _options(settings), providers=list(settings.providers)
            )
        except Exception as error:  # onnxruntime raises a dozen types without a common base
            first = settings.providers[0][0]
            if first != CPU:
                raise ProviderError(
                    f"{name}: onnxruntime could not load it on {first}: {first_line(error)}; "
                    "check the provider's options, or try the CPU"
                ) from error
            raise BundleCorruptError(
                f"{name}: onnxruntime could not load it: {first_line(error)}"
            ) from error
        # It keeps the bytes to make itself anew on other providers, which is never wanted here.
        self._session._model_bytes = None  # pyright: ignore[reportPrivateUsage]
        trim_heap()
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
    def nodes_by_provider(self) -> dict[str, int]:
        """How many nodes of the graph each provider runs, those that run none included."""
        counts = Counter(dict.fromkeys(self.providers, 0))
        for part in self._session.get_provider_graph_assignment_info():
            counts[str(part.ep_name)] += len(part.get_nodes())
        return dict(counts)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return tuple(str(node.name) for node in self._session.get_inputs())

    @property
    def outputs(self) -> dict[str, tuple[int | str | None, ...]]:
        """The shapes of the graph's outputs by name; a free axis is a name or None."""
        return {str(node.name): tuple(node.shape) for node in self._session.get_outputs()}

    def run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[np.float32]:
        """Run one batch and return the named output.

        Raises:
            InferenceError: the run failed, or the output has NaN or infinite values.
        """
        try:
            run = self._run_bound if self._io_binding else self._run_plain
            result = np.asarray(run(feeds, output), np.float32)
        except Exception as error:  # see __init__
            raise InferenceError(f"the model failed while it ran: {first_line(error)}") from error
        if not np.isfinite(result).all():
            raise InferenceError(
                "the model returned NaN or infinite values; run `edgeembed verify` on the bundle"
            )
        return result

    def _run_plain(self, feeds: Mapping[str, NDArray[Any]], output: str) -> Any:
        return self._session.run([output], dict(feeds))[0]

    def _run_bound(self, feeds: Mapping[str, NDArray[Any]], output: str) -> Any:
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        binding.bind_output(output)
        self._session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]


class ConstantSession:
    """A session on the CPU whose constants are the caller's arrays, not bytes of the model."""

    def __init__(
        self, model: bytes, constants: Mapping[str, NDArray[Any]], *, threads: int
    ) -> None:
        """Load an ONNX model whose initializers, by name, are external."""
        # onnxruntime may look at the values for as long as the session lives.
        self._values = [ort.OrtValue.ortvalue_from_numpy(array) for array in constants.values()]
        options = ort.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_external_initializers(list(constants), self._values)
        self._session = ort.InferenceSession(model, options, providers=[CPU])

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Run the model and return the named outputs; raises what onnxruntime raises."""
        found: list[Any] = list(self._session.run(list(outputs), dict(feeds)))
        return found


def _options(settings: SessionSettings) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # The memory pattern is planned per input shape, and no two texts need have the same.
    options.enable_mem_pattern = False
    if not settings.spin:
        # Threads that spin inside a run halve the latency of a short text; between two runs they
        # would keep a laptop's core busy.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if settings.providers[0][0] == CPU:
        # Measured on int8 MiniLM: the fused operator is 12 % slower than the two that it replaces.
        options.add_session_config_entry(
            "optimization.disable_specified_optimizers", "SkipLayerNormFusion"
        )
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    for axis, size in settings.sizes.items():
        options.add_free_dimension_override_by_name(axis, size)
    return options
