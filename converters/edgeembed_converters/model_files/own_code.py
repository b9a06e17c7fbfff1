"""What a model needs from others before it can be loaded: trust in its code, and packages."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.model_files.files import opened_file, read_json
from edgeembed_converters.model_files.vocabulary_files import PIECES
from edgeembed_runtime.errors import ConversionError, MissingExtraError, UnsupportedModelError

# The files in which transformers looks for auto_map, and the classes that encoding texts asks for.
_CONFIGS = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)
_CLASSES = frozenset({
    "AutoConfig", "AutoModel", "AutoTokenizer", "AutoProcessor", "AutoImageProcessor",
    "AutoFeatureExtractor", "AutoVideoProcessor",
})  # fmt: skip
_OWN_MODULES = "sentence_transformers."
# How the files of SentencePiece begin: with a field of protobuf.
_PROTOBUF = b"\n"
# Adapters that transformers cannot load into a model.
_PROMPT_LEARNING = frozenset({
    "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "ADAPTION_PROMPT",
    "CPT", "CARTRIDGE",
})  # fmt: skip
# By quant_method: the module that must be there, and what to install.
_QUANTIZERS = {
    "bitsandbytes": ("bitsandbytes", "bitsandbytes accelerate"),
    "gptq": ("gptqmodel", "gptqmodel optimum accelerate"),
    "awq": ("gptqmodel", "gptqmodel accelerate"),
    "aqlm": ("aqlm", "'aqlm[cpu]' accelerate"),
    "quanto": ("optimum.quanto", "optimum-quanto accelerate"),
    "eetq": ("kernels", "kernels accelerate"),
    "hqq": ("hqq", "hqq accelerate"),
    "higgs": ("flute", "flute-kernel fast_hadamard_transform accelerate"),
    "compressed-tensors": ("compressed_tensors", "compressed-tensors"),
    "torchao": ("torchao", "torchao"),
    "vptq": ("vptq", "vptq accelerate"),
    "spqr": ("spqr_quant", "'spqr_quant[gpu]' accelerate"),
    "quark": ("quark", "amd-quark"),
    "auto-round": ("auto_round", "auto-round"),
    "fp8": ("accelerate", "accelerate"),
    "fbgemm_fp8": ("fbgemm_gpu", "fbgemm-gpu accelerate"),
    "bitnet": ("accelerate", "accelerate"),
    "mxfp4": ("kernels", "kernels accelerate triton"),
    "fp_quant": ("fp_quant", "fp_quant"),
    "sinq": ("sinq", "sinq"),
    "gguf": ("gguf", "gguf"),
}


def check_code(directory: Path, folder: Path, types: Sequence[str], *, trusted: bool) -> None:
    """Refuse a model that brings code of its own, unless it is trusted and there.

    Args:
        directory: of the whole model.
        folder: of the transformers model in it.
        types: those of modules.json.
        trusted: trust_remote_code.

    Raises:
        UnsupportedModelError: it needs code that is not trusted.
        ConversionError: the code is trusted, but its file is not there.
    """
    for kind in types:
        if not kind.startswith(_OWN_MODULES):
            where = f"{directory / 'modules.json'}: type"
            _check_class(where, kind, directory, trusted, "")
    places = dict.fromkeys((folder, directory))
    for path in (place / name for place in places for name in _CONFIGS):
        for auto, reference in auto_map(path):
            if auto not in _CLASSES:
                continue
            remedy = "; where the stock class is really meant, take auto_map out of the file"
            _check_class(f"{path}: auto_map: {auto}", reference, path.parent, trusted, remedy)


def check_packages(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse adapters, vocabularies and quantized weights whose package is not installed.

    Raises:
        MissingExtraError: a package is missing; the message says how to install it.
        UnsupportedModelError: an adapter that puts vectors before the tokens', or nobody knows
            this kind of quantization.
    """
    _check_adapter(folder / "adapter_config.json")
    _check_vocabulary_packages(folder)
    settings = config.get("quantization_config") or config.get("compression_config")
    if not isinstance(settings, dict):
        return
    method = _method(cast(Mapping[str, Any], settings))
    if method not in _QUANTIZERS:
        raise UnsupportedModelError(
            f"{folder / 'config.json'}: quantization_config: unknown quant_method {method!r:.80}; "
            "convert the model that it was made from"
        )
    module, packages = _QUANTIZERS[method]
    if not _installed(module):
        raise MissingExtraError(
            f"{folder / 'config.json'}: weights quantized by {method} need the package "
            f"{module.partition('.')[0]}. Run: pip install {packages}; or convert the model that "
            "it was made from"
        )


def _check_adapter(path: Path) -> None:
    if not path.is_file():
        return
    kind = read_json(path).get("peft_type")
    if kind in _PROMPT_LEARNING:
        raise UnsupportedModelError(
            f"{path}: peft_type {kind}: learned vectors before the tokens' cannot be merged into "
            "the model's weights; expected an adapter that can, such as LORA"
        )
    if find_spec("peft") is None:
        raise MissingExtraError(f"{path}: an adapter needs the package peft. Run: pip install peft")


def _check_vocabulary_packages(folder: Path) -> None:
    """A vocabulary of SentencePiece or tiktoken needs these packages, but for tokenizer.json."""
    if (folder / "tokenizer.json").is_file():
        return
    for path in (folder / name for name in PIECES if (folder / name).is_file()):
        with opened_file(path) as file:
            pieces = file.read(1) == _PROTOBUF
        needed = {"sentencepiece": "sentencepiece", "google.protobuf": "protobuf"}
        missing = [
            package
            for module, package in (needed if pieces else {"tiktoken": "tiktoken"}).items()
            if not _installed(module)
        ]
        if missing:
            raise MissingExtraError(
                f"{path}: reading this vocabulary needs {' and '.join(missing)}. "
                f"Run: pip install {' '.join(missing)}"
            )


def _method(settings: Mapping[str, Any]) -> str:
    if settings.get("load_in_8bit") or settings.get("load_in_4bit"):
        return "bitsandbytes"
    return str(settings.get("quant_method"))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of its parent
        return False


def auto_map(path: Path) -> Iterator[tuple[str, str]]:
    """The classes that a file takes from code of the model: ("AutoModel", "modeling_x.Model")."""
    classes = read_json(path).get("auto_map")
    if isinstance(classes, list):  # a tokenizer's, as older versions wrote it
        classes = {"AutoTokenizer": classes}
    if not isinstance(classes, dict):
        return
    for auto, references in cast(dict[str, Any], classes).items():
        for each in references if isinstance(references, list) else [references]:
            if isinstance(each, str):
                yield auto, each


def _check_class(where: str, reference: str, folder: Path, trusted: bool, remedy: str) -> None:
    elsewhere, _, dotted = reference.rpartition("--")
    file = f"{dotted.split('.')[0]}.py"
    if not trusted:
        origin = f"the Hub's {elsewhere}" if elsewhere else "the model"
        raise UnsupportedModelError(
            f"{where} is {dotted}, code in {file} of {origin}; read it, and pass "
            f"trust_remote_code=True to run it{remedy}"
        )
    if not elsewhere and not (folder / file).is_file() and find_spec(dotted.split(".")[0]) is None:
        raise ConversionError(
            f"{where} is {dotted}, but there is no {file}; download the model again, with its *.py"
        )
