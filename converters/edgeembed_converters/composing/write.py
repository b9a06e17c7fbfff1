"""A composed bundle: the text bundle's own files, and the image tower."""

from dataclasses import replace
from pathlib import Path

from edgeembed_converters.packaging.model_card import model_card
from edgeembed_converters.packaging.report import ConversionReport, TowerReport, trial_reports
from edgeembed_converters.packaging.space import fingerprint, image_parts
from edgeembed_converters.pipeline.image import GoldenImages
from edgeembed_converters.pipeline.options import BuiltTower
from edgeembed_converters.sources.base import ImageSource
from edgeembed_converters.validation.fidelity import as_variant
from edgeembed_runtime.bundle import Bundle, Golden, ImageTower, Manifest, write_bundle
from edgeembed_runtime.version import __version__

_LICENSES = ("LICENSE", "NOTICE")


def write_composed(
    stage: Path,
    texts: Bundle,
    source: ImageSource,
    built: BuiltTower,
    golden: GoldenImages,
    logit_scale: float,
) -> Manifest:
    """Write a bundle with both towers into the empty directory `stage`; returns its manifest."""
    old = texts.manifest
    text = old.text_tower()
    moved = tuple(replace(v, file=f"text-{v.file}") for v in text.variants)
    made = tuple(
        replace(as_variant(name, each), file=f"image-{name}.onnx")
        for name, each in built.models.items()
    )
    both = replace(
        Golden.from_json(texts.read(old.golden)),
        images=tuple(golden.files),
        image_vectors=golden.vectors,
    )
    graphs = {
        **{new.file: texts.read(v.file) for new, v in zip(moved, text.variants, strict=True)},
        **{v.file: built.models[v.name].model for v in made},
    }
    files: dict[str, bytes | Path] = {
        "golden.json": both.to_json(),
        text.tokenizer: texts.read(text.tokenizer),
        **graphs,
        **golden.files,
        **{name: texts.read(name) for name in old.files if name.startswith(_LICENSES)},
    }
    manifest = Manifest(
        name=source.name,
        space=fingerprint({"text": old.space, "image": image_parts(source)}),
        dim=old.dim,
        normalized=old.normalized,
        source=source.source,
        text=replace(text, variants=moved),
        image=ImageTower(preprocess=source.preprocess, variants=made),
        logit_scale=logit_scale,
        made_by=f"edgeembed {__version__}",
        files={},
    )
    sizes = {name: len(graph) for name, graph in graphs.items()}
    files["README.md"] = model_card(manifest, sizes, notes_of(source, built), ()).encode()
    return write_bundle(stage, manifest, files).manifest


def notes_of(source: ImageSource, built: BuiltTower) -> tuple[str, ...]:
    """What the user should know of the image tower."""
    refused = (f"{name} was refused: {why}" for name, why in built.outcome.refused.items())
    return (*source.notes, *refused)


def report_of(
    target: Path, manifest: Manifest, built: BuiltTower, source: ImageSource, seconds: float
) -> ConversionReport:
    """What is told of a composed bundle that was written to `target`."""
    text, image = manifest.text_tower(), manifest.image_tower()
    return ConversionReport(
        path=target,
        name=manifest.name,
        source=manifest.source,
        space=manifest.space,
        dim=manifest.dim,
        max_tokens=text.max_tokens,
        pooling=text.pooling,
        head=text.head,
        exporter="torch",
        variants=text.variants,
        sizes={v.name: manifest.files[v.file].bytes for v in text.variants},
        seconds=round(seconds, 1),
        notes=notes_of(source, built),
        pixels=image.preprocess.size,
        image=TowerReport(
            variants=image.variants,
            sizes={name: made.size for name, made in built.models.items()},
            trials=trial_reports(built.outcome),
        ),
    )
