"""Bad files of word vectors: one clear error that names the place, or a note, as asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed import import_word_vectors
from edgeembed_converters.word_vectors.open_file import read_word_vectors
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, EdgeEmbedError, InputError
from helpers import word_vector_files as files

LINES = files.text().splitlines(keepends=True)
NAN = files.vectors()
NAN[3, 2] = np.nan


def with_line(number, line):
    return b"".join([*LINES[:number], line, *LINES[number + 1 :]])


ROW = b" 1 2 3 4 5 6\n"
TEXTS = {
    "empty": (b"", "an empty file"),
    "blank": (b"\n\n \n", "an empty file"),
    "only_a_header": (LINES[0], "line 1: expected 13 words, .* found 0"),
    "too_few_words": (b"".join(LINES[:-1]), "line 13: expected 13 words, .* found 12"),
    "too_many_words": (b"".join([*LINES, b"more" + ROW]), "expected 13 words, .* found 14"),
    "another_dimension": (b"13 7\n" + b"".join(LINES[1:]), "line 2: expected a word and 7 numbers"),
    "no_dimension": (b"13 0\n" + b"".join(LINES[1:]), "line 1: .*got 13 and 0"),
    "no_words": (b"0 6\n", "line 1: .*got 0 and 6"),
    "short_line": (with_line(4, b"on 1 2 3\n"), "line 5: expected a word and 6 numbers"),
    "long_line": (with_line(4, b"on 9 1 2 3 4 5 6\n"), "line 5: expected a word and 6 numbers"),
    "no_numbers": (with_line(4, b"on a b c d e f\n"), "line 5: expected a word and 6 numbers"),
    "blank_line": (with_line(4, b"\n"), "line 5: expected a word"),
    "spaces": (with_line(4, b"New York" + ROW), "line 5: no word, or one with white space"),
    "no_word": (with_line(4, ROW), "line 5: "),
    "invalid_utf8": (with_line(4, b"caf\xe9" + ROW), "line 5: invalid UTF-8"),
    "twice": (with_line(4, b"cat" + ROW), "line 5: a word twice: 'cat'"),
    "nan": (with_line(4, b"on 1 2 nan 4 5 6\n"), "line 5: a vector with NaN"),
    "too_large": (with_line(4, b"on 1 2 1e300 4 5 6\n"), "line 5: a vector with NaN or infinite"),
    "endless_line": (LINES[0] + b"a" * (3 << 20), "line 2: expected at most 1048576 bytes"),
    "gzip": (b"\x1f\x8b\x08\x00rest", "compressed"),
    "zip": (b"PK\x03\x04rest", "compressed"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "another binary file"),
    "old_fasttext": (b"\x0a\0\0\0\x05\0\0\0rest", "another binary file"),
    "binary_cut": (files.binary()[:-10], r"byte \d+: expected a word, .* found the end"),
    "binary_half": (files.binary()[:200], "which take at least .* bytes, found the end"),
    "binary_too_few": (b"14" + files.binary()[2:], "byte .*: expected"),
    "binary_nan": (files.binary(values=NAN), r"byte \d+: a vector with NaN"),
    "binary_twice": (files.binary(["a", "b", "a"]), r"byte \d+: a word twice"),
    "binary_utf8": (
        files.binary(["a", "b", "c"]).replace(b"\nb ", b"\n\xff "),
        r"byte \d+: invalid UTF-8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_bad_file_is_one_error_with_its_place_and_nothing_is_written(name, tmp_path):
    data, message = TEXTS[name]
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(ConversionError, match=message) as caught:
        import_word_vectors(tmp_path / "bad", tmp_path / "out")
    assert str(tmp_path / "bad") in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    [
        "short_line",
        "long_line",
        "no_numbers",
        "spaces",
        "invalid_utf8",
        "twice",
        "nan",
        "too_large",
    ],
)
def test_bad_lines_are_left_out_where_asked_for_and_counted(name, tmp_path):
    (tmp_path / "bad").write_bytes(TEXTS[name][0])
    report = import_word_vectors(tmp_path / "bad", tmp_path / "out", bad_words="skip")
    assert any(note.startswith("1 left out: ") for note in report.notes)
    rest = [word for word in files.WORDS if word != "on"]
    with Encoder.load(tmp_path / "out") as encoder:
        assert list(encoder.vocabulary) == rest
        expected = np.delete(files.vectors(), 3, axis=0)
        np.testing.assert_allclose(encoder.encode(rest), expected, atol=1e-6)


def test_a_file_of_nothing_but_bad_lines_is_refused(tmp_path):
    (tmp_path / "prose.txt").write_text("It was a dark\nand stormy night.\n")
    with pytest.raises(ConversionError, match="found none"):
        import_word_vectors(tmp_path / "prose.txt", tmp_path / "out", bad_words="skip")


def test_vectors_of_zeros_only_are_refused(tmp_path):
    (tmp_path / "zeros.txt").write_bytes(files.text(("a", "b"), np.zeros((2, 3), np.float32)))
    with pytest.raises(ConversionError, match="expected some that are not zero, found none"):
        import_word_vectors(tmp_path / "zeros.txt", tmp_path / "out")


@pytest.mark.parametrize("there", [False, True])
def test_no_file_and_a_directory_are_refused(there, tmp_path):
    path = tmp_path / "nothing"
    if there:
        path.mkdir()
    with pytest.raises(InputError, match="a directory" if there else "nothing"):
        import_word_vectors(path, tmp_path / "out")


WHOLE = {"text": files.text(), "binary": files.binary(), "fasttext": files.fasttext()[0]}


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    place=st.floats(0, 1, exclude_max=True),
    put=st.binary(max_size=6),
    gone=st.integers(0, 40),
)
def test_damage_gives_a_table_or_one_of_our_errors(kind, place, put, gone, tmp_path_factory):
    whole = WHOLE[kind]
    at = int(place * len(whole))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(whole[:at] + put + whole[at + gone :])
    try:
        table = read_word_vectors(path, None, "error")
    except EdgeEmbedError as error:
        assert str(path) in str(error)
    else:
        assert len(table.words) == len(table.vectors) == len(set(table.words))
        assert np.isfinite(table.vectors).all()


@settings(max_examples=50, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1),
        min_size=1, max_size=8, unique=True,
    ),
    dim=st.integers(2, 8),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_what_is_written_as_text_or_binary_is_read_back(words, dim, seed, tmp_path_factory):
    values = files.vectors(len(words), dim, seed)
    path = tmp_path_factory.getbasetemp() / "written"
    for data in (files.binary(words, values), files.text(words, values)):
        path.write_bytes(data)
        table = read_word_vectors(path, None, "error")
        assert list(table.words) == words
        np.testing.assert_allclose(table.vectors, values, atol=1e-6)
