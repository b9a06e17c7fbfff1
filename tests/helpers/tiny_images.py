"""Real image and text-image bundles, small enough to build in every run: no torch, no network.

The graph averages the pixels in a grid of 4 x 4, multiplies by a seeded matrix and scales to unit
length. `reference_image_vectors` does the same in numpy, on pixels that the caller prepares.
"""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from edgeembed_runtime.bundle import (
    Bundle,
    Golden,
    ImageTower,
    Manifest,
    Preprocess,
    Source,
    Variant,
    write_bundle,
)
from edgeembed_runtime.storage import staged_directory
from helpers import tiny_bundle

SIDE, GRID = 32, 4
PREPROCESS = Preprocess(size=(SIDE, SIDE), resize_to=36, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))


def photo(width=64, height=48, seed=0):
    """An image with slopes and edges: RGB, the same for the same seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.integers(-12, 13, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def as_bytes(image, kind="PNG", **options):
    """An image as a file's bytes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def matrix(dim=tiny_bundle.DIM):
    """What the grid is multiplied by: (48, dim) float32."""
    return np.random.default_rng(7).standard_normal((3 * GRID * GRID, dim), np.float32)


def image_graph(weights, side=SIDE):
    """The ONNX model over (48, dim) float32 weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    cell = side // GRID
    nodes = [
        helper.make_node(
            "AveragePool", ["pixel_values"], ["cells"], kernel_shape=[cell] * 2, strides=[cell] * 2
        ),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=-1, p=2),
    ]
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [value("pixel_values", TensorProto.FLOAT, ["batch", 3, side, side])],
            [value("embedding", TensorProto.FLOAT, ["batch", weights.shape[1]])],
            [numpy_helper.from_array(weights, "weights")],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def reference_pixels(image):
    """PREPROCESS in numpy and Pillow, written anew: (3, 32, 32) float32."""
    short = min(image.size)
    size = tuple(int(36 * side / short) for side in image.size)
    resized = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - SIDE) / 2) for side in size)
    pixels = np.asarray(resized)[top : top + SIDE, left : left + SIDE].astype(np.float64) / 255
    return ((pixels - PREPROCESS.mean) / PREPROCESS.std).transpose(2, 0, 1)


def reference_vector(image, weights=None):
    """What the bundle promises for an upright image: (dim,) float32."""
    cell = SIDE // GRID
    cells = reference_pixels(image).reshape(3, GRID, cell, GRID, cell).mean((2, 4))
    raw = cells.reshape(-1) @ (matrix() if weights is None else weights)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def rounded(weights):
    """Weights with three bits: another variant."""
    return np.round(weights * 2).astype(np.float32) / 2


def image_tower_and_files(names=("fp32", "int8"), folder=""):
    """The image tower, its files, and the golden images' names and vectors."""
    photos = {f"golden/{n}.png": photo(seed=n) for n in range(3)}
    vectors = np.stack([reference_vector(p) for p in photos.values()])
    files = {name: as_bytes(image) for name, image in photos.items()}
    variants = []
    for name in names:
        weights = matrix() if name == "fp32" else rounded(matrix())
        found = np.stack([reference_vector(p, weights) for p in photos.values()])
        files[f"{folder}{name}.onnx"] = image_graph(weights)
        variants.append(
            Variant(
                name=name,
                file=f"{folder}{name}.onnx",
                fidelity=tiny_bundle.fidelity(vectors, found),
                speedup=1.0 if name == "fp32" else 2.0,
                measured_on="a test",
            )
        )
    tower = ImageTower(preprocess=PREPROCESS, variants=tuple(variants))
    return tower, files, {"images": tuple(photos), "image_vectors": vectors}


def write_image_bundle(target, *, replaced=None, names=("fp32", "int8"), **changes):
    """Write an image-only bundle into `target` and return that."""
    tower, files, golden = image_tower_and_files(names)
    files["golden.json"] = Golden(**golden).to_json()
    manifest = Manifest(
        name="tiny image",
        space="tiny image",
        dim=tiny_bundle.DIM,
        normalized=True,
        source=Source(id="tests/tiny-image", weights_sha256="0" * 64),
        image=tower,
        made_by="tests",
        files={},
    )
    return _write(target, replace(manifest, **changes), {**files, **(replaced or {})})


def write_dual_bundle(target, tiny_path, *, names=("fp32",), **changes):
    """Write a bundle with the text tower of the tiny bundle and an image tower."""
    text = Bundle.open(tiny_path)
    tower, files, golden = image_tower_and_files(names, "image/")
    old = Golden.from_json(text.read("golden.json"))
    files |= {name: text.read(name) for name in text.manifest.files if name != "golden.json"}
    files["golden.json"] = Golden(texts=old.texts, vectors=old.vectors, **golden).to_json()
    manifest = replace(text.manifest, name="tiny dual", space="tiny dual", image=tower)
    return _write(target, replace(manifest, **{"logit_scale": 20.0, **changes}), files)


def _write(target, manifest, files):
    with staged_directory(Path(target), replace=False) as stage:
        write_bundle(stage, manifest, files)
    return Path(target)
