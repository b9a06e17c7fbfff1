"""Definitions are found under their full names, as Python's own parser and readers of code do."""

import ast
import asyncio
import json
from pathlib import Path

import pytest

from edgeembed.ingest.readers.code.languages import language_of
from edgeembed.ingest.readers.code.outline import outline

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def symbols_of(name, text):
    """{(kind, symbol)} of a file."""
    language = language_of(name)
    assert language is not None
    return {(part.kind, part.symbol) for part in outline(text.encode(), language) if part.name}


def functions_by_ast(tree):
    """{(symbol, first line with its decorators, last line)} of all but those inside functions."""
    found = set()
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
    while waiting:
        node, scopes = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FUNCTIONS):
                first = min([child.lineno, *(each.lineno for each in child.decorator_list)])
                found.add((".".join((*scopes, child.name)), first, child.end_lineno))
            elif isinstance(child, ast.ClassDef):
                waiting.append((child, (*scopes, child.name)))
            elif not isinstance(child, ast.expr):
                waiting.append((child, scopes))
    return found


@pytest.mark.parametrize("module", [ast, asyncio.events, asyncio.locks, json.decoder, pytest])
def test_functions_of_python_are_those_that_its_own_parser_finds(module):
    data = Path(module.__file__).read_bytes()
    language = language_of("a.py")
    assert language is not None
    found = set()
    for part in outline(data, language):
        if part.kind not in ("function", "method"):
            continue
        # Comments right above belong to a function here, and to nothing there.
        text = data[part.start : part.end].decode()
        above = len(text) - len(text.lstrip("# ")) and text.splitlines()
        comments = 0
        for line in above or ():
            if not line.strip().startswith("#"):
                break
            comments += 1
        first = data.count(b"\n", 0, part.start) + 1
        found.add((part.symbol, first + comments, first + text.count("\n")))
    assert found == functions_by_ast(ast.parse(data))


# What a reader of each language would name.
SAMPLES = [
    (
        "a.ts",
        "interface I { m(x: number): void }\n"
        "export abstract class A<T> { constructor(private x: T) {} m() {} private n = () => 1 }\n"
        "export const h = async (x: number) => { const inner = () => x; return inner() }\n"
        "namespace N { export function g() {} }\n"
        "type T = { a: 1 }\n",
        {
            ("interface", "I"),
            ("class", "A"),
            ("method", "A.constructor"),
            ("method", "A.m"),
            ("method", "A.n"),
            ("function", "h"),
            ("namespace", "N"),
            ("function", "N.g"),
            ("type", "T"),
        },
    ),
    (
        "a.js",
        "export default function foo() {}\nmodule.exports.z = function () {}\n"
        "const o = { m() {}, n: (b) => b }\n",
        {
            ("function", "foo"),
            ("function", "module.exports.z"),
            ("method", "m"),
            ("function", "n"),
        },
    ),
    ("a.tsx", "const C = () => <div/>;\n", {("function", "C")}),
    (
        "A.java",
        "class A { A() {} int m() { return 1; } interface I { void z(); } }\n",
        {("class", "A"), ("method", "A.A"), ("method", "A.m"), ("interface", "A.I")}
        | {("method", "A.I.z")},
    ),
    (
        "a.kt",
        "class A {\n  fun m() = 1\n  companion object {\n    fun c() {}\n  }\n}\n"
        "fun String.ext(): Int { return 1 }\n",
        {("class", "A"), ("method", "A.m"), ("object", "A.companion")}
        | {("method", "A.companion.c"), ("function", "String.ext")},
    ),
    (
        "a.go",
        "package p\nfunc F() {}\nfunc (s *Server[T]) Handle() {}\ntype S struct { a int }\n",
        {("function", "F"), ("method", "Server.Handle"), ("type", "S")},
    ),
    (
        "a.rs",
        "struct S;\nimpl Tr for S { fn m(&self) {} }\ntrait Tr { fn m(&self); }\n"
        "mod m { fn g() {} }\n",
        {("struct", "S"), ("impl", "S"), ("method", "S.m"), ("trait", "Tr"), ("method", "Tr.m")}
        | {("module", "m"), ("function", "m.g")},
    ),
    (
        "a.c",
        "static char *f(int a) { return 0; }\nstruct S { int x; };\nstruct S g(void) {}\n"
        "#ifdef X\nint h() { return 1; }\n#endif\n",
        {("function", "f"), ("struct", "S"), ("function", "g"), ("function", "h")},
    ),
    (
        "a.cpp",
        "namespace n { class A { int m() const { return 1; } }; }\nint n::A::q() { return 1; }\n"
        "template <class T> T &t(T &x) { return x; }\n",
        {("namespace", "n"), ("class", "n.A"), ("method", "n.A.m"), ("function", "n.A.q")}
        | {("function", "t")},
    ),
    (
        "a.cs",
        "namespace N { class A { A() {} int P { get; set; } void M() {} } record R(int X); }\n",
        {("namespace", "N"), ("class", "N.A"), ("method", "N.A.A"), ("property", "N.A.P")}
        | {("method", "N.A.M"), ("class", "N.R")},
    ),
    (
        "a.rb",
        "module M\n  class A < B\n    def m\n    end\n    def self.s\n    end\n  end\nend\n",
        {("module", "M"), ("class", "M.A"), ("method", "M.A.m"), ("method", "M.A.s")},
    ),
    (
        "a.php",
        "<?php\nclass C { function m() {} }\ntrait T { function t() {} }\nfunction f() {}\n",
        {("class", "C"), ("method", "C.m"), ("trait", "T"), ("method", "T.t"), ("function", "f")},
    ),
    (
        "a.swift",
        "class A { init(x: Int) {}\n func m() {} }\nextension A { func e() {} }\n",
        {("class", "A"), ("method", "A.init"), ("method", "A.m"), ("method", "A.e")},
    ),
    (
        "a.scala",
        "object O { def n = 1 }\ntrait T { def z: Int }\ncase class C(a: Int)\n",
        {("object", "O"), ("method", "O.n"), ("trait", "T"), ("method", "T.z"), ("class", "C")},
    ),
    (
        "a.sh",
        "foo() { echo 1; }\nfunction bar { echo 2; }\n",
        {("function", "foo"), ("function", "bar")},
    ),
    (
        "a.sql",
        "CREATE TABLE users (id INT);\nCREATE VIEW v AS SELECT 1;\n",
        {("table", "users"), ("view", "v")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "symbols"), SAMPLES, ids=[s[0] for s in SAMPLES])
def test_definitions_of_every_language(name, text, symbols):
    assert symbols_of(name, text) == symbols


@pytest.mark.parametrize(("name", "text", "symbols"), SAMPLES, ids=[s[0] for s in SAMPLES])
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_parts_of_broken_code_follow_each_other_and_are_all_of_its_words(name, text, symbols, cut):
    data = text.encode()
    data = data[: int(len(data) * cut)] + b"\xc3\xa9 ((({ " + data[int(len(data) * cut) :]
    language = language_of(name)
    assert language is not None
    at = 0
    for part in outline(data, language):
        assert at <= part.start < part.end <= len(data)
        assert not any(word in data[at : part.start] for word in (b"fun", b"class", b"return"))
        at = part.end


def test_ten_thousand_nested_brackets_end_in_time():
    language = language_of("a.js")
    assert language is not None
    parts = outline(b"x = " + b"(" * 10_000 + b"1" + b")" * 10_000, language)
    assert len(parts) == 1
