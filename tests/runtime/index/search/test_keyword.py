import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed import Index
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.search import keyword

FILLER = [f"filler text number {n} of the thing" for n in range(30)]


def _make(path, encoder, texts, titles=None, metadatas=None):
    index = Index.create(path, encoder=encoder)
    index.upsert(
        [str(n) for n in range(len(texts))], documents=texts, titles=titles, metadatas=metadatas
    )
    return index


def _keys(hits):
    return [hit.key for hit in hits]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = tmp_path_factory.mktemp("keyword") / "i"
    with Index.create(path, dim=2) as index:
        index.upsert(["a", "b"], documents=["a fox", "日本語 C++"], vectors=[[1, 0], [0, 1]])
        yield index


@given(st.text())
def test_no_text_makes_search_fail(shared, text):
    if text.strip():
        for vector in (None, [1.0, 0.0]):
            mode = "keyword" if vector is None else "hybrid"
            assert isinstance(shared.search(text, mode=mode, vector=vector), list)
    else:
        with pytest.raises(InputError, match="expected words to search for"):
            shared.search(text, mode="keyword")


@pytest.mark.parametrize("size", [10_000, 10_000_000])
@pytest.mark.parametrize("piece", ["a", "fox ", '"', "-fox ", "日本", "\u0301", "_"])
def test_a_huge_query_is_answered(shared, piece, size):
    assert isinstance(shared.search(piece * (size // len(piece)), mode="keyword"), list)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("C++", "written in C++ by hand"),
        ("C#", "written in C# by hand"),
        ("strasse", "in der Straße"),
        ("cafe", "the cafe\u0301"),
        ("café", "the cafe"),
        ("東京", "我住在東京都。"),
        ("都", "我住在東京都。"),
        ("京", "我住在東京都。"),
        ("แมว", "ฉันรักแมวมาก"),
        ("한국", "한국어를 배운다"),
        ("שלום", "שָׁלוֹם"),
        ("العربية", "الْعَرَبِيَّةُ"),
        ("है", "यह हिन्दी है।"),
        ("😀", "good 😀"),
        ("email", "my e-mail"),
        ("e-mail", "my email"),
        ("snake case", "a snake_case name"),
        ("camelcase", "a camelCase name"),
        ("main.c", "see src/main.c now"),
        ("x", "let x be"),
        ("running", "he runs"),
        ("to be or not to be", "to be, or not to be"),
    ],
)
def test_what_people_type_finds_what_is_written(tmp_path, words_encoder, query, text):
    decoys = ["written in C by hand", "qq ww", "中文 大都", "日本語"]
    with pytest.warns(UserWarning, match="no word that the model knows"):
        index = _make(tmp_path / "i", words_encoder, [*FILLER, *decoys[:2], text])
    with index:
        assert _keys(index.search(query, 1, mode="keyword")) == [str(len(FILLER) + 2)]


def test_c_and_its_children_are_three_languages(tmp_path, vectors):
    texts = ["all of C here", "all of C++ here", "all of C# here"]
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(["C", "C++", "C#"], documents=texts, vectors=vectors(3))
        for name in ("C", "C++", "C#"):
            assert _keys(index.search(name, mode="keyword")) == [name]


def test_stop_words_alone_find_the_text_that_is_made_of_them(tmp_path, vectors):
    texts = [*FILLER * 40, "to be or not to be that is the question of the thing"]
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert([str(n) for n in range(1201)], documents=texts, vectors=vectors(1201))
        assert _keys(index.search("to be or not to be", 1, mode="keyword")) == ["1200"]
        assert len(index.search("the of thing", 5, mode="keyword")) == 5


def test_of_few_documents_all_with_any_of_the_words_are_found(tmp_path, vectors):
    texts = ["apple pie", "apple juice", "banana"]
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(["0", "1", "2"], documents=texts, vectors=vectors(3))
        assert set(_keys(index.search("apple banana", mode="keyword"))) == {"0", "1", "2"}


def test_titles_weigh_and_need_no_text(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(
            ["text", "title", "neither"],
            documents=["zebra and more words", "some words", "words"],
            titles=[None, "zebra", ""],
            vectors=vectors(3),
        )
        hits = index.search("zebra", mode="keyword")
        assert _keys(hits) == ["title", "text"]
        assert [hit.title for hit in hits] == ["zebra", ""]
        index.upsert(["bare"], titles=["quagga"], vectors=vectors(1))
        assert _keys(index.search("quagga", mode="keyword")) == ["bare"]
        assert index.get("bare")[0].title == "quagga"
        assert index.verify().ok


def test_neighbors_are_better_than_the_same_words_apart(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        texts = ["black swan hole bird", "swan bird black hole", "one", "two", "three", "four"]
        index.upsert([str(n) for n in range(6)], documents=texts, vectors=vectors(6))
        assert _keys(index.search("black hole", mode="keyword"))[0] == "1"
        assert _keys(index.search("black swan", mode="keyword"))[0] == "0"


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_phrases_and_excluded_words_hold_for_both_parts(tmp_path, words_encoder, mode):
    texts = ["cat house river", "house cat river", "cat boat", "dog boat", "cat river house boat"]
    even = [{"even": n % 2 == 0} for n in range(len(texts))]
    with _make(tmp_path / "i", words_encoder, texts, metadatas=even) as index:
        assert _keys(index.search('"cat house"', mode=mode)) == ["0"]
        assert _keys(index.search("“cat house”", mode=mode)) == ["0"]
        assert set(_keys(index.search("cat -boat", mode=mode))) == {"0", "1"}
        assert set(_keys(index.search("cat -boat -river", mode=mode))) == set()
        found = index.search("cat -boat", mode=mode, where={"even": True})
        assert _keys(found) == ["0"]
        assert _keys(index.search("cat -boat", mode=mode, exclude=["0"])) == ["1"]
        assert _keys(index.search('"not in there" cat', mode=mode)) == []
        if mode == "hybrid":
            hits = index.search("cat house", 5, mode=mode)
            assert len(hits) == 5


def test_dead_and_excluded_rows_do_not_take_the_place_of_others(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        keys = [str(n) for n in range(100)]
        for _ in range(3):
            index.upsert(keys, documents=["fox " * 5] * 100, vectors=vectors(100))
        index.delete(keys[:50])
        assert _keys(index.search("fox", 50, mode="keyword")) == keys[50:]
        hits = index.search("fox", 10, mode="keyword", exclude=keys[50:85])
        assert _keys(hits) == keys[85:95]


def test_a_reader_of_an_older_generation_finds_what_was_there(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16) as index:
        index.upsert(["old"], documents=["fox"], vectors=vectors(1))
        with Index.open(tmp_path / "i") as reader:
            keys = [f"new{n}" for n in range(50)]
            index.upsert(keys, documents=["fox fox"] * 50, vectors=vectors(50))
            assert _keys(reader.search("fox", 3, mode="keyword")) == ["old"]


def test_the_commonest_words_are_not_read_beyond_a_limit(tmp_path, vectors, monkeypatch):
    monkeypatch.setattr(keyword, "_MAX_READ", 100)
    with Index.create(tmp_path / "i", dim=16) as index:
        texts = [f"common{n % 3} half{n % 2} rare{n // 10}" for n in range(1500)]
        index.upsert([str(n) for n in range(1500)], documents=texts, vectors=vectors(1500))
        hits = index.search("common1 half0 rare7", 10, mode="keyword")
        assert set(_keys(hits)) == {str(n) for n in range(70, 80)}
        assert len(index.search("common1 half0", 10, mode="keyword")) == 10


def test_looking_rows_up_finds_what_joining_them_finds(tmp_path, vectors, monkeypatch):
    with Index.create(tmp_path / "i", dim=16) as index:
        texts = [f"fox{n % 7} hen{n % 5} cow{n % 3}" for n in range(300)]
        for _ in range(2):
            index.upsert([str(n) for n in range(300)], documents=texts, vectors=vectors(300))
        queries = ["fox1 hen2", "cow1 fox3", "hen4 -cow"]
        found = [index.search(query, 20, mode="keyword") for query in queries]
        monkeypatch.setattr(keyword, "_MAX_LOOK_UPS", 0)
        assert [index.search(query, 20, mode="keyword") for query in queries] == found
