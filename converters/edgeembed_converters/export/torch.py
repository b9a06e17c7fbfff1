"""Export by torch.onnx itself, which takes models of transformers 4.57 and 5 alike."""

import contextlib
import io
import logging
import warnings
from collections.abc import Generator, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from edgeembed_converters.graph.cleanup import clean_graph, name_axes, rename_output
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import ExportError

# LayerNormalization is one operator since 17, Gelu since 20; older graphs spell them out.
OPSET = 20
# An unlikely name: the exporter lets an output's name clash with a value's inside the graph.
_RAW = "edgeembed_raw_"


def export_module(
    module: nn.Module,
    example_inputs: Sequence[Tensor],
    input_names: Sequence[str],
    outputs: Sequence[str],
    *,
    free_axes: int = 2,
) -> onnx.ModelProto:
    """Export a module from tensors to a tuple of tensors; their first axes stay free.

    Args:
        module: in evaluation mode.
        example_inputs: with free axes of 2 or more; a size of 1 would be taken for a constant.
        input_names: names of the graph's inputs, in order.
        outputs: names of the graph's outputs, in order.
        free_axes: how many axes of each input are free: two of texts, (n, t), one of images.

    Raises:
        ExportError: torch.onnx could not export it.
    """
    try:
        with quiet_export(), torch.no_grad():
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
            f"torch.onnx could not export the model: {first_line(error)}; "
            "try exporter='optimum', or report the architecture"
        ) from error
    assert program is not None  # dynamo=True always returns one
    model = clean_graph(program.model_proto)
    for name in outputs:
        rename_output(model, f"{_RAW}{name}", name)
    return name_axes(model)


@contextlib.contextmanager
def quiet_export() -> Generator[None]:
    """Keep the exporter's remarks about its own internals off the user's screen."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def save_model(model: onnx.ModelProto, path: Path) -> None:
    """Write a model as one file, weights inside.

    Raises:
        ExportError: it is larger than the 2 GB that one file can hold.
    """
    try:
        path.write_bytes(model.SerializeToString(deterministic=True))
    except ValueError as error:
        raise ExportError(
            "the model is larger than the 2 GB that one ONNX file can hold; convert a smaller one"
        ) from error
