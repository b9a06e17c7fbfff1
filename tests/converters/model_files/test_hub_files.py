"""Which files of a model on the Hub are downloaded, from a Hub of the tests' own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.local_hub import served

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.slow
_DOWNLOAD = """
import json, sys
from edgeembed_converters.model_files.hub import download_model
directory, commit = download_model(sys.argv[1], None, trust_remote_code=sys.argv[2] == "True")
files = sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())
print(json.dumps(files))
"""


def made(root, *names, **texts):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(texts.get(Path(name).stem, json.dumps({"of": str(root / name)})))
    return root


def downloaded(models, cache, trust_remote_code=False):
    """The files of the first model that arrived, and all that were asked for."""
    with served(models) as (address, asked):
        environment = {
            **{name: value for name, value in os.environ.items() if "HF_" not in name},
            "HF_ENDPOINT": address,
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        # The Hub's address and cache are read when its library is imported.
        done = subprocess.run(
            [sys.executable, "-c", _DOWNLOAD, next(iter(models)), str(trust_remote_code)],
            env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout)), set(asked)


_PLAIN = ("config.json", "tokenizer.json", "README.md", "LICENSE")
_SENTENCE = (*_PLAIN, "modules.json", "1_Pooling/config.json", "2_Dense/config.json")


def test_code_comes_only_if_it_is_trusted(tmp_path):
    config = json.dumps({"auto_map": {"AutoModel": "some/code--modeling.Model"}})
    names = (*_PLAIN, "model.safetensors", "own.py", "sub/more.py")
    models = {
        "some/model": made(tmp_path / "model", *names, config=config),
        "some/code": made(tmp_path / "code", "modeling.py", "config.json", "model.safetensors"),
    }
    files, asked = downloaded(models, tmp_path / "cache")
    assert files == {*_PLAIN, "model.safetensors"}
    assert not {name for name in asked if name.endswith(".py")}
    files, asked = downloaded(models, tmp_path / "cache", trust_remote_code=True)
    assert files == {*_PLAIN, "model.safetensors", "own.py", "sub/more.py"}
    assert {"some/code/modeling.py", "some/code/config.json"} <= asked
    assert "some/code/model.safetensors" not in asked


@pytest.mark.parametrize(
    ("weights", "others"),
    [
        (("model.safetensors", "2_Dense/pytorch_model.bin"), ("onnx/model.onnx", "tf_model.h5")),
        (("pytorch_model.bin", "2_Dense/model.safetensors"), ("training_args.bin", "x.gguf")),
        (("pytorch_model.bin", "2_Dense/pytorch_model.bin"), ("rust_model.ot",)),
    ],
)
def test_weights_of_both_formats_are_mixed(weights, others, tmp_path):
    model = made(tmp_path / "model", *_SENTENCE, *weights, *others)
    files, _ = downloaded({"some/model": model}, tmp_path / "cache")
    assert files == {*_SENTENCE, *weights}


def test_templates_vocabularies_and_adapters_come_along(tmp_path):
    names = (
        "config.json", "model.safetensors", "chat_template.jinja", "spm.model", "qwen.tiktoken",
        "adapter_config.json", "adapter_model.safetensors",
    )  # fmt: skip
    adapter = json.dumps({"base_model_name_or_path": "some/base"})
    models = {
        "some/model": made(tmp_path / "model", *names, adapter_config=adapter),
        "some/base": made(tmp_path / "base", *_PLAIN, "model.safetensors"),
    }
    files, asked = downloaded(models, tmp_path / "cache")
    assert files == set(names)
    assert {"some/base/config.json", "some/base/model.safetensors"} <= asked
