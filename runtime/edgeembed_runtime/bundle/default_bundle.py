"""The bundle that ships inside the package: a small encoder for those who name none."""

from pathlib import Path


def default_bundle() -> Path:
    """Its directory: a table distilled from all-MiniLM-L6-v2; its README.md says how and of what.

    benchmarks/distillation/make_default_bundle.py makes it.
    """
    return Path(__file__).parent / "default"
