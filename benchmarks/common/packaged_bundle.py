"""The last step of making a bundle that ships inside the package."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.common.minilm_weights import MODEL_ID
from edgeembed_converters.matryoshka.truncated_dims import measured_truncations
from edgeembed_converters.packaging.model_card import model_card
from edgeembed_runtime.bundle import Bundle, Golden, write_bundle
from edgeembed_runtime.bundle.packaged import PackagedBundle
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.storage import staged_directory

_ANY_PATH = 'Encoder.load("path/of/this/directory")'


def write_packaged(
    made: Path,
    output: Path,
    packaged: PackagedBundle,
    *,
    name: str,
    variants: Collection[str],
    notes: Sequence[str] = (),
) -> int:
    """Write the text bundle `made` to `output`, with some of its variants; return its bytes.

    It gets the model's id on the hub and its license, which the model's directory does not say,
    and a new model card. Its space stays. Every variant has to reproduce the golden vectors here.

    Raises:
        BundleError: one does not.
    """
    bundle = Bundle.open(made)
    manifest = bundle.manifest
    tower = manifest.text_tower()
    kept = tuple(variant for variant in tower.variants if variant.name in variants)
    left_out = {v.file for v in tower.variants} - {v.file for v in kept}
    manifest = replace(
        manifest,
        name=name,
        source=replace(manifest.source, id=MODEL_ID, license="Apache-2.0"),
        text=replace(tower, variants=kept),
    )
    files: dict[str, bytes | Path] = {
        file: made / file for file in manifest.files if file not in left_out
    }
    golden = Golden.from_json(bundle.read(manifest.golden))
    truncations = measured_truncations(golden.vectors)
    sizes = {variant.file: manifest.files[variant.file].bytes for variant in kept}
    card = model_card(manifest, sizes, golden.made_by, notes, truncations)
    files["README.md"] = card.replace(_ANY_PATH, f'Encoder.load("{packaged.name}")').encode()
    with staged_directory(output, replace=True) as stage:
        write_bundle(stage, manifest, files)
        for variant in kept:
            Encoder.load(stage, variant=variant.name, verify="golden").close()
    return sum(file.stat().st_size for file in output.iterdir())
