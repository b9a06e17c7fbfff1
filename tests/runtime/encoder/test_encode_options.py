"""The options of encode: prompts, lengths, precisions, progress, awaiting."""

import asyncio

import numpy as np
import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import to_precision
from helpers import tiny_bundle

TEXTS = ["the cat sat", "a dog ran", "", "soup and tomato " * 30, "東京", "the cat sat"]


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32", threads=2) as made:
        yield made


def reference(some):
    return tiny_bundle.reference_vectors(some, tiny_bundle.table())


# -- prompts --------------------------------------------------------------------------------------


def test_prompts_are_put_before_the_text(encoder):
    plain = encoder.encode("query: the cat")
    np.testing.assert_array_equal(encoder.encode("the cat", prompt_name="query"), plain)
    np.testing.assert_array_equal(encoder.encode("the cat", prompt="query: "), plain)
    np.testing.assert_array_equal(encoder.encode_query("the cat"), plain)
    np.testing.assert_array_equal(encoder.encode_query(["the cat"])[0], plain)
    document = encoder.encode("passage: the cat")
    np.testing.assert_array_equal(encoder.encode_document("the cat"), document)
    np.testing.assert_array_equal(
        next(encoder.encode_iter(["the cat"], prompt_name="query")), plain
    )
    assert not np.array_equal(plain, encoder.encode("the cat"))


def test_a_prompt_given_wins_over_the_usual_one(encoder):
    expected = encoder.encode("hey the cat")
    np.testing.assert_array_equal(encoder.encode_query("the cat", prompt_name="shout"), expected)
    np.testing.assert_array_equal(encoder.encode_document("the cat", prompt="hey "), expected)
    bare = encoder.encode("the cat")
    np.testing.assert_array_equal(encoder.encode_query("the cat", prompt=""), bare)


def test_the_default_prompt_is_used_unless_another_or_none_is_asked_for(tmp_path, encoder):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", tower={"default_prompt_name": "shout"})
    with Encoder.load(path, variant="fp32") as made:
        np.testing.assert_array_equal(made.encode("cat"), encoder.encode("hey cat"))
        np.testing.assert_array_equal(made.encode("cat", prompt=""), encoder.encode("cat"))
        np.testing.assert_array_equal(made.encode_query("cat"), encoder.encode("query: cat"))
        assert made.self_test().ok


def test_without_a_prompt_for_the_role_there_is_none_even_if_there_is_a_default(tmp_path, encoder):
    tower = {"prompts": {"shout": "hey "}, "default_prompt_name": "shout"}
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", tower=tower)
    with Encoder.load(path, variant="fp32") as made:
        np.testing.assert_array_equal(made.encode_query("cat"), encoder.encode("cat"))
        np.testing.assert_array_equal(made.encode_document("cat"), encoder.encode("cat"))
        assert made.usual_prompt("query") is None


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_a_document_prompt_is_found_under_each_of_its_names(tmp_path, name):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", tower={"prompts": {name: "passage: "}})
    with Encoder.load(path, variant="fp32") as made:
        assert made.usual_prompt("document") == name
        expected = made.encode("passage: cat")
        np.testing.assert_array_equal(made.encode_document("cat"), expected)


@pytest.mark.parametrize("inputs", ["cat", ["cat"], []])
def test_an_unknown_prompt_names_those_there_are(encoder, inputs):
    with pytest.raises(InputError, match=r"model's \(query, document, shout\), got 'poem'"):
        encoder.encode(inputs, prompt_name="poem")
    with pytest.raises(InputError, match="got 'poem'"):
        encoder.encode_iter(inputs, prompt_name="poem")


def test_a_prompt_that_is_no_text_is_an_input_error(encoder):
    with pytest.raises(InputError, match="prompt: expected a text, got int"):
        encoder.encode("cat", prompt=5)


# -- options of the result ------------------------------------------------------------------------


def test_truncated_vectors_have_unit_length_again(encoder):
    full, short = encoder.encode(TEXTS), encoder.encode(TEXTS, truncate_dim=8)
    assert short.shape == (6, 8)
    expected = full[:, :8] / np.linalg.norm(full[:, :8], axis=1, keepdims=True)
    np.testing.assert_allclose(short, expected, atol=1e-6)
    assert encoder.encode("cat", truncate_dim=np.int64(8)).shape == (8,)
    np.testing.assert_allclose(encoder.encode(TEXTS, truncate_dim=16), full, atol=1e-6)


def test_truncated_vectors_of_a_model_without_unit_length_are_cut_only(tmp_path):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", normalized=False)
    with Encoder.load(path) as made:
        np.testing.assert_array_equal(made.encode("cat", truncate_dim=8), made.encode("cat")[:8])


@pytest.mark.parametrize("dim", [0, -1, 17, 3.5, "8"])
@pytest.mark.parametrize("inputs", ["cat", ["cat"], []])
def test_an_impossible_length_is_an_input_error(encoder, dim, inputs):
    with pytest.raises(InputError, match="truncate_dim: expected 1 to 16"):
        encoder.encode(inputs, truncate_dim=dim)


def test_precisions_follow_sentence_transformers(encoder):
    full = encoder.encode(TEXTS)
    packed = np.packbits(full > 0, axis=1)
    ubinary, binary = (encoder.encode(TEXTS, precision=p) for p in ("ubinary", "binary"))
    np.testing.assert_array_equal(ubinary, packed)
    np.testing.assert_array_equal(binary, packed.astype(np.int16) - 128)
    assert (ubinary.dtype, binary.dtype) == (np.uint8, np.int8)
    half = encoder.encode(TEXTS, precision="float16")
    np.testing.assert_array_equal(half, full.astype(np.float16))
    assert encoder.encode("cat", precision="binary").shape == (2,)
    assert encoder.encode([], precision="binary").shape == (0, 2)
    assert encoder.encode(TEXTS, truncate_dim=8, precision="ubinary").shape == (6, 1)


@pytest.mark.parametrize("precision", ["int4", "", None, 32])
def test_an_unknown_precision_is_an_input_error_before_any_work(encoder, precision):
    with pytest.raises(InputError, match="precision: expected one of float32, float16, int8"):
        encoder.encode([object()], precision=precision)


def test_bits_of_a_length_not_divisible_by_eight_are_an_input_error(encoder):
    with pytest.raises(InputError, match="divisible by 8, got 12"):
        encoder.encode("cat", truncate_dim=12, precision="binary")


@pytest.mark.parametrize("kind", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarity_is_the_model_s_own(tmp_path, kind):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", similarity=kind)
    with Encoder.load(path) as made:
        a = made.encode(["cat", "dog"])
        difference = a[:, None] - a[None]
        expected = {
            "cosine": a @ a.T,
            "dot": a @ a.T,
            "euclidean": -np.sqrt((difference**2).sum(2)),
            "manhattan": -np.abs(difference).sum(2),
        }[kind]
        np.testing.assert_allclose(made.similarity(a, a), expected, atol=1e-3)
        assert made.similarity(a[0], a).shape == (1, 2)


def test_counting_tokens_counts_special_ones_and_all_of_a_long_text(encoder):
    assert encoder.count_tokens("the cat") == 4
    assert encoder.count_tokens(["the cat", "", "cat " * 500]) == [4, 2, 502]
    assert encoder.count_tokens([]) == []
    with pytest.raises(InputError, match=r"inputs\[1\]"):
        encoder.count_tokens(["a", None])


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_eight_bits_are_the_same_in_any_company_by_the_bundle_s_own_ranges(encoder, precision):
    found = encoder.encode(TEXTS, precision=precision)
    assert found.dtype == np.dtype(precision)
    for text, vector in zip(TEXTS, found, strict=True):
        np.testing.assert_array_equal(encoder.encode(text, precision=precision), vector)
    full = encoder.encode(TEXTS)
    steps = found.astype(np.float32) - found.astype(np.float32).mean(axis=0)
    assert np.corrcoef(steps.ravel(), (full - full.mean(axis=0)).ravel())[0, 1] > 0.9


def test_ranges_may_be_given_and_follow_the_shorter_vector(encoder):
    ranges = np.stack([np.full(8, -1.0), np.full(8, 1.0)])
    short = encoder.encode(TEXTS, truncate_dim=8)
    expected = ((short + 1) / (2 / 255)).astype(np.uint8)
    found = encoder.encode(TEXTS, truncate_dim=8, precision="uint8", ranges=ranges)
    np.testing.assert_allclose(found, expected, atol=1)
    with pytest.raises(InputError, match=r"ranges: expected .*\(2, 16\), got \(2, 8\)"):
        encoder.encode([object()], precision="uint8", ranges=ranges)


@pytest.mark.parametrize("dim", [None, 8])
def test_floats_become_the_same_eight_bits_by_the_default_ranges(encoder, dim):
    floats, ranges = encoder.encode(TEXTS, truncate_dim=dim), encoder.default_ranges(dim)
    assert (ranges.shape, ranges.dtype) == ((2, dim or 16), np.float32)
    np.testing.assert_array_equal(
        to_precision(floats, "int8", ranges),
        encoder.encode(TEXTS, truncate_dim=dim, precision="int8"),
    )
    with pytest.raises(InputError, match="truncate_dim: expected 1 to 16"):
        encoder.default_ranges(0)


def test_default_ranges_are_the_golden_vectors_a_quarter_wider_at_any_length(encoder):
    texts = list(tiny_bundle.GOLDEN_TEXTS)
    for dim in (16, 8):
        golden = reference(texts)[:, :dim].astype(np.float64)
        golden /= np.linalg.norm(golden, axis=1, keepdims=True)
        low, high = golden.min(axis=0), golden.max(axis=0)
        wider = (high - low) / 4
        expected = np.floor((golden - low + wider) / (high - low + 2 * wider) * 255)
        for precision, shift in (("uint8", 0), ("int8", 128)):
            found = encoder.encode(texts, truncate_dim=dim, precision=precision)
            difference = found.astype(int) - (expected - shift)
            assert found.shape == (len(texts), dim)
            # A last digit may put a component into the step beside.
            assert np.abs(difference).max() <= 1
            assert (difference == 0).mean() > 0.9


def test_a_runtime_error_of_the_stream_passes_as_it_is(encoder):
    def broken():
        yield "a"
        raise RuntimeError("mine")

    results = encoder.encode_iter(broken())
    next(results)
    with pytest.raises(RuntimeError, match=r"^mine$"):
        next(results)


def test_progress_is_not_told_of_texts_after_a_bad_one(encoder):
    told = []
    with pytest.raises(InputError, match=r"inputs\[2\]"):
        encoder.encode(
            ["a", "b", "\ud800", "c"], show_progress_bar=lambda *counts: told.append(counts)
        )
    assert told == [(1, 4), (2, 4)]


def test_a_callback_that_raises_ends_the_work_with_its_own_error(encoder):
    def stop(done, total):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        encoder.encode(["a", "b"] * 100, show_progress_bar=stop)
    assert encoder.encode("a").shape == (16,)


@pytest.mark.parametrize("inputs", ["the cat", ["the cat", "a", "the cat"], []])
def test_awaiting_takes_every_option(encoder, inputs):
    options = {"prompt": "hey ", "truncate_dim": 8, "precision": "uint8", "chunk": True}
    found = asyncio.run(encoder.aencode(inputs, **options))
    np.testing.assert_array_equal(found, encoder.encode(inputs, **options))
    with pytest.raises(InputError, match=r"model's .query, document, shout., got 'poem'"):
        asyncio.run(encoder.aencode(inputs, prompt_name="poem"))


@pytest.mark.parametrize("role", ["query", "document"])
def test_awaiting_queries_and_documents_puts_their_prompts_in_front(encoder, role):
    inputs = ["the cat", "a dog"]
    awaited = asyncio.run(getattr(encoder, f"aencode_{role}")(inputs, truncate_dim=8))
    direct = getattr(encoder, f"encode_{role}")(inputs, truncate_dim=8)
    np.testing.assert_array_equal(awaited, direct)
    assert not np.array_equal(awaited, encoder.encode(inputs, truncate_dim=8))


def test_progress_is_told_of_every_distinct_text(encoder):
    told = []
    encoder.encode(
        ["a", "b", "a"], show_progress_bar=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 2), (2, 2)]


def test_equal_texts_are_run_once_and_stand_in_every_place(encoder):
    found = encoder.encode([""] * 1_000_000 + ["cat"])
    assert found.shape == (1_000_001, 16)
    np.testing.assert_array_equal(found[[0, 7, 999_999]], np.stack([encoder.encode("")] * 3))
    np.testing.assert_array_equal(found[-1], encoder.encode("cat"))


def test_awaiting_gives_the_same_and_lets_the_loop_go_on(encoder):
    async def both():
        turns = 0
        task = asyncio.create_task(encoder.aencode(TEXTS * 50, prompt_name="query"))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, await task

    turns, found = asyncio.run(both())
    assert turns > 1
    np.testing.assert_array_equal(found, encoder.encode(TEXTS * 50, prompt_name="query"))


def test_a_progress_bar_is_drawn_on_stderr_and_changes_nothing(encoder, capsys):
    pytest.importorskip("rich")
    shown = encoder.encode(TEXTS, show_progress_bar=True)
    np.testing.assert_array_equal(shown, encoder.encode(TEXTS))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Encoding" in captured.err


@pytest.mark.parametrize("ranges", ["abc", [[1], [1, 2]], [[None] * 16] * 2])
def test_ranges_that_are_no_numbers_are_input_errors(encoder, ranges):
    with pytest.raises(InputError, match="ranges: expected"):
        encoder.encode("a", precision="int8", ranges=ranges)


def test_eight_bits_do_not_read_the_golden_vectors_at_every_call(own_bundle):
    with Encoder.load(own_bundle) as made:
        first = made.encode("a", precision="int8")
        (own_bundle / "golden.json").unlink()
        np.testing.assert_array_equal(made.encode("a", precision="int8"), first)


@pytest.mark.parametrize("name", [[], {}, 3, b"query"])
def test_a_prompt_name_that_is_no_text_is_an_input_error(encoder, name):
    with pytest.raises(InputError, match="prompt_name: expected one of"):
        encoder.encode("a", prompt_name=name)


@pytest.mark.parametrize("dim", [True, 1.5, "8", np.array([3]), np.array([3, 4])])
def test_a_length_that_is_no_whole_number_is_an_input_error(encoder, dim):
    with pytest.raises(InputError, match="truncate_dim: expected"):
        encoder.encode("a", truncate_dim=dim)
    assert encoder.encode("a", truncate_dim=np.int64(8)).shape == (8,)
