"""Settings without effect on vectors of texts, each with the reason; all others must be read."""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

# Of config.json, whatever their value.
_NO_MATTER: Mapping[str, str] = {
    "_name_or_path": "where it was loaded from",
    "name_or_path": "where it was loaded from",
    "transformers_version": "what saved it",
    "model_type": "names the class that was loaded",
    "architectures": "names the class that was saved",
    "auto_map": "checked before loading",
    "custom_pipelines": "names code that encoding never calls",
    "torch_dtype": "weights are converted in float32",
    "dtype": "weights are converted in float32",
    "use_bfloat16": "weights are converted in float32",
    "torchscript": "how it was to be exported",
    "tf_legacy_loss": "TensorFlow's training",
    "attn_implementation": "chosen at loading; all are equal",
    "_attn_implementation": "chosen at loading; all are equal",
    "_attn_implementation_autoset": "chosen at loading; all are equal",
    "_attn_implementation_internal": "chosen at loading; all are equal",
    "_experts_implementation": "chosen at loading; all are equal",
    "_flash_attn_2_enabled": "chosen at loading; all are equal",
    "_commit_hash": "where it was loaded from",
    "output_hidden_states": "returns more, changes nothing",
    "output_attentions": "returns more, changes nothing",
    "output_past": "returns more, changes nothing",
    "use_cache": "generation's",
    "cache_implementation": "generation's",
    "chunk_size_feed_forward": "the same numbers in parts",
    "tie_word_embeddings": "only the head that predicts words is tied",
    "tie_encoder_decoder": "only the decoder is tied",
    "initializer_range": "weights are loaded",
    "initializer_factor": "weights are loaded",
    "init_std": "weights are loaded",
    "init_method": "weights are loaded",
    "init_device": "weights are loaded",
    "initializer_cutoff_factor": "weights are loaded",
    "embed_init_std": "weights are loaded",
    "gradient_checkpointing": "training's",
    "finetuning_task": "a classifier's",
    "id2label": "a classifier's",
    "label2id": "a classifier's",
    "num_labels": "a classifier's",
    "_num_labels": "a classifier's",
    "problem_type": "a classifier's",
    "num_choices": "a classifier's",
    "classifier_activation": "a classifier's",
    "classifier_bias": "a classifier's",
    "classifier_pooling": "a classifier's",
    "classifier_proj_size": "a classifier's",
    "summary_activation": "a classifier's",
    "summary_first_dropout": "a classifier's",
    "summary_last_dropout": "a classifier's",
    "summary_proj_to_labels": "a classifier's",
    "summary_type": "a classifier's",
    "summary_use_proj": "a classifier's",
    "pooler_activation": "pooling is from token vectors",
    "pooler_dropout": "pooling is from token vectors",
    "pooler_fc_size": "pooling is from token vectors",
    "pooler_hidden_act": "pooling is from token vectors",
    "pooler_hidden_size": "pooling is from token vectors",
    "pooler_num_attention_heads": "pooling is from token vectors",
    "pooler_num_fc_layers": "pooling is from token vectors",
    "pooler_size_per_head": "pooling is from token vectors",
    "pooler_type": "pooling is from token vectors",
    "directionality": "BERT never read it",
    "sinusoidal_pos_embds": "DistilBERT's table is among the weights",
    "tie_weights": "only the head that predicts words is tied",
    "task_specific_params": "generation's",
    "prefix": "generation's",
    "is_assistant": "generation's",
    "language": "says what texts it knows",
    "mask_token_id": "names a token",
    "sep_token_id": "names a token",
    "cls_token_id": "names a token",
    "unk_token_id": "names a token",
    "sparse_prediction": "the pretraining's",
    "sparse_pred_ignore_index": "the pretraining's",
    "reference_compile": "the same numbers, compiled",
    "repad_logits_with_grad": "training's",
    "router_aux_loss_coef": "training's",
    "output_router_logits": "returns more, changes nothing",
    "pretraining_tp": "the same numbers in parts",
    "n_ctx": "the same as n_positions",
    "n_positions": "only models with a table of positions read it",
    "net_structure_type": "ALBERT never read it",
    "num_memory_blocks": "ALBERT never read it",
    "down_scale_factor": "ALBERT never read it",
    "gap_size": "ALBERT never read it",
    "tokenizer_class": "the tokenizer is in its own files",
    "unsloth_version": "what saved it",
    "unsloth_fixed": "what saved it",
    "transformers.js_config": "another program's",
    "model_name": "says what it is",
    "adapters": "adapters of another library, which are files of their own",
    "final_logit_softcapping": "the head that predicts words",
    "loss_function": "training's",
}
# By how a name ends or begins.
_NO_MATTER_LIKE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r".*(dropout|drop_rate|_drop|_pdrop|dropout_prob|dropout_rate|droppath)$"),
     "nothing is dropped outside training"),
    (re.compile(r"generator_"), "the pretraining's"),
    (re.compile(r"drop(out)?(_path)?(_rate|_prob)?$"), "nothing is dropped outside training"),
    (re.compile(r"(attn_pdrop|embd_pdrop|resid_pdrop|mlp_pdrop|layerdrop|encoder_layerdrop)$"),
     "nothing is dropped outside training"),
    (re.compile(r"(bos|eos|pad|decoder_start|image|audio|video|boi|eoi|boa|eoa)_token_(id|index)$"),
     "names a token"),
)  # fmt: skip
# Of config.json: a value that says what every model does without it, and so needs no reader.
_OFF: Mapping[str, tuple[Any, ...]] = {
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (None,),
    "is_encoder_decoder": (False,),
    "pruned_heads": ({},),
    "return_dict": (True,),
    "use_return_dict": (True,),
    "rope_scaling": ({"rope_type": "default"}, {"type": "default"}),
    "add_pooling_layer": (True, False),
    "use_bidirectional_attention": (False,),
    "quantization_config": ({},),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "relative_attention": (False,),
    "conv_kernel_size": (0,),
    "use_sliding_window": (False,),
    "trigram_input": (False,),
    "legacy": (True, False),
}
# Of tokenizer_config.json and special_tokens_map.json.
_TOKENIZER_NO_MATTER: Mapping[str, str] = {
    "name_or_path": "where it was loaded from",
    "_name_or_path": "where it was loaded from",
    "tokenizer_class": "names the class that was loaded",
    "processor_class": "names a class for images",
    "auto_map": "checked before loading",
    "special_tokens_map_file": "where it was loaded from",
    "tokenizer_file": "where it was loaded from",
    "vocab_file": "where it was loaded from",
    "merges_file": "where it was loaded from",
    "files_loaded": "where it was loaded from",
    "is_local": "where it was loaded from",
    "local_files_only": "where it was loaded from",
    "backend": "what saved it",
    "use_fast": "the fast tokenizer is always taken",
    "transformers_version": "what saved it",
    "max_length": "remembers a call; max_seq_length or model_max_length is the limit",
    "max_len": "an older name of model_max_length",
    "stride": "remembers a call; texts are cut once",
    "truncation": "remembers a call",
    "truncation_strategy": "remembers a call; there is one text",
    "padding": "remembers a call; one text needs none",
    "padding_strategy": "remembers a call; one text needs none",
    "pad_to_multiple_of": "remembers a call; masked tokens have no effect",
    "pad_token_type_id": "masked tokens have no effect",
    "return_tensors": "remembers a call",
    "clean_up_tokenization_spaces": "only decoding reads it",
    "spaces_between_special_tokens": "only decoding reads it",
    "skip_special_tokens": "only decoding reads it",
    "chat_template": "read where the model takes messages",
    "response_schema": "chats'",
    "response_template": "chats'",
    "use_default_system_prompt": "chats'",
    "sp_model_kwargs": "SentencePiece's sampling, which only training uses",
    "errors": "how bytes are decoded",
    "do_basic_tokenize": "the fast tokenizer always does",
    "never_split": "special tokens are never split",
    "init_inputs": "positional arguments, which transformers reads",
    "verbose": "what is printed",
    "from_slow": "how it was made",
    "legacy": "in tokenizer.json, or read by the class that makes it",
    "model_input_names": "which inputs the model takes; read at loading",
    "image_processor_type": "no image is encoded",
}
_TOKEN_NAME = re.compile(r".*(_token|_tokens|_token_id|_token_ids)$|added_tokens_decoder$")
# A tokenizer that adds nothing needs no reader of these.
_TOKENIZER_OFF: Mapping[str, tuple[Any, ...]] = {
    "add_bos_token": (False,),
    "add_eos_token": (False,),
    "add_prefix_space": (False,),
    "trim_offsets": (True, False),
    "split_special_tokens": (False,),
    "strip_accents": (None,),
    "do_lower_case": (False,),
    "tokenize_chinese_chars": (True,),
    "fix_mistral_regex": (False,),
    "padding_side": ("right", "left"),
    "wordpieces_prefix": ("##",),
    "remove_space": (True,),
    "keep_accents": (False,),
    "vocab_type": ("spm",),
}
# Of processor_config.json: what only images, videos and sounds need.
_PROCESSOR_NO_MATTER = re.compile(
    r"(processor_class|auto_map|chat_template|.*(image|video|audio|vision|patch|pixel|feature).*)$"
)


def model_setting_matters(name: str, value: object, config: Any) -> bool:
    """Whether a key of config.json that nothing reads could have changed the vectors.

    Args:
        name: the key.
        value: what it says.
        config: as transformers loaded it: it may say the same under another name.
    """
    if value in (None, [], {}, "") or name in _NO_MATTER or name in _generation_settings():
        return False
    if any(pattern.match(name) for pattern, _ in _NO_MATTER_LIKE):
        return False
    if any(_same(value, off) for off in _OFF.get(name, ())):
        return False
    if name in _SAID_OTHERWISE:
        return not _SAID_OTHERWISE[name](value, config)
    return True


def tokenizer_setting_matters(name: str, value: object) -> bool:
    """Whether a key of tokenizer_config.json that nothing reads could have changed the tokens."""
    if value is None or name in _TOKENIZER_NO_MATTER:
        return False
    if name in _TOKENIZER_OFF:
        return not any(_same(value, off) for off in _TOKENIZER_OFF[name])
    return not _TOKEN_NAME.match(name)


def processor_setting_matters(name: str, value: object) -> bool:
    """Whether a key of processor_config.json could change how texts are prepared."""
    return value is not None and not _PROCESSOR_NO_MATTER.match(name)


def _same(value: object, other: object) -> bool:
    return type(value) is type(other) and value == other


def _generation_settings() -> frozenset[str]:
    """The settings of generation, which older versions kept in config.json."""
    from transformers import GenerationConfig

    return frozenset(GenerationConfig().to_dict()) | {"max_window", "forced_bos_token_id"}


def _rope_parameters(value: object, config: Any) -> bool:
    """Whether transformers 4, which does not read it, has the same angles under older names."""
    if not isinstance(value, dict):
        return False
    rope = cast(dict[str, Any], value)
    kinds = {"": rope} if "rope_type" in rope or "rope_theta" in rope else rope
    old = {"": "rope_theta", "full_attention": "global_rope_theta",
           "sliding_attention": "local_rope_theta"}  # fmt: skip
    for kind, settings in kinds.items():
        if not isinstance(settings, dict):
            return False
        rest = cast(dict[str, Any], settings)
        if kind not in old or set(rest) - {"rope_type", "rope_theta"}:
            return False
        if rest.get("rope_type", "default") != "default":
            return False
        if "rope_theta" in rest and rest["rope_theta"] != getattr(config, old[kind], None):
            return False
    return True


def _layer_pattern(value: object, config: Any) -> bool:
    """Whether the kinds of layers, as loaded, are those of "every so many is full attention"."""
    kinds = getattr(config, "layer_types", None)
    if type(value) is not int or value < 1 or not isinstance(kinds, list):
        return False
    listed = cast(list[object], kinds)
    return all(
        (kind == "full_attention") == ((number + 1) % value == 0)
        for number, kind in enumerate(listed)
    )


def _causal(value: object, config: Any) -> bool:
    """Whether the model is causal by its code, and the key says that."""
    modeling = type(config).__module__.replace("configuration_", "modeling_")
    try:
        source = inspect.getsource(importlib.import_module(modeling))
    except (ImportError, OSError, TypeError):
        return False
    return value is True and "self.is_causal = True" in source


def _norm_eps(value: object, config: Any) -> bool:
    return value == getattr(config, "norm_eps", None)


# Keys that say, under another name, what the loaded configuration or its code says.
_SAID_OTHERWISE: Mapping[str, Callable[[object, Any], bool]] = {
    "rope_parameters": _rope_parameters,
    "sliding_window_pattern": _layer_pattern,
    "_sliding_window_pattern": _layer_pattern,
    "is_causal": _causal,
    "layer_norm_eps": _norm_eps,
}
