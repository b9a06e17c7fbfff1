"""Makes the directory of a kind: random weights, saved by the libraries that users have."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.architectures.kind import Kind
from benchmarks.architectures.vocabularies import VOCABULARIES, token_ids

MAX_TOKENS = 48
# The spread of random weights, of matrices and of the rest: layers then neither die nor explode.
_MATRIX_STD, _VECTOR_STD = 0.15, 0.05


class AbsentError(Exception):
    """This version of transformers does not have the architecture."""


def make_directory(kind: Kind, folder: Path) -> Path:
    """Write a tiny model of a kind, with random weights, into `folder`; return its directory.

    Raises:
        AbsentError: transformers does not have it.
    """
    import transformers

    plain = folder / "plain"
    vocabulary = VOCABULARIES[kind.vocabulary]
    tokenizer = vocabulary.tokenizer()
    config_class = getattr(transformers, kind.config, None)
    if config_class is None:
        raise AbsentError(f"transformers {transformers.__version__} has no {kind.config}")
    ids = token_ids(tokenizer, vocabulary.roles)
    ids = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0} | ids
    config = config_class(**{**ids, **kind.settings, "vocab_size": tokenizer.get_vocab_size()})
    torch.manual_seed(0)
    make = getattr(transformers, kind.model) if kind.model else transformers.AutoModel.from_config
    model = make(config).eval()
    randomize(model)
    model.save_pretrained(plain)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
        **vocabulary.roles,
    ).save_pretrained(plain)
    return plain if kind.plain else _with_sentence_transformers(kind, plain, folder / "sentence")


def randomize(model: nn.Module) -> None:
    """Random weights everywhere: biases and norms too, which are born as zeros and ones."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.is_floating_point():
                continue
            if parameter.ndim > 1:
                parameter.normal_(0, _MATRIX_STD)
            else:
                parameter.add_(torch.randn_like(parameter) * _VECTOR_STD)


def _with_sentence_transformers(kind: Kind, plain: Path, target: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    backbone = modules.Transformer(str(plain), max_seq_length=MAX_TOKENS)
    width = backbone.get_embedding_dimension()
    parts: list[Any] = [backbone, modules.Pooling(width, pooling_mode=kind.pooling)]
    for out in kind.dense:
        parts.append(modules.Dense(width, out, bias=False, activation_function=torch.nn.Identity()))
        width = out
    if kind.normalize:
        parts.append(modules.Normalize())
    model = SentenceTransformer(modules=parts, device="cpu", prompts=dict(kind.prompts) or None)
    model.save(str(target), create_model_card=False)
    return target
