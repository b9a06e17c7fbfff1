"""`edgeembed bench`: measure speed, size and memory of a bundle on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeembed.bench.run import VariantSpeed, bench_variant
from edgeembed.cli.shared.options import AsJson, path_or_name
from edgeembed.cli.shared.output import print_json, print_table, step_progress
from edgeembed_runtime.bundle import Bundle, Modality, Tower, Variant
from edgeembed_runtime.engine.cpu import available_cpus, cpu_features
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.variants import suits
from edgeembed_runtime.errors import InputError


def bench(
    bundle: Annotated[Path, typer.Argument(parser=path_or_name, help="The bundle to measure.")],
    variants: Annotated[
        list[str] | None,
        typer.Option(
            "--variant", help="Only this variant; repeatable. Default: all that suit the CPU."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.05, help="Seconds for each text length, and for single texts.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Measure every variant of a bundle here: throughput, latency, cold start and memory.

    Example: edgeembed bench minilm.bundle
    """
    manifest = Bundle.open(bundle).manifest
    chosen: list[tuple[Modality, Variant]] = [
        (kind, variant)
        for kind, tower in manifest.towers.items()
        for variant in _chosen(tower, variants)
    ]
    with step_progress() as progress:
        task = progress.add_task("Starting")
        found = [
            bench_variant(
                bundle,
                kind,
                variant.name,
                manifest.files[variant.file].bytes,
                seconds,
                lambda step: progress.update(task, description=step),
            )
            for kind, variant in chosen
        ]
    if as_json:
        machine = {"threads": available_cpus(), "features": sorted(cpu_features())}
        figures = [asdict(variant) for variant in found]
        print_json({"bundle": manifest.name, "machine": machine, "variants": figures})
    else:
        for kind in manifest.modalities:
            _show(manifest.name, kind, [each for each in found if each.kind == kind])


def _chosen(tower: Tower, names: list[str] | None) -> list[Variant]:
    if not names:
        found = [variant for variant in tower.variants if suits(variant, CPU)]
        if not found:
            there = ", ".join(variant.name for variant in tower.variants)
            raise InputError(f"none of the variants suits this processor: {there}; use --variant")
        return found
    known = {variant.name: variant for variant in tower.variants}
    for name in names:
        if name not in known:
            raise InputError(f"variant: expected one of {', '.join(known)}, got {name!r}")
    return [known[name] for name in names]


def _show(name: str, kind: Modality, found: list[VariantSpeed]) -> None:
    rows: list[tuple[str, list[str]]] = [
        (f"{inputs}, a second", [f"{each.speed.per_second[inputs]:,.0f}" for each in found])
        for inputs in found[0].speed.per_second
    ]
    single = "one short text" if kind == "text" else "one image"
    rows += [
        (f"{single}: median", [f"{each.speed.p50_ms:.2f} ms" for each in found]),
        ("  95th percentile", [f"{each.speed.p95_ms:.2f} ms" for each in found]),
        ("  99th percentile", [f"{each.speed.p99_ms:.2f} ms" for each in found]),
        ("process start to first vector", [f"{each.cold_start_ms:,.0f} ms" for each in found]),
        ("memory of the process", [f"{each.speed.resident_mb:,.0f} MB" for each in found]),
        ("file", [f"{each.file_mb:,.1f} MB" for each in found]),
    ]
    columns = ["", *(f"#{each.variant}" for each in found)]
    title = f"{name} on {available_cpus()} threads"
    print_table(columns, [(what, *figures) for what, figures in rows], title=title)
