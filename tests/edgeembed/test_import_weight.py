"""The light runtime stays light: held in a fresh interpreter, after real use, not by reading."""

import subprocess
import sys

import pytest

ALLOWED = {"edgeembed", "edgeembed_runtime", "numpy", "onnxruntime", "tokenizers", "annoy"}

USE = """
import edgeembed
from edgeembed_runtime.index.base.settings import IndexSettings

with edgeembed.Encoder.load({bundle!r}, verify="golden") as encoder:
    assert encoder.encode("one text").shape == (16,)
    assert encoder.encode(["many", "texts"]).shape == (2, 16)
    assert len(list(encoder.encode_iter(["a", "b"]))) == 2
    assert encoder.chunk("a long text " * 50)
    assert encoder.self_test().ok
    few = IndexSettings(seal_rows=64, ann_min_rows=64, backend="annoy")
    with edgeembed.Index.create({index!r}, encoder=encoder, settings=few) as index:
        keys = [f"key {{i}}" for i in range(200)]
        texts = [f"the cat {{i}}" for i in range(200)]
        index.upsert(keys, documents=texts, metadatas=[{{"a": 1}}] * 200)
        assert index.search("cat 7", k=3, where={{"a": 1}}, exact=True)
        assert index.search("cat 7", k=3)
        assert index.search("cat", mode="hybrid")
        index.delete(keys[:100])
        index.compact()
        assert len(index.search("cat 107", k=3)) == 3
        assert index.verify().ok
        index.backup({index!r} + ".copy")
"""
WATCHED = """
import sys
before = set(sys.modules)
{use}
new = {{name: sys.modules[name] for name in set(sys.modules) - before}}
# Compiled modules of numpy register Cython's helpers, which come from no file and no package.
helpers = {{n for n, m in new.items() if "ython" in n and getattr(m, "__spec__", None) is None}}
loaded = {{name.partition(".")[0] for name in new}} - helpers
print("\\n".join(sorted(loaded - sys.stdlib_module_names)))
"""
WITHOUT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not there", name=name)

sys.meta_path.insert(0, Refuse())
for name in {names!r}:
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{{name}} was not refused")
{use}
print("done")
"""
HEAVY = ("torch", "transformers", "onnx", "onnxscript", "edgeembed_converters", "rich", "typer")
HEAVY += ("click", "platformdirs", "safetensors", "huggingface_hub", "sentence_transformers")


def fresh(code):
    """Run code in an isolated interpreter, any warning being an error."""
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def use_of(tiny_path, tmp_path):
    return USE.format(bundle=str(tiny_path), index=str(tmp_path / "some.index"))


def test_real_use_loads_nothing_outside_the_list(tiny_path, tmp_path):
    result = fresh(WATCHED.format(use=use_of(tiny_path, tmp_path)))
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert {"edgeembed", "edgeembed_runtime", "numpy", "onnxruntime", "tokenizers"} <= loaded
    assert loaded <= ALLOWED


def test_importing_edgeembed_loads_none_of_its_dependencies():
    result = fresh(WATCHED.format(use="import edgeembed"))
    assert set(result.stdout.split()) == {"edgeembed", "edgeembed_runtime"}, result.stderr


def test_an_index_of_one_s_own_vectors_loads_no_model_library(tmp_path):
    use = f"""
import edgeembed
with edgeembed.Index.create({str(tmp_path / "own.index")!r}, dim=4) as index:
    index.upsert(["a"], vectors=[[1, 0, 0, 0]])
    assert index.search([1, 0, 0, 0], k=1)[0].key == "a"
"""
    result = fresh(WATCHED.format(use=use))
    assert set(result.stdout.split()) <= {"edgeembed", "edgeembed_runtime", "numpy", "annoy"}
    assert result.returncode == 0, result.stderr


def test_real_use_works_where_the_heavy_packages_are_not_installed(tiny_path, tmp_path):
    result = fresh(WITHOUT.format(names=HEAVY, use=use_of(tiny_path, tmp_path)))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


def test_real_use_works_without_annoy(tiny_path, tmp_path):
    result = fresh(WITHOUT.format(names=("annoy",), use=use_of(tiny_path, tmp_path)))
    assert result.returncode == 0, result.stderr


IMAGE_USE = """
import edgeembed, numpy
with edgeembed.Encoder.load({bundle!r}, verify="golden") as encoder:
    assert encoder.encode_image([numpy.zeros((40, 50, 3), numpy.uint8)] * 3).shape == (3, 16)
"""


def test_images_need_pillow_and_nothing_else(tmp_path):
    pytest.importorskip("PIL")
    from helpers import tiny_images

    path = tiny_images.write_image_bundle(tmp_path / "image.bundle")
    result = fresh(WATCHED.format(use=IMAGE_USE.format(bundle=str(path))))
    assert set(result.stdout.split()) <= ALLOWED | {"PIL"}, result.stderr
    assert result.returncode == 0, result.stderr


def test_images_without_pillow_name_the_extra(tmp_path):
    pytest.importorskip("PIL")
    from helpers import tiny_images

    path = tiny_images.write_image_bundle(tmp_path / "image.bundle")
    use = f"""
import edgeembed
with edgeembed.Encoder.load({str(path)!r}) as encoder:
    try:
        encoder.encode_image("a.jpg")
    except edgeembed.EdgeEmbedError as error:
        assert "pip install 'edgeembed[image]'" in str(error), error
    else:
        raise SystemExit("no error")
"""
    result = fresh(WITHOUT.format(names=("PIL",), use=use))
    assert result.returncode == 0, result.stderr


def test_loading_and_encoding_open_no_socket_and_start_no_process(tiny_path):
    watching = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event))
import edgeembed
edgeembed.Encoder.load({bundle!r}).encode(["a", "b"])
wrong = [e for e in seen if e.startswith(("socket.", "subprocess.", "urllib.", "os.system"))]
print(wrong)
"""
    result = fresh(watching.format(bundle=str(tiny_path)))
    assert (result.returncode, result.stdout) == (0, "[]\n"), result.stderr


def test_a_progress_bar_without_rich_names_the_extra(tiny_path):
    use = f"""
import edgeembed
encoder = edgeembed.Encoder.load({str(tiny_path)!r})
try:
    encoder.encode(["a"], show_progress_bar=True)
except edgeembed.EdgeEmbedError as error:
    assert "pip install 'edgeembed[cli]'" in str(error), error
else:
    raise SystemExit("no error")
"""
    result = fresh(WITHOUT.format(names=("rich",), use=use))
    assert result.returncode == 0, result.stderr


def test_the_command_without_its_extra_says_how_to_install_it():
    use = "import edgeembed.cli; edgeembed.cli.main()"
    result = fresh(WITHOUT.format(names=("typer", "rich"), use=use))
    assert result.returncode == 1
    assert result.stderr == (
        "edgeembed: the command line needs the extra 'cli'. Run: pip install 'edgeembed[cli]'\n"
    )
