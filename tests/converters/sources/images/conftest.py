"""Image files of every kind, and how their vectors are compared with an original's."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

_KINDS = (
    ("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGB", "png"), ("RGBA", "png"), ("P", "png"),
    ("1", "png"), ("LA", "png"), ("RGB", "webp"), ("P", "gif"), ("RGB", "jpg"), ("RGB", "jpg"),
)  # fmt: skip
_SIZES = ((60, 40), (40, 60), (33, 47), (128, 20), (20, 128), (16, 16))


def _photo(width, height, seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def image_files(tmp_path_factory):
    """A dozen files: modes, formats, shapes, and every EXIF orientation but one."""
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for number, (mode, suffix) in enumerate(_KINDS):
        image = _photo(*_SIZES[number % len(_SIZES)], number)
        alpha = image.convert("L")
        image = image.convert(mode)
        if mode in ("RGBA", "LA"):
            image.putalpha(alpha)
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        more: dict[str, Any] = {} if suffix == "gif" else {"exif": exif.tobytes()}
        paths.append(folder / f"{number:02}.{suffix}")
        image.save(paths[-1], **more)
    return paths


@pytest.fixture(scope="session")
def opened():
    """`opened(path)` is a file as transformers opens it: turned as EXIF says, in RGB."""

    def run(path):
        return ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes()))).convert("RGB")

    return run


@pytest.fixture(scope="session")
def assert_close():
    """Every row of `found` has `expected`'s direction and length, and no two rows are alike."""

    def check(expected, found, cosine=0.9999):
        expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        assert found.shape == expected.shape
        lengths = np.linalg.norm(expected, axis=1), np.linalg.norm(found, axis=1)
        assert ((expected * found).sum(1) / (lengths[0] * lengths[1])).min() >= cosine
        np.testing.assert_allclose(lengths[1], lengths[0], rtol=1e-3)
        assert len(np.unique(found.round(5), axis=0)) > len(found) / 2

    return check
