"""An Encoder as a SentenceTransformer, for KeyBERT, BERTopic, mteb and all that takes one.

The keywords of its `encode` are sentence-transformers' own. What they ask for after encoding
(`normalize_embeddings`, `convert_to_tensor`, `precision`, `device`, ...) is done there; what a
bundle cannot do is refused here.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from edgeembed import Encoder, InputError, MissingExtraError
from edgeembed_runtime.arguments import shown

try:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import InputModule
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra(
        "a SentenceTransformer", "sentence-transformers"
    ) from _missing

_BUNDLE = "bundle"


def as_sentence_transformer(encoder: Encoder) -> SentenceTransformer:
    """Return a SentenceTransformer whose vectors are the encoder's, bit for bit.

    It has the encoder's prompts and similarity. `save` copies the bundle; since the module is not
    one of sentence-transformers, loading it again takes `trust_remote_code=True`.

    Raises:
        InputError: the bundle does not encode texts.
    """
    tower = encoder.manifest.text_tower()
    return SentenceTransformer(
        modules=[EncoderModule(encoder)],
        device="cpu",
        prompts=dict(encoder.prompts),
        default_prompt_name=tower.default_prompt_name,
        similarity_fn_name=cast("Any", encoder.similarity_name),
    )


class EncoderModule(InputModule):
    """The one module of a SentenceTransformer that encodes with a bundle.

    The encoder computes where its providers do. Device and dtype of the module are those of the
    tensors that come out of it.
    """

    save_in_root: bool = True
    config_file_name: str = "edgeembed_module.json"

    def __init__(self, encoder: Encoder) -> None:
        """Wrap an encoder.

        Raises:
            InputError: the bundle does not encode texts.
        """
        super().__init__()
        encoder.manifest.text_tower()
        self.encoder: Encoder = encoder
        self.register_buffer("_output", torch.empty(0), persistent=False)
        self._output: torch.Tensor

    @property
    def max_seq_length(self) -> int:
        """The maximum length of a text in tokens, special tokens included."""
        return self.encoder.max_tokens

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        raise InputError(
            f"max_seq_length: a bundle's is fixed, here {self.max_seq_length}; convert the model "
            f"again with max_tokens={value}"
        )

    def get_embedding_dimension(self) -> int:
        """The dimension of the vectors."""
        return self.encoder.dim

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Check a batch: the encoder tokenizes.

        Raises:
            InputError: an input is no text, or an option is given that a bundle does not have.
        """
        for name, value in kwargs.items():
            if name != "task" and value is not None:  # the prompt of a task is here already
                raise InputError(f"{name}: a bundle has no such option, got {shown(value)}")
        for value in inputs:
            if not isinstance(value, str):
                raise InputError(
                    f"inputs: expected texts, got {type(value).__name__}, {shown(value)}"
                )
        return {"texts": list(inputs), "prompt": prompt or ""}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        """Encode the texts of a batch."""
        vectors = self.encoder.encode(features["texts"], prompt=features["prompt"])
        output = self._output
        return _Features(features, sentence_embedding=torch.from_numpy(vectors).to(output))

    def get_config_dict(self) -> dict[str, Any]:
        """What `save` writes beside the bundle: the variant that is loaded."""
        names = {tower.split("=")[-1] for tower in self.encoder.variant.split()}
        return {"variant": names.pop() if len(names) == 1 else "auto"}

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Copy the bundle into the folder of the model."""
        self.save_config(output_path)
        target = Path(output_path) / _BUNDLE
        if target.resolve() != self.encoder.path.resolve():
            shutil.copytree(self.encoder.path, target, dirs_exist_ok=True)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,  # noqa: ARG003
        **kwargs: Any,  # noqa: ARG003
    ) -> "EncoderModule":
        """Load the bundle that `save` has copied.

        Raises:
            BundleError: it is missing, damaged, unsafe or too new.
        """
        hub: dict[str, Any] = {
            "token": token,
            "cache_folder": cache_folder,
            "revision": revision,
            "local_files_only": local_files_only,
        }
        config = cls.load_config(model_name_or_path, subfolder=subfolder, **hub)
        inside = f"{subfolder}/{_BUNDLE}" if subfolder else _BUNDLE
        found = cls.load_dir_path(model_name_or_path, subfolder=inside, **hub)
        path = found or Path(model_name_or_path) / inside
        return cls(Encoder.load(path, variant=config.get("variant", "auto")))


class _Features(dict[str, Any]):
    """What comes out of the module; says what a bundle does not give."""

    def __missing__(self, name: str) -> Any:
        raise InputError(
            f"output_value: a bundle gives sentence_embedding, got {name}; for the vectors of "
            "tokens, use Encoder.token_vectors"
        )
