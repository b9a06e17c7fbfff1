"""XML of strangers: entities stay unexpanded, nothing is fetched, depth and size are bounded."""

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from lxml.etree import _Element  # pyright: ignore[reportPrivateUsage]


def require_lxml(kind: str) -> None:
    """Say so where a kind of document cannot be read for want of lxml.

    Raises:
        MissingExtraError: lxml is not installed.
    """
    if importlib.util.find_spec("lxml") is None:
        raise MissingExtraError.for_extra(kind, "documents")


def parse_xml(data: bytes) -> "_Element | None":
    """Parse as much as can be understood; None if that is nothing."""
    import lxml.etree as etree

    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, recover=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None


def walk_xml(stream: IO[bytes]) -> Iterator[tuple[str, "_Element"]]:
    """Yield ("start" or "end", element) while a stream is read; the caller clears elements.

    Comments and processing instructions are left out. What is damaged is passed over.

    Raises:
        SkippedError: there is no XML at all.
    """
    import lxml.etree as etree

    found = False
    elements = etree.iterparse(
        stream,
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    with contextlib.suppress(etree.XMLSyntaxError):
        for event, element in elements:
            found = True
            yield event, element
    if not found:
        raise SkippedError(Reason.DAMAGED, "no XML in it")


def local_name(element: "_Element") -> str:
    """An element's name without namespace or prefix, which hand-made files forget to declare."""
    return str(element.tag).rpartition("}")[2].rpartition(":")[2]
