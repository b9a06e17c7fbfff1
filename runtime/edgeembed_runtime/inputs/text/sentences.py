"""Where sentences start, by punctuation."""

import re
from collections.abc import Iterator

_END = re.compile(
    r"""(?P<spaced>[.!?…؟۔]++)["'”’»)\]}*_]*+|(?P<free>[。！？｡．।॥።၊။]++)[」』”’）)»]*+"""
)
_NEXT = re.compile(r"\s*+")
_WORD = re.compile(r"[^\W_][\w.'’\-]*$")
_LOOK_BACK = 24
_LIST_DIGITS = 3
# Words before names and numbers, which are never the end of a sentence, in lower case.
_ABBREVIATIONS = frozenset(
    """
    adj approx art bd bzw ca cap capt cf ch col dept dipl dr dra e.g ed eds eg eq eqs est evtl
    ex fig figs fr geb gen ggf gov hon hr hrsg i.e ie inkl jr lt m.e mio mlle mme mr mrs ms mt
    mx nos nr p pp prof ref refs resp rev rs s.o sec sen sgt sig sog sr sra srta st str tab tel
    u.a usw v vgl viz vol vols vs z.b
    """.split()  # noqa: SIM905 -- a list would be a page long
)
# Those that may end a sentence, and do not before a lower-case letter.
_BEFORE_LOWER = frozenset(
    """
    a.m abs al bzgl co corp dec dt ed etc feb gmbh inc int jan ltd max min no nov oct op p.m s
    sept u usf var
    """.split()  # noqa: SIM905 -- a list would be a page long
)


def sentence_starts(text: str) -> Iterator[int]:
    """Yield the position of the first character of every sentence but the first, in order.

    A full stop ends no sentence after an abbreviation or an initial, or in a number. Time is linear
    in the length of the text.
    """
    for match in _END.finditer(text):
        end = match.end()
        following = _NEXT.match(text, end)
        start = end if following is None else following.end()
        if start == len(text):
            return
        if match["spaced"] is None or (start > end and not _goes_on(text, match, start)):
            yield start


def _goes_on(text: str, match: re.Match[str], start: int) -> bool:
    """Whether the sentence continues after a stop that is followed by white space."""
    stop, at = match["spaced"], match.start()
    is_before_lower = text[start].islower()
    if stop != ".":  # "Why?" he asked. Well... perhaps.
        return is_before_lower and (match.end() - at > len(stop) or stop[-1] in ".…")
    found = _WORD.search(text[max(0, at - _LOOK_BACK) : at])
    if found is None:
        return False
    word = found[0]
    if word.isdecimal():  # "3. Butter" at the start of a line
        before = at - len(word)
        return len(word) <= _LIST_DIGITS and (before == 0 or text[before - 1] in "\n\r")
    last = word.rpartition(".")[2]
    is_initial = len(last) == 1 and last.isupper() and last != "I"
    word = word.lower()
    return is_initial or word in _ABBREVIATIONS or (is_before_lower and word in _BEFORE_LOWER)
