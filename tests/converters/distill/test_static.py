"""Tables distilled from a tiny teacher: their closeness, the bundle, and what is refused."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer

from edgeembed import StaticLosses, distill_static
from edgeembed_converters.distill.static.distill_static import STATIC_SETTINGS
from edgeembed_converters.distill.static.initial_table import frequency_weights
from edgeembed_converters.distill.static.objective import BagBatches, BagTexts, StaticTable
from edgeembed_converters.distill.static.vocabulary import plain_tokenizer, pruned_tokenizer
from edgeembed_converters.distill.teaching.teacher import CACHE_NAME, open_teacher
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleCorruptError,
    InputError,
    StorageError,
    TrainingError,
    UnsupportedModelError,
)

pytestmark = pytest.mark.slow

WORDS = (
    *("man", "woman", "dog", "cat", "plays", "guitar", "rain", "stage", "music", "sat", "the"),
    *("on", "watched", "window", "train", "station", "river", "bank", "cook", "soup", "fox"),
    *("jumps", "over", "lazy", "quick", "brown", "password", "reset", "query", "passage", "task"),
)
SETTINGS = replace(STATIC_SETTINGS, batch_size=64, epochs=12, evaluate_every=20)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture(scope="module")
def sentences():
    """600 made-up sentences."""
    rng = random.Random(4)
    return [" ".join(rng.choices(WORDS, k=rng.randint(3, 9))) for _ in range(600)]


@pytest.fixture(scope="module")
def teacher(converted, tiny):
    """A bundle of a BERT with random weights."""
    return converted(tiny.transformers("bert")).path


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    """One folder for all: the teacher is run once."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def distilled(teacher, sentences, work_dir, tmp_path_factory):
    """`distilled(**options)` is a report."""

    def run(texts=sentences, **options):
        output = tmp_path_factory.mktemp("tables") / "table.bundle"
        options = {"dim": 16, "settings": SETTINGS, "work_dir": work_dir, **options}
        return distill_static(teacher, texts, output, **options)

    return run


@pytest.fixture(scope="module")
def report(distilled):
    return distilled(rows=("fp32", "int8"))


def test_training_brings_the_table_nearer_to_its_teacher(report):
    # Neighbors of a teacher with random weights are too much alike for its own metric.
    learned = [point.loss for point in report.trained.points if point.loss is not None]
    assert learned[-1] < 0.9 * learned[0]
    assert report.cosine > 0.75
    assert (report.dim, report.texts, report.held_out) == (16, 540, 60)
    assert set(report.sizes) == {"fp32", "int8"}
    assert json.loads(json.dumps(report.as_dict(), default=str))["tokens"] == report.tokens


def test_the_bundle_is_the_weighted_sum_of_rows_at_unit_length(report):
    import onnx
    from onnx import numpy_helper

    bundle = Bundle.open(report.path)
    tower = bundle.manifest.text
    model = onnx.load_from_string(bundle.read("fp32.onnx"))
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tokenizer = Tokenizer.from_file(str(report.path / tower.tokenizer))
    texts = ["the man plays guitar", "a dog sat on the river bank", "soup"]
    sums = np.stack([tensors["table"][tokenizer.encode(text).ids].sum(axis=0) for text in texts])
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    with Encoder.load(report.path, variant="fp32", verify="golden") as encoder:
        np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)
    assert tower.static
    assert bundle.manifest.normalized


def test_eight_bits_are_near_the_table_and_pass_the_golden_vectors(report):
    texts = ["the man plays guitar", "a dog sat on the river bank", "soup"]
    vectors = []
    for variant in ("fp32", "int8"):
        with Encoder.load(report.path, variant=variant, verify="golden") as encoder:
            vectors.append(encoder.encode(texts))
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.999


def test_a_text_without_tokens_has_a_vector(report):
    with Encoder.load(report.path) as encoder:
        for text in ("", "   ", "\u200b"):
            assert np.linalg.norm(encoder.encode(text)) == pytest.approx(1, abs=1e-5)
        assert encoder.encode(["", "the cat"]).shape == (2, 16)


def test_the_same_arguments_give_the_same_space_and_another_seed_does_not(distilled, tmp_path):
    short = replace(SETTINGS, epochs=1)
    spaces = [
        distilled(settings=settings, work_dir=tmp_path / str(number)).space
        for number, settings in enumerate((short, short, replace(short, seed=1)))
    ]
    assert spaces[0] == spaces[1] != spaces[2]


def test_a_call_that_was_killed_goes_on_to_the_same_result(distilled, tmp_path):
    def kill(progress):
        if progress.step == 50:
            raise Killed

    whole = distilled(work_dir=tmp_path / "whole")
    with pytest.raises(Killed):
        distilled(work_dir=tmp_path / "killed", on_progress=kill)
    found = distilled(work_dir=tmp_path / "killed")
    assert found.trained.resumed_at == 40
    assert found.space == whole.space
    assert found.trained.points == whole.trained.points


def test_a_smaller_vocabulary_cuts_words_and_encodes_all_the_same(distilled, report):
    small = distilled(vocabulary=120)
    assert small.tokens == 120 < report.tokens
    with Encoder.load(small.path, verify="golden") as encoder:
        assert np.isfinite(encoder.encode(["the man plays guitar", "unheard-of words"])).all()


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_pruned_tokenizers_keep_frequent_tokens_and_the_order_of_ids(tiny, kind):
    whole = Tokenizer.from_file(str(tiny.transformers(kind) / "tokenizer.json"))
    size = whole.get_vocab_size()
    counts = np.random.default_rng(0).permutation(size).astype(np.int64)
    data, kept = pruned_tokenizer(plain_tokenizer(whole.to_str().encode()), counts, size - 20)
    pruned = Tokenizer.from_str(data.decode())
    assert len(kept) == pruned.get_vocab_size() == size - 20
    assert (np.diff(kept) > 0).all()
    for new, old in enumerate(kept.tolist()):
        assert pruned.id_to_token(new) == whole.id_to_token(old)
    gone = counts[np.setdiff1d(np.arange(size), kept)]
    assert gone.max() < np.sort(counts)[-len(kept) // 4]
    assert pruned.encode("the cat").ids == pruned.encode("the cat", add_special_tokens=False).ids


def test_a_vocabulary_of_merges_cannot_be_pruned(tiny):
    whole = Tokenizer.from_file(str(tiny.transformers("roberta") / "tokenizer.json"))
    counts = np.ones(whole.get_vocab_size(), np.int64)
    with pytest.raises(UnsupportedModelError, match="expected a tokenizer of WordPiece, WordLevel"):
        pruned_tokenizer(whole.to_str().encode(), counts, 150)


def test_batches_hold_each_text_once_with_its_own_ids_and_target():
    rng = np.random.default_rng(1)
    ids = [rng.integers(0, 50, size).astype(np.int32) for size in (3, 1, 7, 2, 5, 4)]
    texts = BagTexts(ids=ids, targets=np.arange(6, dtype=np.float32)[:, None])
    seen = []
    for batch in BagBatches(texts, 2, 0, 0, "cpu"):
        ends = [*batch.starts.tolist()[1:], len(batch.ids)]
        for start, end, wanted in zip(batch.starts.tolist(), ends, batch.targets, strict=True):
            place = int(wanted)
            seen.append(place)
            assert batch.ids[start:end].tolist() == ids[place].tolist()
    assert sorted(seen) == list(range(6))


def test_weights_fall_with_frequency_and_rows_hold_them():
    weights = frequency_weights(np.array([1000, 10, 0], np.int64))
    assert weights[0] < weights[1] < weights[2] <= 1
    table = StaticTable(np.eye(3, dtype=np.float32), weights)
    rows = table.rows()
    np.testing.assert_allclose(np.diag(rows), weights / weights.max(), rtol=1e-5)


def test_a_damaged_teacher_vector_is_computed_again(teacher, tmp_path):
    import sqlite3

    with open_teacher(teacher, tmp_path) as opened:
        first = opened.vectors(["the cat", "a dog"])
    with sqlite3.connect(tmp_path / CACHE_NAME) as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
    connection.close()
    with open_teacher(teacher, tmp_path) as opened:
        assert opened.vectors(["the cat", "a dog"]).tobytes() == first.tobytes()


def test_a_cache_that_is_something_else_is_refused(teacher, tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / CACHE_NAME) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(InputError, match="expected an edgeembed cache, got another database"):
        open_teacher(teacher, tmp_path)


def test_damaged_checkpoints_are_refused_with_the_way_out(distilled, tmp_path):
    distilled(work_dir=tmp_path)
    for path in tmp_path.glob("static-*/checkpoint-*"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TrainingError, match=r"found only damaged ones .* remove them"):
        distilled(work_dir=tmp_path)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_loss_that_is_no_number_ends_the_training(distilled):
    settings = replace(SETTINGS, learning_rate=1e30)
    with pytest.raises(TrainingError, match="expected a number; use a lower learning rate"):
        distilled(settings=settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"texts": []}, "texts: expected at least 64 distinct"),
        ({"texts": ["word"] * 500}, "texts: expected at least 64 distinct"),
        ({"texts": [f"word{' word' * n}" for n in range(200)]}, "at least 16 different words"),
        ({"texts": ["a", 3]}, r"inputs\[1\]: expected a text, got int"),
        ({"dim": 33}, "dim: expected 1 to 32, the teacher's, got 33"),
        ({"dim": 0}, "dim: expected 1 to 32"),
        ({"rows": "int4"}, "rows: expected one or more of fp32, fp16, int8, got 'int4'"),
        ({"rows": ()}, "rows: expected one or more"),
        ({"vocabulary": 7}, "vocabulary: expected at least"),
    ],
)
def test_what_cannot_be_distilled_is_refused(distilled, options, message):
    with pytest.raises(InputError, match=message):
        distilled(**options)


@pytest.mark.parametrize(
    "options", [{"cosine": -1}, {"cosine": 0, "similarity": 0}, {"temperature": 0}]
)
def test_losses_that_teach_nothing_are_refused(options):
    with pytest.raises(InputError, match="losses: expected"):
        StaticLosses(**options)


def test_a_teacher_that_is_damaged_or_not_there_is_refused(teacher, sentences, tmp_path):
    with pytest.raises(InputError, match="expected a model directory or a Hub id, found nothing"):
        distill_static(tmp_path / "nothing", sentences, tmp_path / "out")
    broken = tmp_path / "broken.bundle"
    broken.mkdir()
    for file in teacher.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "fp32.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleCorruptError):
        distill_static(broken, sentences, tmp_path / "out")


def test_what_stands_at_the_output_stays(distilled, teacher, sentences, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        distill_static(teacher, sentences, tmp_path)
