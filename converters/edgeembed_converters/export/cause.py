"""What stopped an export, in one line: the root of the errors, and in whose code it arose."""

import traceback
from pathlib import Path
from types import TracebackType

from torch import nn
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from edgeembed_runtime._internal.messages import first_line

# Code of these is not the model's.
_LIBRARIES = (Path(nn.__file__).parents[1].as_posix() + "/", "/onnxscript/", "/onnx_ir/")
_MAX_CHARACTERS = 300
_OWN = ("TextEncoder", "ImageEncoder", "PoolAndHead", "TokenVectors", "FirstOutput")


def export_failure(error: BaseException) -> str:
    """Why torch.onnx failed, and in which part of the model: one line.

    The error itself only says at which of its steps the exporter failed.
    """
    root = _root(error)
    where = _place(root.__traceback__)
    what = _sentence(root)
    if isinstance(root, GuardOnDataDependentSymNode):
        what = "control flow or shapes that depend on the input's values"
    return f"{what} in {where}" if where else what


def _sentence(error: BaseException) -> str:
    """The first line of an error, with the next one if it only announces that."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    if len(lines) < 2 or not lines[0].endswith(":"):
        return first_line(error)
    return f"{lines[0]} {lines[1]}"[:_MAX_CHARACTERS]


def _root(error: BaseException) -> BaseException:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error if cause is None else _root(cause)


def _place(trace: TracebackType | None) -> str:
    """The last function of a model's own code in a traceback: "class, function (file, line)"."""
    found = ""
    for frame, line in traceback.walk_tb(trace):
        path = Path(frame.f_code.co_filename).as_posix()
        owner = frame.f_locals.get("self")
        if not isinstance(owner, nn.Module) or any(part in path for part in _LIBRARIES):
            continue
        kind = type(owner).__name__
        if kind not in _OWN:
            found = f"{kind}.{frame.f_code.co_name} ({Path(path).name}, line {line})"
    return found
