"""Other people's errors in one line."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters; its type where it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
