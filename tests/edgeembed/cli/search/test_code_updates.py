"""An index of code follows its repository: what it has seen is not encoded again."""

import shutil
import subprocess

import pytest

pytest.importorskip("tree_sitter_language_pack")

HEAD = '"""Music played in the station."""\n\nimport math\n\n\n'
FUNCTIONS = [f"def cat{n}(mat):\n    return mat + {n}\n" for n in range(8)]


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "cats.py").write_text(HEAD + "\n\n".join(FUNCTIONS))
    return folder


@pytest.fixture
def update(run_json, repository, tiny_path, tmp_path, monkeypatch):
    """Index the repository again and return the report."""
    monkeypatch.chdir(repository)
    return lambda *options: run_json(
        "index", ".", "--code", "-i", tmp_path / "code.index", "--model", tiny_path, *options
    )


@pytest.fixture
def encoded(monkeypatch):
    """The texts that the model really encoded, since the last look."""
    from edgeembed_runtime.encoder.cache import EmbeddingCache

    seen = []
    put = EmbeddingCache._put

    def counted(cache, vectors):
        seen.extend(vectors)
        put(cache, vectors)

    monkeypatch.setattr(EmbeddingCache, "_put", counted)

    def since():
        count = len(seen)
        seen.clear()
        return count

    return since


def test_a_function_in_front_does_not_have_the_others_encoded_again(update, encoded, repository):
    update()
    assert encoded() >= len(FUNCTIONS)
    new = "def rain(mat):\n    return mat\n"
    (repository / "cats.py").write_text(HEAD + "\n\n".join([new, *FUNCTIONS]))
    report = update()
    assert report["indexed"] == 1
    assert encoded() == 1


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_checkout_and_back_encodes_nothing_that_was_seen(update, encoded, repository, run_json):
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "first")
    update()
    encoded()
    git(repository, "checkout", "-q", "-b", "other")
    (repository / "cats.py").write_text(HEAD + "\n\n".join(FUNCTIONS[:3]))
    (repository / "rain.py").write_text("def rain(station):\n    return station\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "second")
    update()
    assert encoded() == 1
    for branch in ("main", "other", "main"):
        git(repository, "checkout", "-q", branch)
        report = update()
        assert encoded() == 0
        assert report["documents"] == (len(FUNCTIONS) + 1 if branch == "main" else 5)
    found = run_json("search", "cat7", "-i", "../code.index", "-k", "50")["hits"]
    assert "cat7" in {hit["metadata"].get("symbol") for hit in found}


def test_a_later_run_without_the_option_uses_what_was_kept(update, encoded, run_json, repository):
    update()
    encoded()
    (repository / "cats.py").write_text(HEAD + "\n\n".join(FUNCTIONS[::-1]))
    run_json("index", ".", "-i", "../code.index")
    assert encoded() == 0


def test_an_index_of_notes_keeps_no_second_copy_of_its_vectors(indexed):
    assert not (indexed / "seen-vectors.sqlite3").exists()


def test_without_permission_to_keep_vectors_the_index_is_made_all_the_same(update, tmp_path):
    update()
    kept = tmp_path / "code.index" / "seen-vectors.sqlite3"
    kept.unlink()
    kept.mkdir()
    assert update("--all")["documents"] == len(FUNCTIONS) + 1
