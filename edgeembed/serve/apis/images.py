"""Images as requests carry them: data URLs in base64. No URL is ever fetched."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgeembed.serve.base.errors import InvalidRequestError
from edgeembed.serve.base.jobs import Caller, Embedded, EmbedJob, Engine

_DATA_URL = re.compile(r"data:[\w.+/-]*(?:;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII | re.IGNORECASE)
_OTHER_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def image_bytes(url: str, where: str) -> bytes:
    """Return the file in a data URL; whether it is an image, the engine says.

    Raises:
        InvalidRequestError: it is another URL, or its base64 is broken; the message starts with
            `where`.
    """
    found = _DATA_URL.match(url)
    if found is None:
        got = "a link, and no URL is ever fetched" if _OTHER_URL.match(url) else "something else"
        raise InvalidRequestError(
            f"{where}: expected a data URL, data:image/png;base64,..., got {got}", param=where
        )
    try:
        return base64.b64decode(url[found.end() :].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidRequestError(f"{where}: expected base64, got: {error}", param=where) from error


async def embed_mixed(
    inputs: Sequence[str | bytes], job: EmbedJob, engine: Engine, caller: Caller
) -> Embedded:
    """Encode texts and images with the options of a job, each to a vector of its own, in order.

    Raises:
        EdgeEmbedError: whatever the engine raises.
    """
    places: dict[type, list[int]] = {}
    for place, each in enumerate(inputs):
        places.setdefault(type(each), []).append(place)
    parts: dict[type, Embedded] = {}
    if str in places:
        texts = [each for each in inputs if isinstance(each, str)]
        parts[str] = await engine.embed(replace(job, texts=texts), caller)
    if bytes in places:
        images = [each for each in inputs if isinstance(each, bytes)]
        of_images = replace(job, images=images, role=None, prompt_name=None)
        parts[bytes] = await engine.embed(of_images, caller)
    found = next(iter(parts.values()))
    if len(parts) == 1:
        return found
    vectors = np.empty((len(inputs), found.vectors.shape[1]), np.float32)
    for kind, part in parts.items():
        vectors[places[kind]] = part.vectors
    return replace(found, vectors=vectors, tokens=sum(part.tokens for part in parts.values()))
