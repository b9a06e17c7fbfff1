"""One image per run: on the CPU, a vector then depends on its own image only.

Each thread decodes, preprocesses and encodes one image, so decoding and inference overlap. Pillow,
numpy's copies and onnxruntime all release the GIL.
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
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import OpenSession, Session, SessionSettings, opened_once
from edgeembed_runtime.engine.thread_pool import WorkerPool
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.decode import decode, plan_decoding
from edgeembed_runtime.inputs.image.open import ImageInput, open_image
from edgeembed_runtime.inputs.image.preprocess import max_target_side, pixel_values

# An image and its position among all inputs, for error messages.
NumberedImage = tuple[int, ImageInput]
ImageResult = NDArray[np.float32] | InputError


class ImageEngine:
    """One variant of an image tower, ready to run. Thread-safe.

    A list of images is encoded one image per thread, on a session with one intra-op thread. A
    single image uses a second session with all threads. Decoding shares a fixed memory budget
    across threads; a large image waits for the others.
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
        """Open the session for single images, so an invalid graph fails now.

        `resident_before` is the process's resident memory in bytes before anything was loaded.

        Raises:
            InputError: the schedule's memory limit is too low for this model.
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
        """The number of graph nodes each loaded provider runs, in order of preference."""
        return self._single.nodes_by_provider

    def encode_one(self, image: ImageInput, max_pixels: int) -> NDArray[np.float32]:
        """Encode one image with minimal latency: (dim,) float32.

        Raises:
            InputError: the image is invalid; the message names its file.
        """
        work = partial(self._vector, self._single, max_pixels=max_pixels)
        return work(image) if self._schedule.run_in_caller_thread else self._pool.call(work, image)

    def encode_many(
        self, images: Iterable[NumberedImage], max_pixels: int
    ) -> Iterator[ImageResult]:
        """Yield each image's vector, (dim,) float32, or its error, in order.

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
        """Stop the threads; pending jobs are dropped."""
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
    """The memory budget, in bytes, of concurrent decoding."""

    limit: int = 200_000_000

    def __post_init__(self) -> None:
        self._free = self.limit
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Generator[None]:
        """Wait until `size` bytes are free and hold them; more than `limit` takes all of it."""
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
