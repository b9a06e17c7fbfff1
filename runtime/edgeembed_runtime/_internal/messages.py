"""One-line summaries of third-party errors."""

_MAX_CHARACTERS = 300


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, up to 300 characters, or its type if empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:_MAX_CHARACTERS]
