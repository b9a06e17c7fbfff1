"""Encoders that several indexes search with: one for each bundle, however many indexes it made."""

from pathlib import Path

from edgeembed import Encoder
from edgeembed.search.encoders import load_encoder
from edgeembed_runtime.bundle import Modality

_Chosen = tuple[Path, str, Modality | None]


class SharedEncoders:
    """Loads each bundle once, and closes them together."""

    def __init__(self) -> None:
        """Start with none."""
        self._loaded: dict[_Chosen, Encoder] = {}

    def load(self, bundle: Path, variant: str = "auto", only: Modality | None = None) -> Encoder:
        """See `load_encoder`; what was loaded before is that encoder, and is not to be closed.

        Raises:
            BundleError, InputError: see `load_encoder`.
        """
        chosen = (bundle.resolve(), variant, only)
        if chosen not in self._loaded:
            self._loaded[chosen] = load_encoder(bundle, variant, only)
        return self._loaded[chosen]

    def close(self) -> None:
        """Close all that were loaded."""
        while self._loaded:
            self._loaded.popitem()[1].close()
