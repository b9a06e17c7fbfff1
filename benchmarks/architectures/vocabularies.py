"""Tokenizers of every usual family, trained on the documentation of Python's standard library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer

from edgeembed.demo.stdlib_docs import stdlib_functions

_SIZE = 600
_OTHER_SCRIPTS = ("Ein Boot fährt über den See.", "東京は日本の首都です。", "Москва — столица")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """A family of tokenizers: how it cuts, and which special tokens it puts around a text.

    `roles` names the special tokens as transformers does ("pad_token"); those in `first` and `last`
    go around every text.
    """

    build: Callable[[list[str]], Tokenizer]
    roles: Mapping[str, str]
    first: str = ""
    last: str = ""

    def tokenizer(self) -> Tokenizer:
        """The trained tokenizer."""
        specials = list(dict.fromkeys(self.roles.values()))
        tokenizer = self.build(specials)
        around = [name for name in dict.fromkeys((self.first, self.last)) if name]
        if around:
            tokenizer.post_processor = TemplateProcessing(
                single=" ".join(part for part in (self.first, "$A", self.last) if part),
                pair=" ".join(part for part in (self.first, "$A", self.last, "$B:1") if part),
                special_tokens=[(name, tokenizer.token_to_id(name)) for name in around],
            )
        return tokenizer


@cache
def _corpus() -> list[str]:
    texts = [doc.text for _, doc in zip(range(300), stdlib_functions(), strict=False)]
    return [*texts, *_OTHER_SCRIPTS]


def _wordpiece(specials: list[str], *, lowercase: bool = True) -> Tokenizer:
    unknown = next(name for name in specials if "unk" in name.lower())
    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = WordPieceTrainer(vocab_size=_SIZE, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _cased_wordpiece(specials: list[str]) -> Tokenizer:
    return _wordpiece(specials, lowercase=False)


def _byte_bpe(specials: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=_SIZE,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _unigram(specials: list[str]) -> Tokenizer:
    unknown = next(name for name in specials if "unk" in name.lower())
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=_SIZE, special_tokens=specials, unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _metaspace_bpe(specials: list[str]) -> Tokenizer:
    """As Llama and Gemma cut: words joined by "▁", and bytes for what is not in the vocabulary."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?<=[^▁])(?=▁)"), "isolated")
    trainer = BpeTrainer(
        vocab_size=_SIZE,
        special_tokens=[*specials, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


_BERT = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "cls_token": "<s>",
    "sep_token": "</s>",
}
_GPT = {"eos_token": "<|endoftext|>", "pad_token": "<pad>"}
_LLAMA = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
_T5 = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_XLNET = {
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<cls>",
    "sep_token": "<sep>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}

VOCABULARIES: Mapping[str, Vocabulary] = {
    "WordPiece": Vocabulary(build=_wordpiece, roles=_BERT, first="[CLS]", last="[SEP]"),
    "WordPiece, cased": Vocabulary(
        build=_cased_wordpiece, roles=_BERT, first="[CLS]", last="[SEP]"
    ),
    "WordPiece, <s>": Vocabulary(build=_wordpiece, roles=_ROBERTA, first="<s>", last="</s>"),
    "byte BPE": Vocabulary(build=_byte_bpe, roles=_ROBERTA, first="<s>", last="</s>"),
    "byte BPE, end": Vocabulary(build=_byte_bpe, roles=_GPT, last="<|endoftext|>"),
    "byte BPE, bare": Vocabulary(build=_byte_bpe, roles=_GPT),
    "Unigram": Vocabulary(build=_unigram, roles=_ROBERTA, first="<s>", last="</s>"),
    "Unigram, [CLS]": Vocabulary(build=_unigram, roles=_BERT, first="[CLS]", last="[SEP]"),
    "Unigram, end": Vocabulary(build=_unigram, roles=_T5, last="</s>"),
    "Unigram, <sep> <cls>": Vocabulary(build=_unigram, roles=_XLNET, last="<sep>"),
    "BPE, bytes for the rest": Vocabulary(
        build=_metaspace_bpe, roles=_LLAMA, first="<s>", last="</s>"
    ),
}


def token_ids(tokenizer: Tokenizer, roles: Mapping[str, str]) -> dict[str, Any]:
    """Ids of the special tokens, named as in config.json: {"pad_token_id": 0}."""
    return {f"{role}_id": tokenizer.token_to_id(name) for role, name in roles.items()}
