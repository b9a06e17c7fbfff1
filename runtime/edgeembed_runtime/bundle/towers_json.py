"""Towers to and from the manifest's JSON."""

from dataclasses import fields
from typing import Any

from edgeembed_runtime.bundle.json_node import JsonNode
from edgeembed_runtime.bundle.preprocess import Preprocess
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.bundle.towers import Fidelity, ImageTower, TextTower, Tower, Variant
from edgeembed_runtime.bundle.words import Subwords, Words


def tower_to_tree(tower: Tower) -> dict[str, Any]:
    """Convert a tower to plain JSON types: its own keys first, then outputs and variants.

    A truncation side of "right" is left out.
    """
    tree = {f.name: _plain(getattr(tower, f.name)) for f in fields(tower)}
    if tree.get("truncation_side") == "right":
        del tree["truncation_side"]
    outputs, variants = tree.pop("outputs"), tree.pop("variants")
    return {**tree, "outputs": outputs, "variants": variants}


def text_tower(node: JsonNode) -> TextTower:
    """Build a text tower from a JSON object.

    Raises:
        BundleCorruptError: a required key is missing, or a value is invalid.
    """
    return TextTower(
        tokenizer=node.get("tokenizer", str),
        max_tokens=node.get("max_tokens", int),
        truncation_side=node.get("truncation_side", str, "right"),
        prompts=node.map_of("prompts", str),
        default_prompt_name=node.optional("default_prompt_name", str),
        pooling=node.get("pooling", str, ""),
        head=node.list_of("head", str),
        static=node.get("static", bool, False),
        words=_words(node.optional_child("words")),
        outputs=node.list_of("outputs", str) or (EMBEDDING,),
        variants=tuple(_variant(child) for child in node.children("variants")),
    )


def image_tower(node: JsonNode) -> ImageTower:
    """Build an image tower from a JSON object; raises like `text_tower`."""
    return ImageTower(
        preprocess=_preprocess(node.child("preprocess")),
        outputs=node.list_of("outputs", str) or (EMBEDDING,),
        variants=tuple(_variant(child) for child in node.children("variants")),
    )


def _words(node: JsonNode | None) -> Words | None:
    if node is None:
        return None
    subwords = node.optional_child("subwords")
    return Words(
        lowercase=node.get("lowercase", bool),
        split_punctuation=node.get("split_punctuation", bool),
        unknown=node.get("unknown", str),
        subwords=subwords
        and Subwords(
            first_row=subwords.get("first_row", int),
            buckets=subwords.get("buckets", int),
            min_n=subwords.get("min_n", int),
            max_n=subwords.get("max_n", int),
        ),
    )


def _preprocess(node: JsonNode) -> Preprocess:
    defaults = Preprocess(size=(1, 1))
    return Preprocess(
        size=node.tuple_of("size", int, 2),
        resize=node.get("resize", str),
        resize_to=node.optional("resize_to", int),
        interpolation=node.get("interpolation", str),
        rounding=node.get("rounding", str, defaults.rounding),
        crop=node.get("crop", str),
        pad=node.tuple_of("pad", int, 3, defaults.pad),
        rescale=node.get("rescale", float),
        mean=node.tuple_of("mean", float, 3),
        std=node.tuple_of("std", float, 3),
    )


def _variant(node: JsonNode) -> Variant:
    fidelity = node.child("fidelity")
    return Variant(
        name=node.get("name", str),
        file=node.get("file", str),
        requires=node.list_of("requires", str),
        padding=node.get("padding", bool, True),
        recipe=node.get("recipe", str, ""),
        fidelity=Fidelity(
            texts=fidelity.get("texts", int),
            mean_cosine=fidelity.get("mean_cosine", float),
            min_cosine=fidelity.get("min_cosine", float),
            max_abs_difference=fidelity.get("max_abs_difference", float),
            pairs_spearman=fidelity.get("pairs_spearman", float),
            retrieval_overlap=fidelity.get("retrieval_overlap", float),
        ),
        speedup=node.get("speedup", float, 1.0),
        measured_on=node.get("measured_on", str, ""),
    )


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return [_plain(each) for each in value]
        case Variant() | Fidelity() | Preprocess() | Words() | Subwords():
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return dict(value) if hasattr(value, "items") else value
