"""Subtitles: what is said, and when."""

import re
from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.plain.decoded import DecodedText, lines_of
from edgeembed.ingest.readers.plain.text import TextReader

_TIME = re.compile(
    r"\s*((?:\d{1,4}:)?\d{1,2}:\d{2})[,.]\d{1,3}\s*-->\s*((?:\d{1,4}:)?\d{1,2}:\d{2})"
)
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
_HEAD = re.compile(r"WEBVTT\b|NOTE\b|STYLE\b|REGION\b")
_SIZE = 500
"""Characters of a block at most, unless a line is longer: a passage, with a time to go to."""
_PAUSE = 10
"""Seconds of silence after which there is another scene."""
_MAX_LINE = 1 << 14


class SubtitlesReader:
    """Reads SubRip and WebVTT; a block is what is said within half a minute, in one scene."""

    name = "subtitles"
    suffixes: frozenset[str] = frozenset({".srt", ".vtt"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        said: list[str] = []
        place: dict[str, int | str] = {}
        time: re.Match[str] | None = None
        line_of_time = size = ended = 0
        in_cue, last = False, ""
        for number, line in lines_of(text, _MAX_LINE):
            words = _TAG.sub("", line or "").strip()
            if found := _TIME.match(line or ""):
                in_cue, time, line_of_time = True, found, number
            elif not words:
                in_cue = False
            elif in_cue and time and words != last and not _HEAD.match(words):
                # Captions that roll up say every line twice.
                is_other_scene = _seconds(time[1]) - ended >= _PAUSE
                if said and (size + len(words) > _SIZE or is_other_scene):
                    yield Block(text="\n".join(said), place=place)
                    said, place, size = [], {}, 0
                said.append(words)
                size, last, ended = size + len(words), words, _seconds(time[2])
                place = {"time": time[1], "line": line_of_time, **place, "until": time[2]}
        if time is None:  # whatever it is, it is text
            yield from TextReader().read(source)
            return
        if said:
            yield Block(text="\n".join(said), place=place)
        yield from text.remarks()


def _seconds(time: str) -> int:
    """A time such as 1:02:03, or without hours, in seconds."""
    total = 0
    for part in time.split(":"):
        total = 60 * total + int(part)
    return total
