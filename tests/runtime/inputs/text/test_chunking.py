"""Long texts as pieces: within the limit, in their places, with nothing left out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.chunking import chunk_text
from helpers.tiny_tokenizers import KINDS, ours

words = st.sampled_from(
    [
        "the",
        "cat",
        "running",
        "station.",
        "mat!\n",
        "naïve",
        "x" * 30,
        "\n\n",
        "東京。",
        "é",
        "?",
        "\n# cat\n",
        "\n\n## the dog\n\n",
        "\n\ncats\n====\n",
        "\n- ",
        "\n```\n",
        "สวัสดี" * 9,
        "x" * 150,
        "👩\u200d🚀" * 20,
        " " * 99,
    ]
)
texts = st.lists(words, max_size=80).map(" ".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=200
)
PARTS = ("the cat", "ran. ", "東京", "😀", "e\u0301", " ", "\n", "running")


def chunks_of(kind, text, size, overlap):
    return list(chunk_text(text, ours(kind, 64), max_tokens=size, overlap_tokens=overlap))


@st.composite
def sizes(draw, least=1):
    size = draw(st.integers(least, 40))
    return size, draw(st.integers(0, size // 2))


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts, size=sizes())
def test_chunks_are_pieces_of_the_text_in_order_that_leave_no_character_out(kind, text, size):
    chunks = chunks_of(kind, text, *size)
    covered = [False] * len(text)
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        covered[chunk.start : chunk.end] = [True] * len(chunk.text)
    assert [c.start for c in chunks] == sorted(c.start for c in chunks)
    assert [c.end for c in chunks] == sorted(c.end for c in chunks)
    if chunks:
        assert [c for c, is_in in zip(text, covered, strict=True) if not is_in and c.strip()] == []


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts, size=sizes(8))
def test_a_chunk_has_at_most_the_tokens_asked_for_when_it_stands_alone(kind, text, size):
    made = ours(kind)
    for chunk in chunks_of(kind, text, *size):
        assert made.count(chunk.text) - made.special_tokens <= size[0]


@pytest.mark.parametrize("kind", KINDS)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=60), size=sizes(1))
def test_it_ends_with_the_last_word_whatever_the_sizes(kind, parts, size):
    text = "".join(parts)
    chunks = chunks_of(kind, text, *size)
    assert bool(chunks) == bool(text.strip())
    if chunks:
        assert chunks[-1].end == len(text.rstrip())


def test_two_chunks_in_a_row_share_about_the_tokens_asked_for():
    made = ours("wordpiece")
    text = " ".join(["the cat sat on the mat"] * 40)
    chunks = chunks_of("wordpiece", text, 20, 6)
    shared = [
        made.count(text[b.start : a.end]) - made.special_tokens
        for a, b in itertools.pairwise(chunks)
    ]
    assert len(shared) > 10
    assert set(shared) == {6}


@pytest.mark.parametrize("overlap", [7, 8, 13])
def test_whole_sentences_are_shared_up_to_the_tokens_asked_for(overlap):
    text = "the cat sat on the mat. " * 40
    chunks = chunks_of("wordpiece", text, 30, overlap)
    shared = {text[b.start : a.end] for a, b in itertools.pairwise(chunks)}
    assert shared == {" ".join(["the cat sat on the mat."] * (overlap // 7))}


def test_no_sentence_is_shared_where_the_last_one_is_longer_than_asked_for():
    chunks = chunks_of("wordpiece", "the cat sat on the mat. " * 40, 30, 6)
    assert all(a.end <= b.start for a, b in itertools.pairwise(chunks))


def test_a_heading_starts_a_chunk_stays_with_its_text_and_shares_nothing():
    part = "the cat sat on the mat. the dog ran. " * 3
    text = f"# the cat\n\n{part}\n\n## the dog\n\n{part}\n\n# rain\n\n{part}"
    chunks = chunks_of("wordpiece", text, 20, 8)
    assert [chunk.text.partition("\n")[0] for chunk in chunks if chunk.text[0] == "#"] == [
        "# the cat",
        "## the dog",
        "# rain",
    ]
    paths = list(dict.fromkeys(chunk.headings for chunk in chunks))
    assert paths == [("the cat",), ("the cat", "the dog"), ("rain",)]
    assert all("mat." in chunk.text for chunk in chunks if chunk.text[0] == "#")


def test_a_heading_without_text_goes_with_the_first_one_below_it():
    chunks = chunks_of("wordpiece", "# the cat\n\n## the dog\n\nran in the rain\n", 20, 0)
    assert [chunk.headings for chunk in chunks] == [("the cat", "the dog")]


def test_tiny_sections_of_one_parent_share_a_chunk_and_larger_ones_do_not():
    tiny = "".join(f"## cat\n\nthe dog {n}\n\n" for n in range(3))
    (chunk,) = chunks_of("wordpiece", f"# the cat\n\n{tiny}", 60, 0)
    assert chunk.headings == ("the cat",)
    large = "".join(f"## cat\n\n{'the dog ran. ' * 6}\n\n" for n in range(2))
    paths = [c.headings for c in chunks_of("wordpiece", f"# the cat\n\n{large}", 60, 0)]
    assert paths == [("the cat", "cat")] * 2


def test_the_title_of_front_matter_is_above_all_headings():
    text = "---\ntitle: the cat\n---\n\n# the dog\n\n" + "ran in the rain. " * 9
    chunks = chunks_of("wordpiece", text, 30, 0)
    assert {chunk.headings for chunk in chunks[1:]} == {("the cat", "the dog")}
    assert chunks[0].headings[0] == "the cat"


def test_a_long_section_is_split_evenly():
    made = ours("wordpiece")
    text = "the cat sat on the mat. " * 9  # 63 tokens
    sizes = [made.count(chunk.text) for chunk in chunks_of("wordpiece", text, 60, 0)]
    assert len(sizes) == 2
    assert min(sizes) > 25


def test_a_paragraph_is_not_cut_where_it_fits():
    paragraph = "the cat sat on the mat. the dog ran in the rain.\n\n"
    chunks = chunks_of("wordpiece", paragraph * 10, 40, 0)
    assert {chunk.text.endswith("rain.") for chunk in chunks} == {True}


@pytest.mark.parametrize(
    "run",
    ["aGVsbG8" * 3000, "สวัสดีครับ" * 2000, "😀" * 20_000, "字" * 20_000, "e" + "\u0301" * 20_000],
    ids=["base64", "thai", "emoji", "chinese", "accents"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_words_is_split_by_its_length(kind, run):
    chunks = chunks_of(kind, f"the cat {run} the dog", 40, 0)
    assert max(len(chunk.text) for chunk in chunks) <= 40 * 16
    assert len("".join(chunk.text for chunk in chunks)) >= len(run) + len("thecatthedog")


def test_a_run_is_not_cut_inside_a_character_of_several():
    family = "👩\u200d👩\u200d👧"
    chunks = chunks_of("wordpiece", family * 300, 40, 0)
    assert len(chunks) > 3
    assert all(chunk.text[0] == "👩" and chunk.text[-1] == "👧" for chunk in chunks)


@pytest.mark.parametrize(
    "text",
    [
        "the cat " * 60_000,
        "a1" * 250_000,
        "\n" * 500_000 + "cat",
        "# cat\n" * 20_000,
        "## cat\n\n" * 20_000,
        "```\n" * 50_000,
        "cat\n===\n" * 20_000,
        "." * 300_000,
    ],
    ids=["line", "word", "newlines", "hashes", "headings", "fences", "underlines", "dots"],
)
def test_odd_texts_are_split_whole(text):
    chunks = chunks_of("wordpiece", text, 60, 8)
    assert all(text[c.start : c.end] == c.text for c in chunks)
    assert chunks[-1].end == len(text.rstrip())
    assert all(
        a.end >= b.start or not text[a.end : b.start].strip() for a, b in itertools.pairwise(chunks)
    )


@given(text=texts, size=sizes())
def test_the_same_text_gives_the_same_chunks(text, size):
    assert chunks_of("wordpiece", text, *size) == chunks_of("wordpiece", text, *size)


def test_without_overlap_no_word_is_in_two_chunks():
    text = " ".join(f"cat{i}" for i in range(200))
    chunks = chunks_of("wordpiece", text, 16, 0)
    assert [word for chunk in chunks for word in chunk.text.split()] == text.split()


def test_a_chunk_ends_after_a_sentence_where_one_ends_in_its_last_quarter():
    text = "the cat sat on the mat. " * 3 + "the dog ran. "
    ends = {chunk.text[-1] for chunk in chunks_of("wordpiece", text, 8, 0)}
    assert ends == {"."}


def test_a_word_is_not_cut_where_a_word_ends_in_the_last_quarter():
    text = "running cooking playing cats " * 20
    pieces = [word for chunk in chunks_of("wordpiece", text, 16, 0) for word in chunk.text.split()]
    assert set(pieces) == {"running", "cooking", "playing", "cats"}


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0", " " * 300_000])
@pytest.mark.parametrize("kind", KINDS)
def test_white_space_gives_no_chunk(kind, text):
    assert chunks_of(kind, text, 8, 0) == []


def test_a_short_text_is_one_chunk_without_the_white_space_before_it():
    (chunk,) = chunks_of("wordpiece", "\n  the cat \n", 8, 4)
    assert (chunk.text, chunk.start, chunk.end) == ("the cat", 3, 10)


def test_a_long_text_of_many_blocks_keeps_its_places():
    text = "the cat sat on the mat.\n" * 20_000
    chunks = chunks_of("wordpiece", text, 30, 0)
    assert all(text[c.start : c.end] == c.text for c in chunks)
    assert " ".join(c.text for c in chunks).split() == text.split()


@pytest.mark.parametrize("size", [0, -1, 2.5, "8", True])
def test_a_chunk_of_no_tokens_is_an_input_error(size):
    with pytest.raises(InputError, match=f"max_tokens: expected 1 or more, got {size!r}"):
        chunks_of("wordpiece", "the cat", size, 0)


@pytest.mark.parametrize("overlap", [-1, 5, 8, 100, 1.5])
def test_an_overlap_of_more_than_half_a_chunk_is_an_input_error(overlap):
    with pytest.raises(InputError, match=f"overlap_tokens: expected 0 to 4, got {overlap}"):
        chunks_of("wordpiece", "the cat", 8, overlap)


def test_the_encoder_s_chunks_fit_the_model_with_its_special_tokens(tiny_path):
    text = "the cat sat on the mat and the dog ran in the rain. " * 20
    with Encoder.load(tiny_path) as encoder:
        for asked in (None, 10_000):
            counts = encoder.count_tokens([c.text for c in encoder.chunk(text, max_tokens=asked)])
            assert max(counts) <= encoder.max_tokens
            assert len(counts) > 5
        smaller = encoder.chunk(text, max_tokens=8, overlap_tokens=2)
        assert max(encoder.count_tokens([c.text for c in smaller])) <= 10
