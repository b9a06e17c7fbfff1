"""Checks of a bundle on this machine: files, variants, vectors."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgeembed import Encoder
from edgeembed.doctor.finding import Finding
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.variants import suits
from edgeembed_runtime.errors import EdgeEmbedError


def bundle_findings(path: Path) -> Iterator[Finding]:
    """Check the files of the bundle at `path`, and run its golden inputs through every variant.

    Raises:
        BundleError: there is no bundle, or its manifest cannot be read.
    """
    bundle = Bundle.open(path)
    problems = bundle.problems()
    for problem in problems:
        advice = "copy or convert the bundle again"
        yield Finding.wrong("files", problem, advice)
    if not problems:
        count = len(bundle.manifest.files)
        yield Finding.ok("files", f"{count} files, every SHA-256 is right")
    for modality, tower in bundle.manifest.towers.items():
        for variant in tower.variants:
            name = f"{'' if modality == 'text' else 'image '}variant {variant.name}"
            if suits(variant, CPU):
                yield _self_test(path, modality, variant.name, name)
            else:
                needs = " or ".join(variant.requires)
                yield Finding.note(name, f"not for this CPU: {needs}")
    yield _choice(path)


def _self_test(path: Path, modality: Modality, variant: str, name: str) -> Finding:
    try:
        with Encoder.load(path, variant=variant, modalities=(modality,)) as encoder:
            test = encoder.self_test()
    except EdgeEmbedError as error:
        return Finding.wrong(name, str(error))
    found = (
        f"min cosine {test.min_cosine:.6f} to the original, over {test.texts} golden inputs "
        f"(at least {test.expected_min_cosine:.6f})"
    )
    if test.ok:
        return Finding.ok(name, found)
    advice = "use another variant here, or convert on this machine"
    return Finding.wrong(name, found, advice)


def _choice(path: Path) -> Finding:
    began = time.perf_counter()
    try:
        with Encoder.load(path) as encoder:
            if "text" in encoder.modalities:
                encoder.encode("a first text")
            else:
                encoder.encode_image(np.zeros((64, 64, 3), np.uint8))
            seconds = time.perf_counter() - began
            nodes = ", ".join(
                f"{count} on {name}" for name, count in encoder.nodes_by_provider.items()
            )
            found = (
                f"{encoder.variant} on {encoder.threads} threads, nodes: {nodes}; "
                f"loaded, with a first vector, in {seconds * 1e3:.0f} ms"
            )
    except EdgeEmbedError as error:
        return Finding.wrong("chosen here", str(error))
    return Finding.ok("chosen here", found)
