"""CLIP and SigLIP of transformers: two towers, one space, each against the original."""

import numpy as np
import pytest
import torch
import transformers as t
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

from edgeembed import convert
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder
from helpers.image_processors import processor_of, saved_processor

pytestmark = pytest.mark.slow

START, END, PAD = "<|startoftext|>", "<|endoftext|>", "<pad>"
LENGTH = {"clip": 24, "siglip": 16}
TEXTS = (
    "a photo of a cat",
    "two dogs on a beach, one of them asleep",
    "x",
    "",
    "A VERY long caption about nothing " * 9,
    "東京は日本の首都",
)


def tokenizer(kind):
    """Ends with the highest id, as CLIP's does, which pools there; SigLIP's pads with its own."""
    made = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=350, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens([AddedToken(each, special=True) for each in (PAD, START, END)])
    ids = [(each, made.token_to_id(each)) for each in (START, END)]
    single = f"{START} $A {END}" if kind == "clip" else f"$A {END}"
    made.post_processor = TemplateProcessing(single=single, special_tokens=ids)
    return t.PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=LENGTH[kind],
        pad_token=END if kind == "clip" else PAD,
        bos_token=START,
        eos_token=END,
        model_input_names=["input_ids", "attention_mask"],
    )


def save(kind, directory):
    torch.manual_seed(5)
    common = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    fast = tokenizer(kind)
    text = common | {
        "intermediate_size": 64,
        "vocab_size": len(fast),
        "max_position_embeddings": LENGTH[kind],
        "bos_token_id": fast.bos_token_id,
        "eos_token_id": fast.eos_token_id,
        "pad_token_id": fast.pad_token_id,
        "projection_size": 32,
    }
    vision = common | {"intermediate_size": 64, "image_size": 32, "patch_size": 8}
    if kind == "clip":
        config = t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        model, processor = t.CLIPModel(config), "CLIPImageProcessor"
        settings = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    else:
        config = t.SiglipConfig(text_config=text, vision_config=vision)
        model, processor = t.SiglipModel(config), "SiglipImageProcessor"
        settings = {"size": {"height": 32, "width": 32}}
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "logit" not in name:
                weights += 0.15 * torch.randn_like(weights)
    model.eval().save_pretrained(directory)
    fast.save_pretrained(directory)
    processor_of(processor, **settings).save_pretrained(directory)


@pytest.fixture(scope="module", params=["clip", "siglip"])
def dual(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    save(request.param, folder / "model")
    return request.param, folder / "model", convert(folder / "model", folder / "bundle")


def unit(output):
    found = output if isinstance(output, torch.Tensor) else output.pooler_output
    return torch.nn.functional.normalize(found, dim=-1)


def test_texts_are_the_originals_padded_as_it_wants_them(dual, assert_close):
    kind, directory, report = dual
    model, fast = t.AutoModel.from_pretrained(directory).eval(), tokenizer(kind)
    padding = "max_length" if kind == "siglip" else True
    batch = fast(
        list(TEXTS), padding=padding, truncation=True, max_length=LENGTH[kind], return_tensors="pt"
    )
    masks = {"attention_mask": batch["attention_mask"]} if kind == "clip" else {}
    with torch.no_grad():
        expected = unit(model.get_text_features(input_ids=batch["input_ids"], **masks))
    with Encoder.load(report.path) as encoder:
        assert encoder.max_tokens == LENGTH[kind]
        assert_close(expected, encoder.encode(list(TEXTS)), cosine=0.99999)


def test_images_are_the_originals(dual, image_files, opened, assert_close):
    _, directory, report = dual
    model = t.AutoModel.from_pretrained(directory).eval()
    processor = saved_processor(directory)
    pixels = processor([opened(path) for path in image_files], return_tensors="pt")
    with torch.no_grad():
        expected = unit(model.get_image_features(**pixels))
    with Encoder.load(report.path) as encoder:
        assert_close(expected, encoder.encode_image(image_files))


def test_one_bundle_with_two_towers_and_the_models_own_logits(dual, image_files):
    kind, directory, report = dual
    manifest = Bundle.open(report.path).manifest
    assert manifest.modalities == ("text", "image")
    model = t.AutoModel.from_pretrained(directory)
    assert manifest.logit_scale == pytest.approx(float(model.logit_scale.detach().exp()))
    if kind == "siglip":
        assert manifest.logit_bias == pytest.approx(float(model.logit_bias.detach()))
    assert report.image.variants[0].fidelity.min_cosine > 0.9999
    assert report.variants[0].fidelity.min_cosine > 0.99999
    with Encoder.load(report.path) as encoder:
        found = encoder.classify(image_files, ["cat", "dog", "a beach"])
    assert {each.label for each in found} <= {"cat", "dog", "a beach"}


def test_another_length_is_another_space(dual, tmp_path):
    _, directory, report = dual
    shorter = convert(directory, tmp_path / "bundle", max_tokens=10)
    assert shorter.space != report.space


def test_padding_inside_the_graph_does_not_depend_on_padding_outside():
    from edgeembed_converters.modules.fixed_length import PaddedTo

    class Ids(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            return input_ids * attention_mask

    padded = PaddedTo(Ids(), 5, 9)
    ids = torch.tensor([[1, 2, 0, 0]])
    mask = torch.tensor([[1, 1, 0, 0]])
    assert padded(ids, mask).tolist() == [[1, 2, 9, 9, 9]]
    assert np.array_equal(padded(ids[:, :2], mask[:, :2]), padded(ids, mask))
