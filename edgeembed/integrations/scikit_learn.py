"""An Encoder as a transformer of scikit-learn: texts in, vectors out, in pipelines and searches."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, InputError, MissingExtraError, Nulls, TextColumn
from edgeembed_runtime.arguments import checked_choice, shown

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra("scikit-learn", "scikit-learn") from _missing

_NULLS: tuple[Literal["error"], Literal["zero"]] = ("error", "zero")


class EdgeEmbedVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Encodes texts with a bundle; there is nothing to fit.

    It holds the path of the bundle, so it is cloned and pickled without it; the copies of a process
    share one encoder.
    """

    def __init__(
        self,
        bundle: str | None = None,
        *,
        variant: str = "auto",
        prompt_name: str | None = None,
        truncate_dim: int | None = None,
        nulls: Nulls = "error",
    ) -> None:
        """Set the parameters, which are checked when texts come.

        Args:
            bundle: a bundle's directory or the name of one in the package; see `Encoder.load`.
            variant: see `Encoder.load`.
            prompt_name: see `Encoder.encode`, like those that follow.
            truncate_dim: keep only the first components.
            nulls: "error" or "zero"; "skip" would leave fewer rows than there are targets.
        """
        self.bundle = bundle
        self.variant = variant
        self.prompt_name = prompt_name
        self.truncate_dim = truncate_dim
        self.nulls = nulls

    def fit(self, X: Any = None, y: Any = None) -> Self:  # noqa: ARG002, N803 (scikit-learn's names)
        """Load the bundle; nothing is learned from the texts.

        Raises:
            BundleError: the bundle is missing, damaged, unsafe or too new.
            InputError: a parameter cannot be used.
        """
        checked_choice(self.nulls, _NULLS, "nulls")
        _ = self._encoder
        return self

    def transform(self, X: Sequence[str] | TextColumn) -> NDArray[np.float32]:  # noqa: N803
        """Encode a list or column of n texts: (n, d) float32.

        Raises:
            InputError: a text is invalid (the message names its position), or a parameter is.
        """
        nulls: Nulls = checked_choice(self.nulls, _NULLS, "nulls")
        if isinstance(X, str):  # scikit-learn's own transformers of texts refuse one, too
            raise InputError(f"X: expected a list of texts, got one, {shown(X)}")
        return self._encoder.encode(
            X, prompt_name=self.prompt_name, truncate_dim=self.truncate_dim, nulls=nulls
        )

    @property
    def _encoder(self) -> Encoder:
        return _loaded(self.bundle, self.variant)

    @property
    def _n_features_out(self) -> int:
        return self.truncate_dim or self._encoder.dim

    def __sklearn_is_fitted__(self) -> bool:
        """Always: there is nothing to fit."""
        return True

    def __sklearn_tags__(self) -> Any:
        """One text a row, in a list or column; nothing to fit."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.input_tags.one_d_array = True
        tags.requires_fit = False
        return tags


@lru_cache(maxsize=4)
def _loaded(bundle: str | None, variant: str) -> Encoder:
    return Encoder.load(bundle, variant=variant)
