"""What the pages' examples work on: a folder per page, with small real models, notes and photos."""

import contextlib
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import live_server
from helpers.tiny_vocabularies import wordpiece_vocabulary

SHOWN_ADDRESS = "127.0.0.1:8000"
SENTENCE = "the cat sat on a mat while rain fell and music played in the station at noon"
WORDS = SENTENCE.split()
NOTES = {
    "garden.md": "The tomatoes want water every morning. Cut the roses back in February.\n",
    "car.md": "Winter tires are in the cellar. The next inspection is due in October.\n",
    "shop/orders.txt": "To cancel an order, open it and press Cancel before it ships.\n",
}
CODE = {
    "upload.py": "class Uploader:\n    tries = 3\n\n    def retry(self, name):\n"
    '        """Send a file again, later each time."""\n        return self.send(name)\n',
    "web/cart.js": "// What the cart costs.\nexport const total = (items) => items.length\n",
}


def pytest_configure(config):
    for line in (
        "ignore::DeprecationWarning:sentence_transformers.*",
        "ignore::DeprecationWarning:huggingface_hub.*",
    ):
        config.addinivalue_line("filterwarnings", line)


def _sentences(count):
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, 9)) + f" {i}" for i in range(count)]


def _tokenizer(length):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    corpus = [" ".join(WORDS), "0123456789"]
    made.model = models.WordPiece(wordpiece_vocabulary(made, corpus, specials), unk_token="[UNK]")
    made.add_special_tokens(specials)
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=length,
        **dict(
            zip(
                ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"),
                specials,
                strict=True,
            )
        ),
    )


def save_text_model(path):
    """A transformers directory: BERT with two small layers and seeded random weights."""
    import torch
    import transformers

    tokenizer = _tokenizer(64)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_attention_heads=2,
        intermediate_size=64,
        num_hidden_layers=2,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).eval().save_pretrained(path)
    tokenizer.save_pretrained(path)


def save_clip(path):
    """A transformers directory: CLIP with one small layer in each tower."""
    import torch
    import transformers

    tokenizer = _tokenizer(16)
    width = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    width["num_hidden_layers"] = 1
    config = transformers.CLIPConfig(
        text_config={
            **width,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config={**width, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).eval().save_pretrained(path)
    tokenizer.save_pretrained(path)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(path)


class StandIns:
    """What a page's `setup` comment may call; every call makes something in the page's folder."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._servers = contextlib.ExitStack()
        self._address = SHOWN_ADDRESS

    def serve(self, *models):
        """A server of bundles, until the page ends; the page says that it is at port 8000."""
        live = self._servers.enter_context(live_server.served(*models))
        self._address = f"127.0.0.1:{live.port}"

    def at_server(self, code):
        """Code that finds the server where it is."""
        return code.replace(SHOWN_ADDRESS, self._address)

    def stop(self):
        """Stop the servers of a page."""
        self._servers.close()
        self._address = SHOWN_ADDRESS

    def _copy(self, name, make, path):
        if not (self._cache / name).exists():
            make(self._cache / name)
        shutil.copytree(self._cache / name, path)

    def text_model(self, path):
        """Any trained text encoder that `convert` reads."""
        self._copy("text-model", save_text_model, path)

    def clip_model(self, path):
        """Any model with one tower for texts and one for images."""
        self._copy("clip-model", save_clip, path)

    def text_bundle(self, path):
        """A converted text encoder with the variants fp32 and int8."""

        def convert_model(output):
            import edgeembed

            self.text_model(self._cache / "source")
            edgeembed.convert(self._cache / "source", output, quantize="int8", name="minilm")

        self._copy("text-bundle", convert_model, path)

    def clip_bundle(self, path):
        """A converted text-image encoder."""

        def convert_model(output):
            import edgeembed

            self.clip_model(self._cache / "clip-source")
            edgeembed.convert(self._cache / "clip-source", output)

        self._copy("clip-bundle", convert_model, path)

    def word_vectors(self, path):
        """A GloVe file of a few words."""
        rng = np.random.default_rng(1)
        words = dict.fromkeys((*WORDS, "king", "queen", "man", "woman"))
        rows = [f"{word} {' '.join(f'{x:.4f}' for x in rng.normal(size=16))}" for word in words]
        Path(path).write_text("\n".join(rows) + "\n", encoding="utf-8")

    def notes(self, path):
        """A folder of texts."""
        for name, text in NOTES.items():
            (Path(path) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(path) / name).write_text(text, encoding="utf-8")

    def repository(self, path):
        """A folder of source code."""
        for name, text in CODE.items():
            (Path(path) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(path) / name).write_text(text, encoding="utf-8")

    def photos(self, path, names=("beach.jpg", "dog.jpg", "forest.jpg")):
        """A folder of images."""
        from PIL import Image

        Path(path).mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(2)
        for name in names:
            small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
            small.resize((160, 120), Image.Resampling.BICUBIC).save(Path(path) / name)

    def sentences(self, path=None, count=400):
        """Sentences: as a list, and, with a path, as a file with one a line."""
        made = _sentences(count)
        if path is not None:
            Path(path).write_text("\n".join(made) + "\n", encoding="utf-8")
        return made

    def pairs(self, path):
        """A tab-separated file of text1, text2, score: the same text, or another one.

        Any model tells these apart, so that a comparison never fails by chance.
        """
        made = _sentences(60)
        same = [f"{text}\t{text}\t5" for text in made[::2]]
        other = [f"{a}\t{b}\t1" for a, b in itertools.pairwise(made)]
        table = "\n".join(["text1\ttext2\tscore", *same, *other])
        Path(path).write_text(f"{table}\n", encoding="utf-8")

    def judgments(self, path):
        """A tab-separated file of query and document: a sentence, and the same one with its end."""
        rows = [f"{text.rpartition(' ')[0]}\t{text}" for text in _sentences(40)]
        Path(path).write_text("\n".join(["query\tdocument", *rows]) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    return StandIns(tmp_path_factory.mktemp("stand-ins"))
