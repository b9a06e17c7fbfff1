"""Benchmark inputs: texts of given lengths in tokens, and camera-like images."""

import io

import numpy as np

from edgeembed_runtime.encoder.encoder import Encoder

WIDTH, HEIGHT = 640, 480
_STORY = """
the water in the river rose after three days of rain and the people of the town walked up the hill
to watch it pass under the old stone bridge while the baker closed his shop early because nobody
came to buy bread and a dog slept in the warm room behind the oven until the church bell rang seven
times and the first lamps were lit along the narrow street where a train from the north used to
stop every evening to bring letters coal fruit and news
"""
_WORDS = tuple(_STORY.split())


def texts_of(encoder: Encoder, tokens: int, count: int) -> list[str]:
    """`count` different texts of about `tokens` tokens, special tokens included, never more."""
    (special,) = encoder.count_tokens([""])
    most = max(tokens, special + 1)
    costs = dict(zip(_WORDS, encoder.count_tokens(list(_WORDS)), strict=True))
    costs = {word: cost - special for word, cost in costs.items()}
    return [_text(encoder, number, most, costs) for number in range(count)]


def images_of(count: int) -> list[bytes]:
    """`count` different JPEG files of 640 x 480 pixels, with gradients, edges and grain."""
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


def _text(encoder: Encoder, number: int, most: int, costs: dict[str, int]) -> str:
    shift = number * 7 % len(_WORDS)
    story = [*_WORDS[shift:], *_WORDS[:shift]]
    words = [str(number)]
    room = most - encoder.count_tokens(words[0])
    for word in story * (1 + most // len(story)):
        if costs[word] <= room:
            words.append(word)
            room -= costs[word]
    # Between others a word may have more tokens than alone.
    while len(words) > 1 and encoder.count_tokens(" ".join(words)) > most:
        words.pop()
    return " ".join(words)
