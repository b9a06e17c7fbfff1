"""Texts of given lengths in a model's own tokens."""

from edgeembed_runtime.encoder.encoder import Encoder

_STORY = """
the water in the river rose after three days of rain and the people of the town walked up the hill
to watch it pass under the old stone bridge while the baker closed his shop early because nobody
came to buy bread and a dog slept in the warm room behind the oven until the church bell rang seven
times and the first lamps were lit along the narrow street where a train from the north used to
stop every evening to bring letters coal fruit and news
"""
_WORDS = tuple(_STORY.split())


def texts_of(encoder: Encoder, tokens: int, count: int) -> list[str]:
    """`count` different texts of `tokens` tokens, special ones included, or a few less."""
    (special,) = encoder.count_tokens([""])
    return [_text(encoder, number, max(1, tokens - special)) for number in range(count)]


def _text(encoder: Encoder, number: int, room: int) -> str:
    shift = number * 7 % len(_WORDS)
    words = [*_WORDS[shift:], *_WORDS[:shift]]
    long = " ".join([str(number), *(words * (1 + 2 * room // len(words)))])
    return encoder.chunk(long, max_tokens=room)[0].text
