"""The plan of the house, held: arrows between folders run one way, and folders stay small."""

import ast
import itertools
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "edgeembed": ROOT / "edgeembed",
    "edgeembed_converters": ROOT / "converters" / "edgeembed_converters",
    "edgeembed_runtime": ROOT / "runtime" / "edgeembed_runtime",
}
MAX_MODULES, MAX_LINES = 15, 500
SMALL_LINES, MAX_SMALL = 30, 40
SOURCES = ("edgeembed", "converters", "runtime", "tests", "benchmarks", "examples")


def modules_of(package):
    """Every module of a package by its dotted name."""
    root = PACKAGES[package]
    for path in sorted(root.rglob("*.py")):
        parts = (package, *path.relative_to(root).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports_of(path):
    """The dotted names that a module imports, at any depth of a function, for types or for real."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folder_arrows(package):
    """Which folders each folder of a package imports from, and by which modules."""
    paths = dict(modules_of(package))
    folders = {name: path.parent for name, path in paths.items()}
    found = defaultdict(dict)
    door = PACKAGES[package] / "__init__.py"
    for path in paths.values():
        if path == door:
            continue  # it names everything, and imports it when it is asked for
        for name in imports_of(path):
            target = name if name in folders else name.rpartition(".")[0]
            if target in folders and folders[target] != path.parent and paths[target] != door:
                found[path.parent].setdefault(folders[target], f"{path.name} imports {target}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folders_import_each_other(package):
    arrows = folder_arrows(package)
    done, under_way = set(), []

    def follow(folder):
        if folder in under_way:
            circle = [*under_way[under_way.index(folder) :], folder]
            steps = [arrows[a][b] for a, b in itertools.pairwise(circle)]
            names = " -> ".join(str(each.relative_to(ROOT)) for each in circle)
            pytest.fail(f"a circle of folders: {names}: {'; '.join(steps)}")
        if folder not in done:
            under_way.append(folder)
            for target in sorted(arrows[folder]):
                follow(target)
            done.add(under_way.pop())

    for folder in sorted(arrows):
        follow(folder)


def test_packages_import_downwards_only():
    floors = list(PACKAGES)
    for package in floors:
        above = set(floors[: floors.index(package)])
        for _, path in modules_of(package):
            upwards = [n for n in imports_of(path) if n.partition(".")[0] in above]
            assert upwards == [], path


# The one module that makes sessions, and the one that imports onnxruntime (offline).
SESSIONS = "edgeembed_runtime/engine/session.py"
ONNXRUNTIME = "edgeembed_runtime/_internal/ort.py"
# The quantizers and converters that onnxruntime ships; they make no session of ours.
ONNXRUNTIME_TOOLS = ("onnxruntime.quantization", "onnxruntime.tools", "onnxruntime.transformers")


def path_in_package(package, path):
    return f"{package}/{path.relative_to(PACKAGES[package]).as_posix()}"


def test_every_onnxruntime_session_is_made_in_one_module():
    found = {
        path_in_package(package, path)
        for package in PACKAGES
        for _, path in modules_of(package)
        if "InferenceSession(" in path.read_text(encoding="utf-8")
    }
    assert found == {SESSIONS}


def test_onnxruntime_is_imported_in_one_module():
    found = {
        path_in_package(package, path)
        for package in PACKAGES
        for _, path in modules_of(package)
        for name in imports_of(path)
        if name.partition(".")[0] == "onnxruntime" and not name.startswith(ONNXRUNTIME_TOOLS)
    }
    assert found == {ONNXRUNTIME}


def folders_of_modules():
    found = defaultdict(list)
    for top in SOURCES:
        for path in sorted((ROOT / top).rglob("*.py")):
            if path.name != "__init__.py":
                found[path.parent].append(path)
    return found


def test_no_folder_has_more_modules_than_one_can_see_at_once():
    crowded = {
        str(folder.relative_to(ROOT)): len(modules)
        for folder, modules in folders_of_modules().items()
        if len(modules) > MAX_MODULES
    }
    assert crowded == {}


def test_modules_are_neither_rooms_of_two_ideas_nor_cupboards():
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for package in PACKAGES
        for _, path in modules_of(package)
    }
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}
    small = [p for p, count in lines.items() if count < SMALL_LINES and "__init__" not in p]
    assert len(small) < MAX_SMALL, small


def test_the_architecture_page_draws_every_folder_and_no_other():
    page = (ROOT / "docs/internals/architecture.md").read_text(encoding="utf-8")
    tree = page.partition("```text\n")[2].partition("```")[0]
    drawn = set()
    package = ROOT
    for line in tree.splitlines():
        if not line.startswith(" "):
            package = ROOT / line.split()[0]
            continue
        folders = [package / name for name in line[:34].split()]
        drawn.update(folders)
        inside = [name.strip("/") for name in re.findall(r"\w+/", line[34:])]
        assert all((folders[0] / name).is_dir() for name in inside), line
    assert [path for path in drawn if not path.exists()] == []
    there = {
        child.parent for package in PACKAGES.values() for child in package.glob("[!_]*/__init__.py")
    }
    assert there - drawn == set()
