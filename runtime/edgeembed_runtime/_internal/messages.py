"""Other people's errors in one line."""

_MAX_CHARACTERS = 300


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters; its type where it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:_MAX_CHARACTERS]
