"""Numbers in config.json that cannot be, or not with these weights: refused before memory goes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.model_files.weight_files import WeightSummary
from edgeembed_runtime.errors import ConversionError

_LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers", "depth")
_HEADS = ("num_attention_heads", "n_heads", "n_head", "num_heads", "encoder_attention_heads")
_WIDTHS = ("hidden_size", "d_model", "dim", "n_embd", "emb_dim")
_INNER = ("intermediate_size", "d_ff", "hidden_dim", "n_inner", "encoder_ffn_dim")
_POSITIVE = (*_LAYERS, *_HEADS, *_WIDTHS, "num_key_value_heads", "vocab_size", "head_dim")
# Any of these says that heads have a width of their own.
_HEAD_WIDTHS = ("head_dim", "attention_head_size", "kv_channels", "qk_head_dim", "v_head_dim")
# An embedding may be narrower than the layers.
_EMBEDDING_WIDTHS = ("embedding_size", "input_embedding_size", "word_embed_proj_dim", "d_embed")
_MAX_LAYERS = 10_000
_MAX_COUNT = 1_000_000  # of labels, experts, groups: each becomes an object before weights do
_MAX_POSITIONS = 100_000_000
# What no number in the configuration excuses: shared, packed or factorized weights stay below.
_SLACK = 8
_SMALL = 64_000_000
_POSITION_TABLES = ("position_embedding", "embed_positions", "wpe.", "pos_emb")


def check_sizes(path: Path, config: Mapping[str, Any], weights: WeightSummary | None) -> None:
    """Compare the sizes in `config`, read from `path`, with each other and with the weights.

    Raises:
        ConversionError: a model of these sizes cannot be, or cannot have these weights.
    """
    for part in _parts(config):
        _check_numbers(path, part)
        if weights is not None:
            _check_layers(path, part, weights)
            _check_elements(path, part, weights)


def _parts(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configuration, and those nested in it (text_config, encoder)."""
    yield config
    for name, value in config.items():
        if isinstance(value, dict) and (name.endswith("_config") or "model_type" in value):
            yield cast(Mapping[str, Any], value)


def _check_numbers(path: Path, config: Mapping[str, Any]) -> None:
    for name, value in config.items():
        single = name in _POSITIVE and not isinstance(value, list | dict | None)
        if single and (type(value) is not int or value < 1):
            raise ConversionError(f"{path}: {name}: expected a positive number, got {value!r:.80}")
        if type(value) is not int:
            continue
        limit = _limit(name)
        if limit is not None and value > limit:
            raise ConversionError(
                f"{path}: {name}: no model has {value:.6g}; expected at most {limit}"
            )
    heads, width = _first(config, _HEADS[:1]), _first(config, _WIDTHS[:1])
    own = any(name in config for name in _HEAD_WIDTHS)
    if heads and width and width % heads and not own:
        raise ConversionError(
            f"{path}: hidden_size = {width} cannot be divided into num_attention_heads = {heads}"
        )


def _limit(name: str) -> int | None:
    if name in _LAYERS or name.endswith("_layers"):
        return _MAX_LAYERS
    if "position" in name:
        return _MAX_POSITIONS
    counted = name.startswith("num_") or name.endswith(("_experts", "_groups", "_heads"))
    return _MAX_COUNT if counted else None


def _check_layers(path: Path, config: Mapping[str, Any], weights: WeightSummary) -> None:
    layers = _first(config, _LAYERS)
    shared = "num_hidden_groups" in config  # ALBERT: one layer is run many times
    if layers and weights.tensors is not None and layers > weights.tensors and not shared:
        raise ConversionError(
            f"{path}: {layers} layers cannot be made of the {weights.tensors} tensors in the "
            "weight files; these are another model's, or half of them"
        )


def _check_elements(path: Path, config: Mapping[str, Any], weights: WeightSummary) -> None:
    """Refuse what needs many times the numbers that there are, before memory is taken for them."""
    expected = _least_elements(config, weights)
    if expected > max(_SMALL, _SLACK * weights.elements):
        raise ConversionError(
            f"{path}: a model of these sizes has at least {expected:.3g} weights, the weight files "
            f"hold {weights.elements:.3g}; one of them is another model's"
        )


def _least_elements(config: Mapping[str, Any], weights: WeightSummary) -> int:
    width = _first(config, _WIDTHS) or 0
    layers = _first(config, _LAYERS) or 0
    if "num_hidden_groups" in config:
        layers = _first(config, ("num_hidden_groups",)) or 1
    heads = (_first(config, _HEADS) or 0) * (_first(config, ("head_dim",)) or 0)
    inner = max(_first(config, _INNER) or width, heads)
    narrow = _first(config, _EMBEDDING_WIDTHS) or width
    rows = (_first(config, ("vocab_size",)) or 0) + (_first(config, ("type_vocab_size",)) or 0)
    if any(table in name for name in weights.names for table in _POSITION_TABLES):
        rows += _first(config, ("max_position_embeddings", "n_positions")) or 0
    return rows * narrow + layers * width * inner


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of the numbers that the configuration has."""
    for name in names:
        if type(value := config.get(name)) is int:
            return value
    return None
