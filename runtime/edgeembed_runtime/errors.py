"""Every exception edgeembed raises on purpose, in one tree.

EdgeEmbedError
├── BundleError
│   ├── BundleNotFoundError      (FileNotFoundError)  no bundle at this path
│   ├── BundleCorruptError       a file is missing, damaged or contradicts the manifest
│   ├── BundleUnsafeError        a forbidden name, link, operator or size
│   └── BundleVersionError       made by a newer edgeembed
├── InputError                   (ValueError)  an invalid text, vector or option
├── ProviderError                a requested execution provider is missing or did not load
├── InferenceError               the model failed during inference
├── RerankError                  a reranker raised, or returned unusable scores
├── SearchIndexError
│   ├── IndexNotFoundError       (FileNotFoundError)  no index at this path
│   ├── IndexExistsError         (FileExistsError)  the path already exists
│   ├── IndexCorruptError        a file is missing, damaged or contradicts the catalog
│   ├── IndexVersionError        made by a newer edgeembed
│   ├── IndexLockedError         another process is writing
│   ├── IndexReadOnlyError       opened with mode="r", or closed
│   ├── IndexReplacedError       moved, removed or replaced while it was open
│   └── SpaceMismatchError       vectors of a different model
├── ConversionError
│   ├── UnsupportedModelError    a model type, module or option that cannot be converted
│   ├── ExportError              the exporter failed
│   ├── ParityError              the exported model does not reproduce the original
│   └── TrainingError            training a student failed, or its checkpoints are damaged
├── StorageError                 (OSError)  disk full, no permission, I/O error
└── MissingExtraError            (ImportError)  an optional dependency is not installed

Two warnings (UserWarning): TruncationWarning, texts exceeded the model's maximum length;
UnknownTextWarning, texts have no word that the model knows.

A message says what failed, what was expected, what was found, and how to fix it, in that order.
"""

import errno

from edgeembed_runtime._internal.public import public


@public
class EdgeEmbedError(Exception):
    """Base class of every exception edgeembed raises on purpose."""


@public
class BundleError(EdgeEmbedError):
    """A bundle cannot be used."""


@public
class BundleNotFoundError(BundleError, FileNotFoundError):
    """There is no bundle at the given path."""


@public
class BundleCorruptError(BundleError):
    """A file of the bundle is missing, damaged, or contradicts the manifest."""


@public
class BundleUnsafeError(BundleError):
    """The bundle contains something forbidden: a name, link, operator or size."""


@public
class BundleVersionError(BundleError):
    """The bundle was made by a newer edgeembed."""


@public
class InputError(EdgeEmbedError, ValueError):
    """An argument is invalid; for a list, the message names the item's position."""


@public
class ProviderError(EdgeEmbedError):
    """A requested execution provider is missing or did not load."""


@public
class InferenceError(EdgeEmbedError):
    """The model failed during inference, or returned NaN or infinite values."""


@public
class RerankError(EdgeEmbedError):
    """A reranker raised, or its scores cannot be used."""


@public
class SearchIndexError(EdgeEmbedError):
    """An index cannot be used."""


@public
class IndexNotFoundError(SearchIndexError, FileNotFoundError):
    """There is no index at the given path."""


@public
class IndexExistsError(SearchIndexError, FileExistsError):
    """A new index cannot be created: the path already exists."""


@public
class IndexCorruptError(SearchIndexError):
    """A file of the index is missing, damaged, or contradicts the catalog."""


@public
class IndexVersionError(SearchIndexError):
    """The index was made by a newer edgeembed."""


@public
class IndexLockedError(SearchIndexError):
    """Another writer holds the index."""


@public
class IndexReadOnlyError(SearchIndexError):
    """The index is read-only (opened with mode="r") or closed."""


@public
class IndexReplacedError(SearchIndexError):
    """Another index, or none, is where this one was opened; open it again."""


@public
class SpaceMismatchError(SearchIndexError):
    """The index holds vectors of a different model."""


@public
class ConversionError(EdgeEmbedError):
    """A model could not be converted."""


@public
class UnsupportedModelError(ConversionError):
    """The model's type, or one of its modules or options, cannot be converted."""


@public
class ExportError(ConversionError):
    """The exporter failed on this model."""


@public
class ParityError(ConversionError):
    """The exported model does not reproduce the original's vectors."""


@public
class TrainingError(ConversionError):
    """Training a student failed, or its checkpoints cannot be used."""


@public
class TruncationWarning(UserWarning):
    """Texts exceeded the model's maximum length and were truncated."""


@public
class StorageError(EdgeEmbedError, OSError):
    """The file system refused: disk full, no permission, I/O error."""


def out_of_files(error: BaseException | None) -> bool:
    """Whether an error comes from too few file descriptors: soon gone, and no sign of damage."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CANTOPEN"):
            return True
        error = error.__cause__
    return False


@public
class MissingExtraError(EdgeEmbedError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def for_extra(cls, feature: str, extra: str) -> "MissingExtraError":
        """Build the error that names the feature, the extra it needs, and how to install it."""
        return cls(f"{feature} needs the extra '{extra}'. Run: pip install 'edgeembed[{extra}]'")


@public
class UnknownTextWarning(UserWarning):
    """Texts have no word that the model knows: they get no vector, and keyword search alone."""
