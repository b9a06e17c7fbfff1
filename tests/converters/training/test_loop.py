"""Training: the best state is taken, a kill costs nothing, and what is damaged is said."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from edgeembed_converters.training.checkpoints import (
    Checkpoint,
    last_checkpoint,
    save_checkpoint,
)
from edgeembed_converters.training.loop import Objective, train
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_runtime.errors import InputError, StorageError, TrainingError

SETTINGS = TrainingSettings(
    learning_rate=0.05, batch_size=4, epochs=5, evaluate_every=4, patience=100
)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def net():
    """A module with dropout, so that the random state matters, and with a buffer."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))


def objective(module, identity="an objective", metric=None):
    """Ten batches an epoch of a linear map to learn."""
    rng = torch.Generator().manual_seed(6)
    x = torch.randn(40, 3, generator=rng)
    y = x @ torch.randn(3, 2, generator=rng)

    def batches(epoch):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(epoch))
        return order.split(4)

    def loss(places):
        return (module(x[places]) - y[places]).square().mean()

    def error():
        module.eval()
        found = -float((module(x) - y).square().mean())
        module.train()
        return found

    return Objective(batches=batches, loss=loss, metric=metric or error, identity=identity)


def same(a, b):
    return all(torch.equal(x, b.state_dict()[name]) for name, x in a.state_dict().items())


def test_training_learns_and_says_how(tmp_path):
    module, heard = net(), []
    trained = train(module, objective(module), SETTINGS, tmp_path, heard.append)
    assert trained.best > trained.initial / 10
    assert [each.step for each in heard] == list(range(1, 51))
    assert {each.steps for each in heard} == {50}
    assert [point.step for point in trained.points] == [*range(0, 50, 4), 50]
    assert trained.points[0].loss is None
    first, last = trained.points[1].loss, trained.points[-1].loss
    assert first is not None and last is not None and last < first
    assert not trained.stopped_early
    assert trained.resumed_at is None


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path):
    made = []
    for number, seed in enumerate((0, 0, 1)):
        module = net()
        settings = TrainingSettings(
            **{**vars(SETTINGS), "seed": seed},
        )
        train(module, objective(module), settings, tmp_path / str(number))
        made.append(module)
    assert same(made[0], made[1])
    assert not same(made[0], made[2])  # dropout


@pytest.mark.parametrize("step", [1, 3, 4, 5, 17, 49])
def test_a_kill_after_any_step_changes_nothing(step, tmp_path):
    whole, killed = net(), net()
    expected = train(whole, objective(whole), SETTINGS, tmp_path / "whole")

    def kill(progress):
        if progress.step == step:
            raise Killed

    with pytest.raises(Killed):
        train(killed, objective(killed), SETTINGS, tmp_path / "killed", kill)
    again = net()
    torch.manual_seed(99)  # as another process would stand
    found = train(again, objective(again), SETTINGS, tmp_path / "killed")
    assert same(again, whole)
    assert found.points == expected.points
    assert found.resumed_at == step // 4 * 4


def test_a_training_that_is_done_is_not_done_again(tmp_path):
    module, again, heard = net(), net(), []
    first = train(module, objective(module), SETTINGS, tmp_path)
    second = train(again, objective(again), SETTINGS, tmp_path, heard.append)
    assert heard == []
    assert second.points == first.points
    assert same(module, again)


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_in_another(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            from pathlib import Path
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from test_loop import SETTINGS, objective, net, train
            def slow(progress):
                print(progress.step, flush=True)
                time.sleep(0.02)
            module = net()
            train(module, objective(module), SETTINGS, Path(sys.argv[1]), slow)
            """
        )
    )
    work = tmp_path / "work"
    with subprocess.Popen(
        [sys.executable, script, work], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as child:
        for line in child.stdout:
            if int(line) >= 23:
                child.send_signal(signal.SIGKILL)
                break
    whole, again = net(), net()
    train(whole, objective(whole), SETTINGS, tmp_path / "whole")
    found = train(again, objective(again), SETTINGS, work)
    assert found.resumed_at >= 20
    assert same(again, whole)


def test_the_best_state_is_taken_and_patience_ends_the_training(tmp_path):
    module, states = net(), []
    metrics = iter([1.0, 2.0, 9.0, 8.0, 7.0, 6.0])

    def metric():
        states.append({name: each.clone() for name, each in module.state_dict().items()})
        return next(metrics)

    settings = TrainingSettings(**{**vars(SETTINGS), "patience": 3})
    trained = train(module, objective(module, metric=metric), settings, tmp_path)
    assert trained.stopped_early
    assert (trained.steps, trained.best_step, trained.best) == (20, 8, 9.0)
    assert all(torch.equal(each, states[2][name]) for name, each in module.state_dict().items())


def test_warm_up_and_decay(tmp_path):
    module = nn.Linear(1, 1, bias=False)
    steps = []

    def loss(_):
        return module.weight.sum()  # a gradient of 1: Adam's step is the learning rate

    settings = TrainingSettings(
        learning_rate=0.1, warmup=0.2, weight_decay=0.0, epochs=1, evaluate_every=100
    )
    made = Objective(batches=lambda _: list(range(10)), loss=loss, metric=lambda: 0.0, identity="")
    before = [module.weight.item()]
    train(module, made, settings, tmp_path, lambda _: steps.append(module.weight.item()))
    rates = [a - b for a, b in zip(before + steps, steps, strict=False)]
    expected = [0.05, 0.1, *(0.1 * (10 - step) / 8 for step in range(2, 10))]
    assert rates == pytest.approx(expected, rel=1e-3)


def test_bf16_trains_too(tmp_path):
    module = net()
    settings = TrainingSettings(**{**vars(SETTINGS), "precision": "bf16"})
    trained = train(module, objective(module), settings, tmp_path)
    assert trained.best > trained.initial / 10
    assert module[0].weight.dtype is torch.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(value, tmp_path):
    module = net()
    made = objective(module)
    bad = Objective(
        batches=made.batches,
        loss=lambda places: made.loss(places) * value,
        metric=made.metric,
        identity="",
    )
    with pytest.raises(TrainingError, match=r"loss of step 1 is (nan|inf).*lower learning rate"):
        train(module, bad, SETTINGS, tmp_path)


def test_a_metric_that_is_no_number_ends_the_training(tmp_path):
    module = net()
    with pytest.raises(TrainingError, match="metric after step 0 is nan"):
        train(module, objective(module, metric=lambda: float("nan")), SETTINGS, tmp_path)


def test_another_trainings_checkpoints_are_refused(tmp_path):
    module = net()
    train(module, objective(module), SETTINGS, tmp_path)
    with pytest.raises(TrainingError, match="found those of another"):
        train(module, objective(module, identity="other texts"), SETTINGS, tmp_path)


def test_nothing_to_train_is_said(tmp_path):
    module = net().requires_grad_(False)
    with pytest.raises(InputError, match="parameters to train"):
        train(module, objective(module), SETTINGS, tmp_path)
    module = net()
    empty = Objective(
        batches=lambda _: [], loss=lambda _: torch.zeros(()), metric=lambda: 0.0, identity=""
    )
    with pytest.raises(InputError, match="at least one batch"):
        train(module, empty, SETTINGS, tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": -1}, "epochs"),
        ({"warmup": 1.5}, "warmup"),
        ({"precision": "fp8"}, "precision"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        TrainingSettings(**setting)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_trains_in_bf16(tmp_path):
    module = net().to("cuda")
    made = objective(net())
    moved = Objective(
        batches=made.batches,
        loss=lambda _: module(torch.ones(4, 3, device="cuda")).square().mean(),
        metric=lambda: 0.0,
        identity="",
    )
    settings = TrainingSettings(**{**vars(SETTINGS), "device": "cuda", "precision": "bf16"})
    assert train(module, moved, settings, tmp_path).steps == 50


# Checkpoints


def checkpoint(step):
    generator = torch.Generator().manual_seed(step)
    tensors = {"a": torch.randn(3, 2, generator=generator), "n": torch.tensor(step)}
    return Checkpoint(tensors=tensors, facts={"step": step})


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    assert last_checkpoint(tmp_path) is None
    path = save_checkpoint(tmp_path, 7, checkpoint(7))
    found = last_checkpoint(tmp_path)
    assert found.facts == {"step": 7}
    assert torch.equal(found.tensors["a"], checkpoint(7).tensors["a"])
    assert set(load_file(path)) == {"a", "n"}  # a plain safetensors file


def test_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 30):
        save_checkpoint(tmp_path, step, checkpoint(step))
    assert [each.name for each in sorted(tmp_path.iterdir())] == [
        "checkpoint-000000002.safetensors",
        "checkpoint-000000030.safetensors",
    ]


def damage(path, how):
    data = bytearray(path.read_bytes())
    match how:
        case "cut":
            data = data[:-5]
        case "flipped":
            data[-3] ^= 1
        case "empty":
            data = b""
        case "foreign":
            data = b"no checkpoint at all, but long enough to have a header"
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(how, tmp_path):
    save_checkpoint(tmp_path, 1, checkpoint(1))
    damage(save_checkpoint(tmp_path, 2, checkpoint(2)), how)
    assert last_checkpoint(tmp_path).facts == {"step": 1}


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "foreign"])
def test_only_damaged_checkpoints_are_an_error_that_names_them(how, tmp_path):
    damage(save_checkpoint(tmp_path, 2, checkpoint(2)), how)
    with pytest.raises(TrainingError, match=r"checkpoint-000000002.*remove them"):
        last_checkpoint(tmp_path)


def test_training_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path):
    whole, again = net(), net()
    train(whole, objective(whole), SETTINGS, tmp_path)
    damage(sorted(tmp_path.iterdir())[-1], "flipped")
    found = train(again, objective(again), SETTINGS, tmp_path)
    assert found.resumed_at == 48
    assert same(again, whole)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    module = net()
    with pytest.raises(StorageError):
        train(module, objective(module), SETTINGS, tmp_path / "file" / "work")
