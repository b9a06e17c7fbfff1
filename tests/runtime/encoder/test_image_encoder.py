"""Encoding images: every kind of input, alone and in company, one bundle or two towers."""

import asyncio
import io
import os
import pickle

import numpy as np
import pytest

from edgeembed_runtime.bundle import Bundle, Golden
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import BundleCorruptError, InputError
from helpers import tiny_images
from helpers.tiny_images import as_bytes, photo, reference_vector


@pytest.fixture(scope="module")
def encoder(image_path):
    """The image bundle, loaded in fp32."""
    with Encoder.load(image_path, variant="fp32", threads=2) as loaded:
        yield loaded


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_a_image_gives_the_same_vector_however_it_is_given(encoder, save):
    image = photo(90, 70)
    path = save(image, "a.png")
    data = path.read_bytes()
    given = [path, str(path), data, bytearray(data), io.BytesIO(data), image, np.asarray(image)]
    vectors = [encoder.encode_image(each) for each in given]
    with path.open("rb") as file:
        vectors.append(encoder.encode_image(file))
    close(vectors[0], reference_vector(image))
    assert vectors[0].shape == (16,) and vectors[0].dtype == np.float32
    assert len({vector.tobytes() for vector in vectors}) == 1
    assert {v.tobytes() for v in encoder.encode_image(given)} == {vectors[0].tobytes()}


def test_vectors_come_in_order_and_do_not_depend_on_company(encoder):
    images = [photo(40 + 7 * n, 90 - 5 * n, seed=n) for n in range(12)]
    together = encoder.encode_image(images)
    assert together.shape == (12, 16)
    for image, vector in zip(images, together, strict=True):
        assert encoder.encode_image(image).tobytes() == vector.tobytes()
        close(vector, reference_vector(image))
    assert encoder.deterministic


def test_awaiting_images_gives_the_same(encoder):
    images = [photo(40 + 7 * n, 60, seed=n) for n in range(3)]
    found = asyncio.run(encoder.aencode_image(images, precision="int8"))
    np.testing.assert_array_equal(found, encoder.encode_image(images, precision="int8"))
    with pytest.raises(InputError, match=r"inputs\[1\]"):
        asyncio.run(encoder.aencode_image([images[0], b"no image"]))


def test_cancelling_stops_before_the_next_image(encoder):
    done = []

    async def cancel():
        images = [photo(40, 40)] * 5000
        told = lambda number, _: done.append(number)  # noqa: E731
        task = asyncio.create_task(encoder.aencode_image(images, show_progress_bar=told))
        while not done:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())  # waits for its thread
    assert max(done) < 5000


def test_no_images_give_no_rows(encoder):
    assert encoder.encode_image([]).shape == (0, 16)


def test_encode_of_an_image_bundle_takes_images(encoder):
    assert encoder.modalities == ("image",)
    image = photo()
    assert encoder.encode(image).tobytes() == encoder.encode_image(image).tobytes()
    assert encoder.encode([image, image]).shape == (2, 16)
    with pytest.raises(InputError, match="one for images only"):
        encoder.encode(image, prompt="a ")


def test_options_of_vectors_hold_for_images(encoder):
    image = photo()
    short = encoder.encode_image(image, truncate_dim=8)
    assert short.shape == (8,) and abs(np.linalg.norm(short) - 1) < 1e-6
    assert encoder.encode_image([image], precision="ubinary").shape == (1, 2)
    assert encoder.encode_image(image, precision="int8").dtype == np.int8
    done = []
    encoder.encode_image([image] * 3, show_progress_bar=lambda n, of: done.append((n, of)))
    assert done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(InputError, match="max_pixels"):
        encoder.encode_image(image, max_pixels=0)


@pytest.mark.parametrize("call", ["encode_query", "encode_document", "count_tokens", "chunk"])
def test_what_needs_a_text_tower_says_that_there_is_none(encoder, call):
    with pytest.raises(InputError, match="expected one that encodes texts, got one for images"):
        getattr(encoder, call)("a text")
    assert encoder.usual_prompt("query") is None


def test_a_text_given_to_an_image_bundle_is_named(encoder):
    with pytest.raises(InputError, match="a dog on a beach: expected an image file"):
        encoder.encode("a dog on a beach")
    with pytest.raises(InputError, match=r"inputs\[1\]: a dog"):
        encoder.encode([photo(), "a dog"])


def test_a_image_given_to_a_text_bundle_is_refused(tiny_path):
    with (
        Encoder.load(tiny_path) as texts,
        pytest.raises(InputError, match="one that encodes images, got one for texts only"),
    ):
        texts.encode_image(photo())


def test_a_stream_gives_a_vector_or_an_error_for_each_image(encoder, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    outcomes = list(encoder.encode_image_iter([photo(), broken, photo()]))
    assert [isinstance(each, InputError) for each in outcomes] == [False, True, False]
    assert "inputs[1]" in str(outcomes[1]) and str(broken) in str(outcomes[1])
    assert outcomes[0].tobytes() == outcomes[2].tobytes()
    with pytest.raises(InputError, match=r"inputs\[1\].*broken\.jpg"):
        encoder.encode_image([photo(), broken])
    with pytest.raises(InputError, match="expected many images, got one"):
        encoder.encode_image_iter(broken)


def test_a_stream_is_read_only_a_little_ahead(encoder):
    read = []

    def endless():
        while True:
            read.append(1)
            yield photo(16, 16)

    stream = encoder.encode_image_iter(endless())
    next(stream)
    assert len(read) <= 40
    stream.close()


def test_a_image_of_something_else_is_refused(encoder):
    for wrong in (3, None, {"a": 1}):
        with pytest.raises(InputError, match=r"expected an image \(a path"):
            encoder.encode_image(wrong)
    with pytest.raises(InputError, match=r"inputs\[0\].*got int"):
        encoder.encode_image([3])
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(InputError, match=r"\(height, width, 3\) uint8, got"):
            encoder.encode_image(wrong)


def test_every_variant_passes_its_golden_images(image_path):
    with Encoder.load(image_path, verify="golden") as auto:
        assert auto.variant == "int8"
        assert auto.self_test().ok and auto.self_test().modality == "image"
    with Encoder.load(image_path, variant="fp32", verify="golden") as fp32:
        assert fp32.self_test().texts == 3


def test_a_variant_that_is_wrong_here_is_passed_over(tmp_path):
    wrong = tiny_images.image_graph(-tiny_images.matrix())
    path = tiny_images.write_image_bundle(tmp_path / "b", replaced={"int8.onnx": wrong})
    with (
        pytest.warns(UserWarning, match="variant int8.*using fp32, which passes"),
        Encoder.load(path, verify="golden") as encoder,
    ):
        assert encoder.variant == "fp32"
        assert pickle.loads(pickle.dumps(encoder)).variant == "fp32"
    with pytest.raises(BundleCorruptError, match="variant int8: expected golden cosines"):
        Encoder.load(path, variant="int8", verify="golden")


def test_an_encoder_is_pickled_by_path(encoder):
    with pickle.loads(pickle.dumps(encoder)) as again:
        assert again.encode_image(photo()).tobytes() == encoder.encode_image(photo()).tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_opens_an_engine_of_its_own(encoder):
    expected = encoder.encode_image([photo()] * 4).tobytes()
    child = os.fork()
    if child == 0:
        os._exit(0 if encoder.encode_image([photo()] * 4).tobytes() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_limit_on_memory_holds_for_images(image_path):
    with pytest.raises(InputError, match="for the model and one image, got 1"):
        Encoder.load(image_path, max_memory_mb=1)
    with Encoder.load(image_path, max_memory_mb=4000, threads=2) as encoder:
        assert encoder.threads == 2
        assert encoder.encode_image([photo()]).shape == (1, 16)


def test_a_closed_encoder_says_so(image_path):
    encoder = Encoder.load(image_path)
    encoder.close()
    with pytest.raises(Exception, match="closed"):
        encoder.encode_image(photo())


# -- two towers --------------------------------------------------------------------------------


def test_a_dual_bundle_encodes_texts_and_images_into_one_space(dual_path, tiny_path):
    with Encoder.load(dual_path, variant="fp32") as dual, Encoder.load(tiny_path) as texts:
        assert dual.modalities == ("text", "image")
        assert dual.self_test().ok
        vector = dual.encode_image(photo())
        close(vector, reference_vector(photo()))
        with Encoder.load(tiny_path, variant="fp32") as plain:
            assert dual.encode("the cat").tobytes() == plain.encode("the cat").tobytes()
        assert dual.similarity(vector, dual.encode_query("the cat")).shape == (1, 1)
        assert texts.modalities == ("text",)


def test_a_named_variant_is_taken_by_each_tower_that_has_it(dual_path, tiny_path, tmp_path):
    with Encoder.load(dual_path, variant="int8") as mixed:  # the image tower has fp32 only
        assert mixed.variant == "text=int8 image=fp32"
    with pytest.raises(InputError, match="expected auto or one of fp32, int8, got 'int4'"):
        Encoder.load(dual_path, variant="int4")
    both = tiny_images.write_dual_bundle(tmp_path / "b", tiny_path, names=("fp32", "int8"))
    with Encoder.load(both, variant="int8", verify="golden") as encoder:
        assert encoder.variant == "int8"


def test_one_tower_can_be_loaded_alone(dual_path):
    with Encoder.load(dual_path, modalities=["image"]) as images:
        assert images.modalities == ("image",)
        with pytest.raises(InputError, match="loaded for images only"):
            images.encode_query("a text")
    with (
        Encoder.load(dual_path, modalities=["text"]) as texts,
        pytest.raises(InputError, match="loaded for texts only"),
    ):
        texts.encode_image(photo())
    for wrong in ([], ["audio"], "text"):
        with pytest.raises(InputError, match=r"modalities: expected (one|some) of text, image"):
            Encoder.load(dual_path, modalities=wrong)  # pyright: ignore[reportArgumentType]


def test_classify_is_the_softmax_of_cosines_by_the_logit_scale(dual_path):
    labels = ["cat", "dog", "train station"]
    with Encoder.load(dual_path) as encoder:
        found = encoder.classify(photo(), labels)
        texts = encoder.encode([f"a photo of a {label}" for label in labels])
        logits = 20.0 * texts.astype(np.float64) @ encoder.encode_image(photo())
        expected = np.exp(logits) / np.exp(logits).sum()
        assert [found.probabilities[label] for label in labels] == pytest.approx(expected, abs=1e-6)
        assert found.label == labels[int(expected.argmax())]
        assert list(found.probabilities.values()) == sorted(found.probabilities.values())[::-1]
        many = encoder.classify([photo(), photo(seed=5)], labels, template="{} there")
        assert len(many) == 2 and many[0].probability > 0


def test_classify_with_a_bias_judges_each_label_by_itself(tmp_path, tiny_path):
    path = tiny_images.write_dual_bundle(tmp_path / "b", tiny_path, logit_bias=-3.0)
    with Encoder.load(path) as encoder:
        found = encoder.classify(photo(), ["cat"])
        cosine = float(encoder.encode("a photo of a cat") @ encoder.encode_image(photo()))
        assert found.probability == pytest.approx(1 / (1 + np.exp(3 - 20 * cosine)), abs=1e-6)


def test_classify_says_what_is_missing(encoder, dual_path, tmp_path, tiny_path):
    with pytest.raises(InputError, match="expected one that encodes texts"):
        encoder.classify(photo(), ["cat"])
    with Encoder.load(dual_path) as dual:
        for labels in ([], "cat", ["cat", "cat"], [1]):
            with pytest.raises(InputError, match=r"labels(\[0\])?: expected"):
                dual.classify(photo(), labels)  # pyright: ignore[reportArgumentType, reportCallIssue]
        with pytest.raises(InputError, match="template"):
            dual.classify(photo(), ["cat"], template="a photo")
    bare = tiny_images.write_dual_bundle(tmp_path / "b", tiny_path, logit_scale=None)
    with (
        Encoder.load(bare) as without,
        pytest.raises(InputError, match="expected a logit_scale in its manifest"),
    ):
        without.classify(photo(), ["cat"])


def test_golden_files_of_each_kind_survive_a_round_trip(dual_path):
    golden = Golden.from_json(Bundle.open(dual_path).read("golden.json"))
    assert (len(golden.texts), len(golden.images)) == (5, 3)
    again = Golden.from_json(golden.to_json())
    assert again.images == golden.images
    np.testing.assert_array_equal(again.image_vectors, golden.image_vectors)
    assert golden.all_vectors.shape == (8, 16)


def test_a_graph_for_texts_is_refused_as_an_image_tower(tmp_path, tiny_path):
    text_graph = (tiny_path / "fp32.onnx").read_bytes()
    path = tiny_images.write_image_bundle(tmp_path / "b", replaced={"fp32.onnx": text_graph})
    with pytest.raises(BundleCorruptError, match="expected the inputs pixel_values, found input"):
        Encoder.load(path, variant="fp32")


def test_golden_images_must_be_there(tmp_path, tiny_path):
    golden = (tiny_path / "golden.json").read_bytes()
    path = tiny_images.write_image_bundle(tmp_path / "b", replaced={"golden.json": golden})
    with Encoder.load(path) as encoder, pytest.raises(BundleCorruptError, match="expected images"):
        encoder.self_test()


def test_bytes_of_a_jpeg_are_read(encoder):
    data = as_bytes(photo(200, 100), "JPEG", quality=95)
    close(encoder.encode_image(data), reference_vector(photo_of(data)))


def photo_of(data):
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")
