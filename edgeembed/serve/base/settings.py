"""The settings of a server: flags, over environment, over a file, over what is usual."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

ENVIRONMENT_PREFIX = "EDGEEMBED_SERVE_"
_LIST_SEPARATOR = ","


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """How to serve; every field is a flag, a variable EDGEEMBED_SERVE_NAME and a key of the file.

    Args:
        models: bundles, as paths or packaged names, each "NAME=PATH" or a path whose last part,
            without ".bundle", is the name; none for the packaged default. The first is the one for
            requests that name none.
        any_model: where one model is served, answer requests for models of all names with it, for
            clients that insist on names such as "text-embedding-3-small".
        indexes: index directories to mount, as "NAME=PATH" or a path; the first is the default.
        writable: whether mounted indexes take upserts and deletes.
        host: the address to listen on.
        port: the port to listen on; 0 for any free one.
        uds: the path of a Unix socket to listen on instead.
        api_key_file: a file of lines "NAME KEY"; without one, no key is asked for.
        metrics_need_key: whether /metrics asks for a key, where there are keys.
        workers: processes; each loads the models on its own.
        threads: engine threads of a worker; 0 for its share of the CPUs.
        device: "cpu" or "cuda".
        variant: of every model: "fp32", "int8", ..., or "auto".
        warm_up: load the first model and run it before the server says that it is ready.
        idle_unload_s: seconds without work after which a model is unloaded; 0 for never.
        max_memory_mb: resident memory of a worker above which idle models are unloaded, and no
            other is loaded; 0 for no limit.
        queue_s: how many seconds of interactive work may wait, by estimate, before more is refused.
        bulk_queue_s: the same for bulk.
        interactive_tokens: requests of at most so many tokens, by estimate, overtake larger ones.
        deadline_s: seconds after which nobody waits for an interactive answer; a request may say
            less, by the header x-deadline-ms.
        bulk_deadline_s: the same for bulk.
        stop_s: seconds for answers under way when the server stops.
        max_body_mb: the largest body of texts.
        max_image_body_mb: the largest body of pictures.
        max_inputs: texts, images or documents in a request.
        max_text_characters: the longest text.
        max_results: the largest k of a search.
        max_connections: open at once; further ones are closed.
        idle_timeout_s: seconds that a connection may idle between requests.
        read_timeout_s: seconds within which a request must have arrived.
        log_format: "json" or "text"; with "none", requests are not logged, but what fails is.
        open_telemetry: make a span of each request; `opentelemetry-instrument` says where they go.
    """

    models: tuple[str, ...] = ()
    any_model: bool = True
    indexes: tuple[str, ...] = ()
    writable: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    api_key_file: str | None = None
    metrics_need_key: bool = False
    workers: int = 1
    threads: int = 0
    device: str = "cpu"
    variant: str = "auto"
    warm_up: bool = True
    idle_unload_s: float = 0.0
    max_memory_mb: int = 0
    queue_s: float = 5.0
    bulk_queue_s: float = 60.0
    interactive_tokens: int = 512
    deadline_s: float = 10.0
    bulk_deadline_s: float = 300.0
    stop_s: float = 20.0
    max_body_mb: float = 2.0
    max_image_body_mb: float = 20.0
    max_inputs: int = 2048
    max_text_characters: int = 1_000_000
    max_results: int = 1000
    max_connections: int = 2048
    idle_timeout_s: float = 30.0
    read_timeout_s: float = 10.0
    log_format: str = "text"
    open_telemetry: bool = False


def settings_from(
    flags: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> ServeSettings:
    """Merge flags that were given (not None), over environment, over a TOML file.

    Raises:
        InputError: a name is unknown, or a value is of another type or out of range.
        StorageError: the file cannot be read.
    """
    settings = ServeSettings()
    if file is not None:
        settings = _with(settings, _of_file(file), f"file {file}", strict=True)
    found = _of_environment(os.environ if environment is None else environment)
    settings = _with(settings, found, "environment", strict=False)
    given = {name: value for name, value in flags.items() if value is not None}
    return _checked(_with(settings, given, "flags", strict=True))


def _of_file(file: Path) -> Mapping[str, Any]:
    with storage_errors("read", file):
        data = file.read_bytes()
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: expected TOML, got: {error}") from error


def _of_environment(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The settings that the environment names; a list has commas in between."""
    kinds = get_type_hints(ServeSettings)
    found: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        if kinds.get(key) == tuple[str, ...]:
            found[key] = tuple(part for part in text.split(_LIST_SEPARATOR) if part)
        else:
            found[key] = text
    return found


def _with(
    settings: ServeSettings, values: Mapping[str, Any], source: str, *, strict: bool
) -> ServeSettings:
    """Settings with values of a source, which are words unless `strict`."""
    kinds = get_type_hints(ServeSettings)
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name not in kinds:
            known = ", ".join(field.name for field in fields(ServeSettings))
            raise InputError(f"{source}: expected some of {known}, got {name:.100}")
        try:
            changes[name] = msgspec.convert(value, kinds[name], strict=strict)
        except msgspec.ValidationError as error:
            message = str(error).replace("`", "")
            raise InputError(f"{source}: {name}: {message[:1].lower()}{message[1:]}") from error
    return replace(settings, **changes)


# The least and the most of every number.
_RANGES: Mapping[str, tuple[float, float]] = {
    "port": (0, 65535),
    "workers": (1, 256),
    "threads": (0, 1024),
    "idle_unload_s": (0, 1e7),
    "max_memory_mb": (0, 1 << 30),
    "queue_s": (0.001, 3600),
    "bulk_queue_s": (0.001, 36000),
    "interactive_tokens": (0, 1 << 20),
    "deadline_s": (0.001, 3600),
    "bulk_deadline_s": (0.001, 36000),
    "stop_s": (0, 3600),
    "max_body_mb": (0.001, 1024),
    "max_image_body_mb": (0.001, 1024),
    "max_inputs": (1, 1 << 20),
    "max_text_characters": (1, 1 << 30),
    "max_results": (1, 1 << 20),
    "max_connections": (1, 1 << 20),
    "idle_timeout_s": (0.1, 3600),
    "read_timeout_s": (0.1, 3600),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "device": ("cpu", "cuda"),
    "log_format": ("json", "text", "none"),
}


def _checked(settings: ServeSettings) -> ServeSettings:
    for name, (least, most) in _RANGES.items():
        number = getattr(settings, name)
        if not least <= number <= most:
            raise InputError(f"{name}: expected {least:g} to {most:g}, got {number}")
    for name, choices in _CHOICES.items():
        if (value := getattr(settings, name)) not in choices:
            raise InputError(f"{name}: expected {' or '.join(choices)}, got {value!r:.100}")
    return settings
