"""English texts to train students on, from packages that Debian carries.

    apt-get download wordnet-base dict-gcide dict-foldoc dict-jargon fortunes anarchism
    for package in *.deb; do dpkg -x $package ROOT; done
    apt-get -o Acquire::Languages=en update
    /usr/lib/apt/apt-helper cat-file /var/lib/apt/lists/*_main_i18n_Translation-en* > ROOT/packages

Definitions and example sentences (WordNet, GCIDE, FOLDOC, the Jargon File), quotations, the prose
of a long essay, descriptions of programs, many of them for medicine and biology: short texts and
long ones. Texts that an evaluation asks for are left out by `without`: WordNet's definitions are in
STS13 and STS14.
"""

import gzip
import html
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORT, LONG = (30, 250), (250, 1400)
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SENTENCE_END = re.compile(r"(?<=[.;!?])[\"”]?\s+(?=[A-Z0-9(\"“])")
SCIENCE = re.compile(
    r"\b(genes?|genom\w*|proteins?|dna|rna|cells?|medic\w*|biolog\w*|diseases?|clinical|chemi\w*|"
    r"molecul\w*|patients?|phylogen\w*)\b"
)


def plain(text: str) -> str:
    """Letters and digits alone, to tell whether two texts are one."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def without(texts: Iterable[str], forbidden: Iterable[str]) -> list[str]:
    """Texts in one line each, without doubles and without what is `forbidden`."""
    seen = {plain(text) for text in forbidden}
    kept = []
    for text in texts:
        key = plain(text)
        if len(key) >= 12 and key not in seen:
            seen.add(key)
            kept.append(" ".join(text.split()))
    return kept


def sentences(text: str) -> list[str]:
    """The sentences of a text that are neither very short nor very long."""
    parts = SENTENCE_END.split(" ".join(text.split()))
    return [part for part in parts if SHORT[0] <= len(part) <= SHORT[1]]


def wordnet(root: Path) -> Iterator[tuple[str, str]]:
    """("definition" or "example", text) of every sense."""
    for kind in ("noun", "verb", "adj", "adv"):
        path = root / "usr/share/wordnet" / f"data.{kind}"
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("  ") and "|" in line:
                gloss = line.split("|", 1)[1]
                yield from (("example", text) for text in re.findall(r'"([^"]{12,})"', gloss))
                yield "definition", re.sub(r';?\s*"[^"]*"', "", gloss).strip(" ;")


def dictionary(root: Path, name: str) -> Iterator[str]:
    """The entries of a dictd dictionary."""
    folder = root / "usr/share/dictd"
    data = gzip.decompress((folder / f"{name}.dict.dz").read_bytes())
    places = set()
    for line in (folder / f"{name}.index").read_text(encoding="utf-8").splitlines():
        start, length = (number(field) for field in line.split("\t")[1:3])
        places.add((start, length))
    for start, length in sorted(places):
        entry = data[start : start + length].decode("utf-8", "replace")
        yield re.sub(r"\[[^\]]*(Webster|WordNet|PJC)[^\]]*\]|[{}\\]", "", entry)


def number(text: str) -> int:
    """A number as dictd's index has it: base 64."""
    found = 0
    for digit in text:
        found = found * 64 + DIGITS.index(digit)
    return found


def prose(root: Path) -> Iterator[str]:
    """The paragraphs of the essay."""
    for path in sorted((root / "usr/share/doc/anarchism/html").glob("*.html")):
        page = path.read_text(encoding="utf-8", errors="replace")
        for paragraph in re.findall(r"<p>(.*?)</p>", page, re.DOTALL):
            yield html.unescape(re.sub(r"<[^>]+>", "", paragraph))


def quotations(root: Path) -> Iterator[str]:
    """The fortunes."""
    for path in sorted((root / "usr/share/games/fortunes").iterdir()):
        if path.is_file() and not path.suffix:
            yield from path.read_text(encoding="utf-8", errors="replace").split("\n%\n")


def descriptions(root: Path) -> Iterator[str]:
    """The long descriptions of Debian's packages."""
    records = (root / "packages").read_text(encoding="utf-8", errors="replace").split("\n\n")
    for record in records:
        found = re.search(r"^Description-en: .*\n((?: .*\n?)*)", record + "\n", re.MULTILINE)
        if found:
            yield " ".join(line.strip(" .") or "" for line in found.group(1).splitlines())


def cut(texts: Iterable[str]) -> list[str]:
    """Long texts, cut to a page."""
    return [flat[: LONG[1]] for text in texts if len(flat := " ".join(text.split())) > LONG[0]]


def gather(root: Path, forbidden: Iterable[str], scale: int) -> list[str]:
    """A mixture of `scale` times a thousand texts, four fifths of them short; in random order."""
    rng = random.Random(7)
    senses = list(wordnet(root))
    entries = [e for name in ("gcide", "foldoc", "jargon") for e in dictionary(root, name)]
    paragraphs, programs = list(prose(root)), list(descriptions(root))
    science = [text for text in programs if SCIENCE.search(text.lower())]
    parts = (
        (150, [text for kind, text in senses if kind == "definition"]),
        (200, [text for kind, text in senses if kind == "example"]),
        (150, [s for entry in entries for s in sentences(entry.split("\n", 1)[-1])]),
        (120, [s for paragraph in paragraphs for s in sentences(paragraph)]),
        (90, [s for quotation in quotations(root) for s in sentences(quotation)]),
        (90, [s for program in programs for s in sentences(program)]),
        (40, cut(paragraphs)),
        (40, cut(entries)),
        (90, cut(science)),
        (30, cut(programs)),
    )
    banned, mixed = list(forbidden), []
    for share, texts in parts:
        distinct = without(texts, banned)
        mixed += rng.sample(distinct, min(len(distinct), share * scale))
    mixed = without(mixed, banned)
    rng.shuffle(mixed)
    return mixed
