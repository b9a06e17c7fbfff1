"""A built model as the files of a bundle."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from edgeembed_converters.export import text_tower
from edgeembed_converters.matryoshka.truncation import matryoshka_dims
from edgeembed_converters.packaging.model_card import model_card
from edgeembed_converters.packaging.space import space_of
from edgeembed_converters.pipeline.build import BuiltModel
from edgeembed_converters.quantization.variants import OnStep
from edgeembed_converters.sources.base import (
    DualSource,
    TextSource,
    image_of,
    primary_source,
    text_of,
)
from edgeembed_converters.validation.fidelity import as_variant
from edgeembed_runtime import storage
from edgeembed_runtime.bundle import (
    ImageTower,
    Manifest,
    Modality,
    TextTower,
    Variant,
    write_bundle,
)
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.version import __version__


def write_built(stage: Path, built: BuiltModel) -> Manifest:
    """Write a built model as a bundle into the empty directory `stage`; returns its manifest."""
    source = built.source
    text, image = text_of(source), image_of(source)
    shown = primary_source(source)
    variants: dict[Modality, tuple[Variant, ...]] = {
        modality: _variants(built, modality) for modality in built.towers
    }
    models = {
        variant.file: built.towers[modality].models[variant.name].model
        for modality, found in variants.items()
        for variant in found
    }
    files: dict[str, bytes | Path] = {
        "golden.json": built.golden.to_json(),
        **models,
        **built.images,
        **built.mobile,
        **shown.card_files,
    }
    if text is not None:
        files["tokenizer.json"] = text.tokenizer_json
    manifest = Manifest(
        name=shown.name,
        space=space_of(source),
        dim=built.golden.dim,
        similarity=shown.similarity,
        normalized=shown.normalized,
        matryoshka_dims=matryoshka_dims(built.truncations),
        source=shown.source,
        text=None if text is None else _text_tower(text, variants["text"]),
        image=None
        if image is None
        else ImageTower(preprocess=image.preprocess, variants=variants["image"]),
        logit_scale=source.logit_scale if isinstance(source, DualSource) else None,
        logit_bias=source.logit_bias if isinstance(source, DualSource) else None,
        made_by=f"edgeembed {__version__}",
        files={},
    )
    sizes = {name: len(model) for name, model in models.items()}
    files["README.md"] = model_card(manifest, sizes, built.notes, built.truncations).encode()
    return write_bundle(stage, manifest, files).manifest


def _variants(built: BuiltModel, modality: Modality) -> tuple[Variant, ...]:
    """A tower's variants; the files of two towers are told apart by their names."""
    prefix = f"{modality}-" if len(built.towers) > 1 else ""
    return tuple(
        replace(as_variant(name, made), file=f"{prefix}{name}.onnx")
        for name, made in built.towers[modality].models.items()
    )


def _text_tower(source: TextSource, variants: tuple[Variant, ...]) -> TextTower:
    return TextTower(
        tokenizer="tokenizer.json",
        max_tokens=source.max_tokens,
        prompts=source.prompts,
        default_prompt_name=source.default_prompt_name,
        pooling="+".join(source.pooling),
        head=source.head_names,
        outputs=text_tower.outputs_of(source),
        variants=variants,
    )


def write_proven(
    target: Path,
    write: Callable[[Path], Manifest],
    *,
    overwrite: bool,
    on_step: OnStep,
    only: Collection[str] | None = None,
) -> Manifest:
    """Let `write` fill a directory, prove what it wrote, and only then put it at `target`.

    Raises:
        BundleError: see `prove`.
        StorageError: the disk is full, or `target` is taken.
    """
    on_step("Writing the bundle")
    with storage.staged_directory(target, replace=overwrite) as stage:
        manifest = write(stage)
        on_step("Proving the bundle on its golden vectors")
        prove(stage, manifest, only)
    return manifest


def prove(stage: Path, manifest: Manifest, only: Collection[str] | None = None) -> None:
    """Load every variant of a written bundle as users will, or some, and run its golden inputs.

    Raises:
        BundleError: a variant does not give the golden vectors.
    """
    towers = manifest.towers.values()
    for name in dict.fromkeys(name for tower in towers for name in tower.variant_names):
        if only is None or name in only:
            Encoder.load(stage, variant=name, verify="golden").close()
