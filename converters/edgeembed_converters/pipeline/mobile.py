"""Models for phones: the ORT format, and fixed lengths for compilers of models.

An onnxruntime that is built with only the model's operators can load the ORT format
(https://onnxruntime.ai/docs/reference/ort-format-models.html). NNAPI and CoreML compile a model for
one shape.
"""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Generator, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgeembed_converters._internal.quiet import quiet_logging
from edgeembed_converters.quantization.trial.baseline import QuantizedModel
from edgeembed_runtime import storage
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle.signature import BATCH_AXIS, EMBEDDING, TOKEN_AXIS
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.engine.base import feeds
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import ConversionError, StorageError

FOLDER = "mobile"
LENGTHS = (32, 128)
# int8 rounds differently where operators are fused differently.
_MIN_COSINE = 0.999


def mobile_files(models: Mapping[str, QuantizedModel], max_tokens: int) -> dict[str, bytes]:
    """Files for phones, by their names in a bundle.

    Every variant in ORT format, with the list of operators that it needs; and the smallest variant
    that takes padding at fixed lengths, to which shorter texts are padded. Each was run here, and
    returns its variant's vectors.

    Raises:
        ConversionError: onnxruntime cannot convert a variant, or the result differs from it.
    """
    files: dict[str, bytes] = {}
    for name, made in models.items():
        model, operators = _ort_format(name, made.model)
        _prove(f"{name}.ort", made.model, model, min(7, max_tokens))
        files[f"{FOLDER}/{name}.ort"] = model
        files[f"{FOLDER}/{name}.required_operators.config"] = operators
    padded = [name for name, made in models.items() if made.padding]
    if not padded:  # int8 of a model whose fp32 does not fit into a bundle
        return files
    smallest = min(padded, key=lambda name: models[name].size)
    for length in sorted({min(length, max_tokens) for length in LENGTHS}):
        fixed = _with_fixed_length(models[smallest].model, length)
        _prove(f"{smallest}-{length}.onnx", models[smallest].model, fixed, length)
        files[f"{FOLDER}/{smallest}-{length}.onnx"] = fixed
    return files


def _ort_format(name: str, model: bytes) -> tuple[bytes, bytes]:
    """A model in ORT format, and its operators in the form that onnxruntime's build takes."""
    from onnxruntime.tools.convert_onnx_models_to_ort import (  # noqa: TID251 (a tool)
        OptimizationStyle,
        convert_onnx_models_to_ort,
    )

    with tempfile.TemporaryDirectory() as folder, _errors(name):
        source = Path(folder) / f"{name}.onnx"
        storage.write_file(source, model)
        with contextlib.redirect_stdout(io.StringIO()), quiet_logging(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the tool leaves a file open
            convert_onnx_models_to_ort(
                source, Path(folder), [OptimizationStyle.Fixed], target_platform="arm"
            )
        lines = source.with_suffix(".required_operators.config").read_text().splitlines()
        operators = "\n".join(line for line in lines if line and not line.startswith("#"))
        return source.with_suffix(".ort").read_bytes(), f"{operators}\n".encode()


def _with_fixed_length(model: bytes, length: int) -> bytes:
    from onnxruntime.tools.onnx_model_utils import (  # noqa: TID251 (a tool)
        fix_output_shapes,
        make_dim_param_fixed,
    )

    fixed = onnx.load_from_string(model)
    make_dim_param_fixed(fixed.graph, BATCH_AXIS, 1)
    make_dim_param_fixed(fixed.graph, TOKEN_AXIS, length)
    fix_output_shapes(fixed)
    del fixed.graph.value_info[:]
    return fixed.SerializeToString(deterministic=True)


def _prove(name: str, variant: bytes, made: bytes, length: int) -> None:
    with _errors(name):
        expected, found = _vector(name, variant, length), _vector(name, made, length)
    cosine = float(rowwise_cosine(expected, found).min())
    if not cosine >= _MIN_COSINE:
        raise ConversionError(
            f"{name}: expected the vectors of its variant, got a cosine of {cosine:.4f} to them"
        )


def _vector(name: str, model: bytes, length: int) -> NDArray[np.float32]:
    session = Session(model, name, SessionSettings())
    return session.run(feeds(np.arange(length, dtype=np.int64)[None, :]), EMBEDDING)


@contextlib.contextmanager
def _errors(name: str) -> Generator[None]:
    try:
        yield
    except StorageError:
        raise
    except Exception as error:  # whatever onnxruntime's tools raise on an unusual graph
        raise ConversionError(
            f"{name}: onnxruntime could not convert it for phones: {first_line(error)}; "
            "convert without mobile"
        ) from error
