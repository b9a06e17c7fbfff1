"""`edgeembed dedupe --code`: near-clones of functions, as groups with their places."""

import pytest

pytest.importorskip("tree_sitter_language_pack")

RETRY = '''\
def retry_upload(client, name, times=3):
    """Send a file again until it arrives."""
    for attempt in range(times):
        try:
            return client.put(name)
        except OSError as error:
            last = error
            wait(2 ** attempt)
    raise last
'''
COPY = RETRY.replace("retry_upload", "send_again").replace("attempt", "turn").replace("3", "5")
OTHER = """\
class Cat:
    def sit(self, mat, station):
        while self.music and mat.soft:
            station[mat] = {key: value for key, value in self.rain.items() if value}
        with open(station) as stream, self.lock:
            print(stream.read(), mat, sep=", ")

    def name(self):
        return self._name
"""


# The vectors of a tiny model say less of what functions are about than those of a real one.
LEAST = ("--threshold", "0.7")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "repo"
    (folder / "vendor").mkdir(parents=True)
    (folder / "a.py").write_text(f"import os\n\n\n{RETRY}")
    (folder / "b.py").write_text(f"{OTHER}\n\n{COPY}")
    (folder / "vendor" / "c.py").write_text(RETRY)
    (folder / "notes.md").write_text(f"# Notes\n\n```python\n{RETRY}```\n")
    monkeypatch.chdir(tmp_path)
    return folder


def places(tree):
    return [[each["place"] for each in group] for group in tree["groups"]]


def test_copies_with_other_names_are_a_group_with_places_and_scores(
    run_json, repository, tiny_path
):
    tree = run_json("dedupe", "--code", "repo", "--model", tiny_path, *LEAST)
    assert places(tree) == [["repo/a.py:4", "repo/b.py:12"]]
    ((first, second),) = tree["groups"]
    assert (first["symbol"], second["symbol"]) == ("retry_upload", "send_again")
    assert first["score"] == 1
    assert tree["threshold"] <= second["score"] < 1
    assert tree["functions"] == 3  # Cat.name is too short to say anything
    assert tree["failed"] == []


def test_an_index_is_compared_without_encoding(run, run_json, repository, tiny_path, monkeypatch):
    result = run("index", "repo", "--code", "--model", tiny_path, "-i", "code.index")
    assert result.exit_code == 0, result.stderr
    from edgeembed import Encoder

    monkeypatch.setattr(Encoder, "load", None)
    tree = run_json("dedupe", "--code", "code.index", *LEAST)
    assert places(tree) == [["repo/a.py:4", "repo/b.py:12"]]


def test_people_see_a_table(run, repository, tiny_path):
    result = run("dedupe", "--code", "repo", "--model", tiny_path, *LEAST)
    assert result.exit_code == 0, result.stderr
    assert "repo/b.py:12" in result.stdout
    assert "send_again" in result.stdout
    assert "3 functions, 2 of them in 1 groups" in result.stderr


def test_long_functions_are_compared_as_a_whole(run_json, repository, tiny_path):
    body = "".join(f"    total += cost(rows[{n}], {n}) if rows else -{n}\n" for n in range(60))
    (repository / "long.py").write_text(f"def bill(rows):\n    total = 0\n{body}    return total\n")
    (repository / "copy.py").write_text(
        f"def count(xs):\n    sum_ = 0\n{body.replace('rows', 'xs').replace('total', 'sum_')}"
        "    return sum_\n"
    )
    tree = run_json("dedupe", "--code", "repo", "--model", tiny_path, *LEAST)
    assert ["repo/copy.py:1", "repo/long.py:1"] in places(tree)


def test_nothing_to_compare_is_no_group(run_json, tmp_path, tiny_path):
    (tmp_path / "empty").mkdir()
    tree = run_json("dedupe", "--code", tmp_path / "empty", "--model", tiny_path)
    assert tree["groups"] == []
    assert tree["functions"] == 0


def test_what_cannot_be_together_is_refused(run, fails, repository, indexed, tiny_path):
    assert "--html" in fails("dedupe", "--code", "repo", "--html", "a.html")
    assert "one index by itself" in fails("dedupe", "--code", indexed, "repo")
    assert "one index by itself" in fails("dedupe", "--code", indexed, "--model", tiny_path)


def test_an_index_of_notes_has_no_functions(run_json, indexed):
    assert run_json("dedupe", "--code", indexed)["functions"] == 0
