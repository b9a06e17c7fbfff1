"""Image students: features to features, for any pair of modules over pixels."""

import numpy as np
import pytest
import torch
from torch import nn

from edgeembed import TrainingSettings, distill_features
from edgeembed_converters.distill.student.distill_features import (
    WithHead,
    features,
    teacher_features,
)
from edgeembed_runtime.errors import InputError, TrainingError

SETTINGS = TrainingSettings(
    learning_rate=0.01, batch_size=16, epochs=4, evaluate_every=10, patience=50
)


class Net(nn.Module):
    """Convolutions with batch normalization, then the mean over the places."""

    def __init__(self, channels, dim):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, dim, 3, stride=2, padding=1),
        )
        self.unused = nn.Linear(channels, channels)

    def forward(self, pixels):
        return self.layers(pixels).mean((2, 3))


@pytest.fixture(scope="module")
def images():
    """Blobs of color: 160 images of 12 x 12 pixels."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.randn(160, 3, 3, 3, generator=rng)
    return list(nn.functional.interpolate(coarse, size=(12, 12), mode="bilinear"))


@pytest.fixture
def teacher():
    torch.manual_seed(1)
    return Net(24, 10).eval()


def student(dim=10, seed=2):
    torch.manual_seed(seed)
    return Net(6, dim)


def test_a_student_comes_near_its_teacher(images, teacher, tmp_path):
    before = {name: each.clone() for name, each in teacher.state_dict().items()}
    made = distill_features(teacher, student(), images, work_dir=tmp_path, settings=SETTINGS)
    assert made.held_out == 16
    assert made.cosine > 0.9
    assert made.trained.best > made.trained.initial
    assert not made.module.training
    assert made.module(torch.stack(images[:2])).shape == (2, 10)
    assert all(torch.equal(before[name], each) for name, each in teacher.state_dict().items())


def test_another_width_gets_a_layer_to_the_teachers(images, teacher, tmp_path):
    made = distill_features(teacher, student(7), images, work_dir=tmp_path, settings=SETTINGS)
    assert isinstance(made.module, WithHead)
    assert made.module(torch.stack(images[:2])).shape == (2, 10)
    assert made.cosine > 0.8


def test_a_kill_changes_nothing(images, teacher, tmp_path):
    class Killed(BaseException):
        pass

    def kill(progress):
        if progress.step == 25:
            raise Killed

    whole = distill_features(teacher, student(), images, work_dir=tmp_path / "a", settings=SETTINGS)
    with pytest.raises(Killed):
        distill_features(
            teacher,
            student(),
            images,
            work_dir=tmp_path / "b",
            settings=SETTINGS,
            on_progress=kill,
        )
    again = distill_features(teacher, student(), images, work_dir=tmp_path / "b", settings=SETTINGS)
    assert again.trained.resumed_at == 20
    for name, each in again.module.state_dict().items():
        assert torch.equal(each, whole.module.state_dict()[name])


def test_features_come_from_the_disk_the_second_time(images, teacher, tmp_path):
    first = teacher_features(teacher, images, tmp_path, "cpu")
    with torch.no_grad():
        expected = torch.cat([teacher(image[None]) for image in images])
    np.testing.assert_allclose(first, expected, atol=1e-5)
    (file,) = tmp_path.iterdir()
    np.save(file, first + 1)
    np.testing.assert_array_equal(teacher_features(teacher, images, tmp_path, "cpu"), first + 1)
    file.write_bytes(b"damaged")
    np.testing.assert_array_equal(teacher_features(teacher, images, tmp_path, "cpu"), first)
    teacher_features(student(), images, tmp_path, "cpu")
    assert len(list(tmp_path.iterdir())) == 2


def test_features_do_not_depend_on_the_mode_nor_change_it(images):
    net = student().train()
    state = {name: each.clone() for name, each in net.state_dict().items()}
    found = features(net, images, [3, 5], "cpu")
    assert net.training
    assert all(torch.equal(state[name], each) for name, each in net.state_dict().items())
    with torch.no_grad():
        expected = net.eval()(torch.stack([images[3], images[5]]))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_cannot_be_learned_is_refused(images, teacher, tmp_path):
    with pytest.raises(InputError, match="at least 32 images, got 5"):
        distill_features(teacher, student(), images[:5], work_dir=tmp_path)
    with pytest.raises(InputError, match="fewer parameters than the teacher's"):
        distill_features(student(), teacher, images, work_dir=tmp_path)
    with pytest.raises(InputError, match=r"features \(n, d\)"):
        distill_features(nn.Conv2d(3, 90, 3), student(), images, work_dir=tmp_path)
    with pytest.raises(InputError, match="could not be run on images"):
        distill_features(nn.Linear(5, 900), student(), images, work_dir=tmp_path)
    with pytest.raises(InputError, match="one shape"):
        odd = [*images, torch.zeros(3, 9, 9)]
        distill_features(teacher, student(), odd, work_dir=tmp_path)


def test_a_teacher_that_gives_nan_is_refused(images, teacher, tmp_path):
    with torch.no_grad():
        teacher.layers[3].bias[0] = float("nan")
    with pytest.raises(TrainingError, match="NaN"):
        distill_features(teacher, student(), images, work_dir=tmp_path)
