"""One image a run: on the CPU, a vector then depends on its own image only.

Each thread decodes an image, prepares it and runs it; while one decodes, another is in the
network. Pillow, numpy's copies and onnxruntime let go of the interpreter while they work.
"""

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.bundle.signature import EMBEDDING, PIXEL_VALUES
from edgeembed_runtime.engine.base import at_position
from edgeembed_runtime.engine.memory_budget import threads_within
from edgeembed_runtime.engine.pool import WorkerPool
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import OpenSession, Session, SessionSettings, opened_once
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.decode import decode, plan_decoding
from edgeembed_runtime.inputs.image.open import ImageInput, open_image
from edgeembed_runtime.inputs.image.preprocess import max_target_side, pixel_values

# An image, and its position among all inputs, by which an error names it.
NumberedImage = tuple[int, ImageInput]
ImageResult = NDArray[np.float32] | InputError


class ImageEngine:
    """One variant of an image tower, ready to run. Any number of threads may use it at once.

    Many images go one to a thread, each run on one thread of a session. One image alone gets
    all threads of another session. Images that are decoded at one time take no more memory
    together than the largest that is allowed; a large one waits for the others.
    """

    def __init__(
        self,
        *,
        preprocess: Preprocess,
        open_session: OpenSession,
        schedule: Schedule,
        deterministic: bool,
        resident_before: int = 0,
    ) -> None:
        """Open the session for single images, so that a graph that cannot run is found out now.

        `resident_before` is what the process had in memory, in bytes, before anything was loaded.

        Raises:
            InputError: the schedule's limit on memory is too low for this model.
        """
        self.deterministic = deterministic
        self._preprocess = preprocess
        self._schedule = schedule
        self._open_session = opened_once(open_session)
        self._single = self._session(schedule.single_threads)
        self.threads = schedule.threads
        if schedule.max_memory_mb is not None:
            blank = np.zeros((3, *preprocess.size), np.float32)
            self.threads = threads_within(
                schedule.max_memory_mb,
                schedule.threads,
                base=resident_before,
                max_tokens=1,
                run=lambda _: self._run(self._single, blank),
                what="one image",
            )
        self._pool = WorkerPool(self.threads, low_priority=schedule.low_priority)
        self._decoding_memory = _DecodingMemory()

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """How many nodes of the graph each provider that loaded runs, in order of preference."""
        return self._single.nodes_by_provider

    def encode_one(self, image: ImageInput, max_pixels: int) -> NDArray[np.float32]:
        """The vector of one image, as soon as can be: (dim,) float32.

        Raises:
            InputError: it cannot be used; the message names its file.
        """
        work = partial(self._vector, self._single, max_pixels=max_pixels)
        return work(image) if self._schedule.run_in_caller_thread else self._pool.call(work, image)

    def encode_many(
        self, images: Iterable[NumberedImage], max_pixels: int
    ) -> Iterator[ImageResult]:
        """What becomes of each image, in order: its vector, (dim,) float32, or what is wrong.

        Reads only a little ahead.
        """
        session = self._session(1)

        def encode(item: NumberedImage) -> ImageResult:
            position, image = item
            try:
                with at_position(position):
                    return self._vector(session, image, max_pixels)
            except InputError as error:
                return error

        return self._pool.map(encode, images)

    def close(self) -> None:
        """Stop the threads; jobs that have not started are dropped."""
        self._pool.close()

    def _vector(self, session: Session, image: ImageInput, max_pixels: int) -> NDArray[np.float32]:
        return self._run(session, self._pixels(image, max_pixels))

    def _pixels(self, image: ImageInput, max_pixels: int) -> NDArray[np.float32]:
        target_side = max_target_side(self._preprocess)
        with open_image(image, max_pixels) as opened:
            plan = plan_decoding(opened, max_pixels, target_side)
            with self._decoding_memory.reserve(plan.bytes):
                return pixel_values(decode(opened, plan, target_side), self._preprocess)

    def _run(self, session: Session, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run({PIXEL_VALUES: pixels[None]}, EMBEDDING)[0]

    def _session(self, threads: int) -> Session:
        spin = self._schedule.spin and threads > 1
        return self._open_session(SessionSettings(threads=threads, spin=spin))


@dataclass
class _DecodingMemory:
    """Bytes of images that are decoded at one time."""

    limit: int = 200_000_000

    def __post_init__(self) -> None:
        self._free = self.limit
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Generator[None]:
        """Wait until so many bytes are free, and take them; more than all there are is all."""
        reserved = min(size, self.limit)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= reserved)
            self._free -= reserved
        try:
            yield
        finally:
            with self._changed:
                self._free += reserved
                self._changed.notify_all()
