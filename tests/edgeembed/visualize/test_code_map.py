"""The map of a repository: colored by folder, with places and signatures on hover."""

import numpy as np
import pytest

from edgeembed.visualize.map_points import Points, read_points

pytest.importorskip("tree_sitter_language_pack")


def points_in(*folders):
    metadatas = tuple({} if each is None else {"folder": each} for each in folders)
    return Points(
        keys=(), documents=(), metadatas=metadatas, vectors=np.empty((0, 2), np.float32), total=0
    )


@pytest.mark.parametrize(
    ("folders", "shown"),
    [
        (["a", "b"], ["a", "b"]),
        (["src/a/x", "src/b", None], ["src/a/x", "src/b", "."]),
        (
            ["src/lib/cat", *(f"src/app/{n}" for n in range(20))],
            ["src/lib", *["src/app"] * 20],
        ),
        ([f"{n}/x" for n in range(20)], [f"{n}" for n in range(20)]),
    ],
)
def test_folders_are_as_deep_as_colors_can_tell_them_apart(folders, shown):
    assert list(points_in(*folders).values("folder")) == shown


def test_functions_are_colored_by_folder_and_say_their_place_and_signature(
    run, tmp_path, tiny_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "rain"):
        folder = tmp_path / "repo" / name
        folder.mkdir(parents=True)
        (folder / "a.py").write_text(
            f"def {name}(mat: list[int], *, noon=True) -> None:\n    mat.append({name!r})\n\n\n"
            f"class Station:\n    def {name}s(self):\n        return 1\n"
        )
    result = run("index", "repo", "--code", "--model", tiny_path, "-i", "code.index")
    assert result.exit_code == 0, result.stderr
    result = run("map", "code.index", "-o", "map.html")
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "map.html").read_text()
    names = {part.partition('"')[0] for part in page.split('"name":"')[1:]}
    assert {"cat", "rain"} <= names
    # Plotly's JSON has < and > as \u003c and \u003e; what is escaped for HTML has & as it is.
    assert "def cat(mat: list[int], *, noon=True) -&gt; None" in page
    assert r"repo\u002fcat\u002fa.py:1" in page


def test_notes_have_one_color(run, indexed, tmp_path):
    result = run("map", indexed, "-o", tmp_path / "map.html")
    assert result.exit_code == 0, result.stderr
    from edgeembed import Index

    with Index.open(indexed) as index:
        assert not read_points(index, limit=100, seed=0).is_code
