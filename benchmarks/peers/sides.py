"""The peers, each as its documentation says to use it, with its defaults.

Runs in every peer's own environment: imports nothing but what that one has. `prepare` makes what a
side needs once, in its folder; `load` returns a function from a list of texts, or one text, to
vectors.
"""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

Encode = Callable[[list[str] | str], object]


def _sentence_transformer(model: Path, **options) -> Encode:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model), **options).encode


class SentenceTransformersTorch:
    env = "current"

    @staticmethod
    def prepare(model: Path, folder: Path, texts: list[str]) -> None:
        pass

    @staticmethod
    def load(model: Path, folder: Path) -> Encode:
        return _sentence_transformer(model)


class SentenceTransformersOnnx:
    env = "onnx"

    @staticmethod
    def prepare(model: Path, folder: Path, texts: list[str]) -> None:
        from sentence_transformers import SentenceTransformer

        SentenceTransformer(str(model), backend="onnx").save_pretrained(str(folder))

    @staticmethod
    def load(model: Path, folder: Path) -> Encode:
        return _sentence_transformer(folder, backend="onnx")


class SentenceTransformersOnnxInt8(SentenceTransformersOnnx):
    @staticmethod
    def prepare(model: Path, folder: Path, texts: list[str]) -> None:
        from sentence_transformers import (
            SentenceTransformer,
            export_dynamic_quantized_onnx_model,
        )

        SentenceTransformersOnnx.prepare(model, folder, texts)
        made = SentenceTransformer(str(folder), backend="onnx")
        export_dynamic_quantized_onnx_model(made, "avx512_vnni", str(folder))

    @staticmethod
    def load(model: Path, folder: Path) -> Encode:
        file = "onnx/model_qint8_avx512_vnni.onnx"
        return _sentence_transformer(folder, backend="onnx", model_kwargs={"file_name": file})


class Optimum:
    env = "onnx"

    @staticmethod
    def prepare(model: Path, folder: Path, texts: list[str]) -> None:
        from optimum.onnxruntime import ORTModelForFeatureExtraction
        from transformers import AutoTokenizer

        ORTModelForFeatureExtraction.from_pretrained(model, export=True).save_pretrained(folder)
        AutoTokenizer.from_pretrained(model).save_pretrained(folder)

    @staticmethod
    def load(model: Path, folder: Path) -> Encode:
        import numpy as np
        from optimum.onnxruntime import ORTModelForFeatureExtraction
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        network = ORTModelForFeatureExtraction.from_pretrained(folder)

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


class Fastembed:
    env = "fastembed"

    @staticmethod
    def prepare(model: Path, folder: Path, texts: list[str]) -> None:
        """Takes the export of the ONNX backend, and cuts texts where the model's card says."""
        shutil.copytree(folder.parent / "sentence-transformers-onnx", folder, dirs_exist_ok=True)
        path = folder / "tokenizer_config.json"
        settings = json.loads(path.read_text())
        path.write_text(json.dumps({**settings, "max_length": 256, "model_max_length": 256}))

    @staticmethod
    def load(model: Path, folder: Path) -> Encode:
        import numpy as np
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType

        TextEmbedding.add_custom_model(
            model="local/minilm",
            pooling=PoolingType.MEAN,
            normalization=True,
            sources=ModelSource(hf="local/minilm"),
            dim=384,
            model_file="onnx/model.onnx",
        )
        made = TextEmbedding("local/minilm", specific_model_path=str(folder))

        def encode(texts: list[str] | str):
            if isinstance(texts, str):
                return next(iter(made.embed([texts])))
            return np.stack(list(made.embed(texts)))

        return encode


class OpenVino:
    env = "openvino"
    precision = "f32"

    @classmethod
    def prepare(cls, model: Path, folder: Path, texts: list[str]) -> None:
        from sentence_transformers import SentenceTransformer

        SentenceTransformer(str(model), backend="openvino").save_pretrained(str(folder))

    @classmethod
    def load(cls, model: Path, folder: Path) -> Encode:
        options = {"ov_config": {"INFERENCE_PRECISION_HINT": cls.precision}}
        return _sentence_transformer(folder, backend="openvino", model_kwargs=options)


class OpenVinoBf16(OpenVino):
    precision = "bf16"


class OpenVinoInt8(OpenVino):
    """Static int8 by NNCF, calibrated on the benchmark's kind of texts."""

    @classmethod
    def prepare(cls, model: Path, folder: Path, texts: list[str]) -> None:
        import nncf
        import openvino as ov
        from sentence_transformers import SentenceTransformer

        super().prepare(model, folder, texts)
        made = SentenceTransformer(str(folder), backend="openvino")
        core = ov.Core()
        graph = core.read_model(folder / "openvino" / "openvino_model.xml")
        inputs = {value.any_name for value in graph.inputs}
        tokens = [made.tokenizer(text, truncation=True, return_tensors="np") for text in texts]
        data = nncf.Dataset([{k: v for k, v in one.items() if k in inputs} for one in tokens])
        small = nncf.quantize(graph, data, model_type=nncf.ModelType.TRANSFORMER)
        ov.save_model(small, folder / "openvino" / "openvino_model_int8.xml")

    @classmethod
    def load(cls, model: Path, folder: Path) -> Encode:
        options = {
            "file_name": "openvino/openvino_model_int8.xml",
            "ov_config": {"INFERENCE_PRECISION_HINT": "f32"},
        }
        return _sentence_transformer(folder, backend="openvino", model_kwargs=options)


class Model2Vec:
    """Another, weaker kind of model: a table of token vectors distilled from MiniLM."""

    env = "model2vec"

    @staticmethod
    def prepare(model: Path, folder: Path, texts: list[str]) -> None:
        from model2vec.distill import distill

        distill(model_name=str(model)).save_pretrained(folder)

    @staticmethod
    def load(model: Path, folder: Path) -> Encode:
        from model2vec import StaticModel

        return StaticModel.from_pretrained(folder).encode


class EdgeEmbed:
    env = "current"
    variant = "fp32"

    @classmethod
    def prepare(cls, model: Path, folder: Path, texts: list[str]) -> None:
        pass

    @classmethod
    def load(cls, model: Path, folder: Path) -> Encode:
        from edgeembed import Encoder

        bundle = folder.parent / "all-MiniLM-L6-v2.bundle"
        return Encoder.load(bundle, variant=cls.variant).encode


class EdgeEmbedInt8(EdgeEmbed):
    variant = "int8"


SIDES = {
    "sentence-transformers": SentenceTransformersTorch,
    "edgeembed-int8": EdgeEmbedInt8,
    "edgeembed-fp32": EdgeEmbed,
    "sentence-transformers-onnx": SentenceTransformersOnnx,
    "sentence-transformers-onnx-int8": SentenceTransformersOnnxInt8,
    "fastembed": Fastembed,
    "optimum": Optimum,
    "openvino-fp32": OpenVino,
    "openvino-bf16": OpenVinoBf16,
    "openvino-int8": OpenVinoInt8,
    "model2vec": Model2Vec,
}
PACKAGES = (
    "edgeembed",
    "fastembed",
    "model2vec",
    "nncf",
    "numpy",
    "onnxruntime",
    "openvino",
    "optimum",
    "optimum-intel",
    "optimum-onnx",
    "sentence-transformers",
    "torch",
    "transformers",
)


def versions() -> dict[str, str]:
    """The versions of what this environment has of the packages that matter."""
    metadata = importlib.import_module("importlib.metadata")
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
