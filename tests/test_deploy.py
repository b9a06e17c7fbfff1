"""What deploys a server names real settings, ports and paths, and gives it the time it takes."""

import configparser
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from edgeembed.serve.base.settings import ENVIRONMENT_PREFIX, ServeSettings, settings_from
from edgeembed.serve.http.probes import probes

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DEFAULTS = ServeSettings()
DRAIN_S = 1
KEYS = "EDGEEMBED_SERVE_API_KEY_FILE"


def text(name):
    return (DEPLOY / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def dockerfile():
    """The instructions of the last stage, as (name, rest), continued lines joined."""
    stage = text("Dockerfile").rpartition("\nFROM ")[2].replace("\\\n", " ")
    lines = [line for line in stage.splitlines()[1:] if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


@pytest.fixture(scope="module")
def unit():
    class Unit(configparser.RawConfigParser):
        """Names keep their case."""

        def optionxform(self, optionstr):
            return optionstr

    parser = Unit(strict=False, delimiters=("=",))
    parser.read_string(text("edgeembed.service"))
    return parser["Service"]


@pytest.fixture(scope="module")
def kubernetes():
    deployment, service = yaml.safe_load_all(text("kubernetes.yaml"))
    return deployment["spec"]["template"]["spec"], service["spec"]


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(text("compose.yaml"))["services"]["edgeembed"]


@pytest.mark.parametrize(
    "name", ["Dockerfile", "compose.yaml", "edgeembed.service", "kubernetes.yaml"]
)
def test_every_variable_is_a_setting(name):
    known = {ENVIRONMENT_PREFIX + field.name.upper() for field in fields(ServeSettings)}
    named = set(re.findall(rf"{ENVIRONMENT_PREFIX}[A-Z_]+", text(name)))
    assert named
    assert named - {ENVIRONMENT_PREFIX} <= known


def test_the_image_serves_on_its_port_as_nobody_and_says_when_it_is_ready(dockerfile):
    words = " ".join(rest for name, rest in dockerfile if name == "ENV")
    environment = {}
    for word in shlex.split(words):
        name, _, value = word.partition("=")
        environment[name] = value
    settings = settings_from({}, environment=environment)
    by_name = dict(dockerfile)
    assert settings.port == int(by_name["EXPOSE"]) == DEFAULTS.port
    assert settings.host == "0.0.0.0"
    assert f"http://127.0.0.1:{settings.port}/ready" in by_name["HEALTHCHECK"]
    assert by_name["STOPSIGNAL"] == "SIGTERM"
    assert by_name["ENTRYPOINT"] == '["python3", "-m", "edgeembed", "serve"]'
    assert ":nonroot" in text("Dockerfile").rpartition("\nFROM ")[2].splitlines()[0]


def test_both_stages_of_the_image_have_the_same_python():
    stages = re.findall(r"^FROM (\S+)", text("Dockerfile"), re.MULTILINE)
    assert stages == ["python:3.13-slim-trixie", "gcr.io/distroless/python3-debian13:nonroot"]
    assert "/lib/python3.13/site-packages" in text("Dockerfile")


def test_the_image_is_built_from_files_that_exist():
    named = re.findall(r"^!(\S+)", text("Dockerfile.dockerignore"), re.MULTILINE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text("Dockerfile"), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == set(named)


def test_what_the_image_leaves_out_is_not_imported_by_a_server():
    uninstalled = re.search(r"pip uninstall -y ([^&]+)&&", text("Dockerfile"))
    names = uninstalled[1].replace("\\\n", " ").split()
    assert "huggingface-hub" in names
    modules = {name.replace("-", "_") for name in names} - {"pip"}
    code = (
        "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:]))\n"  # None: not to be imported
        "import edgeembed.serve.run\n"
        "from edgeembed.cli import main; sys.argv[1:] = ['serve', '--help']; main()\n"
    )
    command = [sys.executable, "-c", code, *sorted(modules)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_compose_file_is_one_and_leaves_time_to_stop(compose):
    command = [Path(sys.executable).with_name("check-jsonschema")]
    if not command[0].exists():
        pytest.skip("check-jsonschema is not installed")
    command += ["--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert int(compose["stop_grace_period"].rstrip("s")) > DEFAULTS.stop_s + DRAIN_S
    assert compose["ports"] == [f"127.0.0.1:{DEFAULTS.port}:{DEFAULTS.port}"]
    assert compose["environment"][KEYS] == f"/run/secrets/{compose['secrets'][0]}"
    assert compose["read_only"] is True


def test_the_unit_starts_the_command_and_leaves_time_to_stop(unit):
    assert unit["Type"] == "exec"
    assert shlex.split(unit["ExecStart"]) == ["/opt/edgeembed/bin/edgeembed", "serve"]
    assert int(unit["TimeoutStopSec"]) > DEFAULTS.stop_s + DRAIN_S
    assert unit["Environment"] == f"{KEYS}=%d/{unit['LoadCredential'].partition(':')[0]}"


def test_the_pod_is_probed_where_the_server_answers_and_leaves_time_to_stop(kubernetes):
    pod, service = kubernetes
    (container,) = pod["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == DEFAULTS.port
    assert service["ports"][0]["targetPort"] == port["name"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }
    assert paths == {"startup": "/ready", "readiness": "/ready", "liveness": "/live"}
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > waits + DEFAULTS.stop_s + DRAIN_S
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (variable,) = container["env"]
    assert variable["name"] == KEYS
    assert variable["value"].startswith(mounts["keys"] + "/")
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert pod["securityContext"]["runAsNonRoot"]


def test_the_probed_paths_are_endpoints_that_need_no_key():
    endpoints = probes(not_ready=lambda: None, metrics=lambda: b"", metrics_need_key=False)
    without_key = {endpoint.path for endpoint in endpoints if not endpoint.needs_key}
    assert {"/live", "/ready"} <= without_key
