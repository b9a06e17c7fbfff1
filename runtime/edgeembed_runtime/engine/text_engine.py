"""Texts to vectors on one session: never padded, so a vector depends on its own text only."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.bundle.files import Check
from edgeembed_runtime.bundle.graph import check_graph
from edgeembed_runtime.engine.pool import map_ordered
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import BundleCorruptError, EdgeEmbedError, InputError
from edgeembed_runtime.inputs.tokenizer import TextTokenizer

OUTPUT = "embedding"
Providers = tuple[tuple[str, dict[str, object]], ...]
OpenSession = Callable[[SessionSettings], Session]


class TextEngine:
    """One variant of a text tower, ready to run.

    A single text gets all threads of one session; many texts go one to a thread, each run on one
    thread of a second session, which is opened when it is first needed.
    """

    def __init__(
        self,
        *,
        tokenizer: TextTokenizer,
        open_session: OpenSession,
        threads: int,
        providers: Providers,
    ) -> None:
        """Open the session for single texts; `open_session` is called again for the other."""
        self.tokenizer = tokenizer
        self.threads = threads
        self._open_session = open_session
        self._providers = providers
        self._single = open_session(SessionSettings(threads=threads, providers=providers))
        self._bulk: Session | None = self._single if threads == 1 else None
        self._opening = threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="edgeembed")

    @property
    def active_providers(self) -> tuple[str, ...]:
        """The execution providers that loaded, in order of preference."""
        return self._single.providers

    def encode_one(self, text: str) -> NDArray[np.float32]:
        """The vector of one text, as fast as the machine can: (dim,) float32."""
        return self._run(self._single, text)

    def encode_many(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """The vectors of many texts, in order: (dim,) float32 each. Reads only a little ahead.

        Raises:
            InputError: a text cannot be used; the message names its position.
        """
        session = self._bulk_session()

        def run(item: tuple[int, str]) -> NDArray[np.float32]:
            position, text = item
            try:
                return self._run(session, text)
            except InputError as error:
                raise InputError(f"inputs[{position}]: {error}") from error

        return self._until_closed(map_ordered(run, enumerate(texts), self._pool, self.threads))

    def close(self) -> None:
        """Stop the threads; jobs that have not started are dropped."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _until_closed(self, found: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        try:
            yield from found
        except (CancelledError, RuntimeError) as error:  # what a pool that is shut down raises
            if not self._closed:
                raise
            raise EdgeEmbedError("the encoder was closed while it was encoding") from error

    def _bulk_session(self) -> Session:
        with self._opening:
            if self._bulk is None:
                self._bulk = self._open_session(
                    SessionSettings(threads=1, providers=self._providers)
                )
            return self._bulk

    def _run(self, session: Session, text: str) -> NDArray[np.float32]:
        ids = self.tokenizer.ids(text)[None, :]
        return session.run({"input_ids": ids, "attention_mask": np.ones_like(ids)}, OUTPUT)[0]


def open_text_engine(
    bundle: Bundle, variant: Variant, *, threads: int, providers: Providers, check: Check
) -> TextEngine:
    """Load one variant of a bundle's text tower; its files are checked before they are used.

    Raises:
        BundleCorruptError, BundleUnsafeError: a file is damaged, or the graph may not be run.
        ProviderError: a provider did not load.
    """
    tower = bundle.manifest.text
    data = bundle.read(tower.tokenizer, check=check)
    name = f"bundle {bundle.path}: {tower.tokenizer}"
    return TextEngine(
        tokenizer=TextTokenizer.from_bytes(data, tower.max_tokens, name),
        open_session=partial(_open_graph, bundle, variant.file, check),
        threads=threads,
        providers=providers,
    )


def _open_graph(bundle: Bundle, file: str, check: Check, settings: SessionSettings) -> Session:
    name = f"bundle {bundle.path}: {file}"
    model = bundle.read(file, check=check)
    check_graph(model, name)
    session = Session(model, name, settings)
    if set(session.inputs) != {"input_ids", "attention_mask"}:
        raise BundleCorruptError(
            f"{name}: expected the inputs input_ids and attention_mask, "
            f"found {', '.join(session.inputs)}"
        )
    dim = bundle.manifest.dim
    shape = session.outputs.get(OUTPUT, ())
    if len(shape) != 2 or shape[1] != dim:
        raise BundleCorruptError(
            f"{name}: expected an output {OUTPUT} of shape (n, {dim}), found {session.outputs}"
        )
    return session
