"""A file of source code as parts: each definition, and what stands between definitions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeembed.ingest.readers.code.languages import FUNCTION_VALUES, Language

if TYPE_CHECKING:
    from tree_sitter import Node

_NAMES = frozenset(
    {"identifier", "type_identifier", "simple_identifier", "constant", "object_reference"}
)
# Definitions that their grammar gives no name.
_UNNAMED = {
    "init_declaration": "init",
    "deinit_declaration": "deinit",
    "secondary_constructor": "constructor",
    "companion_object": "companion",
}
_TYPES = frozenset({"class", "interface", "struct", "enum", "trait", "impl", "object", "protocol"})
_MAX_NAME, _MAX_SIGNATURE, _MAX_HEAD = 200, 300, 4096
_MAX_SCOPES = 8
# All that is left of a class behind its last method, or of a block of declarations.
_ENDS = re.compile(rb"(?:\W|\b(?:end|endif|public|private|protected|export|default)\b)*")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a file.

    Attributes:
        start: its first byte.
        end: one past its last byte.
        kind: "function", "method", "class", ...; "" for what stands outside of all definitions.
        scopes: the names of what it is in, outermost first.
        name: its own; "" for what stands outside of all definitions.
        signature: its head in one line.
    """

    start: int
    end: int
    kind: str = ""
    scopes: tuple[str, ...] = ()
    name: str = ""
    signature: str = ""

    @property
    def symbol(self) -> str:
        """The name, qualified by its scopes: `Uploader.retry`."""
        return ".".join((*self.scopes, self.name)) if self.name else ".".join(self.scopes)


def outline(data: bytes, language: Language) -> list[Part]:
    """Cut a file into parts that follow each other; together they are all of its words.

    A function is one part, what is inside of it included. Of a class, what stands between its
    methods is a part of its own: its head, its fields. Syntax errors are passed over, as the
    grammar recovers from them.

    Raises:
        ModuleNotFoundError: tree-sitter-language-pack is not installed.
    """
    from tree_sitter_language_pack import get_parser

    tree = get_parser(language.grammar).parse(data)  # type: ignore[arg-type]
    return _Outliner(data, language).parts(tree.root_node)


@dataclass(frozen=True)
class _Definition:
    """A definition in the tree: its node with what belongs to it, and where its scope ends."""

    node: "Node"
    start: int
    end: int
    kind: str
    name: str


class _Outliner:
    """Walks a tree in the order of its text, without recursion: nesting may be deep."""

    def __init__(self, data: bytes, language: Language) -> None:
        self._data = data
        self._language = language
        self._parts: list[Part] = []
        self._at = 0  # everything before is in a part

    def parts(self, root: "Node") -> list[Part]:
        scopes: list[Part] = []
        stack: list[Node | Part] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, Part):  # the end of a scope
                self._between(node.end, scopes)
                scopes.pop()
                continue
            found = self._definition(node) if node.is_named else None
            if found is None or found.start < self._at:
                stack.extend(reversed(node.children))
                continue
            part = self._part(found, scopes)
            self._between(found.start, scopes)
            if node.type in self._language.scopes and len(scopes) < _MAX_SCOPES:
                scopes.append(part)
                stack.append(part)
                stack.extend(reversed(node.children))
            else:
                self._parts.append(part)
                self._at = part.end
        self._between(len(self._data), scopes)
        return self._parts

    def _between(self, end: int, scopes: Sequence[Part]) -> None:
        """Add what stands between two definitions, if it says anything."""
        if end > self._at and not _ENDS.fullmatch(self._data, self._at, end):
            scope = scopes[-1] if scopes else Part(start=0, end=0)
            self._parts.append(
                Part(
                    start=self._at,
                    end=end,
                    kind=scope.kind,
                    scopes=scope.scopes,
                    name=scope.name,
                    signature=scope.signature,
                )
            )
        self._at = max(self._at, end)

    def _part(self, found: _Definition, scopes: Sequence[Part]) -> Part:
        names = tuple(scope.name for scope in scopes)
        kind = found.kind
        if receiver := found.node.child_by_field_name("receiver"):  # of a method in Go
            names = (*names, *_words_of(receiver, {"type_identifier"})[:1])
        elif kind == "function" and scopes and scopes[-1].kind in _TYPES:
            kind = "method"
        return Part(
            start=found.start,
            end=found.end,
            kind=kind,
            scopes=names,
            name=found.name,
            signature=self._signature(found.node),
        )

    def _definition(self, node: "Node") -> _Definition | None:
        kind = self._language.definitions.get(node.type)
        if kind is not None:
            name = _name_of(node)
        elif fields := self._language.bindings.get(node.type):
            value = node.child_by_field_name(fields[1])
            if value is None or value.type not in FUNCTION_VALUES:
                return None
            kind, name = "function", _text(node.child_by_field_name(fields[0]))
        else:
            return None
        if not name or (node.type.endswith("_specifier") and not node.child_by_field_name("body")):
            return None  # `struct point p;` names a type and defines none
        whole = self._wrapped(node)
        return _Definition(
            node=node, start=self._attached(whole), end=whole.end_byte, kind=kind, name=name
        )

    def _wrapped(self, node: "Node") -> "Node":
        """The node with its decorators, `export` or `const`, if it is the only one in these."""
        whole = node
        while (parent := whole.parent) is not None and parent.type in self._language.wrappers:
            if sum(child.type == whole.type for child in parent.children) > 1:
                break
            whole = parent
        return whole

    def _attached(self, node: "Node") -> int:
        """Where the comments and attributes begin that stand right above a definition."""
        start = node.start_byte
        before = node.prev_named_sibling
        while before is not None and before.type in self._language.attached:
            gap = self._data[before.end_byte : start]
            if gap.count(b"\n") > 1 or gap.strip() or before.start_byte < self._at:
                break
            if not self._begins_a_line(before.start_byte):
                break  # a remark behind the code of the line above
            if self._data.startswith(b"#!", before.start_byte):
                break
            start = before.start_byte
            before = before.prev_named_sibling
        return start

    def _begins_a_line(self, position: int) -> bool:
        return not self._data[self._data.rfind(b"\n", 0, position) + 1 : position].strip()

    def _signature(self, node: "Node") -> str:
        body = node.child_by_field_name("body")
        if body is None and (value := node.child_by_field_name("value")) is not None:
            body = value.child_by_field_name("body")
        if body is None:
            body = next((child for child in node.children if child.type.endswith("_body")), None)
        stops = [node.end_byte, node.start_byte + _MAX_HEAD]
        stops += [] if body is None else [body.start_byte]
        stops += [c.start_byte for c in node.children if c.type in self._language.attached]
        head = self._data[node.start_byte : min(stops)].decode("utf-8", "replace")
        return " ".join(head.split())[:_MAX_SIGNATURE].rstrip(" {:=")


def _name_of(node: "Node") -> str:
    """The name that a definition gives; "" if it gives none."""
    if named := node.child_by_field_name("name"):
        return _text(named)
    if node.type == "impl_item":
        return _text(node.child_by_field_name("type"))
    declared = node.child_by_field_name("declarator")
    if declared is not None:
        while (inner := declared.child_by_field_name("declarator")) is not None:
            declared = inner
        # A reference or a pair of brackets has its declarator without a field.
        while declared.type.endswith("_declarator") and declared.named_children:
            declared = declared.named_children[0]
        return _text(declared).replace("::", ".")
    for child in node.named_children:
        if child.type in _NAMES:
            return _text(child)
    return _UNNAMED.get(node.type, "")


def _words_of(node: "Node", types: set[str]) -> list[str]:
    return [_text(each) for each in _descendants(node) if each.type in types]


def _descendants(node: "Node") -> Iterator["Node"]:
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(reversed(each.children))


def _text(node: "Node | None") -> str:
    found = None if node is None else node.text
    return " ".join((found or b"").decode("utf-8", "replace").split())[:_MAX_NAME]
