"""The tools that assistants call, and the transports by which they do."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from edgeembed.mcp.indexes import IndexStatus, OfferedIndexes, Reading, Result
from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.version import __version__

P = ParamSpec("P")
R = TypeVar("R")
IndexName = Annotated[str | None, Field(description="Name of the index; null for the first.")]
Count = Annotated[int, Field(description="Number of results.", ge=1, le=50)]
Where = Annotated[
    dict[str, Any] | None,
    Field(
        description='Metadata filter, as in Chroma: {"language": "Python"}, {"kind": "class"}, '
        '{"source": {"$contains": "tests/"}}, {"date": {"$gte": "2024-01-01"}}.'
    ),
]
_INSTRUCTIONS = (
    "Searches files of the user's that were indexed on this machine: code, notes, documents, "
    "pictures. Ask in plain words: a question, or what a function does. Places of results can be "
    "given to read_passage and find_similar."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def make_server(indexes: OfferedIndexes) -> MCPServer[Any]:
    """A server with four tools, which read the indexes and change nothing."""
    server: MCPServer[Any] = MCPServer(
        "edgeembed", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING"
    )

    @server.tool(annotations=_READS)
    def search(
        query: Annotated[str, Field(description="A question, or words, as people ask.")],
        k: Count = 10,
        index: IndexName = None,
        where: Where = None,
        mode: Annotated[
            Literal["dense", "keyword", "hybrid"] | None,
            Field(description="By meaning, by words, or both (the default)."),
        ] = None,
    ) -> list[Result]:
        """Find the passages that answer a question best: functions, paragraphs, pictures."""
        return _told(indexes.search)(query, index=index, k=k, where=where, mode=mode)

    @server.tool(annotations=_READS)
    def find_similar(
        place: Annotated[str, Field(description="A place from a result: src/app.py:12.")],
        k: Count = 10,
        index: IndexName = None,
        where: Where = None,
    ) -> list[Result]:
        """Find the passages most like the one at a place: twins of a function, related notes."""
        return _told(indexes.similar)(place, index=index, k=k, where=where)

    @server.tool(annotations=_READS)
    def read_passage(
        place: Annotated[str, Field(description="A place from a result: src/app.py:12.")],
        before: Annotated[int, Field(description="Passages before it.", ge=0, le=50)] = 0,
        after: Annotated[int, Field(description="Passages behind it.", ge=0, le=50)] = 2,
        index: IndexName = None,
    ) -> Reading:
        """Read the text at a place and around it, as it was indexed."""
        return _told(indexes.read)(place, index=index, before=before, after=after)

    @server.tool(annotations=_READS)
    def index_status() -> list[IndexStatus]:
        """Say which indexes there are, what they were made of, and what was left out."""
        return _told(indexes.status)()

    return server


def _told(call: Callable[P, R]) -> Callable[P, R]:
    """The same call; what it raises on purpose is told to the assistant in its own words."""

    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except EdgeEmbedError as error:
            raise ToolError(str(error)) from error

    return told
