"""The sides of the benchmark, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from benchmarks.encoding.peers import recipes
from benchmarks.encoding.peers.recipes import Encode, Job


@dataclass(frozen=True)
class Side:
    """One side: its environment (requirements-ENV.txt, or the one that runs this), what it does."""

    title: str
    env: str
    load: Callable[[Job], Encode]
    prepare: Callable[[Job], None] | None = None
    batch_size: int | None = 32  # the peer's own default, for the reader; None: text by text
    same_model: bool = True


BASE = "sentence-transformers"
SIDES = {
    BASE: Side("sentence-transformers (torch)", "torch", recipes.load_torch),
    "edgeembed-int8": Side(
        "edgeembed int8",
        "current",
        partial(recipes.load_edgeembed, variant="int8"),
        batch_size=None,
    ),
    "edgeembed-fp32": Side(
        "edgeembed fp32",
        "current",
        partial(recipes.load_edgeembed, variant="fp32"),
        batch_size=None,
    ),
    "sentence-transformers-onnx": Side(
        "sentence-transformers ONNX", "onnx", recipes.load_onnx, recipes.prepare_onnx
    ),
    "sentence-transformers-onnx-int8": Side(
        "sentence-transformers ONNX int8",
        "onnx",
        recipes.load_onnx_int8,
        recipes.prepare_onnx_int8,
    ),
    "optimum": Side(
        "Optimum ONNX",
        "onnx",
        partial(recipes.load_optimum, file="model.onnx"),
        recipes.prepare_optimum,
    ),
    "optimum-int8": Side(
        "Optimum ONNX int8",
        "onnx",
        partial(recipes.load_optimum, file="model_quantized.onnx"),
        recipes.prepare_optimum_int8,
    ),
    "fastembed": Side(
        "fastembed",
        "fastembed",
        recipes.load_fastembed,
        recipes.prepare_fastembed,
        batch_size=256,
    ),
    "openvino-fp32": Side(
        "OpenVINO fp32",
        "openvino",
        partial(recipes.load_openvino, precision="f32"),
        recipes.prepare_openvino,
    ),
    "openvino-bf16": Side(
        "OpenVINO bf16",
        "openvino",
        partial(recipes.load_openvino, precision="bf16"),
        recipes.prepare_openvino,
    ),
    "openvino-int8": Side(
        "OpenVINO int8 (NNCF)",
        "openvino",
        recipes.load_openvino_int8,
        recipes.prepare_openvino_int8,
    ),
    "model2vec": Side(
        "model2vec (another, weaker model)",
        "model2vec",
        recipes.load_model2vec,
        recipes.prepare_model2vec,
        batch_size=1024,
        same_model=False,
    ),
}
PACKAGES = (
    "edgeembed",
    "fastembed",
    "model2vec",
    "nncf",
    "numpy",
    "onnxruntime",
    "openvino",
    "optimum",
    "optimum-intel",
    "optimum-onnx",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


def versions() -> dict[str, str]:
    """The versions of what this environment has of the packages that matter."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
