"""peft's adapters: merged into the weights of the model that they change."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from edgeembed_converters.sources.text.live_text import dummy_ids
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import UnsupportedModelError

# Merging rounds: of values near 1, by some millionths.
_ROUNDING = 1e-3


def has_adapters(model: nn.Module) -> bool:
    """Whether transformers loaded adapters into `model`."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def merge_adapters(model: nn.Module, directory: Path) -> None:
    """Merge the adapters of `model`, which was loaded from `directory`, into its weights.

    Raises:
        UnsupportedModelError: they were not loaded whole, or change more than weights.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    _require_whole(model, directory)
    layers: list[Any] = [each for each in model.modules() if isinstance(each, BaseTunerLayer)]
    before = _token_vectors(model)
    try:
        for layer in layers:
            layer.merge()
    except Exception as error:  # whatever a kind of adapter raises
        raise UnsupportedModelError(
            f"{directory}: the adapter cannot be merged into the model's weights: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if not torch.allclose(before, _token_vectors(model), rtol=_ROUNDING, atol=_ROUNDING):
        raise UnsupportedModelError(
            f"{directory}: the adapter changes more than the model's weights: merged into them, it "
            "gives other vectors"
        )


def _token_vectors(model: nn.Module) -> Tensor:
    ids, mask = dummy_ids()
    with torch.no_grad():
        return model.eval()(input_ids=ids, attention_mask=mask).last_hidden_state[mask > 0]


def _require_whole(model: nn.Module, directory: Path) -> None:
    """Each tensor of the adapter must be one of the model: of others, transformers only warns."""
    there: dict[torch.Size, list[Tensor]] = {}
    for tensor in model.state_dict().values():
        there.setdefault(tensor.shape, []).append(tensor.float())
    lost = [
        name
        for name, tensor in _saved(directory).items()
        if not any(torch.equal(tensor.float(), each) for each in there.get(tensor.shape, ()))
    ]
    if lost:
        import peft
        import transformers

        raise UnsupportedModelError(
            f"{directory}: transformers {transformers.__version__} with peft {peft.__version__} "
            f"does not load {len(lost)} of the adapter's weights, the first is {lost[0]}; merge it "
            "into its model with peft's merge_and_unload, save that, and convert it"
        )


def _saved(directory: Path) -> dict[str, Tensor]:
    path = directory / "adapter_model.safetensors"
    if path.is_file():
        return load_file(path)
    return torch.load(directory / "adapter_model.bin", map_location="cpu", weights_only=True)
