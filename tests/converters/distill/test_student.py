"""Students of tiny teachers: their shapes, their closeness, the bundle, and what is refused."""

import random
import shutil

import numpy as np
import pytest
import torch

from edgeembed import LossWeights, TrainingSettings, distill_student
from edgeembed_converters.distill.student import layers as layer_choice
from edgeembed_converters.distill.student.embedding_rank import FactorizedEmbedding, factorize
from edgeembed_converters.distill.student.narrow import narrowed
from edgeembed_converters.distill.student.objective import EncodedTexts
from edgeembed_converters.distill.teaching.metrics import neighbor_ndcg
from edgeembed_converters.distill.teaching.projection import principal_directions
from edgeembed_converters.distill.teaching.teacher import open_teacher
from edgeembed_converters.distill.teaching.text_split import split_texts
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, TrainingError, UnsupportedModelError

pytestmark = pytest.mark.slow

WORDS = (
    *("man", "woman", "dog", "cat", "plays", "guitar", "rain", "stage"),
    *("music", "sat", "the", "on", "watched", "window", "train", "station"),
    *("river", "bank", "cook", "soup", "fox", "jumps", "over", "lazy"),
    *("quick", "brown", "password", "reset", "query", "passage", "search", "task"),
)
SETTINGS = TrainingSettings(
    learning_rate=3e-3, batch_size=16, epochs=3, evaluate_every=20, patience=50
)

# A random teacher's vectors have nearly all in common: only their structure is worth learning.
LOSSES = LossWeights(similarity=1.0)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture(scope="module")
def sentences():
    """600 made-up sentences; some come twice, some are empty."""
    rng = random.Random(4)
    made = [" ".join(rng.choices(WORDS, k=rng.randint(3, 9))) for _ in range(600)]
    return [*made, *made[:20], "", "   "]


@pytest.fixture(scope="module")
def teacher(tiny):
    """A BERT of four layers with random weights."""
    return tiny.transformers("bert", layers=4)


@pytest.fixture(scope="module")
def work_dir(teacher, tmp_path_factory):
    """One folder for all students: the teacher is converted and run once."""
    folder = tmp_path_factory.mktemp("work")
    open_teacher(teacher, folder).close()
    return folder


@pytest.fixture
def own_work_dir(work_dir, tmp_path):
    """A folder without checkpoints; only the converted teacher is there."""
    (bundle,) = work_dir.glob("teacher-*.bundle")
    shutil.copytree(bundle, tmp_path / "work" / bundle.name)
    return tmp_path / "work"


@pytest.fixture(scope="module")
def distilled(teacher, sentences, work_dir, tmp_path_factory):
    """`distilled(**options)` is a report; nothing is quantized unless asked."""

    def run(**options):
        options = {"settings": SETTINGS, "losses": LOSSES, "work_dir": work_dir, **options}
        options = {"quantize": None, **options}
        output = tmp_path_factory.mktemp("students") / "student.bundle"
        return distill_student(teacher, sentences, output, **options)

    return run


def test_a_student_of_two_layers_comes_near_its_teacher(distilled, teacher, reference):
    steps, heard = [], []
    report = distilled(layers=2, on_step=steps.append, on_progress=heard.append)
    assert report.layers == ("encoder.layer.0", "encoder.layer.3")
    assert report.parameters < report.teacher_parameters
    assert (report.texts, report.held_out) == (540, 60)
    assert report.trained.best > report.trained.initial
    assert report.cosine > 0.9
    assert "Training" in steps
    assert len(heard) == report.trained.steps == 3 * -(-540 // 16)
    texts = ["the man plays guitar", "a dog sat on the river bank"]
    with Encoder.load(report.path, verify="golden") as encoder:
        found = encoder.encode(texts)
        assert "layers encoder.layer.0, encoder.layer.3" in (report.path / "README.md").read_text()
    expected = reference(teacher).encode(texts)  # sentence-transformers: mean pooling
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1)
    cosines /= np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.8


def test_the_same_arguments_give_the_same_space_and_another_seed_does_not(
    distilled, work_dir, own_work_dir
):
    short = TrainingSettings(**{**vars(SETTINGS), "epochs": 1})
    other = TrainingSettings(**{**vars(SETTINGS), "epochs": 1, "seed": 1})
    spaces = [
        distilled(layers=1, settings=settings, work_dir=folder).space
        for settings, folder in ((short, work_dir), (short, own_work_dir), (other, work_dir))
    ]
    assert spaces[0] == spaces[1] != spaces[2]


def test_a_call_that_was_killed_goes_on_to_the_same_result(distilled, own_work_dir):
    def kill(progress):
        if progress.step == 70:
            raise Killed

    whole = distilled(layers=[1, 3])
    with pytest.raises(Killed):
        distilled(layers=[1, 3], work_dir=own_work_dir, on_progress=kill)
    found = distilled(layers=[1, 3], work_dir=own_work_dir)
    assert found.trained.resumed_at == 60
    assert found.space == whole.space
    assert found.trained.points == whole.trained.points


def test_a_narrower_student_keeps_its_teachers_dim(distilled):
    report = distilled(layers=2, width=16)
    assert report.dim == 32
    assert report.trained.best > report.trained.initial
    assert any("width 16" in note for note in report.notes)
    with Encoder.load(report.path) as encoder:
        assert encoder.encode("the cat").shape == (32,)


def test_a_smaller_table_and_fewer_components(distilled):
    report = distilled(layers=["encoder.layer.0", "encoder.layer.3"], embedding_rank=8, dim=12)
    assert report.dim == 12
    assert report.cosine > 0.8
    assert any("rank 8" in note for note in report.notes)


def test_every_loss_can_be_trained_on(distilled):
    weights = LossWeights(
        mse=0.1,
        similarity=1.0,
        contrastive=0.1,
        triplet=0.1,
        pairs=0.1,
        hidden_states=0.1,
        masked_tokens=0.1,
        matryoshka=0.1,
        matryoshka_dims=(8, 16),
    )
    short = TrainingSettings(**{**vars(SETTINGS), "epochs": 1})
    report = distilled(layers=2, losses=weights, settings=short, train_tables=True)
    assert report.trained.best > report.trained.initial


def test_the_learning_curve_is_a_image_and_int8_a_variant(distilled, tmp_path):
    from PIL import Image

    short = TrainingSettings(**{**vars(SETTINGS), "epochs": 1})
    curve = tmp_path / "curve.png"
    report = distilled(layers=2, settings=short, quantize="int8", learning_curve=curve)
    assert set(report.sizes) >= {"fp32"}
    with Image.open(curve) as image:
        assert image.format == "PNG"
        assert image.size == (800, 450)
        assert len(set(image.convert("RGB").get_flattened_data())) > 20


# What is refused, before anything is written


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 5}, "expected 1 to 4"),
        ({"layers": 0}, "expected 1 to 4"),
        ({"layers": [3, 1]}, "once and in order"),
        ({"layers": []}, "once and in order"),
        ({"layers": ["encoder.layer.9"]}, "or names such as encoder.layer.0"),
        ({"layers": 4}, "got none of them"),
        ({"layers": None}, "got none of them"),
        ({"layers": 2, "width": 32}, "below the teacher's 32"),
        ({"layers": 2, "width": 12}, "multiple of 16"),
        ({"layers": 2, "embedding_rank": 32}, "less than the table's width"),
        ({"layers": 2, "width": 16, "embedding_rank": 20}, "less than the student's width"),
        ({"layers": None, "embedding_rank": 31}, "expected fewer parameters"),
        ({"layers": 2, "dim": 64}, "less than the teacher's"),
        ({"layers": 2, "held_out": 2}, "held_out"),
        (
            {"layers": 2, "losses": LossWeights(matryoshka=1, matryoshka_dims=(64,))},
            "below the student's dim",
        ),
    ],
)
def test_a_student_that_cannot_be_is_refused(options, message, distilled):
    with pytest.raises(InputError, match=message):
        distilled(**options)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "at least 64 distinct"),
        (["the same"] * 500, "got 1"),
        ([f"w{n % 4} " * (n + 1) for n in range(100)], "different words, got 4"),
        ("one long text", "expected a text or a list of texts"),
        ([*map(str, range(99)), None], r"inputs\[99\]"),
    ],
)
def test_texts_that_teach_nothing_are_refused(texts, message, teacher, tmp_path):
    with pytest.raises(InputError, match=message):
        distill_student(teacher, texts, tmp_path / "out", work_dir=tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_no_teacher(distilled, sentences, tmp_path, toy_report):
    with pytest.raises(InputError, match="model directory that it was converted from"):
        distill_student(toy_report.path, sentences, tmp_path / "out")


def test_a_loss_that_is_no_number_is_said_and_leaves_no_bundle(
    teacher, sentences, work_dir, tmp_path
):
    wild = TrainingSettings(**{**vars(SETTINGS), "learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(TrainingError, match="lower learning rate"):
        distill_student(
            teacher, sentences, tmp_path / "out", layers=2, settings=wild, work_dir=work_dir
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"cosine": 0.0, "similarity": 0.0}, "one above 0"),
        ({"mse": -1.0}, "weights of 0 or more"),
        ({"matryoshka": 1.0}, "together"),
    ],
)
def test_weights_that_teach_nothing_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        LossWeights(**weights)


# The parts


@pytest.mark.parametrize(
    ("count", "layers", "expected"),
    [(3, 6, (0, 2, 5)), (2, 6, (0, 5)), (1, 6, (5,)), (6, 12, (0, 2, 4, 6, 8, 11))],
)
def test_layers_are_kept_evenly_with_the_first_and_the_last(count, layers, expected):
    assert layer_choice.evenly(count, layers) == expected


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "distilbert", "mpnet"])
def test_dropping_the_last_layer_gives_the_hidden_state_before_it(kind, tiny):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.transformers(kind, layers=3)).eval()
    keep = layer_choice.chosen_layers(model, [0, 1])
    ids, mask = torch.arange(20).reshape(2, 10) % 7 + 5, torch.ones(2, 10, dtype=torch.int64)
    with torch.no_grad():
        whole = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        cut = layer_choice.with_layers(model, keep)(input_ids=ids, attention_mask=mask)
    torch.testing.assert_close(cut.last_hidden_state, whole.hidden_states[2])
    assert model.config.num_hidden_layers == 3  # the teacher is left as it is


def test_a_model_without_layers_is_refused():
    with pytest.raises(UnsupportedModelError, match="list of 0 layers"):
        layer_choice.chosen_layers(torch.nn.Linear(2, 2), 1)


def test_a_table_of_full_rank_but_one_is_nearly_the_table(tiny):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.transformers("bert", layers=1))
    table = model.get_input_embeddings().weight.detach().clone()
    ids = [torch.arange(len(table))]
    share = factorize(model, 31, ids)
    made = model.get_input_embeddings()
    assert isinstance(made, FactorizedEmbedding)
    error = (made(torch.arange(len(table))) - table).square().sum() / table.square().sum()
    assert 1 - share == pytest.approx(error.item(), rel=1e-3)


def test_the_table_keeps_frequent_tokens_best(tiny):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.transformers("bert", layers=1))
    table = model.get_input_embeddings().weight.detach().clone()
    factorize(model, 8, [torch.tensor([9] * 100_000)])
    errors = (model.get_input_embeddings()(torch.arange(len(table))) - table).norm(dim=1)
    assert errors[9] < 0.05 * errors.median()


def test_principal_directions_are_those_of_numpys_svd():
    rows = np.random.default_rng(7).standard_normal((50, 6)) * [5, 4, 3, 2, 1, 0.5]
    found, share = principal_directions(torch.tensor(rows), 2)
    _, values, right = np.linalg.svd(rows)
    np.testing.assert_allclose(np.abs(found.numpy()), np.abs(right[:2].T), atol=1e-5)
    assert share == pytest.approx((values[:2] ** 2).sum() / (values**2).sum())


def test_a_narrower_model_of_another_family_is_refused(tiny):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.transformers("distilbert", layers=1))
    with pytest.raises(UnsupportedModelError, match="expected a model of bert"):
        narrowed(model, 16, [])


def test_a_narrower_model_begins_nearer_than_a_random_one(tiny):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.transformers("bert", layers=2)).eval()
    rng = torch.Generator().manual_seed(8)
    ids = [torch.randint(5, 100, (12,), generator=rng) for _ in range(80)]
    small, basis = narrowed(model, 16, ids[:40])
    torch.manual_seed(9)
    fresh = type(model)(small.config).eval()
    batch = torch.stack(ids[40:])
    with torch.no_grad():
        expected = model(batch).last_hidden_state.mean(1)
        cosines = [
            torch.cosine_similarity(each(batch).last_hidden_state.mean(1) @ basis.T, expected)
            for each in (small, fresh)
        ]
    assert cosines[0].mean() > cosines[1].mean() + 0.2


def test_an_epoch_has_every_text_once_and_batches_of_like_length():
    rng = np.random.default_rng(0)
    ids = [np.ones(n, dtype=np.int32) for n in rng.integers(2, 60, 1000)]
    texts = EncodedTexts(ids=ids, targets=np.zeros((1000, 4), np.float32), pad_id=0)
    first, again, second = texts.places(32, 5, 0), texts.places(32, 5, 0), texts.places(32, 5, 1)
    assert first == again != second
    assert sorted(place for batch in first for place in batch) == list(range(1000))
    padded = sum(max(len(ids[place]) for place in batch) * len(batch) for batch in first)
    assert padded < 1.15 * sum(map(len, ids))


def test_a_batch_is_padded_with_the_models_own_id_and_masked():
    ids = [np.array([5, 6, 7], np.int32), np.array([8], np.int32)]
    texts = EncodedTexts(ids=ids, targets=np.eye(2, dtype=np.float32), pad_id=1)
    batch = texts.batch([1, 0], "cpu")
    assert batch.ids.tolist() == [[8, 1, 1], [5, 6, 7]]
    assert batch.mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.targets.tolist() == [[0, 1], [1, 0]]


def test_held_out_texts_are_never_trained_on(sentences):
    split = split_texts(sentences, 1000, seed=0)
    assert not set(split.train) & set(split.held_out)
    assert set(split.train) | set(split.held_out) == {text for text in sentences if text.strip()}
    assert split == split_texts(sentences, 1000, seed=0)
    assert split.held_out != split_texts(sentences, 1000, seed=1).held_out


def test_ndcg_of_neighbors_agrees_with_scikit_learn():
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(3)
    wanted = rng.standard_normal((40, 8)).astype(np.float32)
    found = wanted + rng.standard_normal((40, 8)).astype(np.float32)
    own, teachers = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, wanted))
    scores = []
    for corpus in (own, teachers):
        for row in range(40):
            others = [n for n in range(40) if n != row]
            gains = np.zeros(39)
            gains[np.argsort(-teachers[others] @ teachers[row])[:10]] = np.arange(10, 0, -1)
            scores.append(ndcg_score([gains], [corpus[others] @ own[row]], k=10))
    assert neighbor_ndcg(found, wanted) == pytest.approx(np.mean(scores), abs=1e-6)


def test_the_metric_is_1_for_the_teacher_alone():
    wanted = np.random.default_rng(4).standard_normal((40, 8)).astype(np.float32)
    assert neighbor_ndcg(wanted * 3, wanted) == pytest.approx(1)
    elsewhere = neighbor_ndcg(-wanted, wanted)  # alike inside, but not where the teacher is
    assert 0.49 < elsewhere < 0.6
