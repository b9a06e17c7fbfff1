"""A cache that somebody has written to: what the model cannot have made is made again."""

import sqlite3
import zlib

import numpy as np
import pytest

from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.encoder import Encoder
from helpers import tiny_bundle

TEXTS = ["the cat", "a dog", "rain"]
DIM = tiny_bundle.DIM


def forge(cache, vector):
    """Put a vector in every row, under a checksum that matches."""
    cache.close()
    connection = sqlite3.connect(cache.path)
    for (key,) in connection.execute("SELECT key FROM vectors").fetchall():
        blob = vector if isinstance(vector, bytes | str) else vector.tobytes()
        crc32 = zlib.crc32(blob if isinstance(blob, bytes) else blob.encode(), zlib.crc32(key))
        connection.execute(
            "UPDATE vectors SET vector = ?, crc32 = ? WHERE key = ?", (blob, crc32, key)
        )
    connection.commit()
    connection.close()


def filled(*values):
    return np.resize(np.array(values, np.float32), DIM)


FORGED = {
    "NaN": filled(np.nan),
    "one NaN": np.append(filled(0.1)[1:], np.float32(np.nan)),
    "infinity": filled(np.inf),
    "a sum beyond float32": filled(3e38),
    "zeros": filled(0),
    "denormal": filled(1e-45),
    "not of unit length": filled(1, 2, 3),
    "almost of unit length": filled(1.01 / DIM**0.5),
    "of another length": filled(1)[:8] / np.float32(8**0.5),
    "twice as many": np.ones(2 * DIM, np.float32),
    "half floats": np.ones(DIM, np.float16),
    "doubles": np.ones(DIM, np.float64),
    "half as many doubles": np.full(DIM // 2, (2 / DIM) ** 0.5),
    "nothing": b"",
    "an odd number of bytes": b"x" * (4 * DIM - 1),
    "text": "x" * (4 * DIM),
}


@pytest.mark.parametrize("kind", FORGED)
def test_what_the_model_cannot_have_made_is_made_again(kind, cached, cache, plain):
    expected = plain.encode(TEXTS)
    assert cached.encode(TEXTS).tobytes() == expected.tobytes()
    forge(cache, FORGED[kind])
    assert cached.encode(TEXTS).tobytes() == expected.tobytes()
    assert cached.encode(TEXTS[0]).tobytes() == expected[0].tobytes()
    assert [row.tobytes() for row in cached.encode_iter(TEXTS)] == [r.tobytes() for r in expected]


def test_a_model_without_unit_length_keeps_vectors_of_any_length(tmp_path):
    path = tmp_path / "any.bundle"
    tiny_bundle.write_tiny_bundle(path, normalized=False, similarity="dot")
    cache = EmbeddingCache(tmp_path / "vectors.sqlite")
    with Encoder.load(path, cache=cache) as encoder:
        expected = encoder.encode(TEXTS)
        forge(cache, filled(np.nan))
        assert encoder.encode(TEXTS).tobytes() == expected.tobytes()
        forge(cache, filled(1, 2, 3))
        assert np.array_equal(encoder.encode(TEXTS[0]), filled(1, 2, 3))
    cache.close()
