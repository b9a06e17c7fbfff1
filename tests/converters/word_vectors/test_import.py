"""Files of word vectors as bundles: every form gives the file's own vectors."""

import numpy as np
import pytest

from edgeembed import import_word_vectors
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from helpers import word_vector_files as files

FORMS = {
    "word2vec.txt": files.text(),
    "fasttext.vec": files.text(end=" \n"),
    "batched.txt": files.text(end="\r\n"),
    "glove.txt": files.text(header=False, end="\n"),
    "word2vec.bin": files.binary(),
    "gensim.bin": files.binary(between=b""),
}


@pytest.fixture
def imported(tmp_path):
    opened = []

    def run(data, name="vectors.txt", variant="fp32", **options):
        (tmp_path / name).write_bytes(data)
        bundle = tmp_path / f"bundle{len(opened)}"
        import_word_vectors(tmp_path / name, bundle, **options)
        opened.append(Encoder.load(bundle, variant=variant))
        return opened[-1]

    yield run
    for encoder in opened:
        encoder.close()


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_vectors_of_the_file(name, imported):
    encoder = imported(FORMS[name], name)
    assert encoder.vocabulary == files.WORDS
    np.testing.assert_allclose(encoder.encode(files.WORDS), files.vectors(), atol=1e-6)


def test_a_text_is_the_mean_of_its_words(imported):
    encoder = imported(files.text())
    table = dict(zip(files.WORDS, files.vectors(), strict=True))
    expected = np.mean([table[word] for word in ("the", "cat", "sat", "on", "the", "mat", ".")], 0)
    np.testing.assert_allclose(encoder.encode("the cat sat on the mat."), expected, atol=1e-6)
    short = encoder.encode(["the cat sat on the mat.", "dog"])
    np.testing.assert_array_equal(short[0], encoder.encode("the cat sat on the mat."))


def test_unit_length_where_asked_for(imported):
    plain, unit = imported(files.text()), imported(files.text(), normalize=True)
    assert (plain.normalized, unit.normalized) == (False, True)
    found = unit.encode(["the cat", "dog", "nothing known"])
    expected = plain.encode(["the cat", "dog"])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found[:2], expected, atol=1e-6)
    assert not found[2].any()
    assert plain.space != unit.space


@pytest.mark.parametrize("rows", ["int8", "fp16"])
def test_smaller_rows_are_close_and_small(rows, imported):
    count, dim = 500, 64
    words = [f"w{n}" for n in range(count)]
    values = files.vectors(count, dim)
    encoder = imported(files.binary(words, values), variant=rows, quantize=rows)
    cosines = (encoder.encode(words) * values).sum(1) / (
        np.linalg.norm(encoder.encode(words), axis=1) * np.linalg.norm(values, axis=1)
    )
    assert cosines.min() > {"int8": 0.9998, "fp16": 0.999999}[rows]
    entries = Bundle.open(encoder.path).manifest.files
    share = entries[f"{rows}.onnx"].bytes / entries["fp32.onnx"].bytes
    assert share == pytest.approx({"int8": (dim + 4) / (4 * dim), "fp16": 0.5}[rows], abs=0.02)


def test_max_words_takes_the_first_ones(imported):
    for data, name in ((FORMS["word2vec.txt"], "a.txt"), (FORMS["word2vec.bin"], "a.bin")):
        assert imported(data, name, max_words=3).vocabulary == files.WORDS[:3]
    assert imported(files.fasttext()[0], "a.bin", max_words=3).vocabulary == files.WORDS[:3]


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [("zero", np.zeros(6)), ("mean", files.vectors().mean(axis=0, dtype=np.float64))],
)
def test_unknown_words_become_zero_or_the_mean(unknown, expected, imported):
    encoder = imported(files.text(), unknown=unknown)
    np.testing.assert_allclose(encoder.encode("zebra"), expected, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(["", " \n"]), [expected, expected], atol=1e-6)
    both = encoder.encode("cat zebra")
    np.testing.assert_allclose(both, (files.vectors()[1] + expected) / 2, atol=1e-6)


def test_an_unknown_word_may_be_an_error(imported):
    encoder = imported(files.text(), unknown="error")
    with pytest.raises(InputError, match=r"inputs\[1\].*'zebra'"):
        encoder.encode(["the cat", "the zebra"])
    with pytest.raises(InputError, match="at least one word"):
        encoder.encode("")


@pytest.mark.parametrize(
    "option",
    [
        {"unknown": "subword"},
        {"unknown": "guess"},
        {"quantize": "int3"},
        {"max_words": 0},
        {"max_tokens": True},
        {"bad_words": "ignore"},
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_written(option, tmp_path):
    (tmp_path / "a.txt").write_bytes(files.text())
    with pytest.raises(InputError, match=next(iter(option))):
        import_word_vectors(tmp_path / "a.txt", tmp_path / "out", **option)
    assert not (tmp_path / "out").exists()


def test_two_files_are_two_spaces_and_one_file_is_one(tmp_path):
    spaces = []
    for number, data in enumerate((files.text(), files.text(), files.binary())):
        (tmp_path / "a").write_bytes(data)
        report = import_word_vectors(tmp_path / "a", tmp_path / f"out{number}")
        spaces.append(report.space)
    assert spaces[0] == spaces[1] != spaces[2]


def test_the_report_and_the_card_say_what_was_read(tmp_path):
    (tmp_path / "small.bin").write_bytes(files.fasttext()[0])
    report = import_word_vectors(tmp_path / "small.bin", tmp_path / "out", quantize="int8")
    assert report.name == "small"
    assert report.notes[0] == "13 words, 50 rows for n-grams; unknown words: subword"
    assert [variant.name for variant in report.variants] == ["fp32", "int8"]
    assert report.notes[0] in (tmp_path / "out" / "README.md").read_text()
