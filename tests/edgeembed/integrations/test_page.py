"""The examples of docs/how-to/integrations.md run, each where its library is installed."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "integrations.md"
NEEDS = {
    "sentence-transformers": "sentence_transformers.sentence_transformer",
    "LangChain": "langchain_core",
    "LlamaIndex": "llama_index.core",
    "scikit-learn": "sklearn",
    "Haystack": "haystack",
    "Chroma": "chromadb",
}


def examples():
    """The Python of each section, by its heading."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.partition("\n")[0]: "\n".join(
            re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        )
        for section in sections
    }


def test_every_example_is_run_here():
    assert {name for name, code in examples().items() if code} == set(NEEDS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("library", NEEDS)
def test_the_example_runs(library, tmp_path, monkeypatch):
    pytest.importorskip(NEEDS[library])
    monkeypatch.chdir(tmp_path)
    exec(compile(examples()[library], f"{PAGE.name}: {library}", "exec"), {})
