"""Tokenizers of every kind that models bring, trained on three sentences."""

import functools

from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE, Unigram
from tokenizers.processors import ByteLevel, TemplateProcessing
from tokenizers.trainers import BpeTrainer

from edgeembed_runtime.bundle.towers import TruncationSide
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from helpers import tiny_bundle
from helpers.tiny_vocabularies import unigram_vocabulary

CORPUS = (
    "the cat sat on the mat while the dog ran in the rain",
    "playing, running and cooking soups with tomatoes at the station",
    "Straße naïve café 東京 Москва",
)


def with_specials(made):
    made.add_special_tokens(["<s>", "</s>"])
    made.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[(name, made.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    return made


def byte_level():
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return with_specials(made)


def byte_level_bare():
    made = byte_level()
    made.post_processor = ByteLevel(trim_offsets=True)
    return made


def unigram():
    made = Tokenizer(Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.model = Unigram(unigram_vocabulary(made, CORPUS, ["<unk>"]), unk_id=0)
    made.add_special_tokens(["<unk>"])
    return with_specials(made)


KINDS = {
    "wordpiece": tiny_bundle.tokenizer,
    "byte_level": byte_level,
    "byte_level_bare": byte_level_bare,
    "unigram": unigram,
}


@functools.cache
def saved(kind):
    return KINDS[kind]().to_str()


def ours(kind, max_tokens=tiny_bundle.MAX_TOKENS, side: TruncationSide = "right"):
    data = saved(kind).encode()
    return TextTokenizer.from_bytes(data, max_tokens, "t.json", truncation_side=side)
