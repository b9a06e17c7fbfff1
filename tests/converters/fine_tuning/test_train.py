"""`train` from end to end: a kill at any point costs nothing, and the bundle is proven."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from edgeembed import TrainingExample, TrainingObjective, train
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, UnsupportedModelError
from helpers.training_examples import SETTINGS, made_examples

# Killed by itself in the middle of its steps; 2 epochs of 9 steps, measured every 5.
SCRIPT = """
import os, signal, sys
from edgeembed import train
from helpers.training_examples import SETTINGS, made_examples

def die(now):
    if now.step == 8:
        os.kill(os.getpid(), signal.SIGKILL)

train(sys.argv[1], made_examples(), sys.argv[2], settings=SETTINGS, quantize=None, on_progress=die)
"""


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def weights(directory):
    return {p.relative_to(directory): p.read_bytes() for p in directory.rglob("*.safetensors")}


@pytest.mark.slow
def test_a_run_that_is_killed_twice_gives_the_same_model_and_bundle(start, tmp_path, reference):
    def run(name, on_step=None):
        return train(
            start,
            made_examples(),
            tmp_path / name,
            settings=SETTINGS,
            quantize=None,
            on_step=on_step,
        )

    whole = run("whole.bundle")
    code = textwrap.dedent(SCRIPT)
    arguments = [sys.executable, "-c", code, start, tmp_path / "killed.bundle"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(arguments, check=False, timeout=300, capture_output=True, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    def stop(step):
        if (tmp_path / "killed.model").exists():
            raise Killed

    with pytest.raises(Killed):
        run("killed.bundle", stop)
    again = run("killed.bundle")
    assert again.trained.resumed_at == whole.trained.steps
    assert again.trained.points == whole.trained.points
    assert again.space == whole.space
    assert weights(again.model_path) == weights(whole.model_path)
    assert not (tmp_path / "killed.bundle.work").exists()
    texts = ["the man plays guitar", "soup"]
    expected = reference(whole.model_path).encode(texts, normalize_embeddings=True)
    with Encoder.load(again.path) as encoder:
        np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5)
    assert again.witness.startswith("sentence-transformers")


@pytest.mark.slow
def test_licenses_come_along_and_what_was_there_is_replaced_if_asked(start, tmp_path):
    import shutil

    model = tmp_path / "licensed"
    shutil.copytree(start, model)
    (model / "LICENSE").write_text("Do as you like.")
    (model / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    options = {"settings": replace(SETTINGS, epochs=1), "quantize": None}
    for overwrite in (False, True):
        report = train(model, made_examples(), tmp_path / "out", overwrite=overwrite, **options)
    assert (report.model_path / "LICENSE").read_text() == "Do as you like."
    with Encoder.load(report.path) as encoder:
        assert encoder.manifest.source.license == "mit"


def test_scores_of_the_contrastive_loss_are_0_or_1(start, tmp_path):
    examples = [
        TrainingExample(anchor=f"a {n}", positive="b", score=s, place=f"file, line {n}")
        for n, s in enumerate((0.0, 1.0, 0.5))
    ]
    with pytest.raises(InputError, match="file, line 2: expected a score of 0 or 1"):
        train(start, examples, tmp_path / "out", objective=TrainingObjective(loss="contrastive"))


def test_what_is_no_transformers_text_model_is_refused(tiny, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    table = tmp_path / "table"
    SentenceTransformer(
        modules=[StaticEmbedding(tiny.wordpiece(), embedding_dim=8)], device="cpu"
    ).save(str(table))
    with pytest.raises(UnsupportedModelError, match="distill_static trains tables"):
        train(table, made_examples(), tmp_path / "out")
    with pytest.raises(InputError, match="nothing"):
        train(tmp_path / "nothing", made_examples(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
