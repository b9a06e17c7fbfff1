"""Every error edgeembed raises on purpose, as one tree.

EdgeEmbedError
├── BundleError
│   ├── BundleNotFoundError      (FileNotFoundError)  no bundle at this path
│   ├── BundleCorruptError       a file is missing, damaged or contradicts the manifest
│   ├── BundleUnsafeError        a name, link, operator or size that a bundle may not have
│   └── BundleVersionError       made by a newer edgeembed
├── InputError                   (ValueError)  texts, vectors or options that cannot be used
├── ProviderError                an execution provider that was asked for and did not load
├── InferenceError               the model failed while it ran
├── SearchIndexError
│   ├── IndexNotFoundError       (FileNotFoundError)  no index at this path
│   ├── IndexExistsError         (FileExistsError)  something is there already
│   ├── IndexCorruptError        a file is missing, damaged or contradicts the catalog
│   ├── IndexVersionError        made by a newer edgeembed
│   ├── IndexLockedError         another process is writing
│   ├── IndexReadOnlyError       opened with mode="r", or closed
│   └── SpaceMismatchError       vectors of another model
├── ConversionError
│   ├── UnsupportedModelError    a model kind, module or option that cannot be converted
│   ├── ExportError              the exporter failed
│   ├── ParityError              the exported model does not reproduce the original
│   └── TrainingError            a student could not be trained, or its checkpoints are damaged
├── StorageError                 (OSError)  disk full, no permission, I/O error
└── MissingExtraError            (ImportError)  an optional dependency is not installed

TruncationWarning (UserWarning) is the one warning: texts were longer than the model takes.

A message says what, what was expected, what was found, and what to do, in that order.
"""

from edgeembed_runtime._internal.public import public


@public
class EdgeEmbedError(Exception):
    """Base of every error that edgeembed raises on purpose."""


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
    """The bundle holds something that a bundle may not hold."""


@public
class BundleVersionError(BundleError):
    """The bundle was made by a newer edgeembed."""


@public
class InputError(EdgeEmbedError, ValueError):
    """An argument cannot be used; for a list, the message names the item's position."""


@public
class ProviderError(EdgeEmbedError):
    """An execution provider that was asked for is not there or did not load."""


@public
class InferenceError(EdgeEmbedError):
    """The model failed while it ran, or returned something that is not a vector."""


@public
class SearchIndexError(EdgeEmbedError):
    """An index cannot be used."""


@public
class IndexNotFoundError(SearchIndexError, FileNotFoundError):
    """There is no index at the given path."""


@public
class IndexExistsError(SearchIndexError, FileExistsError):
    """A new index was asked for where something exists already."""


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
    """A write was asked of an index that was opened for reading, or that is closed."""


@public
class SpaceMismatchError(SearchIndexError):
    """The index holds vectors of another model than the one given."""


@public
class ConversionError(EdgeEmbedError):
    """A model could not be converted."""


@public
class UnsupportedModelError(ConversionError):
    """The model is of a kind, or has a part, that edgeembed cannot convert."""


@public
class ExportError(ConversionError):
    """The exporter failed on this model."""


@public
class ParityError(ConversionError):
    """The exported model does not reproduce the original's vectors."""


@public
class TrainingError(ConversionError):
    """A student could not be trained, or what was saved of its training cannot be used."""


@public
class TruncationWarning(UserWarning):
    """Texts were longer than the model takes, and were cut."""


@public
class StorageError(EdgeEmbedError, OSError):
    """The file system refused: disk full, no permission, I/O error."""


@public
class MissingExtraError(EdgeEmbedError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def for_extra(cls, feature: str, extra: str) -> "MissingExtraError":
        """Say which feature needs which extra, and the command that installs it."""
        return cls(f"{feature} needs the extra '{extra}'. Run: pip install 'edgeembed[{extra}]'")
