"""Photo search without CLIP: EfficientNet-Lite0 and all-MiniLM-L6-v2 composed into one bundle.

IMAGES is a folder that holds `caltech101/<class>/*`, `coco/*` with `captions.json` (five captions
by file name) and `imagenet-sample/*` (for the calibration of int8); LABELS is a text file with the
1000 ImageNet classes in order, synonyms with commas between. Images are only evaluated on, but
for the trained projections: these learn from half of the photos of half of the classes, and are
measured on the other half of all photos.
"""

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.model_and_texts import bundle
from benchmarks.common.results_file import write_results
from benchmarks.images.efficientnet import classifier, images_in, original_outputs, settings
from edgeembed import Budget, Composition, Encoder, compose_classifier
from edgeembed_converters.composing.label_vectors import label_vectors, name_vectors
from edgeembed_converters.composing.probability_mean import ProbabilityMean
from edgeembed_converters.composing.projection import fitted

TEMPLATE = "a photo of a {}"
CLASSES, PHOTOS = 1000, 8
STRENGTHS = (1.0, 3.0, 10.0)
# What int8 costs is measured here by the task itself.
ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)


def read_labels(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    return lines[len(lines) - CLASSES :]  # some files begin with "background"


def caltech(folder: Path) -> dict[str, list[Path]]:
    found = {p.name.replace("_", " "): images_in(p) for p in sorted(folder.iterdir())}
    return {name: paths for name, paths in found.items() if paths}


def precision(queries: np.ndarray, photos: np.ndarray, truth: np.ndarray, rows: list[int]) -> float:
    """The share of right photos among the first eight (or as many as there are), by class."""
    shares = []
    for row in rows:
        count = min(PHOTOS, int((truth == row).sum()))
        first = np.argsort(-(photos @ queries[row]), kind="stable")[:count]
        shares.append(float((truth[first] == row).mean()))
    return float(np.mean(shares))


def on_caltech(encoder: Encoder, photos: dict[str, list[Path]]) -> dict[str, float]:
    names = list(photos)
    paths = [path for group in photos.values() for path in group]
    truth = np.repeat(np.arange(len(names)), [len(group) for group in photos.values()])
    vectors = encoder.encode_image(paths)
    said = encoder.encode([TEMPLATE.format(name) for name in names])
    rows = list(range(len(names)))
    return {
        "precision@8, class name": precision(encoder.encode(names), vectors, truth, rows),
        "precision@8, a photo of a": precision(said, vectors, truth, rows),
        # What Encoder.classify does: the likeliest label is the one with the highest cosine.
        "zero-shot accuracy": float(((vectors @ said.T).argmax(1) == truth).mean()),
        "most likely logit scale": best_scale(vectors @ said.T, truth),
        "classes": len(names),
        "photos": len(paths),
    }


def best_scale(cosines: np.ndarray, truth: np.ndarray) -> float:
    """The logit scale under which the probabilities of zero-shot are most honest (likelihood)."""

    def likelihood(scale: float) -> float:
        logits = cosines.astype(np.float64) * scale
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return float(logits[np.arange(len(truth)), truth].mean())

    return max(range(2, 101), key=likelihood)


def on_coco(encoder: Encoder, folder: Path) -> dict[str, float]:
    captions = json.loads((folder / "captions.json").read_text())
    by_name = {path.name: path for path in images_in(folder)}
    names = [name for name in captions if name in by_name]
    photos = encoder.encode_image([by_name[name] for name in names])
    scores = encoder.encode([captions[name][0] for name in names]) @ photos.T
    ranks = (scores > np.diag(scores)[:, None]).sum(1)
    return {f"R@{k}": float((ranks < k).mean()) for k in (1, 5, 10)} | {"photos": len(names)}


@dataclass(frozen=True)
class Split:
    """Half of the classes are taught by half of their photos; the other half of all is measured."""

    seen: list[int]
    unseen: list[int]
    taught: np.ndarray
    measured: np.ndarray


def split(truth: np.ndarray, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    order = rng.permutation(int(truth.max()) + 1).tolist()
    seen, unseen = sorted(order[: len(order) // 2]), sorted(order[len(order) // 2 :])
    half = rng.random(len(truth)) < 0.5
    return Split(seen, unseen, half & np.isin(truth, seen), ~half)


def seen_and_unseen(
    photos: np.ndarray, truth: np.ndarray, parts: Split, said: np.ndarray
) -> dict[str, float]:
    """Zero-shot accuracy; `said` are the vectors of the class names as "a photo of a"."""
    found = (photos[parts.measured] @ said.T).argmax(1)
    right = truth[parts.measured]
    return {
        f"zero-shot, photos of {title} names": float((found == right)[np.isin(right, rows)].mean())
        for title, rows in (("seen", parts.seen), ("unseen", parts.unseen))
    }


def trained(
    network, labels: list[str], texts: Path, photos: dict[str, list[Path]], seeds: int
) -> dict[str, dict[str, float]]:
    """Projections of several strengths, by the code of compose_classifier on logits of PyTorch."""
    classes = list(photos)
    paths = [path for group in photos.values() for path in group]
    truth = np.repeat(np.arange(len(classes)), [len(group) for group in photos.values()])
    logits = torch.from_numpy(original_outputs(network, paths))
    with Encoder.load(texts, variant="fp32") as encoder:
        wanted = torch.from_numpy(name_vectors(encoder, classes, TEMPLATE))
        said = encoder.encode([TEMPLATE.format(name) for name in classes])
        known = torch.from_numpy(label_vectors(encoder, labels, TEMPLATE))
    settled = Composition()
    model = ProbabilityMean(network, known, top=settled.top, temperature=settled.temperature)

    def vectors(projection) -> np.ndarray:
        model.projection = projection
        found = torch.nn.functional.normalize(model.from_logits(logits), dim=-1).numpy()
        model.projection = None
        return found

    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        parts = split(truth, seed)
        rows.setdefault("none", []).append(seen_and_unseen(vectors(None), truth, parts, said))
        for strength in STRENGTHS:
            taught = logits[parts.taught]
            projection = fitted(model, taught, wanted[truth[parts.taught]], strength)
            rows.setdefault(f"strength {strength:g}", []).append(
                seen_and_unseen(vectors(projection), truth, parts, said)
            )
    return {
        title: {key: float(np.mean([row[key] for row in found])) for key in found[0]}
        for title, found in rows.items()
    }


def measured(path: Path, variant: str, photos: dict[str, list[Path]], coco: Path) -> dict:
    with Encoder.load(path, variant=variant) as encoder:
        row = {
            "caltech101": on_caltech(encoder, photos),
            "coco, first caption": on_coco(encoder, coco),
        }
    print(variant, json.dumps(row, indent=1), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    labels, network = read_labels(options.labels), classifier()
    photos, coco = caltech(options.images / "caltech101"), options.images / "coco"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts, path = bundle(), folder / "photos.bundle"
        compose_classifier(network, labels, texts, path, preprocess=settings())
        result: dict[str, object] = {"fp32": measured(path, "fp32", photos, coco)}
        with torch.no_grad():
            result["trained projection"] = trained(network, labels, texts, photos, options.seeds)
        print(json.dumps(result["trained projection"], indent=1), flush=True)
        write_results("photo-search", result)
        tower = compose_classifier(
            network,
            labels,
            texts,
            folder / "int8.bundle",
            preprocess=settings(),
            quantize="int8",
            calibration_images=options.images / "imagenet-sample",
            budget=ANYTHING,
        ).image
        assert tower is not None
        result["int8"] = measured(folder / "int8.bundle", "int8", photos, coco) | {
            "bytes": tower.sizes,
            "trials": [asdict(trial) for trial in tower.trials],
        }
    print("written:", write_results("photo-search", result).name)


if __name__ == "__main__":
    main()
