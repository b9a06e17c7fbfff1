"""A stretch of LaTeX as the words that it prints, by rules for its common commands."""

import re
import unicodedata

_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306",
    ".": "\u0307", '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323",
    "c": "\u0327", "k": "\u0328",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å",
    "AA": "Å", "l": "ł", "L": "Ł", "i": "i", "j": "j", "LaTeX": "LaTeX", "TeX": "TeX",
    "ldots": "…", "dots": "…", "textendash": "–", "textemdash": "—", "euro": "€",
    "textbackslash": "\\", "S": "§", "pounds": "£", "copyright": "©",
}  # fmt: skip
_ACCENT = re.compile(
    r"\\(?:([`'^~=.\"])\s*(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z]))"
    r"|([uvHcdkr])(?:\{\s*\\?([A-Za-z])\s*\}|\s+([A-Za-z])\b))"
)
_LETTER = re.compile(
    rf"\\({'|'.join(sorted(_LETTERS, key=len, reverse=True))})(?![A-Za-z])(?:\{{\}})?[ ]?"
)
# What is printed elsewhere, or not at all, with its arguments.
_SILENT = re.compile(
    r"\\(?:label|ref|eqref|pageref|autoref|cref|Cref|cite[a-zA-Z]*|nocite|bibliography"
    r"|bibliographystyle|includegraphics|input|include|usepackage|vspace|hspace|setlength"
    r"|addtolength|setcounter|newcommand|renewcommand|pagestyle|thispagestyle|index|hypersetup"
    r"|definecolor|color|documentclass|newenvironment|graphicspath)\*?\s*"
    r"(?:\[[^\]]{0,300}\]\s*|\{[^{}]{0,300}\}\s*){0,6}"
)
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\s*\{[^{}]{0,300}\}(?:\[[^\]]{0,300}\])?(?:\{[lcrp|@{}\d. cm]*\})?"
)
_LINK = re.compile(r"\\href\s*\{[^{}]{0,300}\}")
_BREAK = re.compile(r"\\\\(?:\[[^\]]{0,300}\])?|\\(?:newline|par|linebreak|item)\b")
_ESCAPED = re.compile(r"\\([%&_#$ {}])")
_COMMAND = re.compile(r"\\[A-Za-z@]+\*?(?:\[[^\]]{0,300}\])?[ \t]*|\\.")
_TABLE = re.compile(r"(?<!\\)&")
_SPACES = re.compile(r"[ \t]{2,}")
_MAX_ARGUMENT = 2000
# Stand for escaped characters while braces and commands go.
_KEPT = {each: chr(0xE000 + n) for n, each in enumerate("%&_#$ {}")}
_BACK = str.maketrans({mark: each for each, mark in _KEPT.items()})


def plain_text(latex: str) -> str:
    """What a paragraph prints, formulas as they are written, line breaks kept."""
    text = _ESCAPED.sub(lambda found: _KEPT[found[1]], latex)
    text = _LINK.sub("", _SILENT.sub(" ", text))
    text = _ENVIRONMENT.sub(" ", text)
    text = _ACCENT.sub(_accented, text)
    text = _LETTER.sub(lambda found: _LETTERS[found[1]], text)
    text = _BREAK.sub("\n", text)
    text = _TABLE.sub(" ", text)
    text = _COMMAND.sub("", text)
    text = text.replace("{", "").replace("}", "").replace("~", " ")
    text = text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
    return _SPACES.sub(" ", text.translate(_BACK))


def argument_of(latex: str, start: int) -> tuple[str, int]:
    """The argument in braces at `start`, and where the text behind it begins."""
    depth = 0
    end = min(len(latex), start + _MAX_ARGUMENT)
    for at in range(start, end):
        character = latex[at]
        if character == "{" and latex[at - 1 : at] != "\\":
            depth += 1
        elif character == "}" and latex[at - 1 : at] != "\\":
            depth -= 1
            if depth == 0:
                return latex[start + 1 : at], at + 1
    return latex[start + 1 : end], end


def _accented(found: re.Match[str]) -> str:
    mark = found[1] or found[4]
    letter = found[2] or found[3] or found[5] or found[6]
    return unicodedata.normalize("NFC", letter + _ACCENTS[mark])
