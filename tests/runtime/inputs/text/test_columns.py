"""Columns of tables as inputs, and their nulls: Arrow, pandas, polars, numpy, as they are."""

import asyncio

import numpy as np
import pyarrow as pa
import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.columns import is_null

TEXTS = ["the cat sat", "a dog ran", "the cat sat", "soup"]


def pandas_series(texts, dtype=None):
    return pytest.importorskip("pandas").Series(
        texts, index=range(10, 10 + len(texts)), dtype=dtype
    )


def polars_series(texts):
    return pytest.importorskip("polars").Series("text", texts)


COLUMNS = {
    "arrow": pa.array,
    "arrow, large": lambda texts: pa.array(texts, pa.large_string()),
    "arrow, chunked": lambda texts: pa.chunked_array([texts[:2], texts[2:]], pa.string()),
    "arrow, dictionary": lambda texts: pa.array(texts, pa.string()).dictionary_encode(),
    "pandas": pandas_series,
    "pandas, objects": lambda texts: pandas_series(texts, object),
    "pandas, string": lambda texts: pandas_series(texts, "string"),
    "pandas, category": lambda texts: pandas_series(texts, "category"),
    "polars": polars_series,
    "numpy, objects": lambda texts: np.array(texts, object),
}
every_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32", threads=2) as made:
        yield made


@every_column
def test_a_column_is_encoded_as_the_list_of_its_texts(encoder, column):
    expected = encoder.encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(column(TEXTS)), expected)
    np.testing.assert_array_equal(np.stack(list(encoder.encode_iter(column(TEXTS)))), expected)
    np.testing.assert_array_equal(encoder.encode_query(column(TEXTS)), encoder.encode_query(TEXTS))
    np.testing.assert_array_equal(
        encoder.encode_document(column(TEXTS)), encoder.encode_document(TEXTS)
    )


@every_column
def test_a_null_is_an_error_that_names_its_row(encoder, column):
    with pytest.raises(
        InputError, match=r"inputs\[1\]: .* got (NoneType|float|NAType), a null; .*nulls='zero'"
    ):
        encoder.encode(column(["the cat sat", None, "a dog ran"]))


@every_column
def test_nulls_become_zeros_or_are_left_out(encoder, column):
    texts = [None, "the cat sat", None, "a dog ran", "the cat sat", None]
    expected = encoder.encode([text for text in texts if text is not None])
    skipped = encoder.encode(column(texts), nulls="skip")
    np.testing.assert_array_equal(skipped, expected)
    zeroed = encoder.encode(column(texts), nulls="zero")
    np.testing.assert_array_equal(zeroed[[1, 3, 4]], expected)
    assert not zeroed[[0, 2, 5]].any()
    for nulls, whole in (("skip", skipped), ("zero", zeroed)):
        streamed = np.stack(list(encoder.encode_iter(column(texts), nulls=nulls)))
        np.testing.assert_array_equal(streamed, whole)


@pytest.mark.parametrize("nulls", ["zero", "skip"])
def test_nulls_with_every_method_and_option(encoder, nulls):
    texts, rows = ["the cat", None, "a dog"], 3 if nulls == "zero" else 2
    for encode in (encoder.encode_query, encoder.encode_document):
        assert len(encode(texts, nulls=nulls)) == rows
    for awaited in (encoder.aencode, encoder.aencode_query, encoder.aencode_document):
        assert len(asyncio.run(awaited(texts, nulls=nulls))) == rows
    for precision in ("float16", "int8", "ubinary"):
        assert len(encoder.encode(texts, nulls=nulls, precision=precision)) == rows
    short = encoder.encode(texts, nulls=nulls, truncate_dim=8)
    assert short.shape == (rows, 8)
    assert np.isfinite(short).all()


def test_only_nulls(encoder):
    assert encoder.encode([None, None], nulls="skip").shape == (0, encoder.dim)
    np.testing.assert_array_equal(
        encoder.encode([None, None], nulls="zero"), np.zeros((2, encoder.dim), np.float32)
    )
    assert list(encoder.encode_iter([None], nulls="skip")) == []


def test_positions_count_the_nulls_that_are_left_out(encoder):
    with pytest.raises(InputError, match=r"inputs\[2\]: expected a text, got int"):
        encoder.encode([None, "the cat", 3], nulls="skip")
    with pytest.raises(InputError, match=r"inputs\[2\].*at most"):
        encoder.encode([None, "a", "soup " * 900], nulls="skip", truncation="error")


def test_a_number_in_a_column_is_named_by_its_row(encoder):
    with pytest.raises(InputError, match=r"inputs\[1\]: expected a text, got int"):
        encoder.encode(pandas_series(["a", 4], object))
    with pytest.raises(InputError, match=r"inputs\[0\]: expected a text, got int"):
        encoder.encode(pa.array([3, 4]))


@pytest.mark.parametrize("make", [
    lambda: pa.table({"text": TEXTS}),
    lambda: pytest.importorskip("pandas").DataFrame({"text": TEXTS}),
    lambda: pytest.importorskip("polars").DataFrame({"text": TEXTS}),
    lambda: pytest.importorskip("polars").LazyFrame({"text": TEXTS}),
])  # fmt: skip
def test_a_table_is_refused_rather_than_the_names_of_its_columns_encoded(encoder, make):
    table = make()
    for call in (encoder.encode, encoder.count_tokens, lambda t: list(encoder.encode_iter(t))):
        with pytest.raises(InputError, match=r"a table; pass one of its columns"):
            call(table)


def test_an_unknown_policy_is_refused_before_any_work(encoder):
    for call in (encoder.encode, encoder.encode_iter):
        with pytest.raises(InputError, match=r"nulls: expected one of error, zero, skip, got"):
            call(["a"], nulls="drop")


@pytest.mark.parametrize("value", [None, float("nan"), np.float32("nan"), np.float64("nan")])
def test_values_that_are_nulls(value):
    assert is_null(value)


@pytest.mark.parametrize("value", ["", "nan", 0, 0.0, False, [], np.str_("a")])
def test_values_that_are_no_nulls(value):
    assert not is_null(value)


def test_the_null_values_of_pandas():
    pandas = pytest.importorskip("pandas")
    assert is_null(pandas.NA)
    assert is_null(pandas.NaT)
