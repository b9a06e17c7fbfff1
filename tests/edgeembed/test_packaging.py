"""What the package promises of itself: its names, its dependencies, its import packages."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import edgeembed
import edgeembed_runtime.errors
from edgeembed_runtime.version import __version__

ROOT = Path(__file__).parents[2]


def test_the_version_is_the_installed_one():
    assert edgeembed.__version__ == __version__ == importlib.metadata.version("edgeembed")


def test_the_light_runtime_needs_three_packages_and_no_more():
    required = importlib.metadata.requires("edgeembed")
    base = sorted(line for line in required if "extra ==" not in line)
    assert base == ["numpy>=2.0", "onnxruntime>=1.24.3", "tokenizers>=0.21"]


def test_every_error_has_the_one_base_and_stands_in_the_drawn_tree():
    module = edgeembed_runtime.errors
    errors = [value for value in vars(module).values() if isinstance(value, type)]
    assert len(errors) > 20
    for error in errors:
        assert issubclass(error, edgeembed.EdgeEmbedError | Warning)
        assert re.search(rf"\b{error.__name__}\b", module.__doc__ or "")


def imports_of(package):
    """(file, module) of every import in a package, at any depth of a function."""
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, node.module


def test_arrows_point_downwards_only():
    runtime = ROOT / "runtime" / "edgeembed_runtime"
    refused = {"edgeembed", "edgeembed_converters", "torch", "transformers", "onnx"}
    found = [(p, m) for p, m in imports_of(runtime) if m.partition(".")[0] in refused]
    assert found == []
    converters = ROOT / "converters" / "edgeembed_converters"
    assert [(p, m) for p, m in imports_of(converters) if m.partition(".")[0] == "edgeembed"] == []


def test_the_wheel_has_three_import_packages_and_the_folders_are_none():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(Path(p).name for p in packages) == [
        "edgeembed",
        "edgeembed_converters",
        "edgeembed_runtime",
    ]
    for package in packages:
        assert (ROOT / package / "py.typed").is_file()
    assert not (ROOT / "runtime" / "__init__.py").exists()
    assert not (ROOT / "converters" / "__init__.py").exists()
