"""Tiny trained-looking models, saved by the libraries whose directories the converters read.

Every model is made here, offline: a tokenizer trained on a few sentences, a transformers model with
random weights, and, for sentence-transformers, its own modules saved by its own `save`. So
sentence-transformers and transformers, loading the same directory, are independent references.
"""

import functools
import json
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import models as tokenizer_models
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

from edgeembed import ConversionReport, convert
from helpers.tiny_vocabularies import unigram_vocabulary, wordpiece_vocabulary

# Of every kind: no text, white space, scripts, one letter, and longer than any tiny model takes.
TEXTS = (
    "A man is playing a guitar on stage.",
    "Someone performs music in front of an audience",
    "the cat sat on the WINDOWSILL and watched the rain",
    "",
    "   ",
    "\n\t \u00a0",
    "x",
    "naïve café résumé Ünïcödé e\u0301",
    "東京は日本の首都であり、世界最大の都市の一つです。",
    "Москва — столица России",
    "I love this 😍🎉 so much!!!",
    "  leading and trailing  white space  ",
    "How do I reset my password? " * 40,
)
_CORPUS = (*TEXTS, "The Quick BROWN fox JUMPS over the lazy dog.", "query: passage: task: search")
_BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_WIDTHS = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


def _wordpiece(specials=_BERT_SPECIALS, lowercase=True):
    unknown, first, last = (
        ("[UNK]", "[CLS]", "[SEP]") if "[CLS]" in specials else ("<unk>", "<s>", "</s>")
    )
    tokenizer = Tokenizer(tokenizer_models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.model = tokenizer_models.WordPiece(
        wordpiece_vocabulary(tokenizer, _CORPUS, specials), unk_token=unknown
    )
    tokenizer.add_special_tokens(list(specials))
    return _between(tokenizer, first, last)


def _byte_bpe():
    tokenizer = Tokenizer(tokenizer_models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=400,
        special_tokens=list(_ROBERTA_SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return _between(tokenizer, "<s>", "</s>")


def _unigram():
    tokenizer = Tokenizer(tokenizer_models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.model = tokenizer_models.Unigram(
        unigram_vocabulary(tokenizer, _CORPUS, _ROBERTA_SPECIALS),
        unk_id=_ROBERTA_SPECIALS.index("<unk>"),
    )
    tokenizer.add_special_tokens(list(_ROBERTA_SPECIALS))
    return _between(tokenizer, "<s>", "</s>")


def _between(tokenizer, first, last):
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (first, last)],
    )
    return tokenizer


def _fast_tokenizer(tokenizer, limit):
    from transformers import PreTrainedTokenizerFast

    bert = tokenizer.token_to_id("[CLS]") is not None
    pad, unknown, first, last, mask = (
        _BERT_SPECIALS if bert else tuple(_ROBERTA_SPECIALS[i] for i in (1, 3, 0, 2, 4))
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=limit,
        pad_token=pad,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        mask_token=AddedToken(mask, lstrip=False),
        model_input_names=["input_ids", "attention_mask"],
    )


def _architecture(kind, layers, positions):
    """(configuration, tokenizer) of one tiny model."""
    import transformers as t

    common: dict[str, Any] = {**_WIDTHS, "num_hidden_layers": layers, "initializer_range": 0.2}
    roberta_ids: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    match kind:
        case "bert":
            return t.BertConfig(**common, max_position_embeddings=positions), _wordpiece()
        case "bert-cased":
            config = t.BertConfig(**common, max_position_embeddings=positions)
            return config, _wordpiece(lowercase=False)
        case "distilbert":
            config = t.DistilBertConfig(
                dim=32,
                hidden_dim=64,
                n_heads=2,
                n_layers=layers,
                max_position_embeddings=positions,
                initializer_range=0.2,
            )
            return config, _wordpiece()
        case "roberta":
            config = t.RobertaConfig(
                **common, **roberta_ids, max_position_embeddings=positions + 2, type_vocab_size=1
            )
            return config, _byte_bpe()
        case "xlm-roberta":
            config = t.XLMRobertaConfig(
                **common, **roberta_ids, max_position_embeddings=positions + 2, type_vocab_size=1
            )
            return config, _unigram()
        case "mpnet":
            config = t.MPNetConfig(
                **common,
                **roberta_ids,
                max_position_embeddings=positions + 2,
            )
            return config, _wordpiece(_ROBERTA_SPECIALS)
        case "modernbert":
            config = t.ModernBertConfig(
                **common,
                max_position_embeddings=positions,
                local_attention=8,
                global_attn_every_n_layers=2,  # pyright: ignore[reportCallIssue]
                pad_token_id=0,
                cls_token_id=2,
                sep_token_id=3,
                bos_token_id=2,
                eos_token_id=3,
            )
            return config, _wordpiece()
    return _other_architecture(kind, layers, positions)


def _other_architecture(kind, layers, positions):
    """As `_architecture`, of those with mechanisms of their own."""
    import transformers as t

    common: dict[str, Any] = {**_WIDTHS, "num_hidden_layers": layers, "initializer_range": 0.2}
    match kind:
        case "deberta-v2":
            config = t.DebertaV2Config(
                **common,
                max_position_embeddings=positions,
                relative_attention=True,
                pos_att_type=["c2p", "p2c"],
                position_buckets=8,  # pyright: ignore[reportCallIssue]
                position_biased_input=False,
                type_vocab_size=0,
            )
            return config, _unigram()
        case "convbert":
            config = t.ConvBertConfig(
                **common, embedding_size=32, max_position_embeddings=positions
            )
            return config, _wordpiece()
        case "fnet":
            config = t.FNetConfig(
                hidden_size=32,
                num_hidden_layers=layers,
                intermediate_size=64,
                max_position_embeddings=positions,
                initializer_range=0.2,
            )
            return config, _wordpiece()
        case "t5":
            # Attention without a scale: born with smaller weights than the others.
            return t.T5Config(d_model=32, d_kv=16, num_layers=layers, num_heads=2), _unigram()
        case "qwen3-bidirectional" | "qwen3-causal":
            config = t.Qwen3Config(
                **common,
                max_position_embeddings=positions,
                num_key_value_heads=1,
                head_dim=16,
                **cast(Any, {"is_causal": False} if kind == "qwen3-bidirectional" else {}),
            )
            return config, _byte_bpe()
    raise AssertionError(kind)


class TinyModels:
    """Makes model directories, each once for the whole session."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.transformers = functools.cache(self._transformers)
        self._named: dict[str, Path] = {}

    def new_path(self, name: str) -> Path:
        """A path of its own, where nothing stands."""
        path = self._root / f"{len(list(self._root.iterdir()))}" / name
        path.parent.mkdir(parents=True)
        return path

    def wordpiece(self) -> Tokenizer:
        return _wordpiece()

    def _transformers(self, kind="bert", layers=1, positions=64, limit=64) -> Path:
        """A plain transformers directory: `limit` is what its tokenizer says, not the model."""
        from transformers import AutoModel, T5EncoderModel

        torch.manual_seed(0)
        config, tokenizer = _architecture(kind, layers, positions)
        config.vocab_size = tokenizer.get_vocab_size()
        directory = self.new_path(f"tiny-{kind}")
        made: Any = T5EncoderModel if kind == "t5" else AutoModel.from_config
        made(config).eval().save_pretrained(directory)
        _fast_tokenizer(tokenizer, limit).save_pretrained(directory)
        return directory

    def sentence(
        self,
        name: str,
        *,
        kind="bert",
        pooling="mean",
        head=(),
        normalize=False,
        max_seq_length=24,
        do_lower_case=False,
        **settings,
    ) -> Path:
        """A directory that sentence-transformers wrote; `head` is made of Dense keyword sets.

        One `name` is one model: asked for again, the directory written first is given.
        """
        if name not in self._named:
            from sentence_transformers import SentenceTransformer
            from sentence_transformers.sentence_transformer import modules as m

            directory = str(self.transformers(kind))
            torch.manual_seed(1)  # after the model, which may have been made before
            transformer = m.Transformer(
                directory,
                max_seq_length=max_seq_length,
                do_lower_case=do_lower_case,
            )
            width = 32 * (1 if isinstance(pooling, str) else len(pooling))
            parts = [transformer, m.Pooling(32, pooling_mode=cast(Any, pooling))]
            parts += [m.Dense(**{"in_features": width, **options}) for options in head]
            parts += [m.Normalize()] if normalize else []
            path = self.new_path(name)
            SentenceTransformer(modules=parts, device="cpu", **settings).save(str(path))
            self._named[name] = path
        return self._named[name]


class Converted:
    """Conversions, each done once for the whole session."""

    def __init__(self, tiny: TinyModels) -> None:
        self._tiny = tiny
        self._reports: dict[str, ConversionReport] = {}

    def __call__(self, source: Path, **options) -> ConversionReport:
        key = json.dumps([str(source), options], sort_keys=True)
        if key not in self._reports:
            output = self._tiny.new_path("bundle")
            self._reports[key] = convert(str(source), str(output), **options)
        return self._reports[key]


class Toy(torch.nn.Module):
    """A module that exports in a second: token vectors from three linear layers on one input."""

    def __init__(self, vocabulary: int, width: int = 16) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.linears = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(3))
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, input_ids, attention_mask):
        x = self.dropout(self.embedding(input_ids))
        first, second, third = (linear(x) for linear in self.linears)
        return torch.tanh(first) * second + third
