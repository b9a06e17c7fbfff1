"""A session of onnxruntime: its settings arrive, and it keeps no more memory than it needs."""

import numpy as np
import pytest

from edgeembed_runtime.bundle.signature import EMBEDDING, TOKEN_EMBEDDINGS
from edgeembed_runtime.engine.base import feeds
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import BundleCorruptError, InferenceError, StorageError
from helpers import tiny_bundle

TABLE = tiny_bundle.table()
MODEL = tiny_bundle.graph(TABLE).SerializeToString()
IDS = np.array([[2, 9, 30, 3]])


def opened(model=MODEL, **settings):
    return Session(model, "tiny", SessionSettings(**settings))


@pytest.mark.parametrize("spin", [True, False])
def test_threads_spin_between_runs_only_where_that_is_wanted(spin):
    options = opened(threads=2, spin=spin)._session.get_session_options()
    assert options.intra_op_num_threads == 2
    stop = "session.force_spinning_stop"
    if spin:
        with pytest.raises(RuntimeError, match=stop):
            options.get_session_config_entry(stop)
    else:
        assert options.get_session_config_entry(stop) == "1"


def test_outputs_are_rows_of_the_table_and_their_mean():
    session = opened()
    tokens = session.run(feeds(IDS), TOKEN_EMBEDDINGS)
    np.testing.assert_array_equal(tokens, TABLE[IDS])
    mean = TABLE[IDS[0]].mean(axis=0)
    found = session.run(feeds(IDS), EMBEDDING)[0]
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_bytes_of_the_model_are_not_kept():
    held = vars(opened()._session).values()
    assert not any(isinstance(value, bytes) and len(value) > 1000 for value in held)


def test_the_folder_for_compiled_models_is_made(tmp_path):
    place = tmp_path / "not" / "there"
    opened(providers=((CPU, {"ModelCacheDirectory": str(place)}),))
    assert place.is_dir()


@pytest.mark.parametrize("io_binding", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_an_error_not_a_vector(bad, io_binding):
    values = TABLE.copy()
    values[30, 0] = bad
    session = opened(tiny_bundle.graph(values).SerializeToString(), io_binding=io_binding)
    with pytest.raises(InferenceError, match=r"returned NaN or infinite values; run `edgeembed v"):
        session.run(feeds(IDS), TOKEN_EMBEDDINGS)


@pytest.mark.parametrize("io_binding", [True, False])
def test_a_run_that_fails_is_one_short_line(io_binding):
    session = opened(io_binding=io_binding)
    with pytest.raises(InferenceError, match="the model failed while it ran: ") as caught:
        session.run(feeds(IDS + 10**6), EMBEDDING)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_is_no_model_is_damage():
    with pytest.raises(BundleCorruptError, match=r"^tiny: onnxruntime could not load it: "):
        opened(b"no model at all")


def test_a_folder_for_compiled_models_that_cannot_be_made_is_a_storage_error():
    providers = (("CPUExecutionProvider", {"ModelCacheDirectory": "/dev/null/folder"}),)
    with pytest.raises(StorageError, match="could not make /dev/null/folder"):
        Session(MODEL, "tiny", SessionSettings(providers=providers))
