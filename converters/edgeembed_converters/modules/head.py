"""The modules after pooling in a sentence-transformers model, as parts of the graph."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_runtime.errors import UnsupportedModelError

_ACTIVATIONS = (
    nn.ELU, nn.GELU, nn.Hardtanh, nn.Identity, nn.LeakyReLU, nn.Mish, nn.ReLU, nn.ReLU6,
    nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Tanh,
)  # fmt: skip
# sentence-transformers' modules that may follow pooling.
HEAD_KINDS = ("Dense", "LayerNorm", "Dropout", "Normalize")
_VECTOR = "sentence_embedding"


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


class LayerNorm(nn.Module):
    """Layer normalization of the vectors."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        """`norm` has weights of its own."""
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) to (n, d)."""
        return self.norm(x)

    def __str__(self) -> str:
        """The name that model cards use."""
        return f"LayerNorm {self.norm.normalized_shape[0]}"


class Truncate(nn.Module):
    """Keeps the first components: sentence-transformers' `truncate_dim`."""

    def __init__(self, dim: int) -> None:
        """Keep `dim` components."""
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) to (n, dim)."""
        return x[:, : self.dim]

    def __str__(self) -> str:
        """The name that model cards use."""
        return f"Truncate {self.dim}"


def head_module(module: Any, place: str) -> nn.Module | None:
    """A live module of sentence-transformers as one of ours; None if it leaves vectors alone.

    `place` is its folder, for messages.

    Raises:
        UnsupportedModelError: it is of another kind, or works on tokens.
    """
    from sentence_transformers.sentence_transformer import modules as library

    if isinstance(module, library.Dropout):
        return None
    reads = getattr(module, "module_input_name", _VECTOR)
    writes = getattr(module, "module_output_name", _VECTOR)
    if isinstance(module, library.Normalize):
        if _VECTOR in (reads, writes) and reads != writes:
            raise _on_tokens(module, place)
        # Token vectors are no longer read after pooling.
        return Normalize() if reads == _VECTOR else None
    if isinstance(module, library.LayerNorm):
        return LayerNorm(module.norm)
    if isinstance(module, library.Dense):
        if not reads == writes == _VECTOR:
            raise _on_tokens(module, place)
        return _dense(module, place)
    raise unsupported_modules(place, [f"{type(module).__module__}.{type(module).__name__}"])


def effective_head(modules: Sequence[nn.Module], width: int) -> nn.Sequential:
    """The modules that change vectors of `width`: two models with the same have one space.

    Left out are a Normalize that follows another, and a Truncate to what is no longer.
    """
    kept: list[nn.Module] = []
    for module in modules:
        again = isinstance(module, Normalize) and kept and isinstance(kept[-1], Normalize)
        if again or (isinstance(module, Truncate) and module.dim >= width):
            continue
        if isinstance(module, Dense):
            width = module.linear.out_features
        elif isinstance(module, Truncate):
            width = module.dim
        kept.append(module)
    return nn.Sequential(*kept)


def unsupported_modules(place: str, found: Sequence[str]) -> UnsupportedModelError:
    """The error about modules of other kinds, or in another order."""
    return UnsupportedModelError(
        f"{place}: expected the modules Transformer, Pooling, then {', '.join(HEAD_KINDS)}; "
        f"found {', '.join(found)}"
    )


def _on_tokens(module: Any, place: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{place}: {type(module).__name__} with module_input_name={module.module_input_name!r}, "
        f"module_output_name={module.module_output_name!r}: expected sentence_embedding; modules "
        "on token vectors cannot be converted"
    )


def _dense(module: Any, place: str) -> Dense:
    activation = module.activation_function
    if type(activation) not in _ACTIVATIONS:
        known = ", ".join(kind.__name__ for kind in _ACTIVATIONS)
        raise UnsupportedModelError(
            f"{place}: Dense activation {type(activation).__name__!r}: expected one of torch.nn's "
            f"{known}"
        )
    residual: nn.Module | None = None
    if getattr(module, "use_residual", False):
        residual = getattr(module, "residual", None) or nn.Identity()
    return Dense(module.linear, activation, residual)
