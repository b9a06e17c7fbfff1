"""Trained embedding models on the edge: convert, encode and search, offline. See README.md.

Names are loaded on first use: an app that only searches never loads onnxruntime, and nothing loads
torch before `convert` is asked for.
"""

from edgeembed_runtime.version import __version__

TYPE_CHECKING = False  # an import of typing is most of the time of an import of this
if TYPE_CHECKING:
    from edgeembed.evaluate.datasets.examples import read_examples
    from edgeembed_converters.composing.classifier import Composition, compose_classifier
    from edgeembed_converters.conversion import convert
    from edgeembed_converters.distill.static.distill_static import distill_static
    from edgeembed_converters.distill.static.objective import StaticLosses
    from edgeembed_converters.distill.static.report import StaticReport
    from edgeembed_converters.distill.student.distill_features import (
        FeatureStudent,
        distill_features,
    )
    from edgeembed_converters.distill.student.distill_student import distill_student
    from edgeembed_converters.distill.student.objective import LossWeights
    from edgeembed_converters.distill.student.report import StudentReport
    from edgeembed_converters.fine_tuning.examples import TrainingExample
    from edgeembed_converters.fine_tuning.objective import TrainingObjective
    from edgeembed_converters.fine_tuning.report import TrainingReport
    from edgeembed_converters.fine_tuning.train import train
    from edgeembed_converters.matryoshka.truncated_dims import TruncationReport
    from edgeembed_converters.packaging.report import (
        ConversionReport,
        QuantizationReport,
        TowerReport,
        TrialReport,
    )
    from edgeembed_converters.quantization.trial.budget import Budget
    from edgeembed_converters.requantization import quantize
    from edgeembed_converters.sources.live_pair import ModulePair
    from edgeembed_converters.training.loop import (
        TrainingPoint,
        TrainingProgress,
        TrainingResult,
    )
    from edgeembed_converters.training.settings import TrainingSettings
    from edgeembed_converters.word_vectors.importing import import_word_vectors
    from edgeembed_runtime.bundle.manifest import FileEntry, Manifest, Source
    from edgeembed_runtime.bundle.preprocess import Preprocess
    from edgeembed_runtime.bundle.search_profile import Calibration, SearchProfile
    from edgeembed_runtime.bundle.towers import (
        Fidelity,
        ImageTower,
        Modality,
        TextTower,
        Tower,
        Variant,
    )
    from edgeembed_runtime.bundle.words import Subwords, Words
    from edgeembed_runtime.encoder.cache import EmbeddingCache
    from edgeembed_runtime.encoder.encoder import Encoder
    from edgeembed_runtime.encoder.load import Verify
    from edgeembed_runtime.encoder.outputs.long_texts import ChunkVectors
    from edgeembed_runtime.encoder.outputs.token_vectors import Token, TokenVectors
    from edgeembed_runtime.encoder.outputs.zero_shot import Classification
    from edgeembed_runtime.encoder.progress import OnProgress
    from edgeembed_runtime.encoder.prompts import Role
    from edgeembed_runtime.encoder.self_test import SelfTest
    from edgeembed_runtime.encoder.word_neighbors import Neighbor
    from edgeembed_runtime.engine.providers import Provider
    from edgeembed_runtime.engine.schedule import Profile
    from edgeembed_runtime.errors import (
        BundleCorruptError,
        BundleError,
        BundleNotFoundError,
        BundleUnsafeError,
        BundleVersionError,
        ConversionError,
        EdgeEmbedError,
        ExportError,
        IndexCorruptError,
        IndexExistsError,
        IndexLockedError,
        IndexNotFoundError,
        IndexReadOnlyError,
        IndexReplacedError,
        IndexVersionError,
        InferenceError,
        InputError,
        MissingExtraError,
        ParityError,
        ProviderError,
        RerankError,
        SearchIndexError,
        SpaceMismatchError,
        StorageError,
        TrainingError,
        TruncationWarning,
        UnknownTextWarning,
        UnsupportedModelError,
    )
    from edgeembed_runtime.index.admin.repair import RepairReport
    from edgeembed_runtime.index.admin.scan import DocumentBatch
    from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
    from edgeembed_runtime.index.base.reranker import Reranker
    from edgeembed_runtime.index.base.settings import IndexSettings
    from edgeembed_runtime.index.base.types import (
        Hit,
        IndexStats,
        SegmentStats,
        StoredDocument,
        VerifyReport,
    )
    from edgeembed_runtime.index.index import Index
    from edgeembed_runtime.index.search.fusion import Fusion
    from edgeembed_runtime.index.search.query import Likelihood, SearchMode
    from edgeembed_runtime.inputs.image.open import ImageInput
    from edgeembed_runtime.inputs.text.chunking import Chunk
    from edgeembed_runtime.inputs.text.columns import Nulls, TextColumn
    from edgeembed_runtime.inputs.text.truncation import Truncation
    from edgeembed_runtime.vectors import Precision, Similarity, calibration_ranges

__all__ = [  # noqa: RUF022 (grouped by purpose)
    # Encoding
    "Encoder",
    "EmbeddingCache",
    "Preprocess",
    "calibration_ranges",
    # ... what it takes
    "ImageInput",
    "Modality",
    "Nulls",
    "OnProgress",
    "Precision",
    "Profile",
    "Provider",
    "Role",
    "Similarity",
    "TextColumn",
    "Truncation",
    "Verify",
    # ... and what it gives
    "Chunk",
    "ChunkVectors",
    "Classification",
    "Neighbor",
    "SelfTest",
    "Token",
    "TokenVectors",
    # What a bundle says of itself
    "Calibration",
    "Fidelity",
    "FileEntry",
    "ImageTower",
    "Manifest",
    "SearchProfile",
    "Source",
    "Subwords",
    "TextTower",
    "Tower",
    "Variant",
    "Words",
    # Searching
    "Index",
    "Fusion",
    "IndexEncoder",
    "IndexSettings",
    "Likelihood",
    "Reranker",
    "SearchMode",
    # ... and what it gives
    "DocumentBatch",
    "Hit",
    "IndexStats",
    "RepairReport",
    "SegmentStats",
    "StoredDocument",
    "VerifyReport",
    # Converting (the extra 'convert')
    "convert",
    "quantize",
    "compose_classifier",
    "import_word_vectors",
    # ... what it takes
    "Budget",
    "Composition",
    "ModulePair",
    # ... and what it gives
    "ConversionReport",
    "QuantizationReport",
    "TowerReport",
    "TrialReport",
    "TruncationReport",
    # Fine-tuning
    "train",
    "read_examples",
    # ... what it takes
    "TrainingExample",
    "TrainingObjective",
    # ... and what it gives
    "TrainingReport",
    # Distilling (the extra 'distill')
    "distill_features",
    "distill_static",
    "distill_student",
    # ... what it takes
    "FeatureStudent",
    "LossWeights",
    "StaticLosses",
    "TrainingSettings",
    # ... and what it gives
    "StaticReport",
    "StudentReport",
    "TrainingPoint",
    "TrainingProgress",
    "TrainingResult",
    # Errors, as the tree in edgeembed_runtime/errors.py draws them
    "EdgeEmbedError",
    "BundleError",
    "BundleNotFoundError",
    "BundleCorruptError",
    "BundleUnsafeError",
    "BundleVersionError",
    "InputError",
    "ProviderError",
    "InferenceError",
    "SearchIndexError",
    "IndexNotFoundError",
    "IndexExistsError",
    "IndexCorruptError",
    "IndexVersionError",
    "IndexLockedError",
    "IndexReadOnlyError",
    "IndexReplacedError",
    "SpaceMismatchError",
    "RerankError",
    "ConversionError",
    "UnsupportedModelError",
    "ExportError",
    "ParityError",
    "TrainingError",
    "StorageError",
    "MissingExtraError",
    "TruncationWarning",
    "UnknownTextWarning",
    "__version__",
]

_HOMES = {
    "Encoder": "edgeembed_runtime.encoder.encoder",
    "EmbeddingCache": "edgeembed_runtime.encoder.cache",
    "Preprocess": "edgeembed_runtime.bundle.preprocess",
    "calibration_ranges": "edgeembed_runtime.vectors",
    "ImageInput": "edgeembed_runtime.inputs.image.open",
    "Modality": "edgeembed_runtime.bundle.towers",
    "Nulls": "edgeembed_runtime.inputs.text.columns",
    "OnProgress": "edgeembed_runtime.encoder.progress",
    "Precision": "edgeembed_runtime.vectors",
    "Profile": "edgeembed_runtime.engine.schedule",
    "Provider": "edgeembed_runtime.engine.providers",
    "Role": "edgeembed_runtime.encoder.prompts",
    "Similarity": "edgeembed_runtime.vectors",
    "TextColumn": "edgeembed_runtime.inputs.text.columns",
    "Truncation": "edgeembed_runtime.inputs.text.truncation",
    "Verify": "edgeembed_runtime.encoder.load",
    "Chunk": "edgeembed_runtime.inputs.text.chunking",
    "ChunkVectors": "edgeembed_runtime.encoder.outputs.long_texts",
    "Classification": "edgeembed_runtime.encoder.outputs.zero_shot",
    "Neighbor": "edgeembed_runtime.encoder.word_neighbors",
    "SelfTest": "edgeembed_runtime.encoder.self_test",
    "Token": "edgeembed_runtime.encoder.outputs.token_vectors",
    "TokenVectors": "edgeembed_runtime.encoder.outputs.token_vectors",
    "Calibration": "edgeembed_runtime.bundle.search_profile",
    "Fidelity": "edgeembed_runtime.bundle.towers",
    "FileEntry": "edgeembed_runtime.bundle.manifest",
    "ImageTower": "edgeembed_runtime.bundle.towers",
    "Manifest": "edgeembed_runtime.bundle.manifest",
    "SearchProfile": "edgeembed_runtime.bundle.search_profile",
    "Source": "edgeembed_runtime.bundle.manifest",
    "Subwords": "edgeembed_runtime.bundle.words",
    "TextTower": "edgeembed_runtime.bundle.towers",
    "Tower": "edgeembed_runtime.bundle.towers",
    "Variant": "edgeembed_runtime.bundle.towers",
    "Words": "edgeembed_runtime.bundle.words",
    "Index": "edgeembed_runtime.index.index",
    "Fusion": "edgeembed_runtime.index.search.fusion",
    "IndexEncoder": "edgeembed_runtime.index.base.encoder_protocol",
    "IndexSettings": "edgeembed_runtime.index.base.settings",
    "Likelihood": "edgeembed_runtime.index.search.query",
    "Reranker": "edgeembed_runtime.index.base.reranker",
    "SearchMode": "edgeembed_runtime.index.search.query",
    "DocumentBatch": "edgeembed_runtime.index.admin.scan",
    "Hit": "edgeembed_runtime.index.base.types",
    "IndexStats": "edgeembed_runtime.index.base.types",
    "RepairReport": "edgeembed_runtime.index.admin.repair",
    "SegmentStats": "edgeembed_runtime.index.base.types",
    "StoredDocument": "edgeembed_runtime.index.base.types",
    "VerifyReport": "edgeembed_runtime.index.base.types",
    "convert": "edgeembed_converters.conversion",
    "quantize": "edgeembed_converters.requantization",
    "compose_classifier": "edgeembed_converters.composing.classifier",
    "import_word_vectors": "edgeembed_converters.word_vectors.importing",
    "Budget": "edgeembed_converters.quantization.trial.budget",
    "Composition": "edgeembed_converters.composing.classifier",
    "ModulePair": "edgeembed_converters.sources.live_pair",
    "ConversionReport": "edgeembed_converters.packaging.report",
    "QuantizationReport": "edgeembed_converters.packaging.report",
    "TowerReport": "edgeembed_converters.packaging.report",
    "TrialReport": "edgeembed_converters.packaging.report",
    "TruncationReport": "edgeembed_converters.matryoshka.truncated_dims",
    "read_examples": "edgeembed.evaluate.datasets.examples",
    "train": "edgeembed_converters.fine_tuning.train",
    "TrainingExample": "edgeembed_converters.fine_tuning.examples",
    "TrainingObjective": "edgeembed_converters.fine_tuning.objective",
    "TrainingReport": "edgeembed_converters.fine_tuning.report",
    "distill_features": "edgeembed_converters.distill.student.distill_features",
    "distill_static": "edgeembed_converters.distill.static.distill_static",
    "distill_student": "edgeembed_converters.distill.student.distill_student",
    "FeatureStudent": "edgeembed_converters.distill.student.distill_features",
    "LossWeights": "edgeembed_converters.distill.student.objective",
    "StaticLosses": "edgeembed_converters.distill.static.objective",
    "TrainingSettings": "edgeembed_converters.training.settings",
    "StaticReport": "edgeembed_converters.distill.static.report",
    "StudentReport": "edgeembed_converters.distill.student.report",
    "TrainingPoint": "edgeembed_converters.training.loop",
    "TrainingProgress": "edgeembed_converters.training.loop",
    "TrainingResult": "edgeembed_converters.training.loop",
    "EdgeEmbedError": "edgeembed_runtime.errors",
    "BundleError": "edgeembed_runtime.errors",
    "BundleNotFoundError": "edgeembed_runtime.errors",
    "BundleCorruptError": "edgeembed_runtime.errors",
    "BundleUnsafeError": "edgeembed_runtime.errors",
    "BundleVersionError": "edgeembed_runtime.errors",
    "InputError": "edgeembed_runtime.errors",
    "ProviderError": "edgeembed_runtime.errors",
    "InferenceError": "edgeembed_runtime.errors",
    "SearchIndexError": "edgeembed_runtime.errors",
    "IndexNotFoundError": "edgeembed_runtime.errors",
    "IndexExistsError": "edgeembed_runtime.errors",
    "IndexCorruptError": "edgeembed_runtime.errors",
    "IndexVersionError": "edgeembed_runtime.errors",
    "IndexLockedError": "edgeembed_runtime.errors",
    "IndexReadOnlyError": "edgeembed_runtime.errors",
    "IndexReplacedError": "edgeembed_runtime.errors",
    "SpaceMismatchError": "edgeembed_runtime.errors",
    "RerankError": "edgeembed_runtime.errors",
    "ConversionError": "edgeembed_runtime.errors",
    "UnsupportedModelError": "edgeembed_runtime.errors",
    "ExportError": "edgeembed_runtime.errors",
    "ParityError": "edgeembed_runtime.errors",
    "TrainingError": "edgeembed_runtime.errors",
    "StorageError": "edgeembed_runtime.errors",
    "MissingExtraError": "edgeembed_runtime.errors",
    "TruncationWarning": "edgeembed_runtime.errors",
    "UnknownTextWarning": "edgeembed_runtime.errors",
}
_CONVERTERS = "edgeembed_converters"
_CONVERTERS_NEED = ("torch", "transformers", "onnx", "onnxscript", "safetensors")


def __getattr__(name: str) -> object:
    """Load a public name on first use, and say which extra is missing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'edgeembed' has no attribute {name!r}")
    import importlib

    if home.startswith(_CONVERTERS) and not _can_convert():
        from edgeembed_runtime.errors import MissingExtraError

        raise MissingExtraError.for_extra("converting models", "convert")
    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names, without those whose extra is missing, which help() would stumble over."""
    hidden = () if _can_convert() else (_CONVERTERS,)
    return sorted(name for name in __all__ if not _HOMES.get(name, "").startswith(hidden))


def _can_convert() -> bool:
    import importlib.util

    return all(importlib.util.find_spec(package) is not None for package in _CONVERTERS_NEED)
