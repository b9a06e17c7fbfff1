"""An index opened to be searched: with the encoder that made it, and its second stage."""

import contextlib
from pathlib import Path
from types import TracebackType

from edgeembed import Encoder, Index
from edgeembed.ingest.second_stage import SecondStage, second_stage_bundle
from edgeembed.search.encoders import load_encoder, remembered_bundle
from edgeembed.search.shared_encoders import SharedEncoders
from edgeembed_runtime.bundle import Modality
from edgeembed_runtime.bundle.packaged import bundle_directory


class OpenedIndex:
    """An index, its encoder, and the second stage of a fast one; closed together."""

    def __init__(
        self, index: Index, encoder: Encoder, stage: SecondStage | None, *, shares: bool = False
    ) -> None:
        """Use `OpenedIndex.open`; with `shares` the encoder is someone else's to close."""
        self.index = index
        self.encoder = encoder
        self.stage = stage
        self._shares = shares

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        model: Path | None = None,
        variant: str = "auto",
        only: Modality | None = None,
        encoders: SharedEncoders | None = None,
    ) -> "OpenedIndex":
        """Open the index at `path`, to read.

        Args:
            path: the index's folder.
            model: the bundle; None for the one that the index remembers, or the default.
            variant: of the bundle.
            only: load just the tower of this modality.
            encoders: what other indexes use, which stays open; None: this one has its own.

        Raises:
            SearchIndexError: the index cannot be used.
            BundleError: the bundle cannot be used.
            InputError: the bundle does not encode `only`.
        """
        with Index.open(path) as index:
            hint, second = remembered_bundle(index), second_stage_bundle(index)
        with contextlib.ExitStack() as opening:
            bundle = Path(model or bundle_directory(hint))
            if encoders is None:
                encoder = opening.enter_context(load_encoder(bundle, variant, only))
            else:
                encoder = encoders.load(bundle, variant, only)
            index = opening.enter_context(Index.open(path, encoder=encoder))
            stage = None
            if second is not None and only != "image":
                stage = opening.enter_context(SecondStage(path, bundle_directory(second)))
            opening.pop_all()  # nothing failed: they stay open
        return cls(index, encoder, stage, shares=encoders is not None)

    def close(self) -> None:
        """Close what it opened; closing twice is fine."""
        if self.stage is not None:
            self.stage.close()
        self.index.close()
        if not self._shares:
            self.encoder.close()

    def __enter__(self) -> "OpenedIndex":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
