"""What the files at the root say of the code is so."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = (
    ROOT,
    ROOT / "runtime" / "edgeembed_runtime",
    ROOT / "converters" / "edgeembed_converters",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "RELEASING.md", "docs/security.md"])
def test_every_path_that_is_named_exists(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:edgeembed_runtime/)?([\w/]+(?:/|\.(?:py|md|toml|yml)))`", text))
    assert named
    missing = {path for path in named if not any((place / path).exists() for place in PLACES)}
    assert missing - {"release.yml"} == set()


def test_the_floors_of_the_security_policy_are_those_of_the_package():
    text = " ".join((ROOT / "docs/security.md").read_text(encoding="utf-8").split())
    extras = PROJECT["project"]["optional-dependencies"]
    required = [*PROJECT["project"]["dependencies"], *extras["convert"], *extras["image"]]
    floors = dict(re.findall(r"(onnxruntime|onnx|torch|pillow) >= ([\d.]+\d)", text))
    assert set(floors) == {"onnxruntime", "onnx", "torch", "pillow"}
    for package, version in floors.items():
        assert f"{package}>={version}" in required


def test_every_tool_that_ci_runs_is_pinned():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    extras = PROJECT["project"]["optional-dependencies"]
    for requirement in (*extras["dev"], *extras["test"]):
        package = re.split(r"[>=\[]", requirement)[0]
        assert package == "edgeembed" or f"\n{package}==" in pins, package
