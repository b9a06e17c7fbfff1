"""Runs the tests that CI skips, because they compare with packages that the tests do not need.

Makes by pip, in a folder that it keeps, an environment for each set of packages that fit each
other: torchvision, which needs a torch of its own (6 GB), timm, open_clip, gensim, peft, model2vec
and sentencepiece with the transformers of the environment that runs this; and Optimum, which needs
transformers 4.57, with its torch. The figures are the versions, and how many tests passed, failed
and were skipped.
"""

import argparse
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.common.results_file import write_results

ROOT = Path(__file__).parents[2]
_TOOLS = ("pytest", "hypothesis")
_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What is installed, and the tests that need it; `packages` are those whose version counts."""

    extras: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    tests: tuple[str, ...]


ENVIRONMENTS = {
    "packages": Environment(
        extras="convert,image,cli",
        requirements=(
            f"transformers=={version('transformers')}",
            "torchvision", "timm", "open-clip-torch", "gensim", "peft", "sentencepiece", "protobuf",
            "model2vec",
        ),
        packages=(
            "torch", "torchvision", "timm", "open-clip-torch", "gensim", "peft", "sentencepiece",
            "model2vec", "transformers", "sentence-transformers",
        ),
        tests=(
            "tests/converters/sources/images/test_timm_and_open_clip.py",
            "tests/converters/sources/test_adapters.py",
            "tests/converters/sources/test_static_embedding.py",
            "tests/converters/word_vectors/test_beside_gensim.py",
            "tests/runtime/inputs/image/test_preprocess.py",
        ),
    ),
    "optimum": Environment(
        extras="optimum,image,cli",
        requirements=(f"torch=={version('torch')}",),
        packages=("torch", "optimum", "optimum-onnx", "transformers", "sentence-transformers"),
        tests=("tests/converters/export/test_optimum.py",),
    ),
}  # fmt: skip


def make(environment: Environment, folder: Path) -> Path:
    """The interpreter of an environment, which is made unless it is there."""
    python = folder / "bin" / "python"
    made = folder / "made"
    if not made.exists():
        print("environment:", folder.name, flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "-q", *_TOOLS, *environment.requirements]
        subprocess.run([*install, "-e", f"{ROOT}[{environment.extras}]"], check=True)
        made.touch()
    return python


def run(environment: Environment, folder: Path) -> dict[str, Any]:
    """The versions and the outcomes of the tests."""
    python = make(environment, folder)
    result = folder / "junit.xml"
    result.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", f"--junit-xml={result}"]
    subprocess.run([python, "-m", "pytest", *options, *environment.tests], cwd=ROOT, check=False)
    return {"versions": versions(python, environment.packages), **outcomes(result)}


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    done = subprocess.run([python, "-c", _VERSIONS, *packages], capture_output=True, check=True)
    return json.loads(done.stdout)


def outcomes(result: Path) -> dict[str, Any]:
    """From pytest's own report: counts, and the names of what failed or was skipped."""
    named: dict[str, list[str]] = {"passed": [], "skipped": [], "failed": []}
    for case in ElementTree.parse(result).iter("testcase"):
        found = [child.tag for child in case]
        failed = "failure" in found or "error" in found
        outcome = "failed" if failed else "skipped" if "skipped" in found else "passed"
        named[outcome].append(f"{case.get('classname')}::{case.get('name')}")
    counts = {outcome: len(names) for outcome, names in named.items()}
    return {**counts, "names": {each: named[each] for each in ("skipped", "failed") if named[each]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder of the environments, kept for another run")
    parser.add_argument("--only", nargs="*", choices=ENVIRONMENTS, default=list(ENVIRONMENTS))
    options = parser.parse_args()
    figures = {name: run(ENVIRONMENTS[name], options.work / name) for name in options.only}
    for name, found in figures.items():
        print(name, {key: found[key] for key in ("passed", "skipped", "failed")}, flush=True)
    print("written:", write_results("skipped-tests", {"environments": figures}))
    if any(found["failed"] for found in figures.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
