"""The transformers model and the tokenizer of a text encoder, ready to export."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgeembed_converters.model_files.loading_errors import loading_error
from edgeembed_converters.model_files.loading_info import refuse_loading_info
from edgeembed_converters.sources.base.encoders import Backbone
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.text.adapters import has_adapters, merge_adapters
from edgeembed_converters.sources.text.opened_model import heard_warnings
from edgeembed_converters.sources.text.saved_tokenizer import (
    tokenizer_json,
    within_table,
    without_special_tokens,
)
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle.towers import TruncationSide
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError

# transformers reports at least this as the limit of a tokenizer that has none.
_NO_LIMIT = 1_000_000
_OUTPUT = "last_hidden_state"
# Settings of a call of the tokenizer that say what it does anyway, one text at a time.
_USUAL_PROCESSING: dict[str, tuple[object, ...]] = {
    "padding": (True, False, "longest", "do_not_pad"),
    "truncation": (True, "longest_first"),
    "add_special_tokens": (True, False),
}


class TokenVectors(nn.Module):
    """A transformers model as a function from ids and mask to its last hidden state."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap `model`; some, as FNet, take no mask."""
        super().__init__()
        self.model = model
        forward: Any = model.forward
        self.takes_mask = "attention_mask" in inspect.signature(forward).parameters

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask to (n, t, h) float32 token vectors."""
        mask = {"attention_mask": attention_mask} if self.takes_mask else {}
        return self.model(input_ids=input_ids, **mask).last_hidden_state


def load_backbone(transformer: Any, directory: Path, options: SourceOptions) -> Backbone:
    """Take the model and the tokenizer of sentence-transformers' module `Transformer`.

    The weights are loaded once more, for another implementation of attention, and shared with the
    module. The limit is the least of what is asked for, the tokenizer's and the model's positions.

    Raises:
        UnsupportedModelError: not an encoder of plain texts, or a setting cannot be kept.
        ConversionError: weights are missing, or nothing limits the length.
    """
    original: nn.Module = transformer.auto_model
    config: Any = original.config
    place = str(directory)
    processing = _processing(transformer, place)
    _check_plain_text(transformer, config, place)
    model = exportable(original, directory)
    tokenizer = transformer.tokenizer
    positions = _positions(model, config)
    longest = _longest(transformer.max_seq_length, place)
    limit = min(positions, longest, processing.get("max_length", longest))
    if options.max_tokens is None and limit >= _NO_LIMIT:
        raise ConversionError(
            f"{directory}: neither the model nor its tokenizer limits the length; pass max_tokens"
        )
    saved, notes = within_table(tokenizer_json(tokenizer, directory), model, place)
    if processing.get("add_special_tokens") is False:
        saved = without_special_tokens(saved)
    return Backbone(
        module=TokenVectors(model).eval(),
        model_type=str(config.model_type),
        tokenizer_json=saved,
        max_tokens=min(options.max_tokens or limit, positions),
        truncation_side=cast(TruncationSide, tokenizer.truncation_side),
        notes=notes,
    )


def _longest(limit: object, place: str) -> int:
    # transformers takes a float for a limit only where it stands for none.
    if limit is None or (isinstance(limit, float) and limit >= _NO_LIMIT):
        return _NO_LIMIT
    if isinstance(limit, int) and limit >= 1:
        return min(limit, _NO_LIMIT)
    raise ConversionError(
        f"{place}: max_seq_length or model_max_length: expected a positive integer, got {limit!r}"
    )


def _check_plain_text(transformer: Any, config: Any, place: str) -> None:
    """Refuse what is more than a text through the tokenizer and the model.

    Raises:
        UnsupportedModelError: with the name of what it is.
    """
    modalities = transformer.modality_config
    if "message" in modalities:
        raise UnsupportedModelError(
            f"{place}: the model puts texts into its chat template (modality 'message'), which a "
            "bundle cannot do; if it was not trained so, remove the template and the modality from "
            "sentence_bert_config.json"
        )
    found = modalities.get("text")
    method = (found or {}).get("method"), (found or {}).get("method_output_name")
    if method not in (("forward", _OUTPUT), ("forward", [_OUTPUT]), ("forward", (_OUTPUT,))):
        raise UnsupportedModelError(
            f"{place}: expected a text encoder that returns {_OUTPUT}, got model type "
            f"{config.model_type!r} with {found or 'no texts'}"
        )
    for name in ("query_length", "document_length", "query_expansion"):
        if getattr(transformer, name, None) is not None:
            raise UnsupportedModelError(
                f"{place}: {name}={getattr(transformer, name)!r}: queries and documents of "
                "different lengths cannot be converted"
            )


def _processing(transformer: Any, place: str) -> dict[str, Any]:
    """What the module changes in its calls of the tokenizer, of what can be kept."""
    given: dict[str, Any] = transformer.processing_kwargs
    texts = {**given.get("text", {}), **given.get("common", {})}
    kept = {key: value for key, value in texts.items() if key != "return_tensors"}
    for key, value in kept.items():
        limit = key == "max_length" and type(value) is int and value > 0
        if not limit and value not in _USUAL_PROCESSING.get(key, ()):
            raise UnsupportedModelError(
                f"{place}: processing_kwargs: {key}={value!r} cannot be kept in a bundle"
            )
    return kept


def exportable(original: nn.Module, directory: Path) -> nn.Module:
    """`original` with the attention that exports to the fewest operators, in evaluation mode.

    Both share their weights from then on.

    Raises:
        ConversionError: weights are missing.
        UnsupportedModelError: there are weights that the model does not read, or adapters that
            cannot be merged.
    """
    model: Any = original
    if has_adapters(model):
        merge_adapters(model, directory)
        model.set_attn_implementation("eager")
        return model.eval()
    try:
        with heard_warnings():
            copy, info = type(model).from_pretrained(
                directory,
                config=model.config,
                attn_implementation="eager",
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # whatever transformers and the model's own code raise
        raise loading_error(directory, error) from error
    refuse_loading_info(directory, info)
    model.load_state_dict(copy.state_dict(), assign=True)
    copy.config.use_cache = False  # keys and values of a text are of no use to the next
    if getattr(copy, "_can_set_experts_implementation", lambda: False)():
        copy.set_experts_implementation("batched_mm")  # the loop over experts cannot be exported
    return copy.eval()


def load_config(directory: Path, trust_remote_code: bool) -> Any:
    """The configuration of a transformers directory.

    Raises:
        UnsupportedModelError: this version of transformers does not know the model.
    """
    from transformers import AutoConfig

    try:
        with heard_warnings():  # heard again, and judged, when the model is opened
            return AutoConfig.from_pretrained(
                directory, local_files_only=True, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # the model's own code, too
        raise UnsupportedModelError(
            f"{directory}: expected a model that this transformers knows: {first_line(error)}"
        ) from error


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A transformers model in float32, and whether its files include the pooler's weights."""

    model: nn.Module
    has_pooler: bool


def load_model(directory: Path, trust_remote_code: bool) -> LoadedModel:
    """Load the weights of a transformers directory, from local files only.

    Raises:
        ConversionError: weights are missing or damaged.
        UnsupportedModelError: there are weights that the model does not read.
    """
    from transformers import AutoModel

    try:
        with heard_warnings():
            model, info = AutoModel.from_pretrained(
                directory,
                attn_implementation="eager",  # exports to the fewest operators
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
            )
    except Exception as error:  # whatever transformers and the model's own code raise
        raise loading_error(directory, error) from error
    refuse_loading_info(directory, info)
    return LoadedModel(model=model.eval(), has_pooler=not info["missing_keys"])


def _positions(model: nn.Module, config: Any) -> int:
    """How many tokens the position table holds."""
    positions = int(getattr(config, "max_position_embeddings", -1) or -1)
    if positions < 1:
        return _NO_LIMIT
    tables: list[tuple[str, Any]] = list(model.named_modules())
    for name, table in tables:
        # These count positions from the padding token's, as RoBERTa does.
        if name.endswith("position_embeddings") and getattr(table, "padding_idx", None) is not None:
            return min(positions, len(table.weight)) - int(table.padding_idx) - 1
    return positions
