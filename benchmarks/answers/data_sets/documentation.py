"""Documentation that this machine has: Python's functions, and descriptions of its packages.

It depends on the versions installed, so figures are comparable within one run only.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata

from benchmarks.answers.data_sets.data_set import DataSet, Document, file_of
from benchmarks.answers.data_sets.documentation_questions import PACKAGES, STANDARD_LIBRARY
from edgeembed.demo.stdlib_docs import stdlib_functions

# What the extra `test` installs; asked of no index, and left out where it is missing.
_DESCRIBED = (
    "annotated-types", "anyio", "attrs", "bm25s", "certifi", "charset-normalizer", "click",
    "cloudpickle", "codespell", "coverage", "dill", "filelock", "fonttools", "fsspec", "h11",
    "huggingface-hub", "hypothesis", "idna", "ImageIO", "Jinja2", "joblib", "jsonschema",
    "Markdown", "MarkupSafe", "matplotlib", "mpmath", "narwhals", "networkx", "numpy", "onnx",
    "onnxruntime", "packaging", "pandas", "pathspec", "pillow", "platformdirs", "plotly",
    "pluggy", "protobuf", "pyarrow", "pytest", "python-dateutil", "PyYAML", "regex", "requests",
    "rich", "safetensors", "scikit-image", "scikit-learn", "scipy", "sentence-transformers",
    "setuptools", "shellingham", "sortedcontainers", "sympy", "threadpoolctl", "tifffile",
    "tokenizers", "torch", "tqdm", "transformers", "typer", "urllib3", "watchfiles", "wcwidth",
    "xxhash",
)  # fmt: skip
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,4} +(.+?) *#*$|^(\S.*)\n[=~\-]{3,}$", re.MULTILINE)


def documentation() -> DataSet:
    """One file per module and per package; a function or a part under a heading is a section."""
    documents = (*_modules(), *_packages())
    texts = {s.key: d.text[s.start : s.end].lower() for d in documents for s in d.sections}
    queries, gains = {}, {}
    for question, names in STANDARD_LIBRARY:
        queries[question] = question
        gains[question] = {name: 1.0 for name in names.split() if name in texts}
    for question, package, words in PACKAGES:
        queries[question] = question
        inside = [
            key
            for key, text in texts.items()
            if key.startswith(f"{package}:") and words.lower() in " ".join(text.split())
        ]
        gains.setdefault(question, {}).update(dict.fromkeys(inside, 1.0))
    known = [question for question in queries if gains[question]]
    return DataSet(
        name="documentation",
        kind="files",
        documents=documents,
        queries={question: queries[question] for question in known},
        gains={question: gains[question] for question in known},
    )


def _modules() -> Iterator[Document]:
    parts: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for function in stdlib_functions():
        text = function.text.removeprefix(f"{function.name}: ")
        parts[function.module].append((function.name, function.name, text))
    for module, functions in parts.items():
        yield file_of(f"python/{module}.md", functions, headings=True)


def _packages() -> Iterator[Document]:
    for package in _DESCRIBED:
        try:
            text = str(metadata(package).json.get("description", ""))
        except PackageNotFoundError:
            continue
        parts = [
            (f"{package}:{number}", title, body)
            for number, (title, body) in enumerate(_parts(text, package))
        ]
        if parts:
            yield file_of(f"packages/{package}.md", parts, headings=True)


def _parts(text: str, package: str) -> Iterator[tuple[str, str]]:
    """(heading, text) of each part of a description; what is before the first has its name."""
    # Comments in code are no headings.
    prose = _CODE.sub(lambda code: " " * len(code.group()), text)
    title, position = package, 0
    for heading in _HEADING.finditer(prose):
        if body := text[position : heading.start()].strip():
            yield title, body
        title, position = heading.group(1) or heading.group(2), heading.end()
    if body := text[position:].strip():
        yield title, body
