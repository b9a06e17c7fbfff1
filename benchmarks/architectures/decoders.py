"""Kinds of language models that are used as encoders, causal or made bidirectional."""

from typing import Any

from benchmarks.architectures.kind import Kind, Pooling

_END, _BARE, _LLAMA = "byte BPE, end", "byte BPE, bare", "BPE, bytes for the rest"
_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
}
_GROUPED: dict[str, Any] = {**_SMALL, "num_key_value_heads": 1}
_HEADS: dict[str, Any] = {**_GROUPED, "head_dim": 16}
_GPT: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 512}
_INSTRUCT = {"query": "Instruct: find the passage\nQuery: ", "document": ""}
_GEMMA_PROMPTS = {
    "query": "task: search result | query: ",
    "document": "title: none | text: ",
}


def _kind(
    name: str,
    config: str,
    vocabulary: str,
    settings: dict[str, Any],
    *,
    pooling: Pooling = "lasttoken",
    dense: tuple[int, ...] = (),
    prompts: dict[str, str] | None = None,
) -> Kind:
    return Kind(
        name=name,
        config=config,
        vocabulary=vocabulary,
        settings=settings,
        pooling=pooling,
        dense=dense,
        prompts=prompts or {},
    )


DECODERS = (
    _kind("gpt2", "GPT2Config", _BARE, _GPT, pooling="weightedmean"),
    _kind("gpt_neo", "GPTNeoConfig", _BARE,
          {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 64,
           "attention_types": [[["global", "local"], 1]], "window_size": 8,
           "max_position_embeddings": 512}, pooling="weightedmean"),
    _kind("gpt_neox", "GPTNeoXConfig", _END, _SMALL, pooling="mean"),
    _kind("gptj", "GPTJConfig", _END, {**_GPT, "rotary_dim": 8}, pooling="weightedmean"),
    _kind("opt", "OPTConfig", _END,
          {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 64,
           "max_position_embeddings": 512, "word_embed_proj_dim": 32}, pooling="mean"),
    _kind("bloom", "BloomConfig", _END, {"hidden_size": 32, "n_layer": 2, "n_head": 2},
          pooling="weightedmean"),
    _kind("mpt", "MptConfig", _END,
          {"d_model": 32, "n_layers": 2, "n_heads": 2, "expansion_ratio": 2, "max_seq_len": 512}),
    _kind("falcon", "FalconConfig", _END,
          {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}, pooling="mean"),
    _kind("llama", "LlamaConfig", _LLAMA, _HEADS),
    _kind("mistral", "MistralConfig", _LLAMA, {**_HEADS, "sliding_window": 16},
          prompts=_INSTRUCT),
    _kind("mixtral", "MixtralConfig", _LLAMA,
          {**_HEADS, "num_local_experts": 4, "num_experts_per_tok": 2}),
    _kind("qwen2", "Qwen2Config", _END, _GROUPED, prompts=_INSTRUCT),
    _kind("qwen2, bidirectional", "Qwen2Config", _END, {**_GROUPED, "is_causal": False},
          pooling="mean"),
    _kind("qwen3", "Qwen3Config", _END, _HEADS, prompts=_INSTRUCT),
    _kind("qwen3, bidirectional", "Qwen3Config", _END, {**_HEADS, "is_causal": False},
          pooling="mean"),
    _kind("qwen3_moe", "Qwen3MoeConfig", _END,
          {**_HEADS, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}),
    _kind("gemma", "GemmaConfig", _LLAMA, _HEADS, pooling="mean"),
    _kind("gemma2", "Gemma2Config", _LLAMA, {**_HEADS, "sliding_window": 16}),
    _kind("gemma3_text", "Gemma3TextConfig", _LLAMA, {**_HEADS, "sliding_window": 16},
          pooling="mean"),
    _kind("gemma3_text, bidirectional", "Gemma3TextConfig", _LLAMA,
          {**_HEADS, "sliding_window": 16, "use_bidirectional_attention": True},
          pooling="mean", dense=(64, 32), prompts=_GEMMA_PROMPTS),
    _kind("phi", "PhiConfig", _END, _SMALL),
    _kind("phi3", "Phi3Config", _LLAMA, _GROUPED),
    _kind("olmo2", "Olmo2Config", _END, _GROUPED),
    _kind("smollm3", "SmolLM3Config", _END, _GROUPED),
    _kind("granite", "GraniteConfig", _END,
          {**_GROUPED, "embedding_multiplier": 12.0, "residual_multiplier": 0.22}),
    _kind("stablelm", "StableLmConfig", _END, _GROUPED, pooling="mean"),
    _kind("starcoder2", "Starcoder2Config", _END, {**_GROUPED, "sliding_window": 16}),
    _kind("cohere", "CohereConfig", _END, _GROUPED),
    _kind("lfm2", "Lfm2Config", _END,
          {**_GROUPED, "layer_types": ["conv", "full_attention"],
           "block_auto_adjust_ff_dim": False}),
    _kind("glm4", "Glm4Config", _END, _HEADS),
    _kind("mamba", "MambaConfig", _END,
          {"hidden_size": 32, "state_size": 8, "num_hidden_layers": 2}),
)  # fmt: skip
