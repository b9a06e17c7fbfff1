"""An Encoder as an mteb model, so that `mteb.evaluate` runs a bundle."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.metrics.similarity import similarity_pairs
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, MissingExtraError
from edgeembed_runtime.vectors import Precision

if TYPE_CHECKING:
    import torch
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models.model_meta import ModelMeta
    from mteb.models.models_protocols import EncoderProtocol
    from mteb.types import Array, PromptType
else:
    # A protocol is for type checkers; at run time mteb only needs the methods.
    EncoderProtocol = object


class MtebModel(EncoderProtocol):
    """An Encoder behind mteb's EncoderProtocol, for `mteb.evaluate`.

    The caller closes the encoder. mteb caches results by name and revision; the revision is a
    digest of the vector space and the variant's file, so that no other bundle or variant gets
    them.
    """

    # Not a property: mteb's own wrappers (CompressionWrapper) replace it.
    mteb_model_meta: "ModelMeta"

    def __init__(self, encoder: Encoder, *, name: str | None = None) -> None:
        """Present `encoder` under `name`, "organization/model" as mteb wants it.

        The default is "edgeembed/", the bundle's name and the variant's.

        Raises:
            MissingExtraError: mteb is not installed, or is older than 2.
            InputError: `name` is not of that form.
        """
        chosen = _usual_name(encoder) if name is None else name
        self.mteb_model_meta = _meta(encoder, chosen)  # pyright: ignore[reportIncompatibleMethodOverride]
        self._encoder = encoder

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: "TaskMetadata",
        prompt_type: "PromptType | None" = None,
        precision: str = "float32",
        show_progress_bar: bool = False,
        **_: object,
    ) -> NDArray[Any]:
        """Encode the "text" of all batches, n texts together, in order: (n, d).

        Queries and documents go through `encode_query` and `encode_document`. As with mteb's own
        models, the bundle's prompt for this task or its type takes precedence.

        Raises:
            InputError: a batch has no text, or `precision` is not one of float32, float16, int8
                and uint8.
            InferenceError: the model failed.
        """
        # mteb also passes the split, the subset and a batch size, and may pass more in the future.
        # None of that changes a vector here.
        role = prompt_type.value if prompt_type else None
        match role:
            case "query":
                encode = self._encoder.encode_query
            case "document":
                encode = self._encoder.encode_document
            case _:
                encode = self._encoder.encode
        return encode(
            _texts(inputs),
            prompt_name=_prompt_name(self._encoder.prompts, task_metadata, role),
            precision=_precision(precision),
            show_progress_bar=show_progress_bar,
        )

    def similarity(self, embeddings1: "Array", embeddings2: "Array") -> "torch.Tensor":
        """Compare (n, d) with (m, d), or single vectors, by the model's similarity: (n, m).

        Raises:
            InputError: the inputs are not vectors of one length.
        """
        # Some mteb tasks need tensor methods.
        import torch

        return torch.from_numpy(
            self._encoder.similarity(np.asarray(embeddings1), np.asarray(embeddings2))
        )

    def similarity_pairwise(self, embeddings1: "Array", embeddings2: "Array") -> "torch.Tensor":
        """Compare each of (n, d) with its counterpart of (n, d), by the model's similarity: (n,).

        Raises:
            InputError: the numbers or the lengths of the vectors differ.
        """
        import torch

        left = np.atleast_2d(np.asarray(embeddings1))
        right = np.atleast_2d(np.asarray(embeddings2))
        if len(left) != len(right):
            raise InputError(
                f"similarity_pairwise: expected pairs of vectors, got {len(left)} and {len(right)}"
            )
        if left.shape != right.shape:
            raise InputError(
                "similarity_pairwise: expected vectors of one length, got "
                f"{left.shape[1]} and {right.shape[1]}"
            )
        scores = similarity_pairs(left, right, self._encoder.manifest.similarity)
        return torch.from_numpy(scores.astype(np.float32))


def _meta(encoder: Encoder, name: str) -> "ModelMeta":
    try:
        from mteb.models.model_meta import ModelMeta, ScoringFunction
    except ImportError as error:
        raise MissingExtraError(
            "MtebModel needs mteb, 2 or newer. Run: pip install mteb --upgrade"
        ) from error
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", name):
        raise InputError(f"name: expected 'organization/model', got {name!r}")
    return ModelMeta(
        loader=None,
        name=name,
        revision=_revision(encoder),
        release_date=None,
        languages=None,
        n_parameters=None,
        memory_usage_mb=None,
        max_tokens=encoder.max_tokens,
        embed_dim=encoder.dim,
        license=None,
        open_weights=None,
        public_training_code=None,
        public_training_data=None,
        framework=["ONNX"],
        similarity_fn_name=ScoringFunction(encoder.similarity_name),
        use_instructions=bool(encoder.prompts),
        training_datasets=None,
        adapted_from=encoder.manifest.source.id,
    )


def _usual_name(encoder: Encoder) -> str:
    name = f"{encoder.manifest.name}-{encoder.variant}"
    return "edgeembed/" + re.sub(r"[/\s]+", "-", name)


def _revision(encoder: Encoder) -> str:
    manifest = encoder.manifest
    (file,) = (v.file for v in manifest.text_tower().variants if v.name == encoder.variant)
    identity = f"{encoder.space} {manifest.files[file].sha256}"
    return hashlib.sha256(identity.encode()).hexdigest()[:40]


def _texts(batches: Iterable[Mapping[str, Any]]) -> list[str]:
    texts: list[str] = []
    for batch in batches:
        if "text" not in batch:
            raise InputError(f"inputs: expected batches with 'text', found {', '.join(batch)}")
        texts += batch["text"]
    return texts


def _prompt_name(prompts: Mapping[str, str], task: "TaskMetadata", role: str | None) -> str | None:
    # The order of mteb's get_prompt_name. Its last resort, the role alone, is the encoder's rule.
    names = (f"{task.name}-{role}", task.name, f"{task.type}-{role}", task.type)
    return next((name for name in names if name in prompts), None)


def _precision(name: str) -> Precision:
    # The similarity of packed bits means nothing, and mteb would report it silently.
    if name not in ("float32", "float16", "int8", "uint8"):
        raise InputError(
            f"precision: expected float32, float16, int8 or uint8, got {name!r}; for other kinds "
            "wrap the model in mteb's CompressionWrapper"
        )
    return name
