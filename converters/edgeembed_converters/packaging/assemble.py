"""The one place where bundles are assembled, written, and proven before they appear."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.export.encoders import text_outputs
from edgeembed_converters.matryoshka.truncated_dims import TruncationReport, matryoshka_dims
from edgeembed_converters.packaging.model_card import model_card
from edgeembed_converters.packaging.space_fingerprint import space_of
from edgeembed_converters.pipeline.build import BuiltModel
from edgeembed_converters.pipeline.tower import BASE
from edgeembed_converters.quantization.trial.baseline import QuantizedModel, Trial
from edgeembed_converters.sources.base.encoders import (
    DualSource,
    TextSource,
    image_of,
    primary_source,
    text_of,
)
from edgeembed_converters.validation.prompted import PromptedVectors
from edgeembed_converters.validation.speed import this_machine
from edgeembed_runtime import storage
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle import (
    MANIFEST_NAME,
    Golden,
    ImageTower,
    Manifest,
    SearchProfile,
    Source,
    TextTower,
    Variant,
    write_bundle,
)
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.encoder.load import Verify
from edgeembed_runtime.errors import BundleUnsafeError, StorageError
from edgeembed_runtime.vectors import Similarity
from edgeembed_runtime.version import __version__

TOKENIZER = "tokenizer.json"
_CARD = "README.md"
_GOLDEN = "golden.json"


@dataclass(frozen=True, kw_only=True)
class BundleParts:
    """Everything that differs between bundles.

    The towers name the files of their variants; `models` has those files' contents by name. `files`
    has all others (tokenizer, licenses, golden images, files for phones) except the golden vectors,
    the model card and the manifest, which are made from the parts. `notes` go into the card.
    """

    name: str
    space: str
    source: Source
    normalized: bool
    similarity: Similarity = "cosine"
    text: TextTower | None = None
    image: ImageTower | None = None
    logit_scale: float | None = None
    logit_bias: float | None = None
    search: SearchProfile | None = None
    golden: Golden
    prompted: PromptedVectors | None = None
    models: Mapping[str, bytes | Path]
    files: Mapping[str, bytes | Path] = field(default_factory=dict[str, bytes | Path])
    truncations: Sequence[TruncationReport] = ()
    notes: Sequence[str] = ()


def write_proven(
    target: Path,
    parts: BundleParts,
    *,
    overwrite: bool,
    on_step: OnStep,
    only: Collection[str] | None = None,
) -> Manifest:
    """Write a bundle aside, prove it on its golden inputs, and only then put it at `target`.

    `only` names the variants to prove; all by default. Returns the manifest as written. A model
    beyond the bounds for strangers' bundles is proven in a process of its own, and its card says
    that it has to be loaded like that.

    Raises:
        BundleError: a variant does not reproduce the golden vectors.
        ParityError: prompts are not put where the original puts them.
        StorageError: the disk is full, or `target` is taken.
    """
    try:
        return _write_proven(target, parts, "golden", overwrite, on_step, only)
    except BundleUnsafeError as error:
        note = f'load this bundle with `verify="isolated"`: {first_line(error)}'
        parts = replace(parts, notes=(*parts.notes, note))
        return _write_proven(target, parts, "isolated", overwrite, on_step, only)


def _write_proven(
    target: Path,
    parts: BundleParts,
    verify: Verify,
    overwrite: bool,
    on_step: OnStep,
    only: Collection[str] | None,
) -> Manifest:
    on_step("Writing the bundle")
    with storage.staged_directory(target, replace=overwrite) as stage:
        manifest = _write(stage, parts)
        on_step("Proving the bundle on its golden vectors")
        towers = manifest.towers.values()
        for name in dict.fromkeys(name for tower in towers for name in tower.variant_names):
            if only is None or name in only:
                with Encoder.load(stage, variant=name, verify=verify) as encoder:
                    if parts.prompted is not None and name == BASE:
                        parts.prompted.check(encoder)
    return manifest


def check_target(
    target: Path, overwrite: bool, *, mark: str = MANIFEST_NAME, what: str = "bundle"
) -> None:
    """Refuse to overwrite anything that must not be lost.

    `mark` is a file that shows a folder to be a bundle, or what else may be overwritten.

    Raises:
        StorageError: `target` exists, and may not be overwritten, or is something else.
    """
    if not target.exists():
        return
    if not overwrite:
        raise StorageError(f"{target} exists already; choose another path, or pass overwrite=True")
    if not (target / mark).is_file():
        raise StorageError(f"{target} is not a {what}, and is therefore never overwritten")


def parts_of(built: BuiltModel) -> BundleParts:
    """The parts of a converted model."""
    source = built.source
    text, image = text_of(source), image_of(source)
    primary = primary_source(source)
    variants = {
        # The file names tell two towers apart.
        modality: variants_of(tower.models, f"{modality}-" if len(built.towers) > 1 else "")
        for modality, tower in built.towers.items()
    }
    models: dict[str, bytes] = {}
    for modality, tower in built.towers.items():
        models |= model_files(variants[modality], tower.models)
    files: dict[str, bytes | Path] = {**built.images, **built.mobile, **primary.card_files}
    if text is not None:
        files[TOKENIZER] = text.tokenizer_json
    return BundleParts(
        name=primary.name,
        space=space_of(source, built.golden),
        source=primary.source,
        normalized=primary.normalized,
        similarity=primary.similarity,
        text=None if text is None else _text_tower(text, variants["text"]),
        image=None
        if image is None
        else ImageTower(preprocess=image.preprocess, variants=variants["image"]),
        logit_scale=source.logit_scale if isinstance(source, DualSource) else None,
        logit_bias=source.logit_bias if isinstance(source, DualSource) else None,
        golden=built.golden,
        prompted=built.prompted,
        models=models,
        files=files,
        truncations=built.truncations,
        notes=built.notes,
    )


def variants_of(trials: Mapping[str, Trial], prefix: str = "") -> tuple[Variant, ...]:
    """The manifest's description of models by variant name; `prefix` begins their file names."""
    return tuple(
        Variant(
            name=name,
            file=f"{prefix}{name}.onnx",
            requires=trial.requires,
            padding=trial.padding,
            recipe=trial.recipe,
            fidelity=trial.fidelity,
            speedup=trial.speedup,
            measured_on=this_machine(),
        )
        for name, trial in trials.items()
    )


def model_files(
    variants: Sequence[Variant], models: Mapping[str, QuantizedModel]
) -> dict[str, bytes]:
    """The ONNX models of variants, by file name."""
    return {variant.file: models[variant.name].model for variant in variants}


def _write(stage: Path, parts: BundleParts) -> Manifest:
    manifest = Manifest(
        name=parts.name,
        space=parts.space,
        dim=parts.golden.dim,
        similarity=parts.similarity,
        normalized=parts.normalized,
        matryoshka_dims=matryoshka_dims(parts.truncations),
        source=parts.source,
        text=parts.text,
        image=parts.image,
        logit_scale=parts.logit_scale,
        logit_bias=parts.logit_bias,
        search=parts.search,
        golden=_GOLDEN,
        made_by=f"edgeembed {__version__}",
        files={},
    )
    sizes = {
        name: model.stat().st_size if isinstance(model, Path) else len(model)
        for name, model in parts.models.items()
    }
    card = model_card(manifest, sizes, parts.golden.made_by, parts.notes, parts.truncations)
    files = {
        **parts.models,
        **parts.files,
        _GOLDEN: parts.golden.to_json(),
        _CARD: card.encode(),
    }
    return write_bundle(stage, manifest, files).manifest


def _text_tower(source: TextSource, variants: tuple[Variant, ...]) -> TextTower:
    return TextTower(
        tokenizer=TOKENIZER,
        max_tokens=source.max_tokens,
        truncation_side=source.truncation_side,
        prompts=source.prompts,
        default_prompt_name=source.default_prompt_name,
        pooling=source.pooling_name,
        head=source.head_names,
        static=source.plain_table is not None,
        outputs=text_outputs(source),
        variants=variants,
    )
