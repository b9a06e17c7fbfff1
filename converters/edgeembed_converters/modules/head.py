"""The modules after pooling in a sentence-transformers model: Dense and Normalize."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_runtime.errors import UnsupportedModelError

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    activation.__name__: activation
    for activation in (
        nn.ELU, nn.GELU, nn.Hardtanh, nn.Identity, nn.LeakyReLU, nn.Mish, nn.ReLU, nn.ReLU6,
        nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Tanh,
    )
}  # fmt: skip


class Normalize(nn.Module):
    """Scales rows to unit length."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) to (n, d)."""
        # torch.nn.functional.normalize would first broadcast the norms to the shape of x.
        return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-12)

    def __str__(self) -> str:
        """The name that model cards use."""
        return "Normalize"


class Dense(nn.Module):
    """A linear layer and its activation, with an optional residual connection."""

    def __init__(
        self, linear: nn.Linear, activation: nn.Module, residual: nn.Module | None
    ) -> None:
        """`residual` maps the input to the output's width."""
        super().__init__()
        self.linear = linear
        self.activation = activation
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out)."""
        found = self.activation(self.linear(x))
        return found if self.residual is None else found + self.residual(x)

    def __str__(self) -> str:
        """The name that model cards use."""
        width = f"{self.linear.in_features}x{self.linear.out_features}"
        plus = "" if self.residual is None else " + residual"
        return f"Dense {width} {type(self.activation).__name__}{plus}"


def dense_from_config(config: Mapping[str, Any], weights: Mapping[str, Tensor], name: str) -> Dense:
    """Build a sentence-transformers Dense module from its config.json and its state dict.

    Raises:
        UnsupportedModelError: the activation or the input is not supported.
    """
    for key in ("module_input_name", "module_output_name"):
        if config.get(key) not in (None, "sentence_embedding"):
            raise UnsupportedModelError(
                f"{name}: Dense with {key}={config[key]!r}: expected sentence_embedding; "
                "token-level Dense layers cannot be converted"
            )
    width_in, width_out = int(config["in_features"]), int(config["out_features"])
    bias = bool(config.get("bias", True))
    linear = nn.Linear(width_in, width_out, bias=bias)
    parts = {"weight": weights["linear.weight"].float()}
    if bias:
        parts["bias"] = weights["linear.bias"].float()
    linear.load_state_dict(parts)
    return Dense(linear, _activation(config, name), _residual(config, weights, linear))


def _activation(config: Mapping[str, Any], name: str) -> nn.Module:
    wanted = str(config.get("activation_function") or "torch.nn.Tanh")
    short = wanted.rpartition(".")[2]
    if not wanted.startswith("torch.nn.") or short not in _ACTIVATIONS:
        raise UnsupportedModelError(
            f"{name}: Dense activation {wanted!r}: expected one of torch.nn's "
            f"{', '.join(_ACTIVATIONS)}"
        )
    return _ACTIVATIONS[short]()


def _residual(
    config: Mapping[str, Any], weights: Mapping[str, Tensor], linear: nn.Linear
) -> nn.Module | None:
    if not config.get("use_residual"):
        return None
    if linear.in_features == linear.out_features:
        return nn.Identity()
    residual = nn.Linear(linear.in_features, linear.out_features, bias=False)
    with torch.no_grad():
        residual.weight.copy_(weights["residual.weight"].float())
    return residual
