"""Kinds of encoders that read a text in both directions, and encoders of translators."""

from typing import Any

from benchmarks.architectures.kind import Kind

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
_BERT: dict[str, Any] = {**_SMALL, "max_position_embeddings": 128}
# These count positions from the id of the padding token.
_ROBERTA: dict[str, Any] = {**_SMALL, "max_position_embeddings": 130, "type_vocab_size": 1}
_ALBERT: dict[str, Any] = {**_BERT, "embedding_size": 16}
_DEBERTA: dict[str, Any] = {
    **_BERT,
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 16,
    "num_layers": 2,
    "num_heads": 2,
    "d_ff": 64,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 32,
}
_GATED: dict[str, Any] = {**_T5, "feed_forward_proj": "gated-gelu"}
_XLM: dict[str, Any] = {
    "emb_dim": 32,
    "n_layers": 2,
    "n_heads": 2,
    "max_position_embeddings": 128,
}
_BIG_BIRD: dict[str, Any] = {**_BERT, "block_size": 4, "num_random_blocks": 1}


def _kind(
    name: str,
    config: str,
    vocabulary: str,
    settings: dict[str, Any],
    *,
    pooling: str = "mean",
    model: str = "",
    plain: bool = False,
) -> Kind:
    return Kind(
        name=name,
        config=config,
        vocabulary=vocabulary,
        settings=settings,
        pooling=pooling,  # pyright: ignore[reportArgumentType]
        model=model,
        plain=plain,
        normalize=not plain,
    )


ENCODERS = (
    _kind("bert", "BertConfig", "WordPiece", _BERT),
    _kind("bert, cased", "BertConfig", "WordPiece, cased", _BERT, pooling="cls"),
    _kind("bert, XLM-R's tokenizer", "BertConfig", "Unigram", _BERT),
    _kind("bert, relative positions", "BertConfig", "WordPiece",
          {**_BERT, "position_embedding_type": "relative_key_query"}),
    _kind("distilbert", "DistilBertConfig", "WordPiece",
          {"dim": 32, "hidden_dim": 64, "n_heads": 2, "n_layers": 2,
           "max_position_embeddings": 128}, plain=True),
    _kind("roberta", "RobertaConfig", "byte BPE", _ROBERTA),
    _kind("roberta-prelayernorm", "RobertaPreLayerNormConfig", "byte BPE", _ROBERTA),
    _kind("xlm-roberta", "XLMRobertaConfig", "Unigram", _ROBERTA, plain=True),
    _kind("xlm-roberta-xl", "XLMRobertaXLConfig", "Unigram", _ROBERTA, pooling="cls"),
    _kind("xmod", "XmodConfig", "Unigram",
          {**_ROBERTA, "languages": ["en_XX"], "default_language": "en_XX"}),
    _kind("camembert", "CamembertConfig", "Unigram", _ROBERTA),
    _kind("data2vec-text", "Data2VecTextConfig", "byte BPE", _ROBERTA),
    _kind("ibert", "IBertConfig", "byte BPE", _ROBERTA),
    _kind("mpnet", "MPNetConfig", "WordPiece, <s>", {**_SMALL, "max_position_embeddings": 130}),
    _kind("albert", "AlbertConfig", "Unigram, [CLS]", _ALBERT),
    _kind("electra", "ElectraConfig", "WordPiece", _ALBERT, pooling="cls"),
    _kind("deberta", "DebertaConfig", "byte BPE", {**_DEBERTA, "max_relative_positions": 32}),
    _kind("deberta-v2", "DebertaV2Config", "Unigram, [CLS]",
          {**_DEBERTA, "position_buckets": 16, "norm_rel_ebd": "layer_norm",
           "share_att_key": True}),
    _kind("modernbert", "ModernBertConfig", "byte BPE",
          {**_BERT, "local_attention": 8, "global_attn_every_n_layers": 2}),
    _kind("convbert", "ConvBertConfig", "WordPiece", {**_BERT, "embedding_size": 32}),
    _kind("mobilebert", "MobileBertConfig", "WordPiece",
          {**_BERT, "embedding_size": 32, "intra_bottleneck_size": 16}),
    _kind("squeezebert", "SqueezeBertConfig", "WordPiece", {**_BERT, "embedding_size": 32}),
    _kind("fnet", "FNetConfig", "Unigram, [CLS]",
          {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64,
           "max_position_embeddings": 128}),
    _kind("funnel", "FunnelConfig", "WordPiece",
          {"block_sizes": [2, 2], "d_model": 32, "n_head": 2, "d_head": 16, "d_inner": 64},
          model="FunnelModel"),
    _kind("layoutlm, text only", "LayoutLMConfig", "WordPiece", _BERT),
    _kind("ernie", "ErnieConfig", "WordPiece", _BERT, pooling="cls"),
    _kind("megatron-bert", "MegatronBertConfig", "WordPiece, cased", _BERT),
    _kind("rembert", "RemBertConfig", "Unigram, [CLS]",
          {**_BERT, "input_embedding_size": 16, "output_embedding_size": 16}),
    _kind("roc_bert", "RoCBertConfig", "WordPiece",
          {**_BERT, "enable_pronunciation": False, "enable_shape": False}),
    _kind("splinter", "SplinterConfig", "WordPiece, cased", _BERT),
    _kind("luke", "LukeConfig", "byte BPE", {**_ROBERTA, "entity_emb_size": 16}),
    _kind("roformer", "RoFormerConfig", "WordPiece", {**_BERT, "embedding_size": 32}),
    _kind("big_bird, full attention", "BigBirdConfig", "Unigram, [CLS]",
          {**_BIG_BIRD, "attention_type": "original_full"}),
    _kind("big_bird, block-sparse", "BigBirdConfig", "Unigram, [CLS]",
          {**_BIG_BIRD, "attention_type": "block_sparse"}),
    _kind("nystromformer", "NystromformerConfig", "Unigram, [CLS]",
          {**_BERT, "conv_kernel_size": 5}),
    _kind("nystromformer, landmarks", "NystromformerConfig", "Unigram, [CLS]",
          {**_BERT, "num_landmarks": 8, "segment_means_seq_len": 64, "conv_kernel_size": 5}),
    _kind("longformer", "LongformerConfig", "byte BPE", {**_ROBERTA, "attention_window": [8, 8]}),
    _kind("xlnet", "XLNetConfig", "Unigram, <sep> <cls>",
          {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}, pooling="lasttoken"),
    _kind("xlm", "XLMConfig", "byte BPE", _XLM),
    _kind("flaubert", "FlaubertConfig", "byte BPE", _XLM),
    _kind("dpr", "DPRConfig", "WordPiece", _BERT, plain=True),
    _kind("nomic_bert", "NomicBertConfig", "WordPiece", _BERT),
    _kind("eurobert", "EuroBertConfig", "BPE, bytes for the rest",
          {**_BERT, "num_key_value_heads": 1}),
    _kind("jina_embeddings_v3", "JinaEmbeddingsV3Config", "Unigram", _ROBERTA),
    _kind("t5, encoder", "T5Config", "Unigram, end", _T5, model="T5EncoderModel"),
    _kind("mt5, encoder", "MT5Config", "Unigram, end", _GATED, model="MT5EncoderModel"),
    _kind("umt5, encoder", "UMT5Config", "Unigram, end", _GATED, model="UMT5EncoderModel"),
    _kind("longt5, encoder", "LongT5Config", "Unigram, end",
          {**_GATED, "local_radius": 8}, model="LongT5EncoderModel"),
)  # fmt: skip
