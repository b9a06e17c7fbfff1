"""How each peer is used: as its documentation says, with its defaults.

Runs in every peer's own environment, so functions import what only theirs has. `prepare_...` makes
once what a side needs in its folder; `load_...` returns a function from a list of texts, or one
text, to vectors.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Encode = Callable[[list[str] | str], object]
OPENVINO_INT8 = "openvino/openvino_model_int8.xml"


@dataclass(frozen=True)
class Job:
    """What a side is given: the original model, a folder of its own, texts to calibrate on."""

    model: Path
    folder: Path
    calibration: list[str]


def sentence_transformer(folder: Path, **options):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), **options)


def load_edgeembed(job: Job, variant: str) -> Encode:
    from edgeembed import Encoder

    return Encoder.load(job.folder, variant=variant).encode


def load_torch(job: Job) -> Encode:
    return sentence_transformer(job.model).encode


def prepare_onnx(job: Job) -> None:
    sentence_transformer(job.model, backend="onnx").save_pretrained(str(job.folder))


def load_onnx(job: Job) -> Encode:
    return sentence_transformer(job.folder, backend="onnx").encode


def prepare_onnx_int8(job: Job) -> None:
    from sentence_transformers import export_dynamic_quantized_onnx_model

    prepare_onnx(job)
    made = sentence_transformer(job.folder, backend="onnx")
    export_dynamic_quantized_onnx_model(made, "avx512_vnni", str(job.folder))


def load_onnx_int8(job: Job) -> Encode:
    file = "onnx/model_qint8_avx512_vnni.onnx"
    return sentence_transformer(job.folder, backend="onnx", model_kwargs={"file_name": file}).encode


def prepare_optimum(job: Job) -> None:
    from optimum.onnxruntime import ORTModelForFeatureExtraction
    from transformers import AutoTokenizer

    network = ORTModelForFeatureExtraction.from_pretrained(job.model, export=True)
    network.save_pretrained(job.folder)
    AutoTokenizer.from_pretrained(job.model).save_pretrained(job.folder)


def prepare_optimum_int8(job: Job) -> None:
    from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    prepare_optimum(job)
    network = ORTModelForFeatureExtraction.from_pretrained(job.folder)
    settings = AutoQuantizationConfig.avx512_vnni(is_static=False)
    ORTQuantizer.from_pretrained(network).quantize(
        save_dir=job.folder, quantization_config=settings
    )


def load_optimum(job: Job, file: str) -> Encode:
    """Optimum has no pooling and no batches: mean by numpy, and the 32 of sentence-transformers."""
    import numpy as np
    from optimum.onnxruntime import ORTModelForFeatureExtraction
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job.folder)
    network = ORTModelForFeatureExtraction.from_pretrained(job.folder, file_name=file)

    def batch(texts: list[str]):
        inputs = tokenizer(
            texts, padding=True, truncation=True, max_length=256, return_tensors="np"
        )
        hidden = network(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None]
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def encode(texts: list[str] | str):
        if isinstance(texts, str):
            return batch([texts])[0]
        return np.concatenate([batch(texts[i : i + 32]) for i in range(0, len(texts), 32)])

    return encode


def prepare_fastembed(job: Job) -> None:
    """Optimum's plain export, so that the network is the same, and the model's real length.

    The tokenizer_config.json of MiniLM says to cut at 128 tokens. The other sides overrule that
    with the 256 of sentence-transformers; fastembed obeys, and would do half the work on passages.
    """
    export = job.folder.parent / "optimum"
    if not export.exists():
        raise FileNotFoundError(f"{export}: make the side 'optimum' too, fastembed runs its export")
    shutil.copytree(export, job.folder, dirs_exist_ok=True)
    path = job.folder / "tokenizer_config.json"
    changes = {"max_length": 256, "model_max_length": 256}
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def load_fastembed(job: Job) -> Encode:
    import numpy as np
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="local/minilm",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/minilm"),
        dim=384,
        model_file="model.onnx",
    )
    made = TextEmbedding("local/minilm", specific_model_path=str(job.folder))

    def encode(texts: list[str] | str):
        if isinstance(texts, str):
            return next(iter(made.embed([texts])))
        return np.stack(list(made.embed(texts)))

    return encode


def prepare_openvino(job: Job) -> None:
    sentence_transformer(job.model, backend="openvino").save_pretrained(str(job.folder))


def load_openvino(job: Job, precision: str) -> Encode:
    options = {"ov_config": {"INFERENCE_PRECISION_HINT": precision}}
    return sentence_transformer(job.folder, backend="openvino", model_kwargs=options).encode


def prepare_openvino_int8(job: Job) -> None:
    """Static int8 by NNCF, calibrated on the benchmark's kind of texts."""
    import nncf
    import openvino as ov

    prepare_openvino(job)
    tokenizer = sentence_transformer(job.folder, backend="openvino").tokenizer
    graph = ov.Core().read_model(job.folder / "openvino" / "openvino_model.xml")
    inputs = {value.any_name for value in graph.inputs}
    tokens = [tokenizer(text, truncation=True, return_tensors="np") for text in job.calibration]
    data = nncf.Dataset([{k: v for k, v in one.items() if k in inputs} for one in tokens])
    small = nncf.quantize(
        graph, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(tokens)
    )
    ov.save_model(small, job.folder / OPENVINO_INT8)


def load_openvino_int8(job: Job) -> Encode:
    """With no precision hint: what is not int8 runs as OpenVINO sees fit."""
    options = {"file_name": OPENVINO_INT8}
    return sentence_transformer(job.folder, backend="openvino", model_kwargs=options).encode


def prepare_model2vec(job: Job) -> None:
    from model2vec.distill import distill

    distill(model_name=str(job.model)).save_pretrained(job.folder)


def load_model2vec(job: Job) -> Encode:
    from model2vec import StaticModel

    return StaticModel.from_pretrained(job.folder).encode
