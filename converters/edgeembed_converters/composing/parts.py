"""A composed bundle: the text bundle's own files, and the image tower."""

from dataclasses import replace

from edgeembed_converters.packaging.assemble import BundleParts, model_files, variants_of
from edgeembed_converters.packaging.space_fingerprint import fingerprint, image_parts
from edgeembed_converters.pipeline.image import GoldenImages
from edgeembed_converters.pipeline.tower import BuiltTower
from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_runtime.bundle import Bundle, Golden, ImageTower

_LICENSES = ("LICENSE", "NOTICE")


def composed_parts(
    texts: Bundle,
    source: ImageSource,
    built: BuiltTower,
    golden: GoldenImages,
    logit_scale: float,
) -> BundleParts:
    """The parts of a bundle with the text bundle's tower and a new image tower."""
    old = texts.manifest
    text = old.text_tower()
    moved = tuple(replace(v, file=f"text-{v.file}") for v in text.variants)
    made = variants_of(built.models, "image-")
    old_models = {new.file: texts.read(v.file) for new, v in zip(moved, text.variants, strict=True)}
    licenses = [name for name in old.files if name.startswith(_LICENSES)]
    return BundleParts(
        name=source.name,
        space=fingerprint({"text": old.space, "image": image_parts(source)}),
        source=source.source,
        normalized=old.normalized,
        text=replace(text, variants=moved),
        image=ImageTower(preprocess=source.preprocess, variants=made),
        logit_scale=logit_scale,
        golden=replace(
            Golden.from_json(texts.read(old.golden)),
            images=tuple(golden.files),
            image_vectors=golden.vectors,
        ),
        models={**old_models, **model_files(made, built.models)},
        files={
            text.tokenizer: texts.read(text.tokenizer),
            **golden.files,
            **{name: texts.read(name) for name in licenses},
        },
        notes=(
            *source.notes,
            *(f"{name} was refused: {why}" for name, why in built.outcome.refused.items()),
        ),
    )
