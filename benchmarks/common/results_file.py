"""Results as JSON, with what is needed to read them."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from edgeembed_runtime.engine.cpu import available_cpus, cpu_features

RESULTS = Path(__file__).parents[1] / "results"
_PACKAGES = ("edgeembed", "onnxruntime", "numpy", "torch", "transformers", "sentence-transformers")


def write_results(name: str, figures: dict, peers: dict | None = None) -> Path:
    """Write `figures` and the circumstances to results/<name>.json.

    `peers` are the versions of packages in the peers' own environments, by peer.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    tree = {
        "benchmark": name,
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "threads": available_cpus(),
            "features": sorted(cpu_features()),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "versions": {package: version(package) for package in _PACKAGES}
        | ({"peers": peers} if peers else {}),
        **figures,
    }
    path.write_text(json.dumps(tree, indent=2) + "\n")
    return path
