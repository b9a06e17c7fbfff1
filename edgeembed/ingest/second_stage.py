"""The second stage of a fast index: a better encoder scores the best candidates again.

The index itself is made with the packaged static table, which encodes thousands of passages in a
second. The vectors of the better encoder are kept beside it as searches ask for them, or all at
once by deepen(), so that the same passages cost nothing the next time.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgeembed import EmbeddingCache, Encoder, Index
from edgeembed_runtime.bundle.search_profile import SearchProfile
from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.index.base.encoding import titled

FIRST_STAGE = "static"
DEPTH = 16
"""How many candidates are scored again. More gain next to nothing (docs/notes/answers.md), and take
longer than people like to wait the first time."""
_NOTE = "second_stage"
_FILE = "second-stage.sqlite3"
_MAX_MB = 4096
_BATCH = 256


def second_stage_info(bundle: str) -> dict[str, str]:
    """What an index remembers of its second stage: the bundle's path or packaged name."""
    return {_NOTE: bundle}


def second_stage_bundle(index: Index) -> str | None:
    """The bundle of an index's second stage; None if it has none."""
    return index.info.get(_NOTE)


def waiting_passages(index: Index, path: Path) -> int:
    """How many passages of an index at `path` wait for the better encoder; 0 if it has none.

    At least so many: vectors of passages that are gone are kept, too.
    """
    if second_stage_bundle(index) is None:
        return 0
    known = 0
    if (path / _FILE).is_file() and not (path / _FILE).is_symlink():
        try:
            with contextlib.closing(EmbeddingCache(path / _FILE, max_mb=_MAX_MB)) as cache:
                known = len(cache)
        except EdgeEmbedError:  # the next search says why
            known = 0
    return max(len(index) - known, 0)


class SecondStage:
    """An encoder for `Index.search(rerank=...)` that remembers its vectors of documents."""

    def __init__(self, index_path: Path, bundle: str | Path) -> None:
        """Load the encoder, and open the file of its vectors in the index's folder.

        Without permission to write there, vectors are not kept; nor are they if a stranger's folder
        has a link in the file's place, which leads elsewhere.

        Raises:
            BundleError: the bundle cannot be used.
        """
        cache = None
        if not (index_path / _FILE).is_symlink():
            with contextlib.suppress(EdgeEmbedError):
                cache = EmbeddingCache(index_path / _FILE, max_mb=_MAX_MB)
        self._encoder = Encoder.load(bundle, cache=cache)

    @property
    def dim(self) -> int:
        """Components per vector."""
        return self._encoder.dim

    @property
    def space(self) -> str:
        """The fingerprint of its vectors' space."""
        return self._encoder.space

    @property
    def similarity_name(self) -> str:
        """How its vectors are compared."""
        return self._encoder.similarity_name

    @property
    def normalized(self) -> bool:
        """Whether its vectors have unit length."""
        return self._encoder.normalized

    @property
    def search_profile(self) -> SearchProfile:
        """How to search with it."""
        return self._encoder.search_profile

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text has a token that the model knows."""
        return self._encoder.knows(texts)

    def encode_query(self, inputs: str | Sequence[str]) -> NDArray[np.float32]:
        """The vectors of queries, which are not kept: (d,) for a str, (n, d) for a list.

        As one types, every beginning of a query would be written to the file.
        """
        # Only what is truncated in silence is looked up and kept; see EmbeddingCache.
        return self._encoder.encode_query(inputs, truncation="warn")

    def encode_document(self, inputs: str | Sequence[str]) -> NDArray[np.float32]:
        """The vectors of documents, as they were kept if they were."""
        return self._encoder.encode_document(inputs)

    def deepen(self, index: Index, on_batch: Callable[[int], None] = lambda _: None) -> int:
        """Encode every document of an index that has no vector here yet; returns how many it has.

        Args:
            index: the index of this second stage.
            on_batch: called with the number of documents after each batch.
        """
        done = 0
        for batch in index.batches(_BATCH):
            texts = [titled(doc.title, doc.document) for doc in batch.documents if doc.document]
            known = [
                text for text, is_known in zip(texts, self.knows(texts), strict=True) if is_known
            ]
            if known:
                self.encode_document(known)
            done += len(batch.documents)
            on_batch(len(batch.documents))
        return done

    def close(self) -> None:
        """Release the encoder."""
        self._encoder.close()

    def __enter__(self) -> "SecondStage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
