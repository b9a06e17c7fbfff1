"""The programming languages that are read by structure, and what their grammars call things.

Node types are those of the grammars in tree-sitter-language-pack 0.13.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath


@dataclass(frozen=True, kw_only=True)
class Language:
    """A programming language.

    Attributes:
        name: as people write it.
        grammar: its name in tree-sitter-language-pack.
        suffixes: of its files, in lower case, with the dot.
        definitions: the kind of symbol by the type of the node that defines it.
        scopes: those of the definitions that have others inside, whose names are qualified by it.
        wrappers: nodes that belong to the one definition in them: decorators, `export`.
        bindings: nodes that name a function by (field of the name, field of the value).
        attached: nodes in front of a definition that belong to it.
    """

    name: str
    grammar: str
    suffixes: frozenset[str]
    definitions: Mapping[str, str]
    scopes: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    bindings: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    attached: frozenset[str] = frozenset({"comment"})


def _language(
    name: str,
    grammar: str,
    suffixes: str,
    definitions: Mapping[str, str],
    *,
    scopes: str = "",
    wrappers: str = "",
    bindings: Mapping[str, tuple[str, str]] | None = None,
    attached: str = "comment",
) -> Language:
    """A language; `definitions` has the types of nodes by kind, parted by spaces as all lists."""
    kinds = {type_: kind for kind, types in definitions.items() for type_ in types.split()}
    return Language(
        name=name,
        grammar=grammar,
        suffixes=frozenset(f".{suffix}" for suffix in suffixes.split()),
        definitions=kinds,
        scopes=frozenset(scopes.split()),
        wrappers=frozenset(wrappers.split()),
        bindings=bindings or {},
        attached=frozenset(attached.split()),
    )


FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
"""Values that make a binding a function, in JavaScript and TypeScript."""
_JAVASCRIPT = {
    "function": "function_declaration generator_function_declaration",
    "method": "method_definition",
    "class": "class_declaration",
}
_TYPESCRIPT = {
    **_JAVASCRIPT,
    "class": "class_declaration abstract_class_declaration",
    "interface": "interface_declaration",
    "type": "type_alias_declaration",
    "enum": "enum_declaration",
    "namespace": "internal_module module",
}
_BINDINGS = {
    "variable_declarator": ("name", "value"),
    "assignment_expression": ("left", "right"),
    "pair": ("key", "value"),
    "field_definition": ("property", "value"),
    "public_field_definition": ("name", "value"),
}
_SCRIPT_WRAPPERS = "export_statement lexical_declaration variable_declaration expression_statement"
_TYPESCRIPT_SCOPES = (
    "class_declaration abstract_class_declaration interface_declaration internal_module module"
)
_TYPESCRIPT_WRAPPERS = f"{_SCRIPT_WRAPPERS} ambient_declaration"

LANGUAGES = (
    _language(
        "Python",
        "python",
        "py pyi pyw",
        {"function": "function_definition", "class": "class_definition"},
        scopes="class_definition",
        wrappers="decorated_definition",
    ),
    _language(
        "JavaScript",
        "javascript",
        "js mjs cjs jsx",
        _JAVASCRIPT,
        scopes="class_declaration",
        wrappers=_SCRIPT_WRAPPERS,
        bindings=_BINDINGS,
    ),
    _language(
        "TypeScript",
        "typescript",
        "ts mts cts",
        _TYPESCRIPT,
        scopes=_TYPESCRIPT_SCOPES,
        wrappers=_TYPESCRIPT_WRAPPERS,
        bindings=_BINDINGS,
    ),
    _language(
        "TSX",
        "tsx",
        "tsx",
        _TYPESCRIPT,
        scopes=_TYPESCRIPT_SCOPES,
        wrappers=_TYPESCRIPT_WRAPPERS,
        bindings=_BINDINGS,
    ),
    _language(
        "Java",
        "java",
        "java",
        {
            "method": "method_declaration constructor_declaration compact_constructor_declaration",
            "class": "class_declaration record_declaration",
            "interface": "interface_declaration annotation_type_declaration",
            "enum": "enum_declaration",
        },
        scopes="class_declaration record_declaration interface_declaration enum_declaration",
        attached="line_comment block_comment",
    ),
    _language(
        "Kotlin",
        "kotlin",
        "kt kts",
        {
            "function": "function_declaration",
            "method": "secondary_constructor",
            "class": "class_declaration",
            "object": "object_declaration companion_object",
        },
        scopes="class_declaration object_declaration companion_object",
        attached="line_comment multiline_comment",
    ),
    _language(
        "Go",
        "go",
        "go",
        {
            "function": "function_declaration",
            "method": "method_declaration",
            "type": "type_spec type_alias",
        },
        wrappers="type_declaration",
    ),
    _language(
        "Rust",
        "rust",
        "rs",
        {
            "function": "function_item function_signature_item",
            "struct": "struct_item union_item",
            "enum": "enum_item",
            "trait": "trait_item",
            "impl": "impl_item",
            "module": "mod_item",
            "macro": "macro_definition",
        },
        scopes="trait_item impl_item mod_item",
        attached="line_comment block_comment attribute_item",
    ),
    _language(
        "C",
        "c",
        "c",
        {
            "function": "function_definition",
            "struct": "struct_specifier union_specifier",
            "enum": "enum_specifier",
            "type": "type_definition",
        },
    ),
    _language(
        "C++",
        "cpp",
        "cc cpp cxx c++ h hh hpp hxx ipp tpp cu cuh",
        {
            "function": "function_definition",
            "class": "class_specifier",
            "struct": "struct_specifier union_specifier",
            "enum": "enum_specifier",
            "namespace": "namespace_definition",
            "type": "type_definition alias_declaration",
        },
        scopes="class_specifier struct_specifier namespace_definition",
        wrappers="template_declaration",
    ),
    _language(
        "C#",
        "csharp",
        "cs",
        {
            "method": "method_declaration constructor_declaration operator_declaration",
            "property": "property_declaration indexer_declaration",
            "class": "class_declaration record_declaration",
            "struct": "struct_declaration",
            "interface": "interface_declaration",
            "enum": "enum_declaration",
            "namespace": "namespace_declaration",
        },
        scopes="class_declaration record_declaration struct_declaration interface_declaration "
        "namespace_declaration",
    ),
    _language(
        "Ruby",
        "ruby",
        "rb rake gemspec",
        {"function": "method singleton_method", "class": "class", "module": "module"},
        scopes="class module",
    ),
    _language(
        "PHP",
        "php",
        "php phtml",
        {
            "function": "function_definition",
            "method": "method_declaration",
            "class": "class_declaration",
            "interface": "interface_declaration",
            "trait": "trait_declaration",
            "enum": "enum_declaration",
        },
        scopes="class_declaration interface_declaration trait_declaration enum_declaration",
    ),
    _language(
        "Swift",
        "swift",
        "swift",
        {
            "function": "function_declaration",
            "method": "init_declaration deinit_declaration protocol_function_declaration",
            "class": "class_declaration",
            "protocol": "protocol_declaration",
        },
        scopes="class_declaration protocol_declaration",
        attached="comment multiline_comment",
    ),
    _language(
        "Scala",
        "scala",
        "scala sc",
        {
            "function": "function_definition function_declaration",
            "class": "class_definition",
            "object": "object_definition",
            "trait": "trait_definition",
            "enum": "enum_definition",
        },
        scopes="class_definition object_definition trait_definition enum_definition",
        attached="comment block_comment",
    ),
    _language("shell", "bash", "sh bash zsh ksh", {"function": "function_definition"}),
    _language(
        "SQL",
        "sql",
        "sql",
        {
            "table": "create_table",
            "view": "create_view create_materialized_view",
            "function": "create_function create_procedure",
            "trigger": "create_trigger",
            "index": "create_index",
            "type": "create_type",
        },
        wrappers="statement",
        attached="comment marginalia",
    ),
)
_BY_SUFFIX = {suffix: each for each in LANGUAGES for suffix in each.suffixes}
_INTERPRETERS = {
    "python": ".py",
    "node": ".js",
    "ruby": ".rb",
    "php": ".php",
    "sh": ".sh",
    "bash": ".sh",
    "zsh": ".sh",
}


def language_of(name: str, first_line: str = "") -> Language | None:
    """The language of a file, by its suffix or else by the interpreter that its first line names.

    None: none that is read by structure.
    """
    suffix = PurePath(name).suffix.lower()
    if not suffix and first_line.startswith("#!"):
        words = first_line[2:].replace("/usr/bin/env", "").split()
        program = PurePath(words[0]).name.rstrip("0123456789.") if words else ""
        suffix = _INTERPRETERS.get(program, "")
    return _BY_SUFFIX.get(suffix)
