"""Settings: flags over environment over a file."""

import pytest

from edgeembed.serve.base.settings import ServeSettings, settings_from
from edgeembed_runtime.errors import InputError, StorageError


def test_flags_come_before_the_environment_and_that_before_the_file(tmp_path):
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nworkers = 2\nmodels = ["a", "b=c"]\nqueue_s = 3\n')
    environment = {
        "EDGEEMBED_SERVE_PORT": "3",
        "EDGEEMBED_SERVE_INDEXES": "x,y=z",
        "EDGEEMBED_SERVE_WRITABLE": "true",
        "EDGEEMBED_MODEL": "other",
    }
    found = settings_from({"port": 5, "host": None}, environment=environment, file=file)
    assert found == ServeSettings(
        port=5,
        workers=2,
        models=("a", "b=c"),
        queue_s=3.0,
        indexes=("x", "y=z"),
        writable=True,
    )


def test_nothing_given_is_what_is_usual():
    assert settings_from({}, environment={}) == ServeSettings()
    assert ServeSettings().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"EDGEEMBED_SERVE_PORT": "many"}, "environment: port: expected int"),
        ({"EDGEEMBED_SERVE_PORT": "70000"}, "port: expected 0 to 65535, got 70000"),
        ({"EDGEEMBED_SERVE_PROT": "1"}, "got prot"),
        ({"EDGEEMBED_SERVE_DEVICE": "tpu"}, "device: expected cpu or cuda"),
        ({"EDGEEMBED_SERVE_DEADLINE_S": "nan"}, "deadline_s: expected"),
    ],
)
def test_a_wrong_setting_is_named(environment, words):
    with pytest.raises(InputError, match=words):
        settings_from({}, environment=environment)


def test_a_file_of_settings_must_be_toml_with_known_names_and_types(tmp_path):
    with pytest.raises(StorageError):
        settings_from({}, environment={}, file=tmp_path / "none.toml")
    file = tmp_path / "serve.toml"
    for text, words in (
        ("port", "expected TOML"),
        ('port = "1"', "port: expected int"),
        ("ports = 1", "got ports"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=words):
            settings_from({}, environment={}, file=file)
