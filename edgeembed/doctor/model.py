"""A bundle on this machine: files, variants, vectors."""

import time
from collections.abc import Iterator
from pathlib import Path

from edgeembed import Encoder
from edgeembed.doctor.finding import Finding
from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.variants import suits
from edgeembed_runtime.errors import EdgeEmbedError


def bundle_findings(path: Path) -> Iterator[Finding]:
    """Check the files of the bundle at `path`, and run its golden inputs in every variant.

    Raises:
        BundleError: there is no bundle, or its manifest cannot be read.
    """
    bundle = Bundle.open(path)
    problems = bundle.problems()
    for problem in problems:
        advice = "copy or convert the bundle again"
        yield Finding(name="files", status="wrong", found=problem, advice=advice)
    if not problems:
        count = len(bundle.manifest.files)
        yield Finding(name="files", status="ok", found=f"{count} files, every SHA-256 is right")
    for variant in bundle.manifest.text.variants:
        if suits(variant, CPU):
            yield _self_test(path, variant)
        else:
            needs = " or ".join(variant.requires)
            yield Finding(
                name=f"variant {variant.name}", status="note", found=f"not for this CPU: {needs}"
            )
    yield _choice(path)


def _self_test(path: Path, variant: Variant) -> Finding:
    name = f"variant {variant.name}"
    try:
        with Encoder.load(path, variant=variant.name) as encoder:
            test = encoder.self_test()
    except EdgeEmbedError as error:
        return Finding(name=name, status="wrong", found=str(error))
    found = (
        f"min cosine {test.min_cosine:.6f} to the original, over {test.texts} golden texts "
        f"(at least {test.expected_min_cosine:.6f})"
    )
    if test.ok:
        return Finding(name=name, status="ok", found=found)
    advice = "use another variant here, or convert on this machine"
    return Finding(name=name, status="wrong", found=found, advice=advice)


def _choice(path: Path) -> Finding:
    began = time.perf_counter()
    try:
        with Encoder.load(path) as encoder:
            encoder.encode("a first text")
            seconds = time.perf_counter() - began
            nodes = ", ".join(
                f"{count} on {name}" for name, count in encoder.nodes_by_provider.items()
            )
            found = (
                f"{encoder.variant} on {encoder.threads} threads, nodes: {nodes}; "
                f"loaded, with a first vector, in {seconds * 1e3:.0f} ms"
            )
    except EdgeEmbedError as error:
        return Finding(name="chosen here", status="wrong", found=str(error))
    return Finding(name="chosen here", status="ok", found=found)
