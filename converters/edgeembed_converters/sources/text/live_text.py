"""A live PyTorch module and its tokenizer."""

import hashlib
import inspect
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
import torch
from torch import Tensor, nn

from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.bundle import Source
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.errors import ConversionError, InputError, UnsupportedModelError

# What a live model may lose in the directory that it saves: it may be in half precision.
_SAVED_COSINE = 0.99
_SAVED_TEXTS = ("A ship sails at dawn.", "Ein kleines Boot fährt über den See.", "42")


class FirstOutput(nn.Module):
    """Any encoder as a function from ids and mask to one tensor."""

    def __init__(self, module: nn.Module) -> None:
        """Wrap `module`, which takes input_ids and attention_mask, by name or in this order."""
        super().__init__()
        self.module = module
        parameters = inspect.signature(module.forward).parameters
        self.by_name = {"input_ids", "attention_mask"} <= set(parameters)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The module's last_hidden_state, first or only output."""
        if self.by_name:
            output = self.module(input_ids=input_ids, attention_mask=attention_mask)
        else:
            output = self.module(input_ids, attention_mask)
        if isinstance(output, Tensor):
            return output
        if hasattr(output, "last_hidden_state"):
            return output.last_hidden_state
        return output[0]


def is_sentence_transformer(source: object) -> TypeGuard[nn.Module]:
    """Whether `source` is a live SentenceTransformer. Does not import that library."""
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(source).mro()}
    return "sentence_transformers.SentenceTransformer" in names


def saved_sentence_transformer(source: nn.Module, folder: Path) -> Path:
    """Save a live SentenceTransformer into a directory in `folder`, and return it.

    Raises:
        ConversionError: it cannot save itself.
    """
    directory = folder / type(source).__name__
    try:
        cast(Any, source).save_pretrained(str(directory), create_model_card=False)
    except Exception as error:  # it is the user's model
        raise ConversionError(f"the model could not save itself: {first_line(error)}") from error
    return directory


def require_saved_whole(live: nn.Module, saved: TextSource) -> None:
    """Compare a live SentenceTransformer with what was read from the directory that it wrote.

    Raises:
        ConversionError: it encodes otherwise: some of it was not saved.
    """
    assert saved.witness is not None
    texts: list[str] = [*_SAVED_TEXTS]
    model: Any = live.eval()
    found = np.asarray(model.encode(texts, prompt="", show_progress_bar=False), np.float32)
    expected = saved.witness.encode(texts)
    if found.shape == expected.shape and rowwise_cosine(expected, found).min() >= _SAVED_COSINE:
        return
    raise ConversionError(
        f"{saved.name}: the live model does not encode as the directory that it saves: expected "
        f"{expected.shape[1]} components of the same direction; save the model, load it, and "
        "compare; then convert the directory"
    )


@contextmanager
def kept_modes(module: nn.Module) -> Generator[None]:
    """Restore the training or evaluation mode of every part of `module` at the end."""
    modes = {part: part.training for part in module.modules()}
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def load_module(module: nn.Module, options: SourceOptions) -> TextSource:
    """Take a live module: an output (n, t, h) is pooled, an output (n, h) is used as it is.

    Args:
        module: takes input_ids and attention_mask, (n, t) int64 each.
        options: `max_tokens` and `tokenizer` are required; the latter is a tokenizer.json path, a
            `tokenizers.Tokenizer`, or a fast transformers tokenizer. `example_inputs` are ids and
            mask that the module can be run on; by default, small made-up ids. `pooling` is for
            token vectors; mean by default.

    Raises:
        InputError: something that only the caller knows is missing.
        UnsupportedModelError: the module fails on the example, or does not return vectors.
    """
    if options.max_tokens is None:
        raise InputError("max_tokens: expected a number for a live module, got None")
    backbone = FirstOutput(module).eval()
    examples = dummy_ids() if options.example_inputs is None else options.example_inputs
    output = _try(backbone, examples)
    notes: tuple[str, ...] = ()
    pooling: tuple[Pooling, ...] = ()
    if output.ndim == 3:
        pooling = (options.pooling or "mean",)
        if options.pooling is None:
            notes = ("the module returns token vectors: mean pooling was assumed",)
    head = nn.Sequential(Normalize()) if options.normalize else nn.Sequential()
    name = options.name or type(module).__name__
    return TextSource(
        name=name,
        source=Source(id=name, weights_sha256=state_sha256(module)),
        backbone=backbone,
        model_type=type(module).__name__,
        tokenizer_json=_tokenizer_json(options.tokenizer),
        max_tokens=options.max_tokens,
        pooling=pooling,
        head=head,
        normalized=bool(options.normalize),
        prompts=dict(options.prompts or {}),
        notes=notes,
    )


def dummy_ids() -> tuple[Tensor, Tensor]:
    """Ids and mask of two texts of different lengths.

    An axis of size 1, or a mask of ones, would become a constant of the exported graph.
    """
    mask = torch.ones(2, 13, dtype=torch.int64)
    mask[1, 9:] = 0
    return torch.arange(26).reshape(2, 13) % 7 + 3, mask


def _try(backbone: nn.Module, example_inputs: Sequence[Tensor]) -> Tensor:
    if len(example_inputs) != 2:
        raise InputError(
            f"example_inputs: expected ids and mask, got {len(example_inputs)} tensors"
        )
    try:
        output = backbone(*example_inputs)
    except Exception as error:  # it is the user's code
        raise UnsupportedModelError(
            "the module could not be run on example_inputs: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if not isinstance(output, Tensor) or output.ndim not in (2, 3):
        raise UnsupportedModelError(
            "the module: expected an output of shape (n, t, h) or (n, h), got "
            f"{tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__}"
        )
    return output


def state_sha256(module: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and values of a module's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _tokenizer_json(tokenizer: str | Path | Any) -> bytes:
    if isinstance(tokenizer, str | Path):
        try:
            with open_plain_file(Path(tokenizer), follow_links=True) as file:
                return file.read()
        except OSError as error:
            raise InputError(
                f"tokenizer {tokenizer}: could not be read: {error.strerror}"
            ) from error
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "to_str"):
        raise InputError(
            "tokenizer: expected a tokenizer.json path, a tokenizers.Tokenizer or a fast "
            f"transformers tokenizer, got {type(tokenizer).__name__}"
        )
    return backend.to_str().encode()
