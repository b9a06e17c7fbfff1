"""Notebooks: cells without what they gave."""

import base64
import json
import os

import pytest

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from helpers.readers.reading import read_bytes

PICTURE = base64.b64encode(os.urandom(9000)).decode()
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Boilers\n", "They heat.\n", "\n", "## Cost\n"]},
        {
            "cell_type": "code",
            "source": "import matplotlib\n",
            "outputs": [{"output_type": "display_data", "data": {"image/png": PICTURE}}],
        },
        {"cell_type": "markdown", "source": "# Pumps\n\nThey pump."},
        {"cell_type": "code", "source": []},
        {"cell_type": "raw", "source": "raw"},
    ],
    "metadata": {"kernelspec": {"language": "python"}, "title": "Heating"},
    "nbformat": 4,
}


def test_cells_are_texts_under_the_headings_before_them(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.ipynb", json.dumps(NOTEBOOK))
    assert remarks == []
    assert [(block.place["cell"], block.headings) for block in blocks] == [
        (1, ()),
        (2, ("Boilers", "Cost")),
        (3, ()),
        (5, ("Pumps",)),
    ]
    assert {block.title for block in blocks} == {"Heating"}
    assert blocks[1].metadata == {"language": "python"}
    assert PICTURE[:50] not in "".join(block.text for block in blocks)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '"x"'], ids=["{", "[]", "deep", "text"])
def test_what_is_no_notebook_is_told(tmp_path, text):
    with pytest.raises(SkippedError) as caught:
        read_bytes(tmp_path, "a.ipynb", text)
    assert caught.value.reason == Reason.DAMAGED


def test_a_notebook_with_odd_parts_is_read(tmp_path):
    cells = [None, 5, {"source": [1, "x"]}, {"cell_type": "markdown"}, {"source": {"a": 1}}]
    tree = {"cells": cells, "metadata": [1], "worksheets": [3, {"cells": [{"input": "old"}]}]}
    blocks, _ = read_bytes(tmp_path, "a.ipynb", json.dumps(tree))
    assert [block.text for block in blocks] == ["x", "old"]
