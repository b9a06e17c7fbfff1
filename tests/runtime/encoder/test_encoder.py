"""The encoder's contract: shapes, order, errors, streams, and the same text, the same vector."""

import asyncio
import itertools
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed_runtime.bundle import Manifest
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleCorruptError,
    BundleNotFoundError,
    EdgeEmbedError,
    InputError,
    ProviderError,
)
from helpers import tiny_bundle

TEXTS = ["the cat sat", "a dog ran", "", "soup and tomato " * 30, "東京", "the cat sat"]
texts = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.sampled_from(["the cat", "running " * 40, "", " "]),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32", threads=2) as made:
        yield made


@pytest.fixture(scope="module")
def single(tiny_path):
    with Encoder.load(tiny_path, variant="fp32", threads=1) as made:
        yield made


def reference(some):
    return tiny_bundle.reference_vectors(some, tiny_bundle.table())


# -- what it is -----------------------------------------------------------------------------------


def test_it_says_what_it_is(encoder, tiny_path):
    assert isinstance(encoder.manifest, Manifest)
    assert (encoder.dim, encoder.max_tokens, encoder.space) == (16, 32, "tiny")
    assert (encoder.variant, encoder.modalities) == ("fp32", ("text",))
    assert (encoder.similarity_name, encoder.normalized) == ("cosine", True)
    assert encoder.path == tiny_path
    assert encoder.threads == 2
    assert encoder.active_providers == ("CPUExecutionProvider",)
    assert repr(encoder) == "Encoder('tiny', dim=16, variant='fp32')"


def test_a_path_may_be_a_string_or_anything_like_a_path(tiny_path):
    for path in (str(tiny_path), tiny_path, os.fspath(tiny_path)):
        with Encoder.load(path) as made:
            assert made.dim == 16


def test_threads_default_to_what_this_process_may_use(tiny_path):
    with Encoder.load(tiny_path) as made:
        assert made.threads >= 1
    with Encoder.load(tiny_path, threads=5) as made:
        assert made.threads == 5


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_a_number_of_threads_that_cannot_be_is_an_input_error(tiny_path, threads):
    with pytest.raises(InputError, match="threads: expected 1 or more"):
        Encoder.load(tiny_path, threads=threads)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variant": "fp16"}, InputError, "expected auto or one of fp32, int8"),
        (
            {"verify": "everything"},
            InputError,
            "verify: expected one of size, hash, golden, isolated",
        ),
        ({"providers": "cpu"}, InputError, "providers: expected a list"),
        ({"providers": ["abacus"]}, ProviderError, "has only .*CPUExecutionProvider"),
    ],
)
def test_an_unknown_option_is_refused_when_loading(tiny_path, options, error, message):
    with pytest.raises(error, match=message):
        Encoder.load(tiny_path, **options)


def test_no_bundle_at_the_path_is_not_found(tmp_path):
    with pytest.raises(BundleNotFoundError):
        Encoder.load(tmp_path / "nowhere")


# -- shapes, order, values ------------------------------------------------------------------------


def test_a_text_gives_a_vector_and_a_list_gives_rows(encoder):
    one, many, none = encoder.encode("the cat"), encoder.encode(TEXTS), encoder.encode([])
    assert (one.shape, many.shape, none.shape) == ((16,), (6, 16), (0, 16))
    assert one.dtype == many.dtype == none.dtype == np.float32
    assert encoder.encode(["the cat"]).shape == (1, 16)
    assert encoder.encode("").shape == (16,)


def test_vectors_are_the_reference_s_in_the_order_given(encoder):
    np.testing.assert_allclose(encoder.encode(TEXTS), reference(TEXTS), atol=1e-6)
    turned = encoder.encode(TEXTS[::-1])
    np.testing.assert_array_equal(turned[::-1], encoder.encode(TEXTS))


def test_the_int8_variant_is_near_the_reference_and_is_another(tiny_path):
    with Encoder.load(tiny_path, variant="int8") as made:
        found = made.encode(TEXTS)
    assert ((found * reference(TEXTS)).sum(1) > 0.999).all()
    assert np.abs(found - reference(TEXTS)).max() > 1e-5


def test_any_iterable_of_texts_will_do(encoder):
    expected = encoder.encode(["a", "b"])
    for inputs in (("a", "b"), iter(["a", "b"]), np.array(["a", "b"]), {"a": 1, "b": 2}.keys()):
        np.testing.assert_array_equal(encoder.encode(inputs), expected)


@settings(max_examples=40)
@given(texts)
def test_a_text_has_the_same_bytes_alone_in_company_and_on_any_number_of_threads(
    encoder, single, some
):
    together = encoder.encode(some)
    np.testing.assert_array_equal(single.encode(some), together)
    np.testing.assert_array_equal(np.stack([encoder.encode(text) for text in some]), together)
    np.testing.assert_array_equal(np.stack([single.encode([text])[0] for text in some]), together)
    np.testing.assert_array_equal(np.stack(list(encoder.encode_iter(some))), together)


@settings(max_examples=40)
@given(texts)
def test_every_vector_is_what_numpy_makes_of_the_tokens(encoder, some):
    np.testing.assert_allclose(encoder.encode(some), reference(some), atol=1e-6)


def test_tokens_beyond_the_limit_do_not_count(encoder):
    long = "cat " * 30
    np.testing.assert_array_equal(encoder.encode(long), encoder.encode(long + "dog soup " * 9999))


def test_sixteen_threads_share_one_encoder(encoder):
    many = [f"the cat {i} " * (i % 7 + 1) for i in range(320)]
    expected = encoder.encode(many)
    barrier = threading.Barrier(16)

    def work(start):
        barrier.wait()
        own = many[start::16]
        return encoder.encode(own), np.stack([encoder.encode(text) for text in own[:5]])

    with ThreadPoolExecutor(16) as pool:
        for start, (rows, ones) in enumerate(pool.map(work, range(16))):
            np.testing.assert_array_equal(rows, expected[start::16])
            np.testing.assert_array_equal(ones, expected[start::16][:5])


# -- inputs that cannot be used -------------------------------------------------------------------

BAD = [None, 5, b"bytes", ["nested"], {"a": "dict"}, 1.5, object()]


@pytest.mark.parametrize("bad", [None, 5, b"bytes", {"a": 1}, np.array("a")], ids=repr)
def test_what_is_neither_a_text_nor_a_list_is_an_input_error(encoder, bad):
    for call in (encoder.encode, encoder.encode_query, encoder.encode_document):
        with pytest.raises(InputError, match="expected a text or a list of texts, got"):
            call(bad)
    with pytest.raises(ValueError, match="expected a text or a list of texts, got"):
        encoder.count_tokens(bad)
    with pytest.raises(InputError, match="text: expected a text, got"):
        encoder.chunk(bad)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: type(bad).__name__)
@pytest.mark.parametrize("position", [0, 3, 50])
def test_an_item_that_is_no_text_is_named_by_its_position(encoder, bad, position):
    inputs = ["a"] * position + [bad, "b"]
    message = rf"inputs\[{position}\]: expected a text, got {type(bad).__name__}"
    with pytest.raises(InputError, match=message):
        encoder.encode(inputs)
    results = encoder.encode_iter(inputs)
    assert len(list(itertools.islice(results, position))) == position
    with pytest.raises(InputError, match=message):
        next(results)


def test_a_text_that_is_no_unicode_is_named_by_its_position(encoder):
    with pytest.raises(InputError, match="expected valid Unicode"):
        encoder.encode("\ud800")
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected valid Unicode"):
        encoder.encode(["a", "b", "c\udfff", "d"])


def test_an_encoder_works_on_after_an_error(encoder):
    before = encoder.encode(TEXTS)
    for bad in (["a", None], ["\ud800"] * 100):
        with pytest.raises(InputError):
            encoder.encode(bad)
    np.testing.assert_array_equal(encoder.encode(TEXTS), before)


# -- streams --------------------------------------------------------------------------------------


def test_an_endless_stream_is_encoded_with_little_read_ahead(encoder):
    read = 0

    def endless():
        nonlocal read
        for read in itertools.count(1):
            yield f"the cat {read}"

    vectors = list(itertools.islice(encoder.encode_iter(endless()), 50))
    expected = encoder.encode([f"the cat {i}" for i in range(1, 51)])
    np.testing.assert_array_equal(np.stack(vectors), expected)
    assert read < 50 + 2 * 8 + 2


def test_an_error_of_the_stream_itself_passes_after_the_vectors_before_it(encoder):
    def broken():
        yield "a"
        yield "b"
        raise LookupError("the database is gone")

    results = encoder.encode_iter(broken())
    assert len([next(results), next(results)]) == 2
    with pytest.raises(LookupError, match="the database is gone"):
        next(results)


# -- the end --------------------------------------------------------------------------------------


def test_a_closed_encoder_says_so_and_closing_twice_is_fine(tiny_path):
    made = Encoder.load(tiny_path)
    made.close()
    made.close()
    uses = (
        lambda: made.encode("a"),
        lambda: made.encode([]),
        lambda: made.encode_iter(["a"]),
        lambda: made.count_tokens("a"),
        lambda: made.chunk("a"),
        lambda: made.self_test(),
        lambda: made.threads,
        lambda: made.active_providers,
    )
    for use in uses:
        with pytest.raises(EdgeEmbedError, match="closed; load the bundle again"):
            use()
    assert made.dim == 16
    assert "tiny" in repr(made)


def test_with_closes_even_after_an_error(tiny_path):
    with pytest.raises(LookupError), Encoder.load(tiny_path) as made:
        raise LookupError
    with pytest.raises(EdgeEmbedError, match="closed"):
        made.encode("a")


def test_closing_stops_the_threads(tiny_path):
    before = {thread.ident for thread in threading.enumerate()}
    with Encoder.load(tiny_path, threads=3) as made:
        made.encode(["a"] * 50)
        assert any(t.name.startswith("edgeembed") for t in threading.enumerate())
    assert {thread.ident for thread in threading.enumerate()} <= before


def test_closing_in_the_middle_of_a_stream_is_a_clear_error(tiny_path):
    made = Encoder.load(tiny_path)
    stream = made.encode_iter("cat" for _ in itertools.count())
    next(stream)
    made.close()
    with pytest.raises(EdgeEmbedError, match="closed"):
        list(stream)


# -- proof ----------------------------------------------------------------------------------------


def spoil(bundle, variant="fp32"):
    """Other weights, with a manifest that fits them: no checksum can tell."""
    values = np.roll(tiny_bundle.table(), 7, axis=0)
    data = tiny_bundle.graph(values).SerializeToString()
    tiny_bundle.put_file(bundle, f"{variant}.onnx", data)


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_a_sound_bundle_passes_its_self_test(tiny_path, variant):
    with Encoder.load(tiny_path, variant=variant, verify="golden") as made:
        result = made.self_test()
    assert result.ok
    assert (result.variant, result.texts) == (variant, len(tiny_bundle.GOLDEN_TEXTS))
    assert result.expected_min_cosine <= result.min_cosine <= result.mean_cosine <= 1 + 1e-6


def test_other_weights_fail_the_self_test_whatever_the_checksums_say(own_bundle):
    spoil(own_bundle)
    with Encoder.load(own_bundle, variant="fp32", verify="hash") as made:
        result = made.self_test()
    assert not result.ok
    assert result.min_cosine < 0.9
    with pytest.raises(
        BundleCorruptError, match=r"variant fp32: expected golden cosines of at lea"
    ):
        Encoder.load(own_bundle, variant="fp32", verify="golden")
    with Encoder.load(own_bundle, variant="int8", verify="golden") as made:
        assert made.self_test().ok


def test_a_variant_that_is_wrong_here_gives_way_to_the_next_with_a_warning(own_bundle, monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.engine.variants.cpu_features", lambda: {"avx2"})
    with Encoder.load(own_bundle, verify="golden") as made:
        assert made.variant == "int8"
    spoil(own_bundle, "int8")
    with (
        pytest.warns(UserWarning, match=r"variant int8: expected golden cosines .* using fp32"),
        Encoder.load(own_bundle, verify="golden") as made,
    ):
        assert made.variant == "fp32"
    spoil(own_bundle, "fp32")
    with pytest.raises(BundleCorruptError, match=r"variant int8: .*; variant fp32: "):
        Encoder.load(own_bundle, verify="golden")


def test_verify_size_passes_a_flipped_bit_and_verify_hash_does_not(own_bundle):
    path = own_bundle / "fp32.onnx"
    data = bytearray(path.read_bytes())
    data[data.index(tiny_bundle.table().tobytes()[:64]) + 5] ^= 1
    path.write_bytes(data)
    Encoder.load(own_bundle, variant="fp32", verify="size").close()
    for verify in ("hash", "golden"):
        with pytest.raises(BundleCorruptError, match=r"fp32\.onnx is missing or damaged"):
            Encoder.load(own_bundle, variant="fp32", verify=verify)
    path.write_bytes(data + b"x")
    with pytest.raises(BundleCorruptError, match="bytes"):
        Encoder.load(own_bundle, variant="fp32", verify="size")


def test_only_the_files_that_are_needed_are_opened(own_bundle):
    for name in ("int8.onnx", "README.md", "golden.json"):
        (own_bundle / name).unlink()
    with Encoder.load(own_bundle, variant="fp32") as made:
        np.testing.assert_allclose(made.encode(TEXTS), reference(TEXTS), atol=1e-6)


def test_a_relative_path_holds_wherever_the_process_goes(own_bundle, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(own_bundle.parent)
    with Encoder.load(own_bundle.name) as made:
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert made.encode(["a", "b"]).shape == (2, 16)  # opens the file of the graph again
        with pickle.loads(pickle.dumps(made)) as copy:
            assert copy.path == own_bundle


@pytest.mark.parametrize("bad", ["one text", None, 5, object(), {"a": 1}, b"bytes"])
def test_what_is_no_stream_of_texts_is_an_input_error(encoder, bad):
    with pytest.raises(InputError, match="inputs: expected a text or a list of texts"):
        encoder.encode_iter(bad)


def test_half_a_character_is_named_with_its_place(encoder):
    with pytest.raises(InputError, match=r"inputs\[1\].*a lone surrogate, U\+D800, at position 2"):
        encoder.encode(["fine", "ab\ud800"])
    with pytest.raises(InputError, match=r"inputs\[1\].*a lone surrogate"):
        encoder.count_tokens(["fine", "\ud800"])


def test_a_path_that_is_no_path_is_an_input_error():
    with pytest.raises(InputError, match="bundle's directory: expected a path, got 3"):
        Encoder.load(3)  # pyright: ignore[reportArgumentType]


def test_a_list_of_one_text_is_the_text(encoder):
    assert encoder.encode(["the cat"]).tobytes() == encoder.encode("the cat").tobytes()
    with pytest.raises(InputError, match=r"inputs\[0\]"):
        encoder.encode(["\ud800"])


def test_cancelled_encoding_stops_its_thread(encoder):
    def running():
        return [t for t in threading.enumerate() if t.name.startswith("asyncio")]

    async def cancel():
        task = asyncio.create_task(
            encoder.aencode([f"text {n}" for n in range(200_000)], truncation="warn")
        )
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())  # waits for its threads: within seconds, not after 200,000 texts
    assert not running()
