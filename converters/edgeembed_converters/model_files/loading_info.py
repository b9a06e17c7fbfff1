"""Weights that transformers did not find, or did not use: a model with either is another one."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgeembed_converters.model_files.files import read_json
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError

# A name, after at most the model's own prefix, of what token vectors never pass.
_PREFIX = (
    r"(?:(?:model|transformer|backbone|encoder|module|[a-z0-9_]*(?:bert|deberta|electra|mpnet|gpt2|"
    r"t5|xlnet|funnel|deberta_v2))\.)?"
)
_WITHOUT_EFFECT: Mapping[str, str] = {
    _PREFIX + r"pooler\.": "vectors are pooled from the last hidden states",
    _PREFIX + r"(?:cls|lm_head|embed_out|mlm|mlm_head|pred_layer|lm_loss)[._]": "predicts words",
    _PREFIX + r"lm_head$": "predicts words",
    r"(?:predictions|generator_predictions|generator_lm_head|discriminator_predictions)\.": (
        "the pretraining's own layers"
    ),
    r"(?:lm_predictions|mask_predictions|sop_classifier|seq_relationship)\.": (
        "the pretraining's own layers"
    ),
    r"vocab_(?:projector|transform|layer_norm)\.": "DistilBERT's prediction of words",
    r"(?:head|decoder)\.(?:dense|norm|weight|bias)": "ModernBERT's prediction of words",
    r"(?:classifier|pre_classifier|classification_head|score|qa_outputs|logits_proj|"
    r"sequence_summary)\.": "the head of a classifier",
    r"(?:.+\.)?position_ids$": "counts positions; made anew",
    r"(?:.+\.)?(?:token_type_ids|rotary_pos_emb|_float_tensor)$": "made anew",
    r"(?:.+\.)?(?:rotary_emb|rotary_embedding|rope)\.": "angles; made anew",
    r"(?:.+\.)?inv_freq$": "angles; made anew",
    r"(?:.+\.)?attn\.(?:masked_)?bias$": "GPT-2's causal mask; made anew",
    r"(?:.+\.)?attention\.(?:masked_bias|bias)$": "a causal mask; made anew",
    r"(?:.+\.)?num_batches_tracked$": "counts steps of training",
    r"(?:criterion|loss_fct|loss|objective|v_head|value_head)\.": "only training uses it",
}
_HARMLESS = re.compile("|".join(f"(?:{pattern})" for pattern in _WITHOUT_EFFECT))

# Of an encoder-decoder, the encoder alone makes vectors.
_DECODER = re.compile(r"(?:model\.)?(?:decoder|lm_head|final_logits_bias)(?:\.|$)")


def refuse_loading_info(directory: Path, info: Mapping[str, Any]) -> None:
    """Refuse a model whose weights are not those of its configuration.

    Args:
        directory: of the model, for messages.
        info: what transformers returns for `output_loading_info`.

    Raises:
        ConversionError: weights are missing, apart from a pooler's, or of other shapes.
        UnsupportedModelError: the files hold weights that this version of transformers does not
            use, and that its own would.
    """
    for error in _listed(info, "error_msgs"):
        raise ConversionError(f"{directory}: could not load the weights: {first_line(error)}")
    for found in _listed(info, "mismatched_keys"):
        name = found[0] if isinstance(found, tuple) else found
        raise ConversionError(
            f"{directory}: could not load the weights: {name} has another shape than config.json "
            "says"
        )
    missing = [key for key in sorted(map(str, info.get("missing_keys") or ())) if not _pooler(key)]
    if missing:
        raise ConversionError(
            f"{directory}: {len(missing)} weights are missing from its files, the first is "
            f"{missing[0]}; a model with random layers is not converted"
        )
    keys = sorted(map(str, info.get("unexpected_keys") or ()))
    if read_json(directory / "config.json").get("is_encoder_decoder"):
        keys = [key for key in keys if not _DECODER.match(key)]
    unused = [key for key in keys if not _HARMLESS.match(key)]
    if unused:
        import transformers

        raise UnsupportedModelError(
            f"{directory}: transformers {transformers.__version__} does not use {len(unused)} of "
            f"its weights: {', '.join(unused[:3])}{', ...' if len(unused) > 3 else ''}; the "
            "configuration leaves them out, or the version that saved the model is needed "
            "(config.json: transformers_version)"
        )


def _pooler(key: str) -> bool:
    return "pooler" in key


def _listed(info: Mapping[str, Any], name: str) -> list[Any]:
    found: Iterable[Any] | str | None = info.get(name)
    if not found:
        return []
    return [found] if isinstance(found, str) else sorted(found, key=str)
