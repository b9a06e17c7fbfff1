"""onnxruntime sessions: created from verified bytes, on exactly the requested providers."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.daemon_runs import run_under_way
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.bundle.graph.reading import Graph, read_graph
from edgeembed_runtime.bundle.graph.room import Expected, Room
from edgeembed_runtime.bundle.graph.token_table import token_rows
from edgeembed_runtime.engine.memory import free_bytes, trim_heap
from edgeembed_runtime.engine.providers import CPU, Providers
from edgeembed_runtime.engine.unpadded_nodes import with_unpadded_nodes
from edgeembed_runtime.errors import BundleCorruptError, InferenceError, ProviderError
from edgeembed_runtime.storage import storage_errors

# A number of threads for SessionSettings: onnxruntime then takes one for each physical core.
ALL_CORES = 0
_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """How a session runs.

    Attributes:
        providers: execution providers and their options, in order of preference.
        threads: intra-op threads.
        spin: whether threads spin between runs.
        sizes: fixes free axes of the inputs by name, for providers that compile per shape.
        io_binding: keep the output on the device until the run is over.
        unpadded: inputs are never padded; uses the nodes that the graph has for such, if any.
    """

    providers: Providers = ((CPU, {}),)
    threads: int = 1
    spin: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    io_binding: bool = False
    unpadded: bool = False


class Session:
    """An onnxruntime session with types; no other module of the three packages makes one.

    `token_rows` is how many token ids the graph knows; None if it does not say.
    """

    def __init__(
        self,
        model: bytes,
        name: str,
        settings: SessionSettings,
        *,
        outside: Mapping[str, NDArray[Any]] | None = None,
        expected: Expected | None = None,
    ) -> None:
        """Load the bytes of an ONNX model.

        Args:
            model: all of it, or without the weights `outside`, which are marked as external.
            name: for error messages.
            settings: how it runs.
            outside: weights by name; they must not change while the session lives.
            expected: what a graph from others is given: it is checked for that before it is loaded,
                and its runs before they take memory. Without, the model is trusted.

        Raises:
            BundleCorruptError: onnxruntime cannot load the model.
            BundleUnsafeError: the graph is refused; see `Room.checked`.
            InputError: the memory limit is too low.
            ProviderError: a requested provider did not load.
            StorageError: a provider's cache directory cannot be created.
        """
        original, model = model, _for_unpadded(model) if settings.unpadded else model
        # The very bytes that onnxruntime gets.
        self._room = None if expected is None else Room.checked(model, name, expected)
        self.token_rows = _token_rows(
            _read(model) if self._room is None else self._room.graph, original
        )
        self._io_binding = settings.io_binding
        for _, options in settings.providers:
            if folder := options.get("ModelCacheDirectory"):
                with storage_errors("make", Path(folder)):
                    Path(folder).mkdir(parents=True, exist_ok=True)
        options = _options(settings)
        if self._room is not None:
            # What was checked: bytes inside of a model can make it one of onnxruntime's own format.
            options.add_session_config_entry("session.load_model_format", "ONNX")
        # onnxruntime may look at the values for as long as the session lives.
        self._outside = [
            ort.OrtValue.ortvalue_from_numpy(each) for each in (outside or {}).values()
        ]
        if outside:
            options.add_external_initializers(list(outside), self._outside)
        try:
            with run_under_way():
                self._session = ort.InferenceSession(
                    model, options, providers=list(settings.providers)
                )
        except Exception as error:  # onnxruntime's error types have no common base
            first = settings.providers[0][0]
            if first != CPU:
                raise ProviderError(
                    f"{name}: onnxruntime could not load it on {first}: {first_line(error)}; "
                    "check the provider's options, or try the CPU"
                ) from error
            raise BundleCorruptError(
                f"{name}: onnxruntime could not load it: {first_line(error)}"
            ) from error
        # Kept by onnxruntime only to recreate the session on other providers; never needed here.
        self._session._model_bytes = None  # pyright: ignore[reportPrivateUsage]
        trim_heap()
        for wanted, _ in settings.providers:
            if wanted not in self.providers:
                raise ProviderError(
                    f"provider {wanted}: requested, but onnxruntime loaded only "
                    f"{', '.join(self.providers)}; check its driver and libraries, "
                    "or remove it from providers="
                )

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that loaded, in order of preference."""
        return tuple(str(name) for name in self._session.get_providers())

    @property
    def nodes_by_provider(self) -> dict[str, int]:
        """The number of graph nodes each provider runs, including providers that run none."""
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
        """The shapes of the graph's outputs by name; a free axis is a string or None."""
        return {str(node.name): tuple(node.shape) for node in self._session.get_outputs()}

    def run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[np.float32]:
        """Run one batch and return the named output as float32.

        Raises:
            InferenceError: the run failed, or the output has NaN or infinite values.
        """
        if self._room is not None:
            self._room.admit(next(iter(feeds.values())).shape, free_bytes)
        try:
            run = self._run_bound if self._io_binding else self._run_plain
            result = np.asarray(run(feeds, [output])[0], np.float32)
        except Exception as error:  # see __init__
            raise _failed(error) from error
        if not np.isfinite(result).all():
            raise InferenceError(
                "the model returned NaN or infinite values; run `edgeembed verify` on the bundle"
            )
        return result

    def run_unchecked(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> list[NDArray[Any]]:
        """Run one batch and return the named outputs in their own types; they may be infinite.

        Raises:
            InferenceError: the run failed.
        """
        try:
            return [np.asarray(value) for value in self._run_plain(feeds, list(outputs))]
        except Exception as error:  # see __init__
            raise _failed(error) from error

    def _run_plain(self, feeds: Mapping[str, NDArray[Any]], outputs: list[str]) -> Sequence[Any]:
        with run_under_way():
            return self._session.run(outputs, dict(feeds))

    def _run_bound(self, feeds: Mapping[str, NDArray[Any]], outputs: list[str]) -> Sequence[Any]:
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for name in outputs:
            binding.bind_output(name)
        with run_under_way():
            self._session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()


def _for_unpadded(model: bytes) -> bytes:
    try:
        return with_unpadded_nodes(model)
    except (ValueError, IndexError):
        return model  # the graph's own nodes do as well, and onnxruntime says what is no model


def _read(model: bytes) -> Graph | None:
    try:
        return read_graph(model)
    except (ValueError, IndexError):
        return None


def _token_rows(graph: Graph | None, original: bytes) -> int | None:
    rows = None if graph is None else token_rows(graph)
    if rows is not None:
        return rows
    graph = _read(original)  # nodes for texts without padding may look up otherwise
    return None if graph is None else token_rows(graph)


def _failed(error: Exception) -> InferenceError:
    return InferenceError(f"the model failed while it ran: {first_line(error)}")


OpenSession = Callable[[SessionSettings], Session]


def opened_once(open_session: OpenSession) -> OpenSession:
    """Memoize `open_session`: one session per settings. Thread-safe."""
    lock = threading.Lock()
    opened: list[tuple[SessionSettings, Session]] = []

    def open_or_recall(settings: SessionSettings) -> Session:
        with lock:
            for known, session in opened:
                if known == settings:
                    return session
            session = open_session(settings)
            opened.append((settings, session))
            return session

    return open_or_recall


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
        with run_under_way():
            found: list[Any] = list(self._session.run(list(outputs), dict(feeds)))
        return found


def _options(settings: SessionSettings) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Memory patterns are planned per input shape, and input shapes vary from text to text.
    options.enable_mem_pattern = False
    if not settings.spin:
        # Spinning within a run halves the latency of a short text; spinning between runs would
        # keep a laptop's cores busy.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if settings.providers[0][0] == CPU:
        # Measured on int8 MiniLM: the fused operator is 12% slower than the two it replaces.
        options.add_session_config_entry(
            "optimization.disable_specified_optimizers", "SkipLayerNormFusion"
        )
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    for axis, size in settings.sizes.items():
        options.add_free_dimension_override_by_name(axis, size)
    return options
