"""Which rows of a block have which docids."""

import numpy as np
import pytest

from edgeembed_runtime.index.vectors.block import Rows


def block(ids):
    size = len(ids)
    return Rows(
        ids=np.array(ids, np.int64),
        vectors=np.zeros((size, 2), np.float32),
        alive=np.ones(size, np.bool_),
    )


@pytest.mark.parametrize("ids", [[], [7], [3, 4, 5, 6], [3, 5, 6, 11], [0, 1, 2, 9]])
def test_the_positions_of_docids_that_are_there_in_their_order(ids):
    rng = np.random.default_rng(0)
    for _ in range(200):
        asked = rng.integers(-2, 14, size=rng.integers(0, 9)).astype(np.int64)
        found = block(ids).positions_of(asked)
        assert found.dtype == np.intp
        assert found.tolist() == [ids.index(docid) for docid in asked.tolist() if docid in ids]
