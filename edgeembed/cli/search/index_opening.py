"""Opens an index to write, or creates it, with the encoder of its passages."""

from pathlib import Path

from edgeembed import EmbeddingCache, Encoder, Index
from edgeembed.cli.shared.opening import bundle_path, is_index
from edgeembed.ingest.second_stage import FIRST_STAGE, second_stage_bundle, second_stage_info
from edgeembed.search.encoders import bundle_info, named, remembered_bundle
from edgeembed.search.seen_vectors import keeps_vectors, seen_vectors
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.catalog.schema import UnfinishedIndexError


class WritableIndex:
    """An index and the encoder it writes with, closed together."""

    def __init__(self, index: Index, encoder: Encoder) -> None:
        """Use `open_to_write`."""
        self.index = index
        self.encoder = encoder

    def __enter__(self) -> "WritableIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self.index.close()
        self.encoder.close()


def open_to_write(
    path: Path, model: Path | None, variant: str, *, fast: bool, code: bool
) -> WritableIndex:
    """Open the index at `path`, or create it.

    Args:
        path: of the index.
        model: the bundle; None for the one that the index remembers, or the default.
        variant: of the bundle.
        fast: a new index has two stages.
        code: a new index keeps the vectors of what it has seen.

    Raises:
        InputError: `fast`, and the index was made without it.
        SearchIndexError, BundleError: one of them cannot be used.
    """
    existing = existing_index(path)
    if existing is None:
        made = _created(path, model, variant, fast=fast)
        if fast or not code:
            return made
        made.index.close()  # vectors are kept in its folder, so it came first
        made.encoder.close()
        hint, is_fast = None, False
    else:
        with existing:
            hint, is_fast = remembered_bundle(existing), second_stage_bundle(existing) is not None
        if fast and not is_fast:
            raise InputError(
                f"--fast: {path} was made without it; name another --index, or leave --fast out"
            )
    if is_fast:
        encoder = Encoder.load(FIRST_STAGE)
    else:
        cache = seen_vectors(path) if code or keeps_vectors(path) else None
        encoder = _load(model, hint, variant, cache)
    return WritableIndex(Index.open(path, encoder=encoder, mode="rw"), encoder)


def existing_index(path: Path) -> Index | None:
    """The index at `path`, to read; None where none is, or only the beginning of one."""
    if not is_index(path):
        return None
    try:
        return Index.open(path)
    except UnfinishedIndexError:  # the disk was full, or the process killed: create does it again
        return None


def _created(path: Path, model: Path | None, variant: str, *, fast: bool) -> WritableIndex:
    if fast:
        info = second_stage_info(named(bundle_path(model, None)))
        encoder = Encoder.load(FIRST_STAGE)
    else:
        info, encoder = dict[str, str](), _load(model, None, variant, None)
    index = Index.create(path, encoder=encoder, info=bundle_info(encoder) | info)
    return WritableIndex(index, encoder)


def _load(
    model: Path | None, hint: str | None, variant: str, cache: EmbeddingCache | None
) -> Encoder:
    """Load the encoder of documents: of a text-image bundle, the image tower."""
    chosen = bundle_path(model, hint)
    modalities = Bundle.open(chosen).manifest.modalities
    return Encoder.load(chosen, variant=variant, modalities=modalities[-1:], cache=cache)
