"""One-line summaries of third-party errors."""

_MAX_CHARACTERS = 300


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, up to 300 characters, or its type if empty.

    A line that only announces the next one, by a colon at its end, is followed by that; one that
    opens the description of an object, by the last one.
    """
    first, *others = (str(error).strip() or type(error).__name__).splitlines()
    announced = [line.strip(" \t-") for line in others if line.strip()]
    if announced and first.endswith(":"):
        first = f"{first} {announced[0]}"
    elif announced and first.endswith("("):
        first = f"{first}...{announced[-1]}"
    return first[:_MAX_CHARACTERS]
