"""`edgeembed doctor`: true words about this machine, and about a bundle on it."""

import os
import sqlite3
import subprocess
import sys

import onnxruntime
import pytest

from edgeembed.doctor import machine, offline
from edgeembed.doctor.offline import offline_finding
from helpers import tiny_bundle


def by_name(report):
    return {finding["name"]: finding for finding in report["findings"]}


def test_it_tells_what_the_machine_has(run_json):
    report = run_json("doctor")
    found = by_name(report)
    assert report["ok"]
    assert f"of {os.cpu_count()} processors" in found["threads"]["found"]
    assert found["onnxruntime"]["found"] == onnxruntime.__version__
    assert "CPUExecutionProvider" in found["providers"]["found"]
    assert sqlite3.sqlite_version in found["sqlite"]["found"]
    assert "files" not in found


def test_a_sound_bundle_is_well_in_every_variant(run_json, tiny_path):
    report = run_json("doctor", tiny_path)
    found = by_name(report)
    assert report["ok"]
    assert found["files"]["found"] == "5 files, every SHA-256 is right"
    assert "min cosine 1.000000" in found["variant fp32"]["found"]
    assert found["offline"]["status"] == "ok"
    assert "on CPUExecutionProvider" in found["chosen here"]["found"]


def test_a_damaged_file_is_named_and_the_exit_code_says_so(run, own_bundle):
    (own_bundle / "README.md").write_bytes(b"changed")
    result = run("doctor", own_bundle)
    assert result.exit_code == 1
    assert "WRONG" in result.stdout
    assert "README.md" in result.stdout


def test_vectors_that_are_not_the_promised_ones_are_found(run, tmp_path):
    other = tiny_bundle.graph(tiny_bundle.table()[::-1].copy()).SerializeToString()
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", replaced={"fp32.onnx": other})
    result = run("doctor", path)
    assert result.exit_code == 1
    assert "use another variant here" in result.stdout


def test_a_variant_for_other_machines_is_a_note(run_json, tmp_path, tiny_path):
    path = tiny_bundle.copy_bundle(tiny_path, tmp_path / "b")

    def only_for_cuda(tree):
        tree["towers"]["text"]["variants"][1]["requires"] = ["cuda"]

    tiny_bundle.edit_manifest(path, only_for_cuda)
    report = run_json("doctor", path)
    assert report["ok"]
    assert by_name(report)["variant int8"]["found"] == "not for this CPU: cuda"


def test_a_path_without_a_bundle_is_an_error_in_one_line(fails, tmp_path):
    assert "expected a directory, got nothing" in fails("doctor", tmp_path / "none")


def test_an_old_onnxruntime_and_an_annoy_that_dies_are_wrong(monkeypatch):
    monkeypatch.setattr(machine.ort, "__version__", "1.20.1")
    monkeypatch.setattr(machine, "annoy_module", lambda: None)
    monkeypatch.setattr(machine, "is_installed", lambda: True)
    found = {finding.name: finding for finding in machine.machine_findings()}
    assert found["onnxruntime"].status == "wrong"
    assert found["approximate search"].status == "wrong"
    assert "--force-reinstall" in found["approximate search"].advice


def test_the_offline_proof_catches_a_use_of_the_network(monkeypatch, tiny_path):
    spy = offline._CHILD.replace("with Encoder", "import socket; socket.socket()\nwith Encoder")
    monkeypatch.setattr(offline, "_CHILD", spy)
    finding = offline_finding(tiny_path)
    assert finding.status == "wrong"
    assert "network: socket." in finding.found


@pytest.mark.skipif(sys.platform != "linux", reason="lists open files by /proc")
def test_the_offline_proof_sees_a_socket_that_native_code_left_open(monkeypatch, tiny_path):
    # The descriptor comes from the parent: no audit event tells of it, as of native code's.
    inherit = "import socket, sys; a, b = socket.socketpair(); fd = a.fileno()\n"
    code = f"{inherit}import os, runpy; os.dup2(fd, 77)\n"
    late = offline._CHILD.replace("sys.addaudithook", f"{code}sys.addaudithook")
    child = subprocess.run(
        [sys.executable, "-c", late, str(tiny_path)], capture_output=True, text=True, check=False
    )
    assert child.stdout.startswith("sockets ")
    assert child.stdout.strip() != "sockets 0"
