"""torchvision transforms (timm's and open_clip's too), translated to a bundle's Preprocess."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from edgeembed_converters.model_files.image_processors import OriginalPixels
from edgeembed_runtime.bundle.preprocess import Interpolation, Preprocess, Resize, Rounding
from edgeembed_runtime.errors import UnsupportedModelError

# Steps that turn an image into an RGB tensor of 0 to 1, which the runtime always does.
_PLAIN = frozenset(
    (
        *("ToTensor", "MaybeToTensor", "PILToTensor", "ConvertImageDtype", "ToImage", "ToDtype"),
        *("RGB", "MaybeConvertMode", "_convert_to_rgb", "_convert_image_to_rgb", "Identity"),
    )
)
_FILTERS: Mapping[str, Interpolation] = {
    "nearest": "nearest",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "lanczos": "lanczos",
}


@dataclass(frozen=True, kw_only=True)
class _Resized:
    """A resize step: to a side length, or to a size."""

    resize: Resize
    to: tuple[int, ...]
    interpolation: Interpolation
    rounding: Rounding = "torchvision"


def preprocess_of(transform: Any) -> Preprocess:
    """The Preprocess that is equivalent to a torchvision, timm or open_clip evaluation transform.

    Takes a Compose, or a preset of torchvision's weights (`weights.transforms()`).

    Raises:
        UnsupportedModelError: there is none for one of its steps.
    """
    if hasattr(transform, "crop_size") and hasattr(transform, "resize_size"):
        return _of_preset(transform)
    steps = getattr(transform, "transforms", None)
    if not isinstance(steps, Iterable):
        raise UnsupportedModelError(
            "preprocess: expected a Preprocess, a torchvision Compose or a preset of its weights, "
            f"got {type(transform).__name__}"
        )
    return _of_steps(list(cast(Iterable[Any], steps)))


def pixels_by(transform: Any) -> OriginalPixels:
    """A transform as `OriginalPixels`."""

    def original(image: Any) -> Tensor:
        return cast(Tensor, transform(image)).unsqueeze(0)

    return original


def _of_preset(preset: Any) -> Preprocess:
    resized, cropped = int(preset.resize_size[0]), int(preset.crop_size[0])
    return Preprocess(
        size=(cropped, cropped),
        resize="shortest",
        resize_to=resized,
        interpolation=_filter(preset.interpolation),
        mean=_three(preset.mean),
        std=_three(preset.std),
    )


def _of_steps(steps: list[Any]) -> Preprocess:
    resized: _Resized | None = None
    crop: tuple[int, int] | None = None
    settings: dict[str, Any] = {}
    for step in steps:
        name = getattr(step, "__name__", type(step).__name__)
        match name:
            case "Resize" | "ResizeKeepRatio" if resized is None and crop is None:
                resized = _resize_step(name, step)
            case "CenterCrop" | "CenterCropOrPad" if crop is None:
                crop = _pair(step.size)
                settings["pad"] = _three(getattr(step, "fill", 0), int)
            case "Normalize":
                settings |= {"mean": _three(step.mean), "std": _three(step.std)}
            case _ if name in _PLAIN:
                continue
            case _:
                raise UnsupportedModelError(
                    f"preprocess: {name}: expected Resize, CenterCrop, ToTensor and Normalize, "
                    "in this order; declare an edgeembed Preprocess instead"
                )
    return Preprocess(**_geometry(resized, crop), **settings)


def _geometry(resized: _Resized | None, crop: tuple[int, int] | None) -> dict[str, Any]:
    if resized is None:
        if crop is None:
            raise UnsupportedModelError("preprocess: expected a Resize or a CenterCrop, found none")
        return {"size": crop, "resize": "none", "crop": "center"}
    settings: dict[str, Any] = {
        "resize": resized.resize,
        "interpolation": resized.interpolation,
        "rounding": resized.rounding,
    }
    if resized.resize == "squash":
        return settings | _squashed(resized, crop)
    if crop is None:
        raise UnsupportedModelError(
            "preprocess: Resize of one side without a CenterCrop leaves images of different sizes"
        )
    side = max if resized.resize == "longest" else min
    return settings | {"size": crop, "resize_to": side(resized.to), "crop": "center"}


def _squashed(resized: _Resized, crop: tuple[int, int] | None) -> dict[str, Any]:
    size = cast(tuple[int, int], resized.to)
    if crop not in (None, size):
        raise UnsupportedModelError(
            f"preprocess: an image squashed to {size} and then cut to {crop} cannot be described"
        )
    return {"size": size, "crop": "none"}


def _resize_step(name: str, step: Any) -> _Resized:
    interpolation = _filter(step.interpolation)
    if name == "ResizeKeepRatio":
        size = _pair(step.size)
        longest = float(step.longest)
        if longest not in (0.0, 1.0) or size[0] != size[1]:
            raise UnsupportedModelError(
                "preprocess: ResizeKeepRatio: expected a square and the shortest or longest side, "
                f"got {size} and {longest:g}"
            )
        resize: Resize = "longest" if longest else "shortest"
        return _Resized(resize=resize, to=size, interpolation=interpolation, rounding="timm")
    if getattr(step, "max_size", None) is not None:
        raise UnsupportedModelError("preprocess: Resize with max_size cannot be described")
    if isinstance(step.size, int) or len(step.size) == 1:
        side = step.size if isinstance(step.size, int) else int(step.size[0])
        return _Resized(resize="shortest", to=(side,), interpolation=interpolation)
    return _Resized(resize="squash", to=_pair(step.size), interpolation=interpolation)


def _filter(interpolation: Any) -> Interpolation:
    name = str(getattr(interpolation, "value", interpolation)).lower()
    if name not in _FILTERS:
        raise UnsupportedModelError(
            f"preprocess: interpolation {name!r}: expected one of {', '.join(_FILTERS)}"
        )
    return _FILTERS[name]


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    values = [int(side) for side in size]
    return values[0], values[-1]


def _three(values: Any, kind: Any = float) -> Any:
    if isinstance(values, int | float):
        return (kind(values),) * 3
    found = tuple(kind(value) for value in values)
    return found * 3 if len(found) == 1 else found
