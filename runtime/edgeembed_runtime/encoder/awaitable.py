"""Encoding in a worker thread, for programs with an event loop."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime.encoder.base import EncoderBase
from edgeembed_runtime.encoder.image import ImageOptions
from edgeembed_runtime.encoder.output import OutputOptions
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.encoder.text import TextOptions
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, ImageInput
from edgeembed_runtime.inputs.text.columns import Nulls, TextColumn
from edgeembed_runtime.inputs.text.truncation import Truncation

_Inputs = TypeVar("_Inputs")
_Options = TypeVar("_Options", TextOptions, ImageOptions)


class AwaitableEncoder(EncoderBase):
    """What `Encoder` can do without blocking an event loop.

    Cancelling a task stops the encoding of a list before its next input.
    """

    async def aencode(
        self,
        inputs: str | Sequence[str] | TextColumn,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Run `encode` in a worker thread; for texts."""
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            nulls=nulls,
            progress=show_progress_bar,
            stop=threading.Event(),
        )
        return await _awaited(self._text_encoder().encode, inputs, options)

    async def aencode_query(
        self,
        inputs: str | Sequence[str] | TextColumn,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Run `encode_query` in a worker thread."""
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt, "query"),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            nulls=nulls,
            progress=show_progress_bar,
            stop=threading.Event(),
        )
        return await _awaited(self._text_encoder().encode, inputs, options)

    async def aencode_document(
        self,
        inputs: str | Sequence[str] | TextColumn,
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        truncation: Truncation = "truncate",
        chunk: bool = False,
        nulls: Nulls = "error",
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Run `encode_document` in a worker thread."""
        options = TextOptions(
            prefix=self._prompt(prompt_name, prompt, "document"),
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            truncation=truncation,
            chunk=chunk,
            nulls=nulls,
            progress=show_progress_bar,
            stop=threading.Event(),
        )
        return await _awaited(self._text_encoder().encode, inputs, options)

    async def aencode_image(
        self,
        images: ImageInput | Sequence[ImageInput],
        *,
        truncate_dim: int | None = None,
        precision: vec.Precision = "float32",
        ranges: NDArray[Any] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        show_progress_bar: bool | OnProgress = False,
    ) -> NDArray[Any]:
        """Run `encode_image` in a worker thread."""
        options = ImageOptions(
            output=OutputOptions(truncate_dim=truncate_dim, precision=precision, ranges=ranges),
            max_pixels=max_pixels,
            progress=show_progress_bar,
            stop=threading.Event(),
        )
        return await _awaited(self._image_encoder().encode, images, options)


async def _awaited(
    encode: Callable[[_Inputs, _Options], NDArray[Any]], inputs: _Inputs, options: _Options
) -> NDArray[Any]:
    try:
        return await asyncio.to_thread(encode, inputs, options)
    finally:  # on cancellation, stop the thread
        if options.stop is not None:
            options.stop.set()
