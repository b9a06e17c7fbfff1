"""How long inputs take, learned from those that ran."""

from collections.abc import Sequence

# Weight of the newest run in the mean.
_NEWEST = 0.05
_CHARACTERS_PER_TOKEN = 4


def estimated_tokens(texts: Sequence[str], max_tokens: int | None) -> int:
    """About how many tokens a model reads: one for four characters of ASCII, or for any other."""
    most = 1 << 30 if max_tokens is None else max_tokens
    return sum(
        min(most, 2 + (len(text) // _CHARACTERS_PER_TOKEN if text.isascii() else len(text)))
        for text in texts
    )


class Rate:
    """Seconds for each unit of work: a moving mean, which threads may update at once."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is the first guess."""
        self.seconds: float = seconds

    def learn(self, seconds: float, units: int) -> None:
        """Note how long `units` took."""
        if units > 0:
            self.seconds += _NEWEST * (seconds / units - self.seconds)
