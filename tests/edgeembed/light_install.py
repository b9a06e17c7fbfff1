"""Run by CI in an environment that has the wheel and its dependencies only: no extras, no checkout.

Usage: python -I light_install.py BUNDLE
"""

import importlib.util
import sys
import tempfile

ABSENT = (
    "torch",
    "transformers",
    "onnx",
    "annoy",
    "faiss",
    "usearch",
    "typer",
    "rich",
    "runtime",
    "converters",
)


def main() -> None:
    present = [name for name in ABSENT if importlib.util.find_spec(name)]
    assert not present, f"expected none of these, found {present}"
    from edgeembed import Encoder, Index

    with tempfile.TemporaryDirectory() as folder, Encoder.load(sys.argv[1]) as encoder:
        assert encoder.self_test().ok
        with Index.create(f"{folder}/light.index", encoder=encoder) as index:
            index.upsert(["a", "b"], documents=["first text", "second text"])
            assert index.search("first text", k=1)[0].key == "a"
    for name in (None, "default", "static"):  # the bundles that are in the wheel
        with Encoder.load(name, verify="golden") as encoder:
            assert encoder.encode(["a text", "another"]).shape == (2, encoder.dim)
    print("the light install encodes and searches, with the packaged bundles too")


if __name__ == "__main__":
    main()
