"""`edgeembed inspect`: describe a bundle or an index, or list the bundles in the package."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Index, SegmentStats
from edgeembed.cli.shared.opening import is_index
from edgeembed.cli.shared.options import AsJson, path_or_name
from edgeembed.cli.shared.output import (
    megabytes,
    print_facts,
    print_json,
    print_json_text,
    print_table,
)
from edgeembed_runtime.bundle import Bundle, ImageTower, Manifest, SearchProfile, TextTower
from edgeembed_runtime.bundle.manifest_json import manifest_to_json
from edgeembed_runtime.bundle.packaged import PACKAGED
from edgeembed_runtime.index.search.query import LIKELIHOODS


def inspect(
    path: Annotated[
        Path | None,
        typer.Argument(
            parser=path_or_name, help="A bundle or an index; default: list what is in the package."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Describe a bundle or an index, without loading a model; or list the bundles in the package.

    Of an index it shows, too, what share of the true 10 nearest the approximate search of each
    segment finds at least, with 99 % confidence.

    Examples: edgeembed inspect

    edgeembed inspect minilm.bundle
    """
    if path is None:
        _list_packaged(as_json)
    elif is_index(path):
        _inspect_index(path, as_json)
    else:
        _inspect_bundle(path, as_json)


def _list_packaged(as_json: bool) -> None:
    manifests = {name: Bundle.open(each.path).manifest for name, each in PACKAGED.items()}
    if as_json:
        bundles = [
            {
                "name": name,
                "model": manifest.name,
                "dim": manifest.dim,
                "max_tokens": manifest.text_tower().max_tokens,
                "bytes": _bytes(manifest),
                "license": manifest.source.license,
                "purpose": PACKAGED[name].purpose,
                "space": manifest.space,
                "path": PACKAGED[name].path,
            }
            for name, manifest in manifests.items()
        ]
        print_json({"bundles": bundles})
        return
    print_table(
        ["name", "model", "#dim", "#size", "license", "for"],
        [
            (
                name,
                manifest.name,
                manifest.dim,
                megabytes(_bytes(manifest)),
                manifest.source.license,
                PACKAGED[name].purpose,
            )
            for name, manifest in manifests.items()
        ],
    )


def _bytes(manifest: Manifest) -> int:
    return sum(file.bytes for file in manifest.files.values())


def _inspect_bundle(path: Path, as_json: bool) -> None:
    manifest = Bundle.open(path).manifest
    if as_json:
        print_json_text(manifest_to_json(manifest).decode())
        return
    source = manifest.source
    print_facts(
        [
            ("bundle", manifest.name),
            ("space", manifest.space),
            (
                "vectors",
                f"{manifest.dim} components, compared by {manifest.similarity}"
                + (", unit length" if manifest.normalized else ""),
            ),
            *_text_facts(manifest.text),
            *_image_facts(manifest.image),
            *_search_facts(manifest),
            ("source", f"{source.id} (weights {source.weights_sha256[:16]}...)"),
            ("license", source.license or "not stated by the source"),
            ("made by", manifest.made_by),
        ]
    )
    print_table(
        ["variant", "#size", "#mean cosine", "#min cosine", "#speed", "chosen on"],
        [
            (
                v.name if modality == "text" else f"{modality} {v.name}",
                megabytes(manifest.files[v.file].bytes),
                f"{v.fidelity.mean_cosine:.6f}",
                f"{v.fidelity.min_cosine:.6f}",
                f"{v.speedup:g}x",
                " or ".join(v.requires) or "any processor",
            )
            for modality, tower in manifest.towers.items()
            for v in tower.variants
        ],
    )


def _text_facts(tower: TextTower | None) -> list[tuple[str, str]]:
    if tower is None:
        return []
    prompts = ", ".join(f"{name}={prompt!r}" for name, prompt in tower.prompts.items())
    return [
        ("input", f"text, up to {tower.max_tokens} tokens"),
        ("pooling", tower.pooling or "inside the model"),
        ("head", ", ".join(tower.head) or "none"),
        ("prompts", prompts or "none"),
    ]


def _shares(weight: float) -> str:
    return f"{weight:.0%} cosine, {1 - weight:.0%} keywords"


def _search_facts(manifest: Manifest) -> list[tuple[str, str]]:
    if manifest.text is None:
        return []
    profile = manifest.search or SearchProfile()
    own = profile.code_weight
    code = "" if own is None else f" ({_shares(own)} in code)"
    facts = [
        (
            "search",
            f"{_shares(profile.weight)}{code}; passages of "
            f"{profile.passage_tokens} tokens, overlapping by {profile.overlap_tokens}"
            + ("" if manifest.search else " (not measured)"),
        )
    ]
    if profile.calibration is None:
        return [*facts, ("calibration", "none; `edgeembed calibrate` measures it")]
    known = " and ".join(
        f"{name} from a cosine of {profile.calibration.cosine(probability):.2f}"
        for name, probability in LIKELIHOODS.items()
    )
    return [*facts, ("calibration", known)]


def _image_facts(tower: ImageTower | None) -> list[tuple[str, str]]:
    if tower is None:
        return []
    height, width = tower.preprocess.size
    to = f" to {tower.preprocess.resize_to}" if tower.preprocess.resize_to else ""
    how = f"{tower.preprocess.interpolation}, {tower.preprocess.resize}{to}"
    return [("input", f"images, {width} x {height} pixels (resized: {how})")]


def _inspect_index(path: Path, as_json: bool) -> None:
    with Index.open(path) as index:
        stats = index.stats()
    if as_json:
        print_json(asdict(stats))
        return
    print_facts(
        [
            ("index", stats.path),
            ("documents", stats.documents),
            ("vectors", f"{stats.dim} components"),
            ("space", stats.space),
            ("on disk", megabytes(stats.bytes)),
            ("generation", stats.generation),
            ("not sealed yet", stats.tail_rows),
        ]
    )
    if stats.segments:
        print_table(
            [
                "#segment",
                "#rows",
                "#deleted",
                "search by",
                "#recall@10 at least",
                "#exact",
                "#approximate",
            ],
            [
                (
                    number,
                    s.n,
                    s.dead,
                    s.backend,
                    _recall(s),
                    "-" if s.exact_ms is None else f"{s.exact_ms:.2f} ms",
                    "-" if s.ann_ms is None else f"{s.ann_ms:.2f} ms",
                )
                for number, s in enumerate(stats.segments, 1)
            ],
        )


def _recall(segment: SegmentStats) -> str:
    """What is proven with 99 % confidence, or the mean where an older edgeembed wrote it."""
    if segment.recall_bound is not None:
        return f"{segment.recall_bound:.3f}"
    return "-" if segment.recall is None else f"mean {segment.recall:.3f}"
