"""Text as it flows: lines that end only where the paper did are joined again."""

_SHORT = 0.7  # of the length of long lines: a shorter line ends a paragraph, a cell or a heading
_MIN_LONG = 40  # characters of the long lines of prose; shorter ones are a list or a narrow table


def flowing(text: str) -> str:
    """Join the lines of paragraphs by spaces; empty lines follow those that had several."""
    lines = [line.strip() for line in text.split("\n")]
    lengths = sorted(len(line) for line in lines if line)
    long = lengths[len(lengths) * 9 // 10] if lengths else 0
    if long < _MIN_LONG:
        return "\n".join(lines).strip()
    found: list[str] = []
    paragraph: list[str] = []
    for line in lines:
        paragraph.append(line)
        if len(line) < _SHORT * long:
            found.extend((" ".join(paragraph), "\n\n" if len(paragraph) > 1 else "\n"))
            paragraph.clear()
    return "".join((*found, " ".join(paragraph))).strip()
