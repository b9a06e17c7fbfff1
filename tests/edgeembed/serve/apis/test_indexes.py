"""Search, upsert and delete on a mounted index, over HTTP."""

import pytest


@pytest.fixture
def post(http):
    def ask(path, body, expected=200):
        answer = http.post(path, json=body)
        assert answer.status_code == expected, answer.text
        return answer.json()

    return ask


@pytest.fixture(autouse=True)
def documents(post):
    """Three documents, whatever other tests did."""
    held = {"a": "the cat sat on the mat", "b": "a train at the station", "c": "tomato soup"}
    post("/upsert", {"keys": list(held), "documents": list(held.values()), "metadatas": METADATAS})
    yield held
    post("/delete", {"where": {"kind": {"$ne": "nothing"}}})


METADATAS = [{"kind": "pet"}, {"kind": "place", "floor": 2}, {"kind": "food"}]


def test_a_text_finds_documents_best_first(post, documents):
    hits = post("/search", {"query": "the cat sat", "k": 2})["hits"]
    assert next(hit["key"] for hit in hits) == "a"
    assert len(hits) == 2
    assert hits[0]["document"] == documents["a"]
    assert hits[0]["metadata"] == {"kind": "pet"}
    assert hits[0]["score"] >= hits[1]["score"]


def test_a_vector_of_one_s_own_finds_as_well(post, encoder, documents):
    vector = encoder.encode_document(documents["b"]).tolist()
    hits = post("/search", {"vector": vector, "exact": True, "k": 1})["hits"]
    assert hits[0]["key"] == "b"
    assert hits[0]["score"] == pytest.approx(1, abs=1e-5)


def test_filters_hold(post):
    hits = post("/search", {"query": "the cat", "where": {"kind": {"$in": ["food", "place"]}}})
    assert {hit["key"] for hit in hits["hits"]} == {"b", "c"}


def test_deleted_documents_are_gone(post):
    assert post("/delete", {"keys": ["a", "never there"]}) == {"deleted": 1}
    hits = post("/search", {"query": "the cat sat on the mat"})["hits"]
    assert "a" not in {hit["key"] for hit in hits}


def test_mounted_indexes_are_listed(http, encoder):
    (told,) = http.get("/indexes").json()["indexes"]
    assert (told["name"], told["dim"], told["writable"]) == ("notes", encoder.dim, True)
    assert told["passages"] == 3


BAD = [
    ("/search", {}, "query"),
    ("/search", {"query": "a", "k": 0}, "k"),
    ("/search", {"query": "a", "k": 10**9}, "k"),
    ("/search", {"query": "a", "depth": 3}, None),
    ("/search", {"query": "a", "mode": "sparse"}, "mode"),
    ("/search", {"vector": []}, "vector"),
    ("/search", {"vector": [1.0, 2.0]}, None),
    ("/search", {"vector": [1e39] * 16}, "vector[0]"),
    ("/search", {"query": "a", "where": {"kind": {"$nope": 1}}}, None),
    ("/search", {"query": "a", "where": {"kind') OR 1=1 --": "x"}}, "any"),
    ("/upsert", {"keys": ["x"], "documents": ["one", "two"]}, "documents"),
    ("/upsert", {"keys": ["x"], "documents": ["one"], "metadatas": []}, "metadatas"),
    ("/upsert", {"keys": [""], "documents": ["one"]}, None),
    ("/upsert", {"keys": [], "documents": []}, "keys"),
    ("/upsert", {"keys": ["x"], "documents": ["one"], "metadatas": [{"n": 2**63}]}, None),
    ("/delete", {}, "keys"),
    ("/delete", {"keys": ["a"], "where": {"kind": "pet"}}, "keys"),
    ("/delete", {"where": {}}, "where"),
]


@pytest.mark.parametrize(("path", "body", "param"), BAD)
def test_bad_requests_are_refused_and_change_nothing(http, path, body, param):
    answer = http.post(path, json=body)
    if param == "any":  # a field like any other: nothing has it
        assert (answer.status_code, answer.json()) == (200, {"hits": []})
    else:
        assert answer.status_code in (400, 413), answer.text
        assert param is None or answer.json()["error"]["param"] == param
    (told,) = http.get("/indexes").json()["indexes"]
    assert told["passages"] == 3


def test_an_index_that_is_not_mounted_is_unknown(post):
    for name in ("other", "../notes", "%2e%2e", "a/b"):
        assert "notes" in post("/search", {"query": "a", "index": name}, 404)["message"]


def test_an_empty_question_is_refused(http):
    for mode in ("dense", "keyword", None):
        assert http.post("/search", json={"query": "", "mode": mode}).status_code == 400
