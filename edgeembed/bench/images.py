"""Images to measure with: as files from a camera are, only smaller."""

import io

import numpy as np

WIDTH, HEIGHT = 640, 480


def images_of(count: int) -> list[bytes]:
    """`count` different JPEG files of 640 x 480 pixels, with slopes, edges and grain."""
    from PIL import Image

    rng = np.random.default_rng(0)
    made: list[bytes] = []
    for _ in range(count):
        patches = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        smooth = np.asarray(patches.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        grain = rng.integers(-12, 13, smooth.shape)
        stream = io.BytesIO()
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(stream, "JPEG")
        made.append(stream.getvalue())
    return made
