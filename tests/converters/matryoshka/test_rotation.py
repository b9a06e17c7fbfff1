"""Rotations: whole vectors keep their cosines, cut ones keep more, and the space is another."""

import numpy as np
import pytest

from edgeembed import convert
from edgeembed_converters.matryoshka.rotation import fit_texts
from edgeembed_converters.matryoshka.rotation_fit import learned_rotation, pca_rotation
from edgeembed_converters.matryoshka.truncated_dims import matryoshka_dims, measured_truncations
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

pytestmark = pytest.mark.slow

FITS = {"pca": pca_rotation, "learned": learned_rotation}


def spread_out(count=400, dim=48, telling=8, seed=3):
    """Unit vectors that vary in a few hidden directions mostly: (count, dim) float32."""
    random = np.random.default_rng(seed)
    widths = np.where(np.arange(dim) < telling, 1.0, 0.15)
    turn = np.linalg.qr(random.normal(size=(dim, dim)))[0]
    rows = (random.normal(size=(count, dim)) * widths) @ turn
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.mark.parametrize("kind", FITS)
def test_a_rotation_is_orthogonal_the_same_every_time_and_keeps_all_cosines(kind):
    vectors = spread_out()
    matrix = FITS[kind](vectors)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(48), atol=1e-5)
    np.testing.assert_allclose(cosines(vectors @ matrix), cosines(vectors), atol=1e-5)
    np.testing.assert_array_equal(FITS[kind](vectors), matrix)


@pytest.mark.parametrize("kind", FITS)
def test_cut_vectors_keep_more_of_texts_that_were_not_fitted_on(kind):
    fitted, other = np.split(spread_out(800), 2)
    turned = other @ FITS[kind](fitted)

    def error(vectors):
        return np.abs(cosines(vectors[:, :24]) - cosines(other)).mean()

    assert error(turned) < 0.5 * error(other)


def test_pca_is_numpys_singular_vectors():
    vectors = spread_out(dim=12, telling=4)
    theirs = np.linalg.svd(vectors.astype(np.float64))[2].T
    np.testing.assert_allclose(np.abs(pca_rotation(vectors).T @ theirs), np.eye(12), atol=1e-4)


@pytest.mark.parametrize("kind", FITS)
def test_fewer_texts_than_components_still_make_a_whole_rotation(kind):
    matrix = FITS[kind](spread_out(count=33, dim=48))
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(48), atol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
def test_a_rotated_bundle_is_the_original_turned(normalize, tiny, texts, converted, encode):
    source = tiny.sentence(f"turned-{normalize}", normalize=normalize)
    plain, turned = converted(source), converted(source, rotate="pca")
    before, after = encode(plain.path, texts), encode(turned.path, texts)
    assert not np.allclose(before, after, atol=1e-3)
    np.testing.assert_allclose(after @ after.T, before @ before.T, rtol=1e-4, atol=1e-4)
    assert turned.space != plain.space
    assert any(name.startswith("Rotate 32 pca ") for name in turned.head)
    assert any("rotated by pca" in note for note in turned.notes)
    assert Bundle.open(turned.path).manifest.normalized == normalize


def test_other_texts_make_another_space_and_int8_passes_its_gate(tiny, texts, converted):
    source = tiny.sentence("turned-True", normalize=True)
    own = [f"{text} {number}" for text in texts for number in range(4)]
    turned = converted(source, rotate="learned", rotate_on=own, quantize="int8")
    assert turned.space != converted(source, rotate="pca").space
    assert [variant.name for variant in turned.variants] == ["fp32", "int8"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotate": "svd"}, "expected one of pca, learned"),
        ({"rotate_on": ["a"] * 50}, "got rotate=None"),
        ({"rotate": "pca", "rotate_on": "text"}, "a list of texts"),
        ({"rotate": "pca", "rotate_on": [1, 2]}, "a list of texts"),
        ({"rotate": "pca", "rotate_on": ["a"] * 50}, "expected 32 texts or more, got 1"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused_before_any_work(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        convert(tmp_path, tmp_path / "out", **options)


def test_the_built_in_texts_hold_whole_words_of_the_models_own(tiny, toy_tokenizer):
    made = TextTokenizer.from_bytes(toy_tokenizer.to_str().encode(), 20, "t.json")
    found = fit_texts(made)
    assert len(found) == len(set(found)) > 150
    assert "guitar" in found
    assert not any("##" in text or "[" in text for text in found if " " not in text)


def test_truncation_is_measured_and_only_what_holds_is_listed():
    vectors = np.zeros((60, 512), np.float32)
    vectors[:, :40] = spread_out(60, 40, 40)
    found = measured_truncations(vectors)
    assert [each.dim for each in found] == [384, 256, 192, 128, 96, 64, 32]
    assert all(each.pairs_spearman > 0.9999 for each in found[:-1])
    assert matryoshka_dims(found)[:6] == (384, 256, 192, 128, 96, 64)
    # The other way round, nothing is in the first components.
    assert matryoshka_dims(measured_truncations(vectors[:, ::-1].copy())) == ()


def test_a_bundle_lists_what_was_measured(tiny, converted):
    report = converted(tiny.sentence("turned-True", normalize=True))
    assert [each.dim for each in report.truncations] == []
    listed = Bundle.open(report.path).manifest.matryoshka_dims
    assert listed == matryoshka_dims(report.truncations)
