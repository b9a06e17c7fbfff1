"""Feature distillation: a student of any teacher that is a module over pixels.

Both map the same (n, c, h, w) batches to (n, d) vectors. The result is a trained module, which
`convert` turns into a bundle like any other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeembed_converters.distill.teaching.metrics import neighbor_ndcg
from edgeembed_converters.sources.text.live_text import state_sha256
from edgeembed_converters.training import losses
from edgeembed_converters.training.loop import (
    Objective,
    TrainingProgress,
    TrainingResult,
    train,
)
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_runtime import storage
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError, TrainingError

MIN_IMAGES = 32
_HELD_OUT_SHARE = 10
_BATCH = 32
Pixels = Sequence[Tensor]


@public
@dataclass(frozen=True, kw_only=True)
class FeatureStudent:
    """A trained student: `module` returns vectors of the teacher's dim.

    `cosine` is the mean cosine between its vectors and the teacher's on held-out inputs.
    """

    module: nn.Module
    trained: TrainingResult
    cosine: float
    held_out: int


class WithHead(nn.Module):
    """A backbone with a linear layer that maps its features to the teacher's dim."""

    def __init__(self, backbone: nn.Module, width: int, dim: int) -> None:
        """Add a new layer after `backbone`, which returns (n, width)."""
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(width, dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, c, h, w) to (n, dim)."""
        return self.head(self.backbone(pixels))


@public
def distill_features(
    teacher: nn.Module,
    student: nn.Module,
    pixels: Pixels,
    *,
    work_dir: str | Path,
    settings: TrainingSettings | None = None,
    similarity: float = 0.1,
    held_out: int = 500,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> FeatureStudent:
    """Train a small image encoder to reproduce a large one's vectors, from unlabeled images.

    Args:
        teacher: maps (n, c, h, w) float32 pixels to (n, d) features; it is not changed.
        student: a smaller module with the same inputs; it is trained in place. If its features
            have another width than the teacher's, a linear layer is added.
        pixels: images (c, h, w) of one size, preprocessed for the teacher: a list, or any sequence.
        work_dir: for the teacher's features and the checkpoints; after a kill, calling again
            resumes from there.
        settings: of the optimizer, the device and early stopping.
        similarity: the weight of the similarity loss; the cosine loss has weight 1.
        held_out: how many images, at most a tenth, to hold out for evaluation.
        on_progress: called after every training step.

    Raises:
        InputError: too few images, features that are not (n, d) vectors, or a student that is not
            smaller than its teacher.
        TrainingError: the loss or a feature is not finite, or the checkpoints are damaged.
        StorageError: `work_dir` cannot be written.
    """
    settings, folder = settings or TrainingSettings(), Path(work_dir)
    if len(pixels) < MIN_IMAGES:
        raise InputError(f"pixels: expected at least {MIN_IMAGES} images, got {len(pixels)}")
    counts = [sum(p.numel() for p in each.parameters()) for each in (student, teacher)]
    if counts[0] >= counts[1]:
        raise InputError(
            f"student: expected fewer parameters than the teacher's {counts[1]:,}, "
            f"got {counts[0]:,}"
        )
    device = settings.device
    targets = teacher_features(teacher, pixels, folder, device)
    torch.manual_seed(settings.seed)
    module = _with_dim(student, targets.shape[1], pixels[0]).to(device)
    order = np.random.default_rng(settings.seed).permutation(len(pixels)).tolist()
    count = max(3, min(held_out, len(order) // _HELD_OUT_SHARE))
    evaluated, trained_on = order[:count], order[count:]
    held_out_targets = targets[evaluated]

    def loss(places: Sequence[int]) -> Tensor:
        found = module(_stack(pixels, places).to(device))
        target = torch.from_numpy(targets[list(places)]).to(device)
        structure = losses.similarity_kl(found, target) if similarity else 0.0
        return losses.cosine_to_teacher(found, target) + similarity * structure

    def metric() -> float:
        return neighbor_ndcg(features(module, pixels, evaluated, device), held_out_targets)

    objective = Objective(
        batches=lambda epoch: _batches(trained_on, settings, epoch),
        loss=loss,
        metric=metric,
        identity=f"{storage.sha256_of(targets.tobytes())} {type(student).__name__} {similarity}",
    )
    module.train()
    trained = train(module, objective, settings, folder / "student", on_progress)
    found = torch.from_numpy(features(module, pixels, evaluated, device))
    module.eval().to("cpu")
    cosine = float(1 - losses.cosine_to_teacher(found, torch.from_numpy(held_out_targets)))
    return FeatureStudent(module=module, trained=trained, cosine=cosine, held_out=count)


def _batches(places: Sequence[int], settings: TrainingSettings, epoch: int) -> list[list[int]]:
    rng = np.random.default_rng((settings.seed, epoch))
    order = [places[number] for number in rng.permutation(len(places)).tolist()]
    size = settings.batch_size
    return [order[at : at + size] for at in range(0, len(order), size)]


def _with_dim(student: nn.Module, dim: int, example: Tensor) -> nn.Module:
    width = int(features(student, [example], [0], "cpu").shape[1])
    return student if width == dim else WithHead(student, width, dim)


def teacher_features(
    teacher: nn.Module, pixels: Pixels, folder: Path, device: str
) -> NDArray[np.float32]:
    """The teacher's features of every image, (n, d) float32, cached on disk.

    The file is named after the teacher's weights and the images.
    """
    digest = storage.sha256_of(state_sha256(teacher).encode() + _fingerprint(pixels).encode())
    path = folder / f"features-{digest[:16]}.npy"
    if path.is_file():
        try:
            found = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):  # damaged: compute again
            found = None
        if found is not None and found.ndim == 2 and len(found) == len(pixels):
            return found
    found = features(teacher, pixels, range(len(pixels)), device)
    teacher.to("cpu")
    if not np.isfinite(found).all():
        raise TrainingError("teacher: expected features that are numbers, got NaN or infinity")
    storage.make_folder(folder)
    with storage.staged_file(path) as file:
        np.save(file, found)
    return found


@torch.no_grad()
def features(
    module: nn.Module, pixels: Pixels, places: Sequence[int], device: str
) -> NDArray[np.float32]:
    """A module's features of the images at `places`: (n, d) float32. Keeps the module's mode.

    Raises:
        InputError: it does not return (n, d) vectors, or fails on the images.
    """
    was_training = module.training
    module.eval().to(device)
    try:
        parts = [
            module(_stack(pixels, places[at : at + _BATCH]).to(device))
            for at in range(0, len(places), _BATCH)
        ]
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"{type(module).__name__}: could not be run on images of shape "
            f"{tuple(pixels[0].shape)}: {str(error).splitlines()[0]}"
        ) from error
    finally:
        module.train(was_training)
    if not all(isinstance(part, Tensor) and part.ndim == 2 for part in parts):
        shape = getattr(parts[0], "shape", type(parts[0]).__name__)
        raise InputError(
            f"{type(module).__name__}: expected features (n, d), got {shape}; wrap the module so "
            "that it returns pooled features"
        )
    return torch.cat(parts).float().cpu().numpy()


def _stack(pixels: Pixels, places: Sequence[int]) -> Tensor:
    images = [pixels[place] for place in places]
    if len({tuple(image.shape) for image in images}) > 1:
        raise InputError("pixels: expected images of one shape, got several")
    return torch.stack(images)


def _fingerprint(pixels: Pixels) -> str:
    parts = [
        storage.sha256_of(pixels[place].contiguous().numpy().tobytes())
        for place in range(len(pixels))
    ]
    return storage.sha256_of(f"{len(pixels)} {''.join(parts)}".encode())
