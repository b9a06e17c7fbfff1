"""Export by torch.onnx, which handles models of both transformers 4.57 and 5."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from edgeembed_converters._internal.quiet import quiet_export
from edgeembed_converters.export.cause import export_failure
from edgeembed_converters.graph.cleanup import clean_graph, name_axes, rename_output
from edgeembed_converters.graph.weights import fits, load_with_weights_outside
from edgeembed_runtime import storage
from edgeembed_runtime.errors import ExportError

# LayerNormalization is one operator since opset 17, Gelu since 20.
OPSET = 20
# An unlikely prefix: the exporter lets output names clash with inner values.
_RAW = "edgeembed_raw_"


def export_module(
    module: nn.Module,
    example_inputs: Sequence[Tensor],
    input_names: Sequence[str],
    outputs: Sequence[str],
    *,
    free_axes: int = 2,
    scratch: Path | None = None,
) -> onnx.ModelProto:
    """Export a module from tensors to a tuple of tensors, with dynamic leading axes.

    Args:
        module: in evaluation mode.
        example_inputs: dynamic axes must be 2 or longer; a 1 would become a constant.
        input_names: names of the graph's inputs, in order.
        outputs: names of the graph's outputs, in order.
        free_axes: how many axes of each input are dynamic: two for texts, (n, t), one for images.
        scratch: a folder for the weights of a model that one ONNX file cannot hold; without it,
            they are inside the model all the same.

    Raises:
        ExportError: torch.onnx could not export it.
    """
    try:
        with quiet_export(), torch.no_grad(), _IntegersSubtracted():
            program = torch.onnx.export(
                module,
                tuple(example_inputs),
                input_names=list(input_names),
                output_names=[f"{_RAW}{name}" for name in outputs],
                dynamic_shapes=tuple(
                    dict.fromkeys(range(min(free_axes, tensor.ndim)), torch.export.Dim.DYNAMIC)
                    for tensor in example_inputs
                ),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # torch.export raises anything that the model's own code raises
        raise ExportError(
            f"torch.onnx could not export the model: {export_failure(error)}; "
            "try exporter='optimum', or report the architecture"
        ) from error
    assert program is not None  # dynamo=True always returns one
    model = clean_graph(_model(program, scratch))
    for name in outputs:
        rename_output(model, f"{_RAW}{name}", name)
    return name_axes(model)


class _IntegersSubtracted(TorchFunctionMode):
    """Writes `1.0 - mask` as `-mask + 1.0`: torch.onnx 2.13 fails on the former for integers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch."""
        del types
        if func in _REVERSED and not kwargs and not args[0].is_floating_point():
            return -args[0] + args[1]
        return func(*args, **(kwargs or {}))


_REVERSED = (Tensor.__rsub__, torch.rsub)


def _model(program: torch.onnx.ONNXProgram, scratch: Path | None) -> onnx.ModelProto:
    weights = (value.const_value for value in program.model.graph.initializers.values())
    size = sum(weight.nbytes for weight in weights if weight is not None)
    if scratch is None or fits(size):
        return program.model_proto
    file = scratch / "exported.onnx"
    with storage.storage_errors("write", file):
        program.save(file, external_data=True)
    return load_with_weights_outside(file)
