"""The library that a model comes from, as the witness of what a bundle must return."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

# From texts, encoded at once, to their (n, d) float32 vectors.
TextVectors = Callable[[list[str]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Witness:
    """The library that a model comes from, encoding by itself: what a bundle must equal.

    `encode` puts no prompt before the texts. `prompted` has the methods of an Encoder by name,
    with the prompts that the library puts. `made_by` names the library and its version.
    """

    made_by: str
    encode: TextVectors
    prompted: Mapping[str, TextVectors] = field(default_factory=dict[str, TextVectors])

    def then(self, module: nn.Module) -> "Witness":
        """The same, with its vectors mapped by a module that edgeembed adds."""

        def mapped(encode: TextVectors) -> TextVectors:
            def encode_and_map(texts: list[str]) -> NDArray[np.float32]:
                with torch.no_grad():
                    return module(torch.from_numpy(encode(texts))).numpy()

            return encode_and_map

        return Witness(
            made_by=self.made_by,
            encode=mapped(self.encode),
            prompted={name: mapped(encode) for name, encode in self.prompted.items()},
        )
