"""Subtitles: what is said, and when."""

import re
from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Block, Remark, Source
from edgeembed.ingest.readers.plain.decoded import DecodedText, lines_of

_TIME = re.compile(r"\s*((?:\d+:)?\d{1,2}:\d{2})[,.]\d{1,3}\s*-->\s*((?:\d+:)?\d{1,2}:\d{2})")
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
_HEAD = re.compile(r"WEBVTT\b|NOTE\b|STYLE\b|REGION\b")
_SIZE = 600
"""Characters of a block: about a passage, so that its time is one to go to."""
_MAX_LINE = 1 << 14


class SubtitlesReader:
    """Reads SubRip and WebVTT; what is said within about half a minute is one block."""

    name = "subtitles"
    suffixes: frozenset[str] = frozenset({".srt", ".vtt"})
    version = 1
    trusted = True

    def read(self, source: Source, /) -> Iterator[Block | Remark]:
        """See `Reader`."""
        text = DecodedText(source)
        said: list[str] = []
        place: dict[str, int | str] = {}
        size, in_cue, last = 0, False, ""
        for number, line in lines_of(text, _MAX_LINE):
            time = _TIME.match(line or "")
            words = _TAG.sub("", line or "").strip()
            if time:
                in_cue = True
                if size > _SIZE:
                    yield Block(text="\n".join(said), place=place)
                    said, place, size = [], {}, 0
                place = place or {"time": time[1], "line": number}
                place["until"] = time[2]
            elif not words:
                in_cue = False
            elif in_cue and words != last and not _HEAD.match(words):
                # Captions that roll up say every line twice.
                said.append(words)
                size, last = size + len(words), words
        if said:
            yield Block(text="\n".join(said), place=place)
        yield from text.remarks()
